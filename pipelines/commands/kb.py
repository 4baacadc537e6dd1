"""`hanmill kb build`, `hanmill kb vocab` and `hanmill kb mentions`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands import options as shared
from pipelines.commands.engines import on_engines
from pipelines.engines.options import EngineOptions

kb = typer.Typer(no_args_is_help=True, help="Knowledge bases for entity linking.")


@kb.command("build", epilog=shared.EXIT_CODES)
@on_engines
def build(
    context: typer.Context,
    inputs: Annotated[list[str], typer.Argument(metavar="KB_DATA...", help="JSON lines, as CCKS2019's kb_data.")],
    out: shared.Out,
    engine_options: EngineOptions,
    encoding: shared.Encoding = "auto",
    shard_bytes: shared.ShardBytes = "32MiB",
    max_document_bytes: shared.MaxDocumentBytes = "64MiB",
    fresh: shared.Fresh = False,
    errors: shared.Errors = shared.ErrorsName.DEAD_LETTER,
    max_bad_records: shared.MaxBadRecords = "5%",
) -> None:
    """Build a trie of names and a store of entities, which are mapped into memory.

    A run that was killed goes on where it stopped. What stands after `--` are pipeline options of --engine beam.
    """
    from pipelines.commands.jobs import run_job
    from pipelines.storage.dead_letters import check_limit

    with shared.needing("records", command="hanmill kb build"):
        from pipelines.knowledge_base import BuildKnowledgeBase

    reading = shared.reading_options(
        encoding=encoding,
        errors=errors,
        format="lines",
        pattern=None,
        text_field="text",
        label_field="label",
        id_field="id",
        max_document_bytes=max_document_bytes,
    )
    job = BuildKnowledgeBase(
        tuple(inputs),
        out.absolute(),
        reading,
        shared.parse_size(shard_bytes, "--shard-bytes"),
        check_limit(max_bad_records),
    )
    outcome = run_job(context, job, engine_options, work="read", fresh=fresh, performance_report=False)
    totals = outcome.manifest["totals"]
    if outcome.repeated:
        print(f"{out}: up to date, nothing to do")
    dead = f", {totals['dead_letters']:,} bad records in {out / 'dead_letters.jsonl'}" if totals["dead_letters"] else ""
    print(f"{totals['documents']:,} entities, {totals['names']:,} names{dead}")
    if not outcome.repeated:
        print(f"{outcome.run['seconds']:.2f} s, {outcome.run['workers']} workers")


@kb.command("vocab", epilog=shared.EXIT_CODES)
def vocab(
    known: Annotated[
        Path, typer.Argument(metavar="KB_DIR", help="Output folder of hanmill kb build.", show_default=False)
    ],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="CCKS2019's JSON lines, for training.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the vocabulary goes.", show_default=False)],
    min_count: Annotated[int, typer.Option(min=1, max=shared.MOST, help="Leave out rarer characters.")] = 2,
) -> None:
    """Make a vocabulary of the characters of descriptions and texts, in small letters, for the light model."""
    with shared.needing("records", command="hanmill kb vocab"):
        from pipelines.knowledge_base_vocabulary import write_known_vocabulary

    tokens, bad = write_known_vocabulary(known, files, out, min_count=min_count)
    print(f"{out}: {tokens:,} tokens" + (f"; {bad:,} bad rows left out" if bad else ""))


@kb.command("mentions", epilog=shared.EXIT_CODES)
def mentions(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="CCKS2019's JSON lines, with gold.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Lines for hanmill kb build.", show_default=False)],
    known: Annotated[
        Path | None,
        typer.Option("--kb", metavar="DIR", help="What this knowledge base has is not made.", show_default=False),
    ] = None,
) -> None:
    """Make entities of nothing but mentions, where a knowledge base lacks them. Linking to such ones proves nothing."""
    from pipelines.made_entities import write_made_entities

    entities, names = write_made_entities(files, out, knowledge_base=known)
    print(f"{out}: {entities:,} made entities, {names:,} names")
