"""The protocol every job follows: shards, map, runs through storage, reduce, finish; and what an engine is."""

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
    def name(self) -> str:
        """What dashboards and counters call it: `word_count`."""
        ...

    @property
    def records(self) -> str:
        """What it counts, as the totals of its entries call it: `documents`."""
        ...

    @property
    def directory(self) -> Path:
        """The output folder: an absolute path, as workers have a working directory of their own."""
        ...

    @property
    def partitions(self) -> int:
        """How many reduce tasks there are: fixed by the job."""
        ...

    def plan(self, *, workers: int, fresh: bool = False) -> Plan:
        """In the driver: what there is to do, in shards sized for so many workers.

        `fresh` forgets what runs left in the folder, once the inputs are known to be there.
        """
        ...

    def describes(self, manifest: dict[str, Any]) -> bool:
        """Whether a finished output is what this job would make of the same inputs."""
        ...

    def map(self, shard: Shard) -> Entry:
        """In a worker: reads a shard and commits up to `partitions` runs sorted by key."""
        ...

    def reduce(self, partition: int, entries: Sequence[Entry]) -> Entry:
        """In a worker: merges the committed runs of a partition; commits its part below `PARTS`, which is there.

        It is known by `reduce_fingerprint`.
        """
        ...

    def finish(
        self, plan: Plan, mapped: Sequence[Entry], reduced: Sequence[Entry], describe: Describe
    ) -> dict[str, Any]:
        """In the driver: checks totals, puts the output in its place with `_SUCCESS` last, returns its manifest."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """What an engine tells while it works: a stage begins, or the entry of a task that is done."""

    stage: str
    entry: Entry | None = None
    shard: Shard | None = None


Report = Callable[[Progress], None]


class Engine(Protocol):
    """A thin launcher of the two task bodies in `task.py`."""

    @property
    def name(self) -> str:
        """As `--engine` names it."""
        ...

    @property
    def workers(self) -> int:
        """How many tasks run at once: shards are cut for so many."""
        ...

    def run(self, job: Job, plan: Plan, *, report: Report) -> tuple[list[Entry], list[Entry]]:
        """Runs a job's tasks; returns the entries of all shards, ordered by fingerprint, and of all partitions."""
        ...

    def describe(self) -> dict[str, Any]:
        """What `run.json` tells of it beside name and workers."""
        ...
