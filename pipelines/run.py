"""Runs a job in its output folder: lock, plan, engine, finish; and what `run.json` tells of it."""

import contextlib
import resource
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.engines.job import Engine, Job, Progress
from pipelines.environment import environment
from pipelines.storage.commit import lock, plain_errors
from pipelines.storage.manifest import PARTS, RUN, SHARDS, has_size, listed, read_json, read_manifest
from pipelines.storage.resume import Plan, drop_others


class Watch:
    """What is told of a run while it goes on; the command line shows it."""

    def planned(self, plan: Plan) -> None:
        """The shards are known."""

    def progressed(self, progress: Progress) -> None:
        """A task is done."""

    def stage(self, name: str) -> None:
        """A stage begins."""

    def close(self) -> None:
        """The run is over, well or not."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished output. `repeated`: whether it was there already and nothing was done."""

    manifest: dict[str, Any]
    run: dict[str, Any]
    repeated: bool


def run(
    job: Job,
    *,
    engine: Engine,
    fresh: bool = False,
    watch: Watch | None = None,
    started: float | None = None,
) -> Outcome:
    """Brings the output of a job up to date with its inputs; what earlier runs committed is kept.

    `started`: seconds since the epoch when the command began. Raises HanmillError.
    """
    watch = watch or Watch()
    clock = _Clock(started or time.time())
    directory = job.directory
    with _prepared(directory):
        plan = job.plan(workers=engine.workers, fresh=fresh)
        if not plan.shards and (found := _finished(job, plan)) is not None:
            # A run that was killed after `_SUCCESS` may have left some of this.
            drop_others(directory, plan.kept)
            shutil.rmtree(directory / PARTS, ignore_errors=True)
            return found
        watch.planned(plan)
        clock.turn("list")
        stage = ""

        def progressed(progress: Progress) -> None:
            nonlocal stage
            environment()  # looked up while workers work; the driver has nothing else to do
            if stage and progress.stage != stage:
                clock.turn(stage)
            stage = progress.stage
            watch.progressed(progress)

        try:
            mapped, reduced = engine.run(job, plan, report=progressed)
            clock.turn(stage or "map")
            watch.stage("finish")
        finally:
            watch.close()
        described: dict[str, Any] = {}

        def describe() -> dict[str, Any]:
            clock.turn("finish")
            counted = {entry.fingerprint for entry in mapped} - {entry.fingerprint for entry in plan.kept}
            fresh_entries = [entry for entry in mapped if entry.fingerprint in counted]
            done = {name: sum(entry.totals.get(name, 0) for entry in fresh_entries) for name in (job.records, "bytes")}
            shards = {"total": len(mapped), "counted": len(counted), "kept": len(plan.kept)}
            described.update(clock.describe(done))
            described.update(
                engine=engine.name,
                workers=engine.workers,
                **engine.describe(),
                shards=shards,
                driver_peak_bytes=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
                environment=environment(),
                command=sys.argv,
            )
            return described

        manifest = job.finish(plan, mapped, reduced, describe)
        return Outcome(manifest, described, repeated=False)


@contextlib.contextmanager
def _prepared(directory: Path) -> Iterator[None]:
    """The output folder, there and locked."""
    with plain_errors(directory):
        new = [path for path in (directory, *directory.parents) if not path.exists()]
        directory.mkdir(parents=True, exist_ok=True)
        try:
            with lock(directory):
                (directory / SHARDS).mkdir(exist_ok=True)
                try:
                    yield
                except BaseException:
                    # By the holder of the lock alone: that of a run which still lists its inputs is as empty.
                    _remove_empty(directory / SHARDS)
                    raise
        except BaseException:
            _remove_empty(*new)
            raise


def _remove_empty(*folders: Path) -> None:
    """Removes what a run that came to nothing made; other folders are not empty."""
    with contextlib.suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _finished(job: Job, plan: Plan) -> Outcome | None:
    """The output that is there, if it is what this run would make."""
    manifest, run_file = read_manifest(job.directory), read_json(job.directory / RUN)
    if manifest is None or run_file is None:
        return None
    same = manifest["inputs"] == plan.inputs and job.describes(manifest)
    whole = all(has_size(job.directory, file) for file in listed(manifest))
    return Outcome(manifest, run_file, repeated=True) if same and whole else None


class _Clock:
    """Times of stages, from the moment the command began."""

    def __init__(self, started: float) -> None:
        self.started = self._last = started
        self.stages: dict[str, float] = {}

    def turn(self, stage: str) -> None:
        now = time.time()
        self.stages[stage] = round(self.stages.get(stage, 0.0) + now - self._last, 3)
        self._last = now

    def describe(self, done: Mapping[str, int]) -> dict[str, Any]:
        seconds = max(self._last - self.started, 1e-3)
        return {
            "started": datetime.fromtimestamp(self.started, UTC).isoformat(timespec="milliseconds"),
            "finished": datetime.fromtimestamp(self._last, UTC).isoformat(timespec="milliseconds"),
            "seconds": round(seconds, 3),
            "stages": self.stages,
            **{f"{name}_per_second": round(number / seconds, 1) for name, number in done.items()},
        }
