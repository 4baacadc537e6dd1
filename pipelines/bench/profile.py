"""Where a worker's time goes: the steps of a count, and the dictionary before it."""

import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from pipelines import tally, word_count
from pipelines.engines.task import map_shard, reduce_partition
from pipelines.storage.manifest import SHARDS
from pipelines.word_count import WordCount
from transforms.compiled import cache_directory
from transforms.segmentation import Dictionary, WordCounter, cut_kernels
from transforms.segmentation.layout import POSITION, TOKEN

# What a step is called, and where the function of it is looked up.
STEPS: dict[str, list[tuple[Any, str]]] = {
    "decode": [(tally, "decode")],
    "counts": [(WordCounter, "counts"), (word_count, "partition_runs")],
    "write runs": [(word_count, "write_runs")],
    "write entry": [(word_count, "write_entry")],
    "write parts": [(word_count, "write_parquet"), (word_count, "publish"), (word_count, "drop_others")],
}
STREAMS = {"read": "read_batches", "merge": "merge_runs", "order": "merge_sorted"}  # generators of word_count


@dataclass(slots=True)
class Watches:
    """Seconds and page faults of each step, without those of the steps inside it."""

    spent: dict[str, list[float]] = field(default_factory=dict)
    _inside: list[list[float]] = field(default_factory=list)

    def measured(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, watched."""

        def wrapper(*arguments: Any, **options: Any) -> Any:
            begun = (time.perf_counter(), _faults())
            self._inside.append([0.0, 0.0])
            try:
                return function(*arguments, **options)
            finally:
                taken = [now - then for now, then in zip((time.perf_counter(), _faults()), begun, strict=True)]
                inside = self._inside.pop()
                so_far = self.spent.setdefault(step, [0.0, 0.0])
                for number in range(2):
                    so_far[number] += taken[number] - inside[number]
                    if self._inside:
                        self._inside[-1][number] += taken[number]

        return wrapper

    def streamed(self, step: str, function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """The generator, watched while it works."""

        def wrapper(*arguments: Any, **options: Any) -> Iterator[Any]:
            advance = self.measured(step, iter(function(*arguments, **options)).__next__)
            while True:
                try:
                    item = advance()
                except StopIteration:
                    return
                yield item

        return wrapper


@dataclass(frozen=True, slots=True)
class Profile:
    """A count in this process. `steps`: seconds and page faults of each, which add up to the whole.

    `run_rows`, `run_bytes`: what map tasks left for reduce tasks.
    """

    steps: dict[str, list[float]]
    size: int
    shards: int
    run_rows: int
    run_bytes: int
    words: int

    @property
    def seconds(self) -> float:
        """Of the whole."""
        return sum(taken for taken, _ in self.steps.values())


def profile_count(inputs: Sequence[str], *, workers: int) -> Profile:
    """Counts in this process, in shards cut for so many workers.

    Cutting and counting are one kernel: `segment` is what cutting takes when it is done once more, which the whole
    does not hold, and `tally` is what is left of the kernel's time.
    """
    watches, again = Watches(), _Again()
    add = WordCounter.add

    def added(counter: WordCounter, points: Any, offsets: Any) -> Any:
        made = watches.measured("tally", add)(counter, points, offsets)
        watches.measured("segment", again.cut)(counter, points)
        return made

    with tempfile.TemporaryDirectory() as folder, ExitStack() as patches:
        for step, places in STEPS.items():
            for place, name in places:
                patches.enter_context(patch.object(place, name, watches.measured(step, getattr(place, name))))
        for step, name in STREAMS.items():
            patches.enter_context(patch.object(word_count, name, watches.streamed(step, getattr(word_count, name))))
        patches.enter_context(patch.object(WordCounter, "add", added))
        (Path(folder) / SHARDS).mkdir()
        job = WordCount(tuple(inputs), Path(folder), tally.prepare(None, ()))
        plan = watches.measured("list", job.plan)(workers=workers)
        entries = [watches.measured("rest of map", map_shard)(job, shard).entry for shard in plan.shards]
        reduced = [
            watches.measured("merge", reduce_partition)(job, partition, entries).entry
            for partition in range(job.partitions)
        ]
        manifest = watches.measured("order", job.finish)(plan, entries, reduced, dict)
    cutting = watches.spent["segment"]
    watches.spent["tally"] = [max(0.0, whole - cut) for whole, cut in zip(watches.spent["tally"], cutting, strict=True)]
    runs = [file for entry in entries for file in entry.files]
    return Profile(
        watches.spent,
        size=sum(shard.size for shard in plan.shards),
        shards=len(plan.shards),
        run_rows=sum(file.records for file in runs),
        run_bytes=sum(file.bytes for file in runs),
        words=manifest["totals"]["words"],
    )


class _Again:
    """Cuts what was cut and counted, without counting."""

    def __init__(self) -> None:
        self._room = 0

    def cut(self, counter: WordCounter, points: Any) -> None:
        if self._room < len(points):
            self._room = 2 * len(points)
            self._codes, self._second = np.empty(self._room, np.uint16), np.empty(self._room, np.uint32)
            self._route, self._tokens = np.empty(self._room + 1, POSITION), np.empty(self._room, TOKEN)
        data = counter.segmenter.dictionary
        model = (data.first, data.nodes, data.scores, data.unknown, data.emissions, data.chain, data.forced)
        cut_kernels.cut(points, data.table, self._codes, self._second, *model, True, self._route, self._tokens)


def bench_profile(inputs: Sequence[str], *, workers: int) -> None:
    """Prints seconds, share and page faults of each step of a count in this process."""
    profile = profile_count(inputs, workers=workers)
    seconds = profile.seconds
    print(
        f"{profile.shards} shards, {profile.size / 1e6:,.1f} MB, {profile.size / 1e6 / seconds:,.1f} MB/s, one process"
    )
    for step, (taken, met) in sorted(profile.steps.items(), key=lambda item: -item[1][0]):
        print(f"{step:<12} {taken:8.3f} s  {100 * taken / seconds:5.1f} %  {met:10,.0f} page faults")
    print(f"{'the whole':<12} {seconds:8.3f} s")


def _faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def bench_dictionary() -> None:
    """Seconds to compile jieba's dictionary, and to load it compiled."""
    tally.prepare(None, ())  # kernels, which are no part of the dictionary
    kernels = cache_directory("kernels")
    with tempfile.TemporaryDirectory() as cache, patch.dict("os.environ", {"HANMILL_CACHE": cache}):
        (Path(cache) / "kernels").symlink_to(kernels)
        for name in ("compile", "load"):
            begun = time.perf_counter()
            Dictionary.load()
            print(f"{name:<8} {time.perf_counter() - begun:8.3f} s")
