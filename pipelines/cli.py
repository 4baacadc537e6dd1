"""The command `hanmill`: arguments in, calls out; what runs is in the jobs."""

import io
import os
import signal
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

STARTED = time.time()

import typer  # noqa: E402  the clock starts before the imports, as a user's does

from pipelines.arguments import (  # noqa: E402
    Engine,
    EngineName,
    Fresh,
    NoReport,
    Out,
    Scheduler,
    SchedulerFile,
    ShardBytes,
    TlsCa,
    TlsCert,
    TlsKey,
    Workers,
)
from pipelines.bench.commands import bench  # noqa: E402
from pipelines.errors import DONE, INTERRUPTED, HanmillError, InputError, UsageError  # noqa: E402

if TYPE_CHECKING:
    from pipelines.engines.job import Job
    from pipelines.engines.options import EngineOptions
    from pipelines.run import Outcome

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Chinese corpora to word counts, vocabularies and records."
)
app.add_typer(bench, name="bench")


class MethodName(StrEnum):
    VECTORS = "vectors"
    REDUCED = "reduced"


class TokenizerName(StrEnum):
    WORDS = "words"
    SEARCH = "search"
    CHARACTERS = "characters"


class NormalizationName(StrEnum):
    NONE = "none"
    NFKC = "nfkc"


class FormatName(StrEnum):
    AUTO = "auto"
    LINES = "lines"
    TSV = "tsv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    DOCUMENT = "document"


class ErrorsName(StrEnum):
    DEAD_LETTER = "dead-letter"
    REPLACE = "replace"


Directory = Annotated[Path, typer.Argument(help="Output folder of a run.", show_default=False)]

JOBS = ("count", "angles")  # they take options of an engine after `--`
EXIT_CODES = "Exit codes: 0 done, 2 usage, 3 input, 4 too many bad records, 5 engine, 130 interrupted."


@app.command(epilog=EXIT_CODES)
def count(
    context: typer.Context,
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Directories, files, globs, archives or URLs.")
    ],
    out: Out,
    engine: Engine = EngineName.LOCAL,
    workers: Workers = None,
    scheduler: Scheduler = None,
    scheduler_file: SchedulerFile = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    by_label: Annotated[bool, typer.Option("--by-label", help="A column of counts for each label.")] = False,
    min_count: Annotated[int, typer.Option(min=1, help="Leave out rarer words; changing it recounts nothing.")] = 1,
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
    encoding: Annotated[str, typer.Option(help="auto: UTF-8, else GB18030; or any encoding Python knows.")] = "auto",
    pattern: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="Document files in directories and archives; repeatable.  [default: *.txt *.md]",
            show_default=False,
        ),
    ] = None,
    format: Annotated[FormatName, typer.Option(help="Of named files; auto goes by suffix.")] = FormatName.AUTO,
    text_field: Annotated[str, typer.Option(help="JSON field or Parquet column of the text.")] = "text",
    label_field: Annotated[str, typer.Option(help="JSON field or Parquet column of the label.")] = "label",
    id_field: Annotated[str, typer.Option(help="JSON field that names a record in messages.")] = "id",
    shard_bytes: ShardBytes = "32MiB",
    max_document_bytes: Annotated[
        str, typer.Option(metavar="SIZE", help="Longer documents are bad records.")
    ] = "64MiB",
    fresh: Fresh = False,
    errors: Annotated[
        ErrorsName, typer.Option(help="What to do with bytes that cannot be decoded.")
    ] = ErrorsName.DEAD_LETTER,
    max_bad_records: Annotated[
        str, typer.Option(metavar="N|P%", help="More bad records end the run with exit code 4.")
    ] = "5%",
    no_report: NoReport = False,
) -> None:
    """Count the words of a corpus, exactly as jieba cuts them.

    A run that was killed goes on where it stopped; a finished run over the same inputs does nothing. What stands
    after `--` are pipeline options of --engine beam.
    """
    from pipelines.engines.options import EngineOptions
    from pipelines.progress import tell
    from pipelines.storage.sources import PATTERNS, Reading, check_encoding
    from pipelines.tally import prepare
    from pipelines.word_count import WordCount, check_limit

    reading = Reading(
        encoding=check_encoding(encoding),
        errors=errors.value,
        format=format.value,
        patterns=tuple(pattern or PATTERNS),
        text_field=text_field,
        label_field=label_field,
        id_field=id_field,
        max_document_bytes=parse_size(max_document_bytes, "--max-document-bytes"),
    )
    engine_options = EngineOptions(
        engine.value, workers, scheduler, scheduler_file, tls_ca, tls_cert, tls_key, context.obj or ()
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
        parse_size(shard_bytes, "--shard-bytes"),
        check_limit(max_bad_records),
    )
    outcome = _run(job, engine_options, fresh=fresh, no_report=no_report)
    _tell_counts(out, outcome)
    if not no_report:
        from pipelines.report import write_report

        _report(out, outcome, write_report)


