"""Tasks on a Dask cluster: named and grouped by stage, handed over a bounded number at a time."""

import contextlib
import logging
import os
import pickle
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from distributed import (
    CancelledError,
    Client,
    Future,
    KilledWorker,
    Worker,
    as_completed,
    get_worker,
    performance_report,
)
from distributed.client import ClosedClientError
from distributed.comm import CommClosedError

from pipelines import installation
from pipelines.engines import metrics
from pipelines.engines.cluster import address_of, connected, started
from pipelines.engines.job import Job, Progress, Report
from pipelines.engines.options import EngineOptions
from pipelines.engines.task import Done, in_order, map_shard, reduce_partition
from pipelines.errors import EngineError, HanmillError
from pipelines.storage.commit import LOCK
from pipelines.storage.manifest import Entry
from pipelines.storage.resume import Plan
from pipelines.storage.shards import Shard

Task = TypeVar("Task")

TASKS_A_THREAD = 8  # handed to the scheduler ahead of time; it hands workers only what they can begin
FEWEST_AHEAD = 256


class Dask:
    """The engine, in a `with` block that connects to the cluster and lets it go.

    A cluster of its own is started by the first run, as there may be nothing to do. `tell` gets lines for a person.
    """

    name: ClassVar[str] = "dask"

    def __init__(
        self,
        options: EngineOptions,
        *,
        tell: Callable[[str], None] = lambda text: None,
        performance_report: Path | None = None,
    ) -> None:
        self._options, self._tell, self._performance_report = options, tell, performance_report
        self._address = address_of(options)
        self._client: Client | None = None
        self._threads = 0
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Self:
        if self._address is not None:
            self._client = self._closing.enter_context(connected(self._address, self._options))
            if not _threads(self._client):
                self._tell(f"no workers at {self._address} yet: waiting for the first")
                self._client.wait_for_workers(1)  # as long as a queue of jobs takes
            self._threads = _threads(self._client)
        return self

    def __exit__(self, *raised: Any) -> None:
        for name in ("asyncio", "tornado.application") if raised[0] is not None else ():
            logging.getLogger(name).setLevel(logging.CRITICAL)  # they tell of each connection that is cut
        self._closing.close()

    @property
    def workers(self) -> int:
        """As asked for, else the threads of the cluster, else the cores of this machine."""
        if self._options.workers is not None:
            return self._options.workers
        return self._threads or len(os.sched_getaffinity(0))

    def describe(self) -> dict[str, Any]:
        return {"scheduler": self._address, "threads": self._threads}

    def run(self, job: Job, plan: Plan, *, report: Report) -> tuple[list[Entry], list[Entry]]:
        """Raises EngineError when the scheduler is lost, or a task has cost too many workers."""
        report(Progress("start"))
        if self._client is None:
            self._client = self._closing.enter_context(started(self._options, workers=self.workers))
            self._address, self._threads = self._client.scheduler.address, self.workers
        client = self._client
        try:
            self._prepare(client, job)
            report(Progress("map"))
            return _run(client, job, plan, report)
        except KilledWorker as error:
            raise EngineError(
                f"{error.allowed_failures + 1} workers died over {error.task}, {error.last_worker.address} the last: "
                "see their logs; more memory for a worker or smaller --shard-bytes may do"
            ) from error
        except (CancelledError, CommClosedError, ClosedClientError) as error:
            raise EngineError(
                f"the scheduler at {self._address} was lost: start one and run the same command again, finished shards "
                "are kept"
            ) from error

    def _prepare(self, client: Client, job: Job) -> None:
        """Looks whether the workers may work for us, and begins what is kept of the run."""
        if client.dashboard_link:
            self._tell(f"dashboard: {client.dashboard_link}")
        lock = job.directory / LOCK
        content = lock.read_text() if lock.exists() else ""
        found = client.run(_examine, str(lock), content, installation.identity(), on_error="return")
        for address, problem in sorted(found.items()):
            if isinstance(problem, ModuleNotFoundError):
                raise EngineError(f"worker {address} lacks hanmill or a part of it ({problem}): install it there")
            if isinstance(problem, OSError):
                continue  # gone meanwhile
            if isinstance(problem, Exception):
                raise problem
        try:
            client.register_plugin(metrics.SchedulerCounters())
        except Exception as error:  # a scheduler without hanmill does its work, but counts nothing
            self._tell(f"the scheduler's /metrics will lack our counters ({error})")
        if self._performance_report is not None:
            self._closing.enter_context(_reported(self._performance_report))


