"""The Dask engine on a cluster of this machine: names, errors, counters, what it hands over and what it refuses."""

import functools
import gc
import os
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from pipelines import installation
from pipelines.engines import dask as engines
from pipelines.engines.dask import Dask
from pipelines.engines.job import Progress
from pipelines.engines.options import EngineOptions
from pipelines.errors import EngineError
from pipelines.storage.commit import LOCK
from pipelines.storage.manifest import Entry
from pipelines.tally import prepare
from pipelines.word_count import WordCount
from tests.pipelines.command import data_of, hanmill
from tests.pipelines.jobs import ERRORS, Sums


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address="127.0.0.1:0") as cluster:
        yield cluster


@pytest.fixture
def engine(cluster: LocalCluster) -> Iterator[Dask]:
    with Dask(EngineOptions("dask", scheduler=cluster.scheduler_address)) as engine:
        yield engine


def run(engine: Dask, job: Sums) -> tuple[list[Entry], list[Entry], list[Progress]]:
    told: list[Progress] = []
    mapped, reduced = engine.run(job, job.plan(workers=engine.workers), report=told.append)
    return mapped, reduced, told


def test_all_shards_are_mapped_and_all_partitions_reduced_in_order(engine: Dask, tmp_path: Path) -> None:
    job = Sums(tmp_path, sizes=(30, 10, 20, 50, 40), kept=(7,), partitions=4)
    mapped, reduced, told = run(engine, job)
    assert [entry.fingerprint for entry in mapped] == ["kept 0", *(f"shard {number}" for number in range(5))]
    assert [entry.totals["partition"] for entry in reduced] == [0, 1, 2, 3]
    assert [entry.totals["sum"] for entry in reduced] == [157] * 4
    assert [progress.stage for progress in told] == ["start", "map"] + ["map"] * 5 + ["reduce"] * 4
    assert {progress.shard.size for progress in told if progress.shard} == set(job.sizes)
    assert os.getpid() not in {entry.totals["pid"] for entry in mapped}


def test_workers_are_the_threads_of_the_cluster_unless_told(engine: Dask, cluster: LocalCluster) -> None:
    assert engine.workers == 4
    assert engine.describe() == {"scheduler": cluster.scheduler_address, "threads": 4}
    with Dask(EngineOptions("dask", 9, cluster.scheduler_address)) as told:
        assert told.workers == 9


def test_nothing_to_map_is_reduced_still(engine: Dask, tmp_path: Path) -> None:
    mapped, reduced, _ = run(engine, Sums(tmp_path, sizes=(), kept=(7, 8)))
    assert [entry.fingerprint for entry in mapped] == ["kept 0", "kept 1"]
    assert [entry.totals["sum"] for entry in reduced] == [15, 15]


def test_dashboards_group_tasks_by_stage(engine: Dask, cluster: LocalCluster, tmp_path: Path) -> None:
    run(engine, Sums(tmp_path, name="adding"))
    assert {"adding-map", "adding-reduce"} <= set(cluster.scheduler.task_prefixes)


@pytest.mark.parametrize("place", ["shard 0", "partition 0"])
@pytest.mark.parametrize("how", sorted(ERRORS))
def test_what_a_task_raises_keeps_its_type_and_text(engine: Dask, tmp_path: Path, place: str, how: str) -> None:
    with pytest.raises(ERRORS[how], match=f"^{how} of a task$") as told:
        run(engine, Sums(tmp_path, failing=(place, how)))
    assert type(told.value) is ERRORS[how]


def test_a_task_that_raises_is_not_tried_again(engine: Dask, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="of a task"):
        run(engine, Counted(tmp_path, failing=("shard 1", "ValueError")))
    assert (tmp_path / "tries").read_bytes().count(b"shard 1\n") == 1


class Counted(Sums):
    """Writes down every attempt."""

    def map(self, shard: Any) -> Entry:
        with (self.directory / "tries").open("ab") as file:
            file.write(f"{shard.fingerprint}\n".encode())
        return super().map(shard)


def test_a_failure_leaves_no_tasks_on_the_cluster(engine: Dask, cluster: LocalCluster, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="of a task"):
        run(engine, Sums(tmp_path, sizes=tuple(range(1, 200)), failing=("shard 100", "OSError")))
    patience = time.monotonic() + 30
    while any(str(key).startswith("sums-map") for key in cluster.scheduler.tasks):
        gc.collect()  # the error holds the frames that it came through
        assert time.monotonic() < patience


def test_a_bounded_number_of_tasks_is_handed_over(
    engine: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "FEWEST_AHEAD", 10)
    monkeypatch.setattr(engines, "TASKS_A_THREAD", 3)
    ahead: list[int] = []
    handed, done = 0, 0
    real = Client.map

    def counted(self: Client, function: Any, batch: Any, **options: Any) -> Any:
        nonlocal handed
        handed += len(batch)
        ahead.append(handed - done)
        return real(self, function, batch, **options)

    def report(progress: Progress) -> None:
        nonlocal done
        done += progress.shard is not None

    monkeypatch.setattr(Client, "map", counted)
    job = Sums(tmp_path, sizes=tuple(range(1, 101)), partitions=1)
    engine.run(job, job.plan(workers=4), report=report)
    assert max(ahead) <= 4 * 3
    assert len(ahead) > 10


