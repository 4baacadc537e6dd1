"""The protocol every job follows: shards, map, runs through storage, reduce, finish."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipelines.storage.manifest import Describe, Entry
from pipelines.storage.resume import Plan
from pipelines.storage.shards import Shard


class Job(Protocol):
    """A job knows its output folder, so tasks commit what they make and hand on small entries.

    Results depend on inputs and configuration alone: never on the engine, the number of workers, or the order in
    which shards finish. A task may run twice.
    """

    @property
    def directory(self) -> Path:
        """The output folder."""
        ...

    @property
    def partitions(self) -> int:
        """How many reduce tasks there are: fixed by the job."""
        ...

    def plan(self, *, workers: int) -> Plan:
        """In the driver: what there is to do, in shards sized for so many workers."""
        ...

    def describes(self, manifest: dict[str, Any]) -> bool:
        """Whether a finished output is what this job would make of the same inputs."""
        ...

    def map(self, shard: Shard) -> Entry:
        """In a worker: reads a shard and commits up to `partitions` runs sorted by key."""
        ...

    def reduce(self, partition: int, entries: Sequence[Entry]) -> Entry:
        """In a worker: merges the committed runs of a partition and commits its part."""
        ...

    def finish(
        self, plan: Plan, mapped: Sequence[Entry], reduced: Sequence[Entry], describe: Describe
    ) -> dict[str, Any]:
        """In the driver: checks totals, puts the output in its place with `_SUCCESS` last, returns its manifest."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """What an engine tells while it works: the stage, and the entry of a task that is done."""

    stage: str
    entry: Entry
    shard: Shard | None = None


Report = Callable[[Progress], None]


class Engine(Protocol):
    """Runs a job's tasks; returns the entries of all shards and of all partitions."""

    def __call__(self, job: Job, plan: Plan, *, workers: int, report: Report) -> tuple[list[Entry], list[Entry]]: ...
