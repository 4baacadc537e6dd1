"""What an engine costs: one worker against several, and shards of nothing."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pipelines.bench.counting import decoded, jieba_cut, loop_over
from pipelines.console import tell
from pipelines.engines.choice import open_engine
from pipelines.engines.options import EngineName, EngineOptions
from pipelines.environment import environment
from pipelines.storage.commit import digest
from pipelines.storage.manifest import RUN, Describe, Entry
from pipelines.storage.resume import Plan
from pipelines.storage.shards import Shard, whole
from pipelines.storage.sources import Reading, discover

SAMPLE = 10_000_000  # bytes for the plain loop, whose time grows with the text and with nothing else


def bench_engines(inputs: Sequence[str], *, engines: Sequence[str], rounds: int, workers: int) -> None:
    """Whole counts on each engine with one worker and with several, in turn; the start of a cluster is told apart.

    E_self is T_1 / (N T_N) of the same engine, E_loop the plain loop over jieba against N T_N.
    """
    size = sum(source.size for source in discover(inputs, Reading()))
    runs: dict[tuple[str, int], list[dict[str, Any]]] = {(name, n): [] for name in engines for n in (1, workers)}
    for number in range(rounds + 1):
        for (name, n), measured in runs.items():
            found = _count(inputs, name, n)
            if number:  # the first round warms caches
                measured.append(found)
    loop = _loop(inputs, size)
    machine = environment()
    print(f"{size / 1e6:,.1f} MB, {rounds} rounds; {machine['processor']}, {machine['cores']} cores")
    print(f"jieba, plain loop: {loop:,.1f} s, from {SAMPLE / 1e6:.0f} MB of it")
    for name in engines:
        alone, together = (statistics.median(map(_seconds, runs[name, n])) for n in (1, workers))
        start = statistics.median(run["stages"].get("start", 0.0) for run in runs[name, workers])
        peak = max(run["driver_peak_bytes"] for run in runs[name, workers])
        print(
            f"{name:<6} 1 worker {alone:8.2f} s, {workers} workers {together:8.2f} s, cluster start {start:5.2f} s   "
            f"E_self {alone / (workers * together):.3f}   E_loop {loop / (workers * together):6.1f}   "
            f"driver {peak / 2**20:,.0f} MiB"
        )
        for stage in runs[name, workers][0]["stages"]:
            times = [[run["stages"][stage] for run in runs[name, n]] for n in (1, workers)]
            print(f"    {stage:<8} {statistics.median(times[0]):8.2f} s {statistics.median(times[1]):8.2f} s")


def _seconds(run: dict[str, Any]) -> float:
    return float(run["seconds"] - run["stages"].get("start", 0.0))


def _count(inputs: Sequence[str], engine: str, workers: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pipelines.cli", "count", *inputs, "--out", folder, "--no-report"]
        command += ["--engine", engine, "--workers", str(workers)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found: dict[str, Any] = json.loads((Path(folder) / RUN).read_bytes())
    return found


def _loop(inputs: Sequence[str], size: int) -> float:
    """Seconds of the plain loop over all of the inputs, from a sample of them."""
    slices = [whole(source) for source in discover(inputs, Reading())][:: max(1, size // SAMPLE)]
    sampled = sum(piece.end for piece in slices)
    texts = list(decoded(slices, Reading()))
    begun = time.perf_counter()
    loop_over(jieba_cut(), texts)
    return (time.perf_counter() - begun) * size / sampled


@dataclass(frozen=True, slots=True)
class Nothing:
    """A job whose tasks do nothing: what is left is the engine's own work."""

    directory: Path
    count: int
    name: ClassVar[str] = "nothing"
    records: ClassVar[str] = "documents"
    partitions: ClassVar[int] = 1

    def plan(self, *, workers: int, fresh: bool = False) -> Plan:
        return Plan([Shard(digest(number), 0) for number in range(self.count)], [], {})

    def describes(self, manifest: dict[str, Any]) -> bool:
        return False

    def map(self, shard: Shard) -> Entry:
        return Entry(shard.fingerprint, ())

    def reduce(self, partition: int, entries: Sequence[Entry]) -> Entry:
        return Entry(digest(partition), (), {"entries": len(entries)})

    def finish(
        self, plan: Plan, mapped: Sequence[Entry], reduced: Sequence[Entry], describe: Describe
    ) -> dict[str, Any]:
        return {}


def bench_scheduling(*, engine: EngineName, shards: int, workers: int) -> None:
    """Prints seconds from the first task to the last, of shards of nothing."""
    seconds = schedule_nothing(engine, shards=shards, workers=workers)
    print(f"{shards:,} shards of nothing on {engine}, {workers} workers, {len(os.sched_getaffinity(0))} cores:")
    print(f"{seconds:.2f} s, {1e3 * seconds / shards:.2f} ms a shard")


def schedule_nothing(engine: EngineName, *, shards: int, workers: int) -> float:
    """Seconds from the first task to the last, of shards of nothing."""
    with tempfile.TemporaryDirectory() as folder:
        job = Nothing(Path(folder), shards)
        times: list[tuple[str, float]] = []
        options = EngineOptions(engine, workers)
        with open_engine(options, tell=tell) as opened:
            plan = job.plan(workers=workers)
            opened.run(job, plan, report=lambda progress: times.append((progress.stage, time.perf_counter())))
    begun = next((at for stage, at in times if stage == "map"), times[0][1])
    return times[-1][1] - begun
