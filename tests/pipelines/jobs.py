"""Small jobs that tests run on engines: picklable, and importable in a worker."""

import os
import shutil
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pipelines.errors import BadRecordsError, EngineError, InputError, UsageError
from pipelines.storage.manifest import PARTS, SHARDS, Describe, Entry, clear, reduce_fingerprint, write_entry
from pipelines.storage.resume import Plan
from pipelines.storage.shards import Shard

ERRORS = {
    error.__name__: error for error in (InputError, UsageError, BadRecordsError, EngineError, ValueError, OSError)
}


def shards(*sizes: int) -> list[Shard]:
    return [Shard(f"shard {number}", size) for number, size in enumerate(sizes)]


@dataclass(frozen=True)
class Sums:
    """Adds up the sizes of its shards; `failing` names what goes wrong in the task of a shard, and how."""

    directory: Path
    sizes: tuple[int, ...] = (3, 1, 2)
    kept: tuple[int, ...] = ()
    partitions: int = 2
    name: str = "sums"
    records: str = "documents"
    failing: tuple[str, str] = ("", "")

    def plan(self, *, workers: int, fresh: bool = False) -> Plan:
        if fresh:
            clear(self.directory)
        kept = [Entry(f"kept {number}", (), {"size": size, "pid": 0}) for number, size in enumerate(self.kept)]
        return Plan(shards(*self.sizes), kept, {"sizes": list(self.sizes)})

    def describes(self, manifest: dict[str, Any]) -> bool:
        return True

    def map(self, shard: Shard) -> Entry:
        if shard.fingerprint == self.failing[0]:
            fail(self.failing[1])
        (self.directory / shard.fingerprint).touch()
        return self.committed(SHARDS, Entry(shard.fingerprint, (), {"size": shard.size, "pid": os.getpid()}))

    def reduce(self, partition: int, entries: Sequence[Entry]) -> Entry:
        if f"partition {partition}" == self.failing[0]:
            fail(self.failing[1])
        total = sum(entry.totals["size"] for entry in entries)
        totals = {"sum": total, "partition": partition}
        return self.committed(PARTS, Entry(reduce_fingerprint(partition, entries), (), totals))

    def committed(self, folder: str, entry: Entry) -> Entry:
        (self.directory / folder).mkdir(exist_ok=True)
        write_entry(self.directory / folder, entry)
        return entry

    def finish(
        self, plan: Plan, mapped: Sequence[Entry], reduced: Sequence[Entry], describe: Describe
    ) -> dict[str, Any]:
        shutil.rmtree(self.directory / PARTS, ignore_errors=True)
        return {"sums": [entry.totals["sum"] for entry in reduced], "run": describe()}


def fail(how: str) -> NoReturn:
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        os._exit(7)
    raise ERRORS[how](f"{how} of a task")


@dataclass(frozen=True)
class Endless(Sums):
    """Each task says that it is at work, on the error stream, and waits for a signal."""

    def map(self, shard: Shard) -> Entry:
        os.write(2, b"at work\n")  # in one call, or two workers' words would mix
        while True:
            signal.pause()


@dataclass(frozen=True)
class Masks(Sums):
    """Each task tells whether Ctrl-C is kept from it."""

    def map(self, shard: Shard) -> Entry:
        blocked = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        return Entry(shard.fingerprint, (), {"size": shard.size, "blocked": int(blocked)})