@pytest.mark.parametrize("threads", [4])
def test_threads_of_a_worker_do_not_mix(tmp_path: Path, threads: int, cluster: LocalCluster) -> None:
    """Four tasks at a time in one process, each with tallies of its own."""
    corpus = tmp_path / "corpus"
    assert hanmill("sample", "--out", corpus, "--documents", 400).code == 0
    outs = {}
    for name, options in {
        "local": ["--workers", 1],
        "dask": ["--engine", "dask", "--scheduler", cluster.scheduler_address, "--shard-bytes", "20kB"],
    }.items():
        ended = hanmill("count", corpus, "--out", tmp_path / name, "--no-report", *options)
        assert ended.code == 0, ended.err
        outs[name] = data_of(tmp_path / name)
    assert outs["dask"] == outs["local"]


# What is refused


def test_a_worker_with_another_hanmill_is_refused(
    engine: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = installation.identity()
    monkeypatch.setattr(installation, "identity", lambda: "0.0.9 (code of yesterday)")
    expected = rf"^worker tcp://.* has hanmill {re.escape(here)}, the driver 0\.0\.9 \(code of yesterday\): install the"
    with pytest.raises(EngineError, match=expected):
        run(engine, Sums(tmp_path))
    # One that joins when the others were looked at is refused by its first task.
    monkeypatch.setattr(engines, "_examine", functools.partial(print, end=""))
    with pytest.raises(EngineError, match=expected):
        run(engine, Sums(tmp_path))
    assert not list(tmp_path.glob("shard*"))


def test_a_worker_that_does_not_see_the_output_folder_is_refused(engine: Dask, tmp_path: Path) -> None:
    class Elsewhere(type(tmp_path)):  # type: ignore[misc]
        """Reads what the workers do not."""

        def read_text(self, *_: Any, **__: Any) -> str:
            return "another machine's"

    (tmp_path / LOCK).write_text("this machine's")
    with pytest.raises(EngineError, match=rf"^worker tcp://.* does not see the output folder {tmp_path}: driver and"):
        run(engine, Sums(Elsewhere(tmp_path)))


def test_a_worker_that_joins_late_without_the_output_folder_is_refused(
    engine: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_examine", functools.partial(print, end=""))
    with pytest.raises(EngineError, match=rf"^worker tcp://.* does not see the output folder {tmp_path}/none: driver"):
        run(engine, Sums(tmp_path / "none"))


def test_a_worker_without_hanmill_is_refused(engine: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise ModuleNotFoundError("No module named 'pipelines'")

    monkeypatch.setattr(engines, "_examine", missing)
    with pytest.raises(EngineError, match=r"^worker tcp://.* lacks hanmill or a part of it \(No module named 'pip"):
        run(engine, Sums(tmp_path))


# What is told


def metrics_of(address: str) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{address}/metrics") as page:
        lines = page.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if name[:7] == "hanmill"}


def test_prometheus_reads_counters_of_scheduler_and_workers(
    engine: Dask, cluster: LocalCluster, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number in range(40):
        (corpus / f"{number}.txt").write_bytes("我来到北京清华大学".encode() if number else b"\xff")
    job = WordCount((str(corpus),), tmp_path / "out", prepare(None, ()), shard_bytes=200)
    (tmp_path / "out/_shards").mkdir(parents=True)
    assert engine._client is not None
    ports = {
        address: worker["services"]["dashboard"]
        for address, worker in engine._client.scheduler_info(n_workers=-1)["workers"].items()
    }
    places = [f"127.0.0.1:{port}" for port in (cluster.scheduler.http_server.port, *ports.values())]
    before = [metrics_of(place) for place in places]
    engine.run(job, job.plan(workers=2), report=lambda progress: None)
    after = [metrics_of(place) for place in places]
    gained = [
        {name: value - old.get(name, 0.0) for name, value in new.items()}
        for old, new in zip(before, after, strict=True)
    ]
    wanted = {"documents": 39.0, "bytes": 1 + 39 * 27.0, "dead_letters": 1.0}
    for name, value in wanted.items():
        found = [each.get(f'hanmill_{name}_total{{job="word_count"}}', 0.0) for each in gained]
        assert found[0] == sum(found[1:]) == value, (name, found)
    for stage in ("map", "reduce"):
        seconds = [each.get(f'hanmill_stage_seconds_total{{job="word_count",stage="{stage}"}}', 0) for each in gained]
        assert seconds[0] == pytest.approx(sum(seconds[1:])) != 0
    tasks = [each.get('hanmill_tasks_total{job="word_count",stage="reduce"}', 0) for each in gained]
    assert tasks[0] == sum(tasks[1:]) == 8


def test_the_dashboard_is_named_and_dask_s_report_needs_no_network(cluster: LocalCluster, tmp_path: Path) -> None:
    told: list[str] = []
    options = EngineOptions("dask", scheduler=cluster.scheduler_address)
    with Dask(options, tell=told.append, performance_report=tmp_path / "dask_report.html") as engine:
        run(engine, Sums(tmp_path))
        assert not (tmp_path / "dask_report.html").exists()
    assert told == [f"dashboard: {cluster.dashboard_link}"]
    page = (tmp_path / "dask_report.html").read_text()
    assert "sums-map" in page
    assert re.findall(r'<script[^>]* src=|<link rel="stylesheet"', page) == []


def test_a_cluster_of_its_own_is_started_by_the_first_run(tmp_path: Path) -> None:
    told: list[str] = []
    with Dask(EngineOptions("dask", 1), tell=told.append) as engine:
        assert (engine.workers, engine.describe(), told) == (1, {"scheduler": None, "threads": 0}, [])
        _, reduced, progress = run(engine, Sums(tmp_path))
        assert engine.describe()["threads"] == 1
    assert [entry.totals["sum"] for entry in reduced] == [6, 6]
    assert [one.stage for one in progress[:2]] == ["start", "map"]
    assert re.fullmatch(r"dashboard: http://127\.0\.0\.1:\d+/status", told[0])
