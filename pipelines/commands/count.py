"""`hanmill count`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands import options as shared
from pipelines.commands.engines import on_engines
from pipelines.engines.options import EngineOptions


class TokenizerName(StrEnum):
    WORDS = "words"
    SEARCH = "search"
    CHARACTERS = "characters"


class NormalizationName(StrEnum):
    NONE = "none"
    NFKC = "nfkc"


@on_engines
def count(
    context: typer.Context,
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Directories, files, globs, archives or URLs.")
    ],
    out: shared.Out,
    engine_options: EngineOptions,
    by_label: Annotated[bool, typer.Option("--by-label", help="A column of counts for each label.")] = False,
    min_count: Annotated[
        int, typer.Option(min=1, max=shared.MOST, help="Leave out rarer words; changing it recounts nothing.")
    ] = 1,
    user_dict: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Words to add, in jieba's format; repeatable.")
    ] = None,
    dictionary: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Use this instead of jieba's own dictionary.")
    ] = None,
    no_hmm: Annotated[bool, typer.Option("--no-hmm", help="Guess no words that are not in the dictionary.")] = False,
    tokenizer: Annotated[
        TokenizerName, typer.Option(help="jieba.cut, jieba.cut_for_search, or single characters.")
    ] = TokenizerName.WORDS,
    normalize: Annotated[
        NormalizationName, typer.Option(help="Unicode normalization before cutting.")
    ] = NormalizationName.NONE,
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
    no_report: shared.NoReport = False,
) -> None:
    """Count the words of a corpus, exactly as jieba cuts them.

    A run that was killed goes on where it stopped; a finished run over the same inputs does nothing. What stands
    after `--` are pipeline options of --engine beam.
    """
    from pipelines.commands.jobs import report, run_job, tell_outcome
    from pipelines.console import tell
    from pipelines.storage.dead_letters import check_limit
    from pipelines.tally import prepare
    from pipelines.word_count import WordCount

    reading = shared.reading_options(
        encoding=encoding,
        errors=errors,
        format=format.value,
        pattern=pattern,
        text_field=text_field,
        label_field=label_field,
        id_field=id_field,
        max_document_bytes=max_document_bytes,
    )
    # Workers may have another working directory.
    out, own = out.absolute(), str(dictionary.absolute()) if dictionary else None
    added = tuple(str(path.absolute()) for path in user_dict or ())
    job = WordCount(
        tuple(inputs),
        out,
        prepare(own, added, tell=tell),
        reading,
        tokenizer.value,
        not no_hmm,
        normalize.value,
        own,
        added,
        by_label,
        min_count,
        shared.parse_size(shard_bytes, "--shard-bytes"),
        check_limit(max_bad_records),
    )
    outcome = run_job(context, job, engine_options, work="count", fresh=fresh, performance_report=not no_report)
    tell_outcome(out, outcome, made=f"{outcome.manifest['totals']['words']:,} words")
    parts = outcome.manifest["parts"]
    print(f"counts: {out / parts[0]['name']}" + (f" and {len(parts) - 1} more" if len(parts) > 1 else ""))
    if not no_report:
        from pipelines.reports.word_count import write_report

        report(out, outcome, write_report)
