"""The two task bodies that every engine runs in its workers: the same work, logged and counted alike."""

import ctypes
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.engines.job import Job
from pipelines.storage.manifest import PARTS, Entry, read_entry, reduce_fingerprint
from pipelines.storage.resume import Plan
from pipelines.storage.shards import Shard

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a task has one core: others run beside it
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_KEPT_BYTES, _LARGEST_MAPPED = 128 << 20, 32 << 20

LOG = logging.getLogger("hanmill")
COUNTED = ("documents", "pairs", "bytes", "dead_letters")


@dataclass(frozen=True, slots=True)
class Done:
    """What a task committed, and the seconds it took."""

    stage: str
    entry: Entry
    seconds: float

    @property
    def counters(self) -> dict[str, int]:
        """What engines add up and show: records, bytes and dead letters that were read."""
        totals = self.entry.totals if self.stage == "map" else {}
        return {name: totals[name] for name in COUNTED if name in totals}


def keep_memory() -> bool:
    """Has this process keep memory that it frees, as the next batch needs as much; True where glibc does so.

    A buffer of some MiB would go back to the system each time, and each of its pages cost a fault when it comes again.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    settings = ((_M_MMAP_THRESHOLD, _LARGEST_MAPPED), (_M_TRIM_THRESHOLD, _KEPT_BYTES))
    return mallopt is not None and all([mallopt(*setting) for setting in settings])


keep_memory()


def in_order(plan: Plan) -> list[Shard]:
    """The largest shards first, so that no worker is left with one at the end."""
    return sorted(plan.shards, key=lambda shard: (-shard.size, shard.fingerprint))


def map_shard(job: Job, shard: Shard) -> Done:
    """Counts a shard, or whatever the job does with it."""
    begun = time.perf_counter()
    done = Done("map", job.map(shard), time.perf_counter() - begun)
    counted = "".join(f"{number:,} {name}, " for name, number in done.counters.items())
    LOG.info("%s map %s: %s%.3f s", job.name, shard.fingerprint[:12], counted, done.seconds)
    return done


def reduce_partition(job: Job, partition: int, entries: Sequence[Entry]) -> Done:
    """Merges the runs of a partition, unless an earlier run did; the order of the entries is not left in the result."""
    begun = time.perf_counter()
    folder = job.directory / PARTS
    folder.mkdir(exist_ok=True)
    entry = read_entry(folder, reduce_fingerprint(partition, entries))
    if entry is None:
        entry = job.reduce(partition, sorted(entries, key=lambda entry: entry.fingerprint))
    done = Done("reduce", entry, time.perf_counter() - begun)
    LOG.info("%s reduce %d of %d: %.3f s", job.name, partition, job.partitions, done.seconds)
    return done