@contextlib.contextmanager
def _reported(path: Path) -> Iterator[None]:
    """Dask's own report of what happens meanwhile, if the scheduler lives to tell it."""
    with contextlib.suppress(OSError, ClosedClientError), performance_report(filename=str(path), mode="inline"):
        yield


def _run(client: Client, job: Job, plan: Plan, report: Report) -> tuple[list[Entry], list[Entry]]:
    run, expected = uuid.uuid4().hex, installation.identity()
    mapped, reduced = list(plan.kept), {}
    # What all tasks need goes to the scheduler once; unlike scattered data it is not lost with the worker that has it.
    # `shared` sorts behind the stages: Dask's page of task groups draws them from the last name to the first.
    held = client.submit(pickle.loads, pickle.dumps((job, expected)), key=f"{job.name}-shared-{run}-job")
    for shard, entry in _each(client, f"{job.name}-map-{run}", _map, in_order(plan), held=held):
        mapped.append(entry)
        report(Progress("map", entry, shard))
    mapped.sort(key=lambda entry: entry.fingerprint)
    entries = client.submit(pickle.loads, pickle.dumps(mapped), key=f"{job.name}-shared-{run}-entries")
    for partition, entry in _each(
        client, f"{job.name}-reduce-{run}", _reduce, range(job.partitions), held=held, entries=entries
    ):
        reduced[partition] = entry
        report(Progress("reduce", entry))
    return mapped, [reduced[partition] for partition in sorted(reduced)]


def _each(
    client: Client, stage: str, function: Callable[..., Entry | HanmillError], tasks: Iterable[Task], **held: Future
) -> Iterator[tuple[Task, Entry]]:
    """Each task with its entry, in the order in which they finish.

    A bounded number is with the scheduler at a time. A task that raises is not tried again, one whose worker is lost
    is, as Dask's configuration says.
    """
    waiting = list(tasks)[::-1]
    running: dict[Future, Task] = {}
    done = as_completed()
    ahead = 0
    try:
        while waiting or running:
            if waiting and len(running) <= ahead // 2:
                ahead = max(FEWEST_AHEAD, TASKS_A_THREAD * _threads(client))
                batch = [waiting.pop() for _ in range(min(len(waiting), ahead - len(running)))]
                keys = [f"{stage}-{len(waiting) + number}" for number in range(len(batch))]
                futures = client.map(function, batch, key=keys, pure=False, **held)
                running.update(zip(futures, batch, strict=True))
                done.update(futures)
                del futures  # what is named here stays on the cluster
            ended = done.next_batch()
            for future, entry in zip(ended, client.gather(ended), strict=True):
                if isinstance(entry, HanmillError):
                    raise entry
                yield running.pop(future), entry
    finally:
        with contextlib.suppress(OSError, ClosedClientError):  # no scheduler, no tasks
            client.cancel(list(running))


def _threads(client: Client) -> int:
    try:
        return sum(client.nthreads().values())
    except OSError as error:
        raise CommClosedError(str(error)) from error


def _map(shard: Shard, held: tuple[Job, str]) -> Entry | HanmillError:
    return _told(held, lambda job: map_shard(job, shard))


def _reduce(partition: int, held: tuple[Job, str], entries: Sequence[Entry]) -> Entry | HanmillError:
    return _told(held, lambda job: reduce_partition(job, partition, entries))


def _told(held: tuple[Job, str], work: Callable[[Job], Done]) -> Entry | HanmillError:
    """Does a task in a worker, which may have joined after the run began, and counts it.

    Errors of our own are results: the driver raises them, and no worker fills the terminal with where they came from.
    """
    job, expected = held
    worker = get_worker()
    try:
        installation.check(expected, where=f"worker {worker.address}")
        if not job.directory.is_dir():
            raise _unseen(worker, job.directory)
        done = work(job)
    except HanmillError as error:
        return error
    event = metrics.event_of(job.name, done)
    metrics.count(event)
    worker.log_event(metrics.TOPIC, event)
    return done.entry


def _examine(lock: str, content: str, expected: str, dask_worker: Worker) -> None:
    """In a worker, before the first task: raises EngineError if it must not work for this driver."""
    installation.check(expected, where=f"worker {dask_worker.address}")
    found = Path(lock).read_text() if Path(lock).exists() else None
    if content and found != content:
        raise _unseen(dask_worker, Path(lock).parent)


def _unseen(worker: Worker, directory: Path) -> EngineError:
    return EngineError(
        f"worker {worker.address} does not see the output folder {directory}: driver and workers must share it, by the "
        "same path"
    )
