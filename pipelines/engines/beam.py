"""Tasks in an Apache Beam pipeline, on the runner that its options name."""

import argparse
import contextlib
import difflib
import json
import os
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import apache_beam as beam
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions, WorkerOptions
from apache_beam.runners.runner import PipelineState
from apache_beam.typehints.decorators import no_annotations

from pipelines import errors, installation
from pipelines.engines.job import Job, Progress, Report
from pipelines.engines.options import EngineOptions
from pipelines.engines.task import Done, in_order, map_shard, reduce_partition
from pipelines.errors import EngineError, HanmillError, UsageError
from pipelines.storage.commit import write_json
from pipelines.storage.manifest import PARTS, SHARDS, Entry, read_entry, read_json, reduce_fingerprint
from pipelines.storage.resume import Plan
from pipelines.storage.shards import Shard

NAMESPACE = "hanmill"
LOG_LEVEL = "ERROR"
SECONDS_BETWEEN_LOOKS = 0.25


class Beam:
    """The engine: `Create | Reshuffle | Map | GroupByKey | Map`, with entries as elements.

    The runner is `FnApiRunner` with as many processes as workers, unless options behind `--` name another.
    """

    name: ClassVar[str] = "beam"

    def __init__(self, options: EngineOptions) -> None:
        self.workers = options.workers or len(os.sched_getaffinity(0))
        given = _checked(options.pipeline_options)
        defaults = [f"--default_sdk_harness_log_level={LOG_LEVEL}"]
        if not any(argument.partition("=")[0] == "--runner" for argument in given):
            defaults.append("--runner=FnApiRunner")
            if self.workers > 1:
                defaults += ["--direct_running_mode=multi_processing", f"--direct_num_workers={self.workers}"]
        self._arguments = [*defaults, *given]  # of an option that stands twice the last counts
        self._closing = contextlib.ExitStack()
        self._counters = Counter[str]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: Any) -> None:
        self._closing.close()

    def describe(self) -> dict[str, Any]:
        return {"pipeline_options": self._arguments, "counters": self._counters}

    def run(self, job: Job, plan: Plan, *, report: Report) -> tuple[list[Entry], list[Entry]]:
        """Raises what a task raised if it is of our own kind, EngineError if the pipeline fails otherwise."""
        task = _Task(job, installation.identity(), job.directory / PARTS / f"failure-{uuid.uuid4().hex}.json")
        try:
            pipeline = beam.Pipeline(options=PipelineOptions(self._arguments))
        except (ValueError, ImportError, AttributeError) as error:
            raise UsageError(f"after --: {error}") from error
        _build(pipeline, plan, task)
        mapped, reduced = {entry.fingerprint: entry for entry in plan.kept}, {}
        self._tell_processes()
        report(Progress("map"))
        for shard, entry in self._watched(pipeline, plan, task):
            mapped[entry.fingerprint] = entry
            report(Progress("map", entry, shard))
            if len(mapped) == len(plan.kept) + len(plan.shards):
                report(Progress("reduce"))
        for partition in range(job.partitions):
            made = read_entry(job.directory / PARTS, reduce_fingerprint(partition, mapped.values()))
            if made is None:
                raise EngineError(f"partition {partition} is not in {job.directory}: workers must share that folder")
            reduced[partition] = made
            report(Progress("reduce", made))
        return [mapped[fingerprint] for fingerprint in sorted(mapped)], [reduced[number] for number in sorted(reduced)]

    def _tell_processes(self) -> None:
        """FnApiRunner hands its processes no options: they read a file that the environment names."""
        if "PIPELINE_OPTIONS_FILE" not in os.environ:
            path = Path(self._closing.enter_context(tempfile.TemporaryDirectory())) / "pipeline_options.json"
            level = PipelineOptions(self._arguments).view_as(WorkerOptions).default_sdk_harness_log_level
            path.write_text(json.dumps({"default_sdk_harness_log_level": level}))
            os.environ["PIPELINE_OPTIONS_FILE"] = str(path)
            self._closing.callback(os.environ.pop, "PIPELINE_OPTIONS_FILE")

    def _watched(self, pipeline: beam.Pipeline, plan: Plan, task: "_Task") -> Iterator[tuple[Shard, Entry]]:
        """Runs the pipeline; entries are found where tasks commit them, as a pipeline tells little while it runs."""
        missing = {shard.fingerprint: shard for shard in plan.shards}
        directory, ended = task.job.directory, threading.Event()
        raised: list[BaseException] = []

        def run() -> None:
            try:
                self._finish(pipeline)
            except BaseException as error:
                raised.append(error)
            finally:
                ended.set()

        with _deaths(raised, ended):
            threading.Thread(target=run, daemon=True).start()
            while missing:
                over = ended.wait(SECONDS_BETWEEN_LOOKS)
                for fingerprint in _committed(directory) & missing.keys():
                    if (entry := read_entry(directory / SHARDS, fingerprint)) is not None:
                        yield missing.pop(fingerprint), entry
                if over:
                    break
            ended.wait()
        if task.failure.exists():
            name, message = read_json(task.failure)
            raise getattr(errors, name)(message)
        for error in raised:
            raise error if isinstance(error, HanmillError) else EngineError(f"the pipeline failed: {error}") from error
        if missing:
            raise EngineError(f"{len(missing)} shards are not in {directory}: workers must share that folder")

    def _finish(self, pipeline: beam.Pipeline) -> None:
        result = pipeline.run()
        state = result.wait_until_finish()
        if state != PipelineState.DONE:
            raise EngineError(f"the pipeline ended as {state}: see the runner's log; finished shards are kept")
        for counter in result.metrics().query(MetricsFilter().with_namespace(NAMESPACE))["counters"]:
            # There is one for each step; some runners tell only of what was attempted.
            self._counters[counter.key.metric.name] += counter.committed or counter.attempted or 0


