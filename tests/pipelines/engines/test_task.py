"""The task bodies: what is counted, what is logged, and an order of entries that does not matter."""

import itertools
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.engines.task import Done, in_order, map_shard, reduce_partition
from pipelines.storage.manifest import Entry
from pipelines.storage.resume import Plan
from pipelines.storage.shards import Shard
from tests.pipelines.jobs import Sums, shards


def test_the_largest_shards_come_first() -> None:
    plan = Plan(shards(3, 9, 1, 9), [], {})
    assert [shard.fingerprint for shard in in_order(plan)] == ["shard 1", "shard 3", "shard 0", "shard 2"]


def test_only_what_was_read_is_counted() -> None:
    totals = {"documents": 3, "bytes": 40, "dead_letters": 1, "tokens": 9}
    assert Done("map", Entry("f", (), totals), 0.5).counters == {"documents": 3, "bytes": 40, "dead_letters": 1}
    assert Done("map", Entry("f", (), {"pairs": 5, "bytes": 80}), 0.5).counters == {"pairs": 5, "bytes": 80}
    assert Done("reduce", Entry("f", (), totals), 0.5).counters == {}


def test_tasks_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    job = Sums(tmp_path)
    with caplog.at_level(logging.INFO, "hanmill"):
        done = map_shard(job, shards(5)[0])
        merged = reduce_partition(job, 1, [done.entry])
    assert (done.stage, done.entry.totals["size"], merged.entry.totals["sum"]) == ("map", 5, 5)
    assert done.seconds > 0
    told = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(r"sums map shard 0: 0\.\d{3} s", told[0])
    assert told[1].startswith("sums reduce 1 of 2: ")


def test_the_order_in_which_entries_come_is_not_left(tmp_path: Path) -> None:
    entries = [Entry(name, (), {"size": size}) for name, size in (("a", 1), ("b", 2), ("c", 3))]
    made = {reduce_partition(Sums(tmp_path), 0, order).entry.fingerprint for order in itertools.permutations(entries)}
    assert len(made) == 1


def test_memory_that_is_freed_stays() -> None:
    """What is as large as a batch and its like costs its page faults once."""
    program = """
import resource
import numpy as np
{}
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    [np.ones(1 << 18) for _ in range(4)]  # larger ones get huge pages from NumPy
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(sum(faults() for _ in range(8)))
"""
    kept, given_back = (
        int(subprocess.run([sys.executable, "-c", program.format(line)], capture_output=True, check=True).stdout)
        for line in ("import pipelines.engines.task", "")
    )
    assert kept < 100 < 1000 < given_back


def test_what_was_read_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Reads(Sums):
        def map(self, shard: Shard) -> Entry:
            return Entry(shard.fingerprint, (), {"documents": 1234, "bytes": 5})

    with caplog.at_level(logging.INFO, "hanmill"):
        map_shard(Reads(tmp_path), shards(5)[0])
    assert caplog.records[0].getMessage().startswith("sums map shard 0: 1,234 documents, 5 bytes, 0.")
