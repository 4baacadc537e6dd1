"""What all commands do that run a job: open the engine, run, tell, write the report."""

from collections.abc import Callable
from pathlib import Path

import typer

from pipelines.console import count_of, tell
from pipelines.engines.choice import open_engine
from pipelines.engines.job import Job
from pipelines.engines.options import EngineOptions
from pipelines.errors import InputError
from pipelines.progress import watch
from pipelines.run import Outcome, run
from pipelines.storage.manifest import PERFORMANCE_REPORT


def run_job(
    context: typer.Context,
    job: Job,
    options: EngineOptions,
    *,
    work: str,
    fresh: bool,
    performance_report: bool,
) -> Outcome:
    """Brings a job's output up to date, on the engine that the options name."""
    report = job.directory / PERFORMANCE_REPORT if performance_report else None
    with open_engine(options, tell=tell, performance_report=report) as opened:
        shown = watch(job.records, work=work)
        return run(job, engine=opened, fresh=fresh, watch=shown, started=context.obj.started)


def tell_outcome(out: Path, outcome: Outcome, *, made: str) -> None:
    """What was read, what was made of it, how fast, and where the bad records are."""
    totals, run = outcome.manifest["totals"], outcome.run
    if outcome.repeated:
        print(f"{out}: up to date, nothing to do")
    dead = f", {totals['dead_letters']:,} bad records in {out / 'dead_letters.jsonl'}" if totals["dead_letters"] else ""
    cut = f", {totals['cut']:,} too long and cut" if totals.get("cut") else ""
    mended = f", {count_of(totals['mended'], 'offset')} mended" if totals.get("mended") else ""
    print(f"{totals['documents']:,} documents, {totals['tokens']:,} tokens, {made}{cut}{mended}{dead}")
    if not outcome.repeated:
        speed = run["bytes_per_second"] / 1e6
        rate = f"{run['documents_per_second']:,.0f} documents/s, {speed:,.1f} MB/s"
        print(f"{run['seconds']:.2f} s, {rate}, {run['workers']} workers")


def report(out: Path, outcome: Outcome, write: Callable[[Path], Path]) -> None:
    """Writes the report, unless nothing was done and it is there; raises InputError where that cannot be."""
    if outcome.repeated and (out / "report.html").exists():
        return
    try:
        print(f"report: {write(out)}")
    except OSError as error:
        raise InputError(
            f"{out / 'report.html'}: {error.strerror or error}: the results are whole, the report is not there; "
            "run the same command again"
        ) from error
