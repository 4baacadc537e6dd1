"""Counters: what a job counts goes to a counter of its own."""

from prometheus_client import REGISTRY

from pipelines.engines.metrics import count, event_of
from pipelines.engines.task import Done
from pipelines.storage.manifest import Entry


def test_each_job_counts_its_own_records() -> None:
    jobs = {"reads": {"documents": 3, "bytes": 40, "dead_letters": 1, "tokens": 9}, "draws": {"pairs": 5, "bytes": 80}}
    for job, totals in jobs.items():
        for stage in ("map", "reduce"):
            count(event_of(job, Done(stage, Entry("f", (), totals), 0.5)))
    for name in ("documents", "bytes", "dead_letters", "pairs"):
        for job, totals in jobs.items():
            assert REGISTRY.get_sample_value(f"hanmill_{name}_total", {"job": job}) == totals.get(name)
    assert REGISTRY.get_sample_value("hanmill_stage_seconds_total", {"job": "draws", "stage": "reduce"}) == 0.5
