"""Worker processes of one machine, without any service."""

import contextlib
import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection, forkserver, parent_process, resource_tracker
from typing import Any, ClassVar, TypeVar

from pipelines.engines.job import Job, Progress, Report
from pipelines.engines.task import Done, in_order, map_shard, reduce_partition
from pipelines.errors import EngineError
from pipelines.storage.manifest import Entry
from pipelines.storage.resume import Plan

Task = TypeVar("Task")


def start_early() -> None:
    """Starts the fork server, which imports what workers need while the driver still reads its options.

    Workers are forked from a process without threads: forking after Arrow or rich have started theirs can hang.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")  # a thread of Arrow's own allocator
    multiprocessing.set_forkserver_preload(["pipelines.engines.preload"])
    resource_tracker.ensure_running()  # which the server would start, and which unblocks what is blocked here
    # Ctrl-C goes to the whole group of processes: blocked here it is blocked in all that come from the server.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(frozen=True, slots=True)
class Local:
    """The engine; one worker is the driver's own process."""

    workers: int
    name: ClassVar[str] = "local"

    def run(self, job: Job, plan: Plan, *, report: Report) -> tuple[list[Entry], list[Entry]]:
        """Raises EngineError when a worker dies; what was committed until then is kept for the next run."""
        mapped, reduced = list(plan.kept), {}
        with _pool(self.workers) as pool:
            for shard, done in _each(pool, functools.partial(map_shard, job), in_order(plan)):
                mapped.append(done.entry)
                report(Progress("map", done.entry, shard))
            mapped.sort(key=lambda entry: entry.fingerprint)
            for partition, done in _each(pool, functools.partial(_reduce, job, mapped), range(job.partitions)):
                reduced[partition] = done.entry
                report(Progress("reduce", done.entry))
        return mapped, [reduced[partition] for partition in sorted(reduced)]

    def describe(self) -> dict[str, Any]:
        return {}


def _reduce(job: Job, entries: Sequence[Entry], partition: int) -> Done:
    return reduce_partition(job, partition, entries)


def _each(
    pool: ProcessPoolExecutor | None, function: Callable[[Task], Done], tasks: Iterable[Task]
) -> Iterator[tuple[Task, Done]]:
    """Each task with its result, in the order in which they finish; one worker needs no second process."""
    if pool is None:
        for task in tasks:
            yield task, function(task)
        return
    with _undisturbed():  # or processes would be started that nobody ends
        futures = {pool.submit(function, task): task for task in tasks}
    for future in as_completed(futures):
        yield futures[future], future.result()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Puts a KeyboardInterrupt off to the end of the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda number, _: came.append(number)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    for one in came[:1]:
        signal.raise_signal(one)


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor | None]:
    if workers == 1:
        yield None
        return
    start_early()
    pool = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("forkserver"), initializer=_prepare_worker
    )
    try:
        yield pool
    except BrokenProcessPool as error:
        raise EngineError(
            "a worker process died (out of memory, or killed): run the same command again, finished shards are kept; "
            "with fewer --workers or smaller --shard-bytes it takes less memory"
        ) from error
    except KeyboardInterrupt:
        for process in list((pool._processes or {}).values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare_worker() -> None:
    """Ends with the driver: a killed one must not leave workers behind."""
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
