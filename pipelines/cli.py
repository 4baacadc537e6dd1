"""The command `hanmill`: arguments in, calls out; what runs is in the jobs."""

import io
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

STARTED = time.time()

import typer  # noqa: E402  the clock starts before the imports, as a user's does

from pipelines.bench.commands import bench  # noqa: E402
from pipelines.commands.angles import angles  # noqa: E402
from pipelines.commands.count import count  # noqa: E402
from pipelines.commands.evaluate import evaluate  # noqa: E402
from pipelines.commands.kb import kb  # noqa: E402
from pipelines.commands.options import EXIT_CODES, MOST, Directory, Invocation, needing  # noqa: E402
from pipelines.commands.predict import predict  # noqa: E402
from pipelines.commands.records import inspect, records  # noqa: E402
from pipelines.commands.run import run  # noqa: E402
from pipelines.commands.score import score  # noqa: E402
from pipelines.commands.train import train  # noqa: E402
from pipelines.commands.vocab import vocab  # noqa: E402
from pipelines.errors import DONE, INTERRUPTED, HanmillError, InputError, UsageError  # noqa: E402

JOBS = {"count", "records", "angles", "kb", "predict"}  # what engines run

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Chinese corpora to word counts, vocabularies, records and trained models.",
)
app.add_typer(bench, name="bench")
app.add_typer(kb, name="kb")


app.command(epilog=EXIT_CODES)(count)
app.command(epilog=EXIT_CODES)(vocab)
app.command(epilog=EXIT_CODES)(records)
app.command()(inspect)
app.command(epilog=EXIT_CODES)(angles)
app.command(epilog=EXIT_CODES)(train)
app.command(epilog=EXIT_CODES)(run)
app.command(epilog=EXIT_CODES)(predict)
app.command(epilog=EXIT_CODES)(score)
app.command(epilog=EXIT_CODES)(evaluate)


@app.command()
def show(directory: Directory, top: Annotated[int, typer.Option(min=1, max=MOST, help="How many words.")] = 50) -> None:
    """Show a finished output: the most frequent words of a count, the table of angles."""
    from pipelines.show import tell_output

    tell_output(directory, top)


@app.command()
def verify(directory: Directory) -> None:
    """Read every file of a finished output again and compare it with its checksum."""
    from pipelines.storage.manifest import read_manifest
    from pipelines.storage.manifest import verify as verify_output

    wrong = verify_output(directory)
    if (read_manifest(directory) or {}).get("job") == "records":
        with needing("records", command="hanmill verify"):
            from pipelines.inspection import verify_records

        wrong += verify_records(directory)
    if wrong:
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
    documents: Annotated[int, typer.Option(min=1, max=MOST, help="How many.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, max=MOST, help="Another seed, another corpus.")] = 0,
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


def main() -> NoReturn:
    """Runs the command and ends the process with its documented exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # paths and words may be more than the terminal's encoding
    ours, pipeline_options = _split(sys.argv[1:])
    code: Any = DONE
    try:
        if pipeline_options and not JOBS.intersection(ours[:1]):
            raise UsageError(f"{pipeline_options[0]}: only a job with `--engine beam` takes options after --")
        others = {"--help", "dask", "beam", "--engine=dask", "--engine=beam"}
        if JOBS.intersection(ours[:1]) and not others.intersection(ours) and len(os.sched_getaffinity(0)) > 1:
            from pipelines.engines import local

            local.start_early()
        code = app(ours, obj=Invocation(STARTED, pipeline_options), standalone_mode=False) or DONE
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