@app.command(epilog=EXIT_CODES)
def angles(
    context: typer.Context,
    out: Out,
    dimensions: Annotated[
        str | None, typer.Option(metavar="N,N...", help="Of the random vectors, between 2 and 1,000,000.")
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            metavar="CHECKPOINT|NPY", help="Look at these vectors instead: a Hugging Face folder, or a matrix."
        ),
    ] = None,
    pairs: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="Of each dimension; default: 1e7. Of embeddings at most; default: 1e6."),
    ] = None,
    method: Annotated[
        MethodName | None,
        typer.Option(help="Draw both vectors in full, or one normal and one chi-squared number; default: vectors."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other pairs.")] = 0,
    engine: Engine = EngineName.LOCAL,
    workers: Workers = None,
    scheduler: Scheduler = None,
    scheduler_file: SchedulerFile = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    shard_bytes: ShardBytes = "1GiB",
    fresh: Fresh = False,
    no_report: NoReport = False,
) -> None:
    """Compare angles between vectors with the law of random ones: simulated ones, or those of embeddings.

    A run that was killed goes on where it stopped; more pairs or dimensions cost what is new. What stands
    after `--` are pipeline options of --engine beam.
    """
    from pipelines.engines.options import EngineOptions

    engine_options = EngineOptions(
        engine.value, workers, scheduler, scheduler_file, tls_ca, tls_cert, tls_key, context.obj or ()
    )
    out = out.absolute()
    if (dimensions is None) == (embeddings is None):
        raise UsageError("give either --dimensions, such as 2,3,10,100,768, or --embeddings")
    try:
        if embeddings is None:
            from pipelines.angles import Angles

            numbers = tuple(parse_number(number, "--dimensions") for number in str(dimensions).split(","))
            wanted = parse_number(pairs or "1e7", "--pairs")
            size = parse_size(shard_bytes, "--shard-bytes")
            job: Job = Angles(numbers, out, wanted, (method or MethodName.VECTORS).value, seed, shard_bytes=size)
        else:
            from pipelines.isotropy import Isotropy

            if method is not None:
                raise UsageError("--method is for --dimensions: embeddings are not drawn")
            job = Isotropy(str(embeddings.absolute()), out, parse_number(pairs or "1e6", "--pairs"), seed)
    except ModuleNotFoundError as error:
        raise UsageError(f"hanmill angles needs the package {error.name}: pip install 'hanmill[angles]'") from None
    outcome = _run(job, engine_options, fresh=fresh, no_report=no_report)
    if outcome.repeated:
        print(f"{out}: up to date, nothing to do")
    from pipelines.show import tell_angles

    tell_angles(out)
    if not no_report:
        from pipelines.angle_report import write_report

        _report(out, outcome, write_report)


def _run(job: "Job", options: "EngineOptions", *, fresh: bool, no_report: bool) -> "Outcome":
    """Brings a job's output up to date, on the engine that the options name."""
    from pipelines.engines.choice import open_engine
    from pipelines.progress import tell, watch
    from pipelines.run import run
    from pipelines.storage.manifest import PERFORMANCE_REPORT

    performance_report = None if no_report else job.directory / PERFORMANCE_REPORT
    with open_engine(options, tell=tell, performance_report=performance_report) as opened:
        return run(job, engine=opened, fresh=fresh, watch=watch(job.records), started=STARTED)


def _report(out: Path, outcome: "Outcome", write: Callable[[Path], Path]) -> None:
    """Writes the report, unless nothing was done and it is there."""
    if outcome.repeated and (out / "report.html").exists():
        return
    try:
        print(f"report: {write(out)}")
    except OSError as error:
        raise InputError(
            f"{out / 'report.html'}: {error.strerror or error}: the results are whole, the report is not there; "
            "run the same command again"
        ) from error


def _tell_counts(out: Path, outcome: "Outcome") -> None:
    totals, run = outcome.manifest["totals"], outcome.run
    if outcome.repeated:
        print(f"{out}: up to date, nothing to do")
    dead = f", {totals['dead_letters']:,} bad records in {out / 'dead_letters.jsonl'}" if totals["dead_letters"] else ""
    print(f"{totals['documents']:,} documents, {totals['tokens']:,} tokens, {totals['words']:,} words{dead}")
    if not outcome.repeated:
        speed = run["bytes_per_second"] / 1e6
        rate = f"{run['documents_per_second']:,.0f} documents/s, {speed:,.1f} MB/s"
        print(f"{run['seconds']:.2f} s, {rate}, {run['workers']} workers")
    parts = outcome.manifest["parts"]
    print(f"counts: {out / parts[0]['name']}" + (f" and {len(parts) - 1} more" if len(parts) > 1 else ""))


@app.command()
def show(directory: Directory, top: Annotated[int, typer.Option(min=1, help="How many words.")] = 50) -> None:
    """Show a finished output: the most frequent words of a count, the table of angles."""
    from pipelines.show import tell_output

    tell_output(directory, top)


@app.command()
def verify(directory: Directory) -> None:
    """Read every file of a finished output again and compare it with its checksum."""
    from pipelines.storage.manifest import verify as verify_output

    if wrong := verify_output(directory):
        raise InputError("\n".join(wrong))
    print(f"{directory}: every file is as it was written")


@app.command()
def status(directory: Directory) -> None:
    """Tell how far a run is: finished, running, or stopped with so many shards kept."""
    from pipelines.show import tell_status

    tell_status(directory)


@app.command()
def sample(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the corpus goes.", show_default=False)],
    documents: Annotated[int, typer.Option(min=1, help="How many.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another corpus.")] = 0,
) -> None:
    """Make a corpus in THUCNews' layout, always the same for one seed."""
    from pipelines.sample import write_sample

    try:
        size = write_sample(out, documents=documents, seed=seed)
    except OSError as error:
        raise InputError(str(error)) from error
    print(f"{out}: {documents:,} documents, {size / 1e6:,.1f} MB")


@app.command()
def doctor() -> None:
    """Tell what is installed, which engines can run here, and how to mend what is missing."""
    from pipelines.show import tell_health

    if not tell_health():
        raise typer.Exit(5)


def parse_number(text: str, option: str) -> int:
    """A whole number, as `1000`, `1_000` or `1e3`; raises UsageError."""
    try:
        number = float(text)
        if number.is_integer():
            return int(number)
    except ValueError:
        pass
    raise UsageError(f"{option} {text}: not a whole number; write 1000, or 1e3")


def parse_size(text: str, option: str) -> int:
    """Bytes of `64`, `64kB`, `32MiB` and the like; raises UsageError."""
    units = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
    number = text.strip().rstrip("BbKkMmGgIi")
    unit = text.strip()[len(number) :].upper()
    try:
        size = int(float(number) * units[unit])
    except (ValueError, KeyError, OverflowError):
        raise UsageError(f"{option} {text}: not a size; write bytes, or 64kB, 32MiB, 1GiB") from None
    if size < 1:
        raise UsageError(f"{option} {text}: must be at least one byte")
    return size


def main() -> NoReturn:
    """Runs the command and ends the process with its documented exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # paths and words may be more than the terminal's encoding
    ours, pipeline_options = _split(sys.argv[1:])
    code: Any = DONE
    try:
        if pipeline_options and (not ours or ours[0] not in JOBS):
            raise UsageError(
                f"{pipeline_options[0]}: only --engine beam of {' and '.join(JOBS)} takes options after --"
            )
        others = {"--help", "dask", "beam", "--engine=dask", "--engine=beam"}
        if ours[:1] == ["count"] and not others.intersection(ours) and len(os.sched_getaffinity(0)) > 1:
            from pipelines.engines import local

            local.start_early()
        code = app(ours, obj=pipeline_options, standalone_mode=False) or DONE
    except HanmillError as error:
        print(f"hanmill: {error}", file=sys.stderr)
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        code = _show_usage_error(error)
    if code == INTERRUPTED:  # which typer turns a KeyboardInterrupt into
        print("hanmill: interrupted; the same command goes on from here", file=sys.stderr)
    sys.stdout.flush()
    sys.exit(code)


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What stands before `--`, and what behind it."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:end], arguments[end + 1 :]


def _show_usage_error(error: Exception) -> int:
    if not hasattr(error, "show") or not hasattr(error, "exit_code"):
        raise error
    error.show()
    return int(error.exit_code)


if __name__ == "__main__":
    main()
