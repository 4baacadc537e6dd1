"""How fast words are counted: in memory on one core, and as a whole command, against the plain loop over jieba."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.environment import environment
from pipelines.storage.manifest import RUN, SUCCESS
from pipelines.storage.readers import read_batches
from pipelines.storage.shards import Slice, whole
from pipelines.storage.sources import Reading, discover
from transforms.decoding import decode
from transforms.segmentation import Segmenter


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of each round of one contender."""

    name: str
    seconds: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def texts_of(inputs: Sequence[str], *, limit: int | None = None) -> list[str]:
    """Decoded documents, about `limit` bytes of UTF-8 of them, taken evenly from the whole."""
    reading = Reading()
    slices = [whole(source) for source in discover(inputs, reading)]
    if limit is not None:
        total = sum(piece.end for piece in slices)
        slices = slices[:: max(1, total // limit)]
    return list(decoded(slices, reading))


def decoded(slices: Sequence[Slice], reading: Reading) -> Iterator[str]:
    """The text of every document that can be decoded."""
    for batch in read_batches(slices, reading):
        made = decode(batch.data, batch.offsets, encoding=batch.encoding, strip_bom=batch.strip_bom)
        text = made.points.tobytes().decode("utf-32-le")
        bounds = made.offsets.tolist()
        for document in range(len(bounds) - 1):
            if document not in made.failures:
                yield text[bounds[document] : bounds[document + 1]]


def jieba_cut() -> Callable[[str], Sequence[str]]:
    """jieba.cut over its own dictionary, read anew: no cached file of jieba's is trusted."""
    import jieba

    jieba.setLogLevel(60)
    tokenizer = jieba.Tokenizer()
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    cut: Callable[[str], Sequence[str]] = tokenizer.cut
    return cut


def loop_over(cut: Callable[[str], Sequence[str]], texts: Sequence[str]) -> dict[str, int]:
    """The seed's program (kexue.fm post 7031): one global dictionary, one step a token."""
    counts: dict[str, int] = {}
    for text in texts:
        for word in cut(text):
            counts[word] = counts.get(word, 0) + 1
    return counts


def bench_segmentation(inputs: Sequence[str], *, rounds: int, megabytes: float) -> None:
    """One core, text in memory: jieba, rjieba, and ours with document frequencies; prints medians and ratios."""
    import rjieba

    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    texts = texts_of(inputs, limit=int(megabytes * 1e6))
    segmenter = Segmenter()
    cut = jieba_cut()
    contenders: dict[str, Callable[[], object]] = {
        "jieba, plain loop": lambda: loop_over(cut, texts),
        "rjieba, plain loop": lambda: loop_over(rjieba.cut, texts),
        "hanmill, with documents": lambda: segmenter.count(texts),
    }
    segmenter.count(texts[:1])
    timings = interleave(contenders, rounds=rounds)
    size = sum(len(text.encode()) for text in texts)
    print_timings(timings, size, f"{len(texts):,} documents, {size / 1e6:,.1f} MB of UTF-8, one core")


def bench_count(inputs: Sequence[str], *, rounds: int, workers: int) -> None:
    """The whole command, from process start to `_SUCCESS`, against the plain loop over the same decoded text."""
    cut = jieba_cut()
    texts = texts_of(inputs)
    size = sum(len(text.encode()) for text in texts)
    ours = f"hanmill count --workers {workers}"
    seconds: dict[str, list[float]] = {"jieba, plain loop": [], ours: [], "the same, right after the loop": []}
    stages = []
    for _ in range(rounds):
        begun = time.perf_counter()
        loop_over(cut, texts)
        seconds["jieba, plain loop"].append(time.perf_counter() - begun)
        # Minutes of the loop leave files and kernels cold: one run warms them again.
        seconds["the same, right after the loop"].append(_command(inputs, workers)[0])
        taken, told = _command(inputs, workers)
        seconds[ours].append(taken)
        stages.append(told)
    timings = [Timing(name, taken) for name, taken in seconds.items()]
    print_timings(timings, size, f"{len(texts):,} documents, {size / 1e6:,.1f} MB of UTF-8, start to _SUCCESS")
    for name in stages[0]:
        print(f"  {name:<8} {statistics.median(stage[name] for stage in stages):6.3f} s")


def _command(inputs: Sequence[str], workers: int) -> tuple[float, dict[str, float]]:
    """Seconds of a count from the start of its process to `_SUCCESS`, and of its stages."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "counts"
        command = [sys.executable, "-m", "pipelines.cli", "count", *inputs, "--out", str(out), "--no-report"]
        begun = time.time()
        subprocess.run(
            [*command, "--workers", str(workers)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        stages: dict[str, float] = json.loads((out / RUN).read_bytes())["stages"]
        return (out / SUCCESS).stat().st_mtime - begun, stages


def bench_memory(inputs: Sequence[str], *, workers: int) -> None:
    """The largest resident set of any process of a count."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pipelines.cli", "count", *inputs, "--out", folder, "--no-report"]
        subprocess.run([*command, "--workers", str(workers)], check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"largest process: {peak / 1024:,.0f} MiB")


def interleave(contenders: dict[str, Callable[[], object]], *, rounds: int) -> list[Timing]:
    """Times all contenders in turn, round by round, so that a slow minute of the machine hits all of them.

    A contender that returns a float has measured its seconds itself.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, work in contenders.items():
            begun = time.perf_counter()
            measured = work()
            taken = time.perf_counter() - begun
            seconds[name].append(measured if isinstance(measured, float) else taken)
    return [Timing(name, taken) for name, taken in seconds.items()]


def print_timings(
    timings: Sequence[Timing], size: int, title: str, *, unit: str = "MB", unit_size: float = 1e6
) -> None:
    """A line for each contender: median, range, speed, and how many times as fast as the first."""
    machine = environment()
    print(f"{title}; {machine['processor']}, {machine['cores']} cores, Python {machine['python']}")
    for timing in timings:
        low, high = min(timing.seconds), max(timing.seconds)
        ratio = timings[0].median / timing.median
        print(
            f"{timing.name:<30} {timing.median:9.3f} s ({low:.3f} to {high:.3f})  "
            f"{size / timing.median / unit_size:8.1f} {unit}/s  {ratio:6.1f} x"
        )
