"""Counters that Prometheus reads: a worker's `/metrics` tells of its own tasks, the scheduler's of all workers'."""

from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin
from prometheus_client import Counter

from pipelines.engines.task import Done

TOPIC = "hanmill"
_COUNTERS = {
    "documents": Counter("hanmill_documents", "Documents that map tasks read.", ["job"]),
    "pairs": Counter("hanmill_pairs", "Pairs of vectors that map tasks drew.", ["job"]),
    "bytes": Counter("hanmill_bytes", "Bytes of input that map tasks read.", ["job"]),
    "dead_letters": Counter("hanmill_dead_letters", "Records that could not be read.", ["job"]),
}
_TASKS = Counter("hanmill_tasks", "Tasks that were committed.", ["job", "stage"])
_SECONDS = Counter("hanmill_stage_seconds", "Seconds that tasks of a stage took, added up.", ["job", "stage"])


def event_of(job: str, done: Done) -> dict[str, Any]:
    """What a worker tells the scheduler of a task."""
    return {"job": job, "stage": done.stage, "seconds": done.seconds, **done.counters}


def count(event: dict[str, Any]) -> None:
    """Adds a task to this process's counters."""
    job, stage = event["job"], event["stage"]
    _TASKS.labels(job, stage).inc()
    _SECONDS.labels(job, stage).inc(event["seconds"])
    for name in _COUNTERS.keys() & event.keys():
        _COUNTERS[name].labels(job).inc(event[name])


class SchedulerCounters(SchedulerPlugin):
    """Adds up on the scheduler what workers tell it."""

    name = "hanmill-counters"
    idempotent = True

    def log_event(self, topic: str, msg: Any) -> None:
        if topic == TOPIC:
            count(msg)