@contextlib.contextmanager
def _deaths(raised: list[BaseException], ended: threading.Event) -> Iterator[None]:
    """FnApiRunner waits for ever for a process that died, and tells of it in one of its threads only."""
    before = threading.excepthook

    def hook(told: Any) -> None:
        if raised:
            return  # the connections of the dead
        if told.thread is None or told.thread.name != "run_worker":
            before(told)
            return
        raised.append(
            EngineError(
                f"a worker process died ({told.exc_value}): run the same command again, finished shards are kept; "
                "with fewer --workers or smaller --shard-bytes it takes less memory"
            )
        )
        ended.set()

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def _build(pipeline: beam.Pipeline, plan: Plan, task: "_Task") -> None:
    partitions = task.job.partitions
    mapped = (
        pipeline
        | "shards" >> beam.Create(in_order(plan), reshuffle=False)
        | beam.Reshuffle()
        | "map" >> beam.Map(task.map)
    )
    kept = pipeline | "kept" >> beam.Create(list(plan.kept), reshuffle=False)
    # A partition without any run is reduced as well.
    empty = pipeline | "partitions" >> beam.Create([(number, None) for number in range(partitions)])
    spread = (mapped, kept) | beam.Flatten() | "spread" >> beam.FlatMap(_spread, partitions)
    (spread, empty) | "all" >> beam.Flatten() | beam.GroupByKey() | "reduce" >> beam.Map(task.reduce)


# Beam would check elements against annotations, and protocols cannot be checked.
@no_annotations
def _spread(entry: Entry | None, partitions: int) -> Iterator[tuple[int, Entry | None]]:
    for partition in range(partitions):
        yield partition, entry


@dataclass(frozen=True, slots=True)
class _Task:
    """What workers do. An error of ours is written to `failure`, which the driver reads: runners keep only its text."""

    job: Job
    expected: str
    failure: Path

    @no_annotations
    def map(self, shard: Shard) -> Entry | None:
        return self._counted(lambda: map_shard(self.job, shard))

    @no_annotations
    def reduce(self, grouped: tuple[int, Iterable[Entry | None]]) -> Entry | None:
        partition, entries = grouped
        return self._counted(lambda: reduce_partition(self.job, partition, [entry for entry in entries if entry]))

    def _counted(self, work: Callable[[], Done]) -> Entry | None:
        if self.failure.exists():
            return None
        try:
            installation.check(self.expected, where="a worker")
            done = work()
        except HanmillError as error:
            self.failure.parent.mkdir(exist_ok=True)
            write_json(self.failure, [type(error).__name__, str(error)])
            return None
        for name, number in done.counters.items():
            Metrics.counter(NAMESPACE, name).inc(number)
        Metrics.counter(NAMESPACE, f"{done.stage}_milliseconds").inc(round(1000 * done.seconds))
        return done.entry


def _committed(directory: Path) -> set[str]:
    with contextlib.suppress(FileNotFoundError):
        return {name.removesuffix(".json") for name in os.listdir(directory / SHARDS)}
    return set()


def _checked(arguments: Iterable[str]) -> list[str]:
    """Pipeline options that Beam knows; raises UsageError for others, with the nearest name."""
    arguments = list(arguments)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for kind in PipelineOptions.__subclasses__():
        with contextlib.suppress(argparse.ArgumentError):  # two of them may share an option
            kind._add_argparse_args(parser)
    try:
        _, unknown = parser.parse_known_args(arguments)
    except argparse.ArgumentError as error:
        raise UsageError(f"after --: {error}") from None
    for argument in unknown:
        names = sorted(parser._option_string_actions)
        nearest = difflib.get_close_matches(argument.partition("=")[0], names, 1)
        hint = f"did you mean {nearest[0]}?" if nearest else "see Beam's pipeline options"
        raise UsageError(f"{argument}: Beam has no such pipeline option; {hint}")
    return arguments
