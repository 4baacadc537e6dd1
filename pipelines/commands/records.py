"""`hanmill records` and `hanmill inspect`."""

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands import options as shared
from pipelines.commands.engines import on_engines
from pipelines.engines.options import EngineOptions
from pipelines.errors import UsageError

if TYPE_CHECKING:
    from transforms.splits import Splits

_NAMED = re.compile(r"(\w+)=(.+)", re.DOTALL)


class TaskName(StrEnum):
    MASKED_LANGUAGE_MODEL = "masked-language-model"
    TEXT_CLASSIFICATION = "text-classification"
    READING_COMPREHENSION = "reading-comprehension"
    RELATION_EXTRACTION = "relation-extraction"
    EVENT_EXTRACTION = "event-extraction"
    ENTITY_LINKING = "entity-linking"


@on_engines
def records(
    context: typer.Context,
    task: Annotated[TaskName, typer.Argument(metavar="TASK", help="What the records are for.", show_default=False)],
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="[SPLIT=]INPUT...", help="Files of the task's format, as train=FILE dev=FILE."),
    ],
    vocab: Annotated[Path, typer.Option(metavar="FILE", help="WordPiece vocabulary.", show_default=False)],
    out: shared.Out,
    engine_options: EngineOptions,
    schema: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The task's labels, as its organisers list them.")
    ] = None,
    kb: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Output folder of hanmill kb build, for entity-linking.")
    ] = None,
    known_ids: Annotated[
        bool, typer.Option("--known-ids", help="An id that --kb does not have makes a bad record.")
    ] = False,
    max_length: Annotated[
        int | None, typer.Option(min=8, help="Most tokens of a record; default: the task's.", show_default=False)
    ] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, max=1 << 16, help="Tokens between windows over a context.", show_default="128")
    ] = None,
    across_documents: Annotated[
        bool, typer.Option("--across-documents", help="Pack texts together, in the order of their hash.")
    ] = False,
    shards: Annotated[
        int, typer.Option(min=1, max=1 << 16, help="Files of split train; others have an eighth as many.")
    ] = 16,
    splits: Annotated[
        str | None,
        typer.Option(metavar="SHARES", help="Of inputs without SPLIT=, as train=0.9,dev=0.05,test=0.05."),
    ] = None,
    salt: Annotated[str, typer.Option(help="Another salt, another shuffle.")] = "hanmill",
    encoding: shared.Encoding = "auto",
    pattern: shared.Pattern = None,
    format: shared.Format = shared.FormatName.AUTO,
    text_field: shared.TextField = "text",
    label_field: shared.LabelField = "label",
    id_field: shared.IdField = "id",
    shard_bytes: shared.ShardBytes = "32MiB",
    max_document_bytes: shared.MaxDocumentBytes = "64MiB",
    fresh: shared.Fresh = False,
    errors: shared.Errors = shared.ErrorsName.DEAD_LETTER,
    max_bad_records: shared.MaxBadRecords = "5%",
) -> None:
    """Write TFRecords of a task: ids, character offsets, gold spans.

    A run that was killed goes on where it stopped. What stands after `--` are pipeline options of --engine beam.
    """
    from pipelines.commands.jobs import run_job, tell_outcome
    from pipelines.console import tell
    from pipelines.storage.dead_letters import check_limit
    from pipelines.tally import prepare

    with shared.needing("records", command="hanmill records"):
        from pipelines.records import Records
        from pipelines.task_options import TaskOptions
        from transforms.tasks.task import TASKS

    reads = TASKS[task.value].reads
    if reads != "texts":
        if format is not shared.FormatName.AUTO:
            kind = "JSON lines" if reads == "lines" else "JSON files"
            raise UsageError(f"--format {format.value}: {task.value} is always read as {kind}")
        if (text_field, label_field, id_field) != ("text", "label", "id"):
            raise UsageError(f"--text-field, --label-field, --id-field: {task.value} has the fields of its own format")
    reading = shared.reading_options(
        encoding=encoding,
        errors=errors,
        format=format.value if reads == "texts" else reads,
        pattern=pattern,
        text_field=text_field,
        label_field=label_field,
        id_field=id_field,
        max_document_bytes=max_document_bytes,
    )
    named = [_named(given) for given in inputs]
    words = task is TaskName.MASKED_LANGUAGE_MODEL
    task_options = TaskOptions(
        task.value,
        vocab.absolute(),  # workers may have another working directory
        schema and schema.absolute(),
        max_length or 0,
        stride or 0,
        across_documents,
        prepare(None, (), tell=tell) if words else "",
        kb and kb.absolute(),
        known_ids,
    )
    job = Records(
        tuple(named),
        out.absolute(),
        task_options,
        reading,
        _splits([split for split, _ in named], splits, files=shards, salt=salt),
        shared.parse_size(shard_bytes, "--shard-bytes"),
        check_limit(max_bad_records),
    )
    outcome = run_job(context, job, engine_options, work="tokenize", fresh=fresh, performance_report=False)
    tell_outcome(out, outcome, made=f"{outcome.manifest['totals']['records']:,} records")
    counts = ", ".join(f"{count:,} in {split}" for split, count in outcome.manifest["splits"].items())
    print(f"records: {counts}; {out / 'README.md'} describes them")


def _named(given: str) -> tuple[str, str]:
    """Split, or nothing, and input; a file whose name has an equals sign is one all the same."""
    found = _NAMED.fullmatch(given)
    return (found[1], found[2]) if found and not Path(given).exists() else ("", given)


def _splits(named: Sequence[str], shares: str | None, *, files: int, salt: str) -> "Splits":
    from transforms.splits import TRAIN, Splits, check_name, parse_shares

    names = tuple(sorted(set(filter(None, named)), key=lambda name: (name != TRAIN, name)))
    if shares is not None and all(named):
        raise UsageError("--splits: every input is named for a split: leave it out, or name some for none")
    try:
        for name in names:
            check_name(name)
        rest = parse_shares(shares) if shares is not None else ((names[0] if all(named) else TRAIN, 1.0),)
        return Splits(rest, names, files, salt)
    except ValueError as error:
        raise UsageError(f"--splits: {error}" if shares is not None else f"{error}") from None


def inspect(
    directory: shared.Directory,
    split: Annotated[str | None, typer.Option(help="Which; default: train.", show_default=False)] = None,
    records: Annotated[int, typer.Option(min=1, max=shared.MOST, help="How many.")] = 3,
    skip: Annotated[int, typer.Option(min=0, max=shared.MOST, help="How many to pass by before.")] = 0,
) -> None:
    """Show records as a person reads them: tokens, and spans marked in the text."""
    with shared.needing("records", command="hanmill inspect"):
        from pipelines.inspection import show_records

    show_records(directory, split=split, count=records, skip=skip)
