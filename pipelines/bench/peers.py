"""What a user could pick instead: the seed's programs (kexue.fm post 7031) and what libraries offer, each opened first.

A peer is a context manager over a number of workers. Inside it, texts become counts: what comes before is its start.
"""

import functools
import json
import multiprocessing
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path

from pipelines.bench.counting import jieba_cut, load_jieba, loop_over

Texts = Sequence[str]
Counts = dict[str, int]
Count = Callable[[Texts], Counts]

BATCH = 1000  # texts, as in the post
QUEUE = 200  # batches that wait
TASKS_A_WORKER = 8
SEPARATOR = "\v"  # white space, which no count holds; no token reaches over it


@dataclass(frozen=True, slots=True)
class Peer:
    """`package`: what has to be installed for it. `parallel`: whether it takes workers."""

    title: str
    opened: Callable[[int], AbstractContextManager[Count]]
    package: str = "jieba"
    parallel: bool = True


@contextmanager
def loop(workers: int) -> Iterator[Count]:
    """One dictionary, one step a token."""
    yield functools.partial(loop_over, jieba_cut())


@contextmanager
def batched_loop(workers: int) -> Iterator[Count]:
    """A dictionary a batch of 1,000 texts, merged into one."""
    cut = jieba_cut()
    yield lambda texts: merged(loop_over(cut, batch) for batch in batches(texts, size=BATCH))


@contextmanager
def queued_pool(workers: int) -> Iterator[Count]:
    """Workers that wait at a queue for batches and put a dictionary for each into another."""
    kept_cut()  # before the fork, so that workers share it
    context = multiprocessing.get_context("fork")
    given: Queue[list[str]] = context.Queue(QUEUE)
    made: Queue[Counts] = context.Queue()
    with context.Pool(workers, _serve, (given, made)):

        def count(texts: Texts) -> Counts:
            def arriving() -> Iterator[Counts]:
                waiting = 0
                for batch in batches(texts, size=batch_size(len(texts), workers=workers)):
                    given.put(batch)
                    waiting += 1
                    while not made.empty():
                        yield made.get()
                        waiting -= 1
                for _ in range(waiting):
                    yield made.get()

            return merged(arriving())

        yield count


def _serve(given: "Queue[list[str]]", made: "Queue[Counts]") -> None:
    while True:
        made.put(loop_over(kept_cut(), given.get()))


@contextmanager
def jieba_parallel(workers: int) -> Iterator[Count]:
    """`jieba.enable_parallel`, which cuts the lines of a text side by side: texts are joined to have many."""
    import jieba

    load_jieba(jieba.dt)
    jieba.enable_parallel(workers)
    try:
        yield lambda texts: loop_over(jieba.cut, map(SEPARATOR.join, batches(texts, size=BATCH)))
    finally:
        jieba.disable_parallel()


@contextmanager
def rjieba_pool(workers: int) -> Iterator[Count]:
    """rjieba in a pool of processes, a dictionary a batch."""
    _rjieba_counts(["中国"])  # loads its dictionary, which workers share
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        yield lambda texts: merged(
            pool.imap_unordered(_rjieba_counts, batches(texts, size=batch_size(len(texts), workers=workers)))
        )


def _rjieba_counts(texts: Texts) -> Counts:
    import rjieba

    return loop_over(rjieba.cut, texts)


@contextmanager
def dask_bag(workers: int) -> Iterator[Count]:
    """A Dask bag of texts on a cluster of this machine, its frequencies as the library counts them."""
    from dask import bag
    from distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster) as client:
        client.run(words, "中国")

        def count(texts: Texts) -> Counts:
            made = bag.from_sequence(texts, npartitions=TASKS_A_WORKER * workers).map(words).flatten()
            return dict(made.frequencies().compute())

        yield count


@contextmanager
def beam_word_count(workers: int) -> Iterator[Count]:
    """Beam's word count with jieba in it, on the runner that comes with Beam; its processes start as it runs."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    options = ["--runner=FnApiRunner", "--default_sdk_harness_log_level=ERROR"]
    if workers > 1:
        options += ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    kept_cut()

    def count(texts: Texts) -> Counts:
        with tempfile.TemporaryDirectory() as folder:
            with beam.Pipeline(options=PipelineOptions(options)) as pipeline:
                cut = pipeline | beam.Create(texts) | beam.Reshuffle() | beam.FlatMap(words)
                lines = cut | beam.combiners.Count.PerElement() | beam.Map(json.dumps)
                lines | beam.io.WriteToText(f"{folder}/counts")
            return dict(json.loads(line) for part in Path(folder).iterdir() for line in part.open("rb"))

    yield count


@functools.cache
def kept_cut() -> Callable[[str], Iterable[str]]:
    """This process's jieba.cut, or the one that it was forked with."""
    return jieba_cut()


def words(text: str) -> list[str]:
    """The tokens of a text."""
    return list(kept_cut()(text))


def batches(texts: Texts, *, size: int) -> Iterator[list[str]]:
    """The texts in order, `size` at a time."""
    return (list(texts[start : start + size]) for start in range(0, len(texts), size))


def batch_size(texts: int, *, workers: int) -> int:
    """1,000, or fewer where workers would wait for the last batches of a small sample.

    >>> batch_size(100_000, workers=2), batch_size(800, workers=2)
    (1000, 50)
    """
    return max(1, min(BATCH, texts // (TASKS_A_WORKER * workers)))


def merged(parts: Iterable[Mapping[str, int]]) -> Counts:
    """One dictionary of many."""
    total: Counts = {}
    for part in parts:
        for word, count in part.items():
            total[word] = total.get(word, 0) + count
    return total


LOOP, BATCHED_LOOP, QUEUED_POOL = "loop", "batched_loop", "queued_pool"
PEERS: dict[str, Peer] = {
    LOOP: Peer("jieba, the plain loop", loop, parallel=False),
    BATCHED_LOOP: Peer("jieba, the loop in batches", batched_loop, parallel=False),
    QUEUED_POOL: Peer("jieba, a pool with queues", queued_pool),
    "jieba_parallel": Peer("jieba.enable_parallel", jieba_parallel),
    "rjieba_pool": Peer("rjieba, a pool", rjieba_pool, "rjieba"),
    "dask_bag": Peer("Dask bag of jieba", dask_bag, "distributed"),
    "beam_word_count": Peer("Beam word count of jieba", beam_word_count, "apache_beam"),
}
