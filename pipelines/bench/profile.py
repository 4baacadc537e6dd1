"""Where a worker's time goes: the steps of a map task, and the dictionary before it."""

import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pipelines import tally, word_count
from pipelines.engines.task import map_shard
from pipelines.storage.manifest import SHARDS
from pipelines.storage.readers import read_batches
from pipelines.word_count import WordCount
from transforms.compiled import cache_directory
from transforms.segmentation import Dictionary, WordCounter

STEPS = {
    "decode": (tally, "decode"),
    "tally": (WordCounter, "add"),
    "counts": (WordCounter, "counts"),
    "write runs": (word_count, "write_runs"),
    "write entry": (word_count, "write_entry"),
}


def bench_profile(inputs: Sequence[str], *, workers: int) -> None:
    """Maps every shard in this process; prints seconds, share and page faults of each step."""
    spent: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def measured(step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **options: Any) -> Any:
            begun, faults = time.perf_counter(), _faults()
            try:
                return function(*arguments, **options)
            finally:
                spent[step][0] += time.perf_counter() - begun
                spent[step][1] += _faults() - faults

        return wrapper

    def reading(*arguments: Any) -> Iterator[Any]:
        advance = measured("read", iter(read_batches(*arguments)).__next__)
        while True:
            try:
                batch = advance()
            except StopIteration:
                return
            yield batch

    with tempfile.TemporaryDirectory() as folder, _patched(measured), patch.object(word_count, "read_batches", reading):
        (Path(folder) / SHARDS).mkdir()
        job = WordCount(tuple(inputs), Path(folder), tally.prepare(None, ()))
        shards = job.plan(workers=workers).shards
        for shard in shards:
            measured("map", partial(map_shard, job))(shard)
    seconds = spent["map"][0]
    size = sum(shard.size for shard in shards)
    print(f"{len(shards)} shards, {size / 1e6:,.1f} MB, {size / 1e6 / seconds:,.1f} MB/s, one process")
    for step, (taken, met) in sorted(spent.items(), key=lambda item: -item[1][0]):
        print(f"{step:<12} {taken:8.3f} s  {100 * taken / seconds:5.1f} %  {met:10,.0f} page faults")


@contextmanager
def _patched(measured: Callable[[str, Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    patches = [patch.object(place, name, measured(step, getattr(place, name))) for step, (place, name) in STEPS.items()]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


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
