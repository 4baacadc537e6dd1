"""Dask clusters of separate processes, by TCP and by TLS, that lose workers, memory, or the scheduler."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.engines.dask import Dask
from pipelines.engines.job import Progress
from pipelines.engines.options import EngineOptions
from pipelines.errors import ENGINE, INTERRUPTED, EngineError
from pipelines.run import run
from pipelines.storage.manifest import SHARDS, Entry
from pipelines.storage.shards import Shard
from tests.chaos.commands import members, running
from tests.clusters import ROOT, SCRIPTS, Cluster, kill
from tests.pipelines.command import Result, data_of, process, run_json
from tests.pipelines.jobs import Sums

pytestmark = pytest.mark.slow
DOCUMENTS = 3000
SHARD_BYTES = "64KiB"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    corpus = tmp_path_factory.mktemp("clusters") / "corpus"
    assert process("sample", "--out", corpus, "--documents", DOCUMENTS).code == 0
    (corpus / "bad.txt").write_bytes(b"\xff\xff")
    return corpus


@pytest.fixture(scope="module")
def expected(corpus: Path) -> dict[str, bytes]:
    """What the local engine makes of it."""
    out = corpus.parent / "expected"
    assert process("count", corpus, "--out", out, "--by-label", "--no-report", "--workers", "1").code == 0
    return data_of(out)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls") / "certificates"
    subprocess.run([SCRIPTS / "certificates.sh", folder], check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    """Starts a scheduler and two workers."""
    started: list[Cluster] = []

    def start(*, workers: int = 2, memory: str = "auto", **options: object) -> Cluster:
        folder = tmp_path / f"cluster-{len(started)}"
        folder.mkdir()
        started.append(Cluster(folder, **options))  # type: ignore[arg-type]
        started[-1].start_scheduler()
        for _ in range(workers):
            started[-1].add_worker(MEMORY=memory)
        return started[-1]

    yield start
    for one in started:
        one.close()


def count(cluster: Cluster, corpus: Path, out: Path, *options: str) -> Result:
    where = ["--scheduler", cluster.address, *cluster.tls]
    return process(
        "count", corpus, "--out", out, "--by-label", "--engine", "dask", "--shard-bytes", SHARD_BYTES, *where, *options
    )


@pytest.mark.parametrize("encrypted", [False, True], ids=["tcp", "tls"])
def test_a_count_on_a_cluster_equals_a_local_one(
    cluster: Callable[..., Cluster],
    certificates: Path,
    encrypted: bool,
    corpus: Path,
    tmp_path: Path,
    expected: dict[str, bytes],
) -> None:
    there = cluster(certificates=certificates if encrypted else None)
    assert there.address.startswith("tls://" if encrypted else "tcp://")
    ended = count(there, corpus, tmp_path / "out")
    assert (ended.code, "hanmill: dashboard: http://127.0.0.1:" in ended.err) == (0, True), ended.err
    assert data_of(tmp_path / "out") == expected
    assert (run_json(tmp_path / "out")["scheduler"], run_json(tmp_path / "out")["shards"]["kept"]) == (there.address, 0)
    again = count(there, corpus, tmp_path / "out")
    assert "up to date, nothing to do" in again.out


def test_who_has_no_certificate_of_the_authority_is_refused(
    cluster: Callable[..., Cluster], certificates: Path, corpus: Path, tmp_path: Path
) -> None:
    there = cluster(workers=0, certificates=certificates)
    others = tmp_path / "others"
    subprocess.run([SCRIPTS / "certificates.sh", others], check=True, stdout=subprocess.DEVNULL)
    plain, stranger = Cluster(tmp_path, None, {}, there.address), Cluster(tmp_path, others, {}, there.address)
    for one in (plain, stranger):
        ended = count(one, corpus, tmp_path / "out")
        assert ended.code == 5
        assert f"hanmill: no Dask scheduler answers at {there.address}: " in ended.err
        assert "Traceback" not in ended.err


def test_a_worker_that_is_killed_costs_nothing_but_time(
    cluster: Callable[..., Cluster], corpus: Path, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    there = cluster()
    from pipelines.tally import prepare
    from pipelines.word_count import WordCount

    job = WordCount((str(corpus),), tmp_path / "out", prepare(None, ()), by_label=True, shard_bytes=64 << 10)
    pids: dict[str, int] = {}

    class Killer(Dask):
        def run(self, job, plan, *, report):  # type: ignore[no-untyped-def]
            def reported(progress: Progress) -> None:
                report(progress)
                if progress.stage == "map" and progress.entry is not None and not pids:
                    pids.update(self._client.run(os.getpid))  # type: ignore[union-attr]
                    os.kill(min(pids.values()), signal.SIGKILL)

            return super().run(job, plan, report=reported)

    with Killer(EngineOptions("dask", scheduler=there.address)) as engine:
        outcome = run(job, engine=engine)
        after = engine._client.run(os.getpid)  # type: ignore[union-attr]
    assert outcome.run["shards"]["counted"] > 20
    assert min(pids.values()) not in after.values()
    assert data_of(tmp_path / "out") == expected


@dataclass(frozen=True)
class Hungry(Sums):
    """The first shard takes more memory than a worker has, as often as `times` says."""

    times: int = 1

    def map(self, shard: Shard) -> Entry:
        met = len(list(self.directory.glob("hungry-*")))
        if shard.fingerprint == "shard 0" and met < self.times:
            (self.directory / f"hungry-{met}").touch()
            taken = b"x" * (600 << 20)
            signal.pause()
            del taken
        return super().map(shard)


def test_a_worker_over_its_memory_is_started_again(cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    there = cluster(memory="400MiB")
    with Dask(EngineOptions("dask", scheduler=there.address)) as engine:
        outcome = run(Hungry(tmp_path / "out", sizes=tuple(range(1, 30))), engine=engine)
    assert outcome.manifest["sums"] == [sum(range(1, 30))] * 2
    assert [path.name for path in (tmp_path / "out").glob("hungry-*")] == ["hungry-0"]


def test_a_task_that_always_costs_its_worker_ends_the_run(cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    """After as many deaths as the scheduler's configuration allows."""
    there = cluster(memory="400MiB", environment={"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"})
    with (
        Dask(EngineOptions("dask", scheduler=there.address)) as engine,
        pytest.raises(EngineError, match=r"^2 workers died over sums-map-.*: see their logs; more memory for a worker"),
    ):
        run(Hungry(tmp_path / "out", times=99), engine=engine)
    assert len(list((tmp_path / "out").glob("hungry-*"))) == 2


def test_a_run_goes_on_under_another_scheduler(
    cluster: Callable[..., Cluster], corpus: Path, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    first = cluster()
    line = ["count", corpus, "--out", tmp_path / "out", "--by-label", "--engine", "dask", "--shard-bytes", SHARD_BYTES]
    command = [sys.executable, "-m", "pipelines.cli", *map(str, line), "--scheduler", first.address]
    driver = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
    while len(list((tmp_path / "out" / SHARDS).glob("*.json"))) < 5:
        assert driver.poll() is None, driver.communicate()
    kill(first.scheduler)
    _, told = driver.communicate(timeout=120)
    assert driver.returncode == 5
    assert f"hanmill: the scheduler at {first.address} was lost: start one and run the same command again" in told
    assert "Traceback" not in told
    assert not (tmp_path / "out" / "_SUCCESS").exists()
    first.close()
    ended = count(cluster(), corpus, tmp_path / "out")
    assert ended.code == 0, ended.err
    assert run_json(tmp_path / "out")["shards"]["kept"] >= 4
    assert data_of(tmp_path / "out") == expected


def test_a_beam_worker_that_is_killed_ends_the_run_and_the_next_goes_on(
    corpus: Path, tmp_path: Path, expected: dict[str, bytes]
) -> None:
    """The runner itself would wait for it for ever."""
    out = tmp_path / "out"
    line = ["count", corpus, "--out", out, "--by-label", "--engine", "beam", "--workers", 2, "--shard-bytes", "32KiB"]
    with running(*line, "--no-report") as command:
        while len(list((out / SHARDS).glob("*.json"))) < 5:
            assert command.process.poll() is None
        os.kill(max(pid for pid, _ in members(command.pid) if _is_sdk_worker(pid)), signal.SIGKILL)
        code, told = command.end()
    assert (code, "hanmill: a worker process died (" in told) == (ENGINE, True), told
    assert process(*line, "--no-report").code == 0
    assert run_json(out)["shards"]["kept"] >= 4
    assert data_of(out) == expected


def _is_sdk_worker(pid: int) -> bool:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return b"apache_beam.runners.worker.sdk_worker_main" in words


@pytest.mark.parametrize("engine", ["dask", "beam"])
@pytest.mark.parametrize(("number", "ending"), [(signal.SIGINT, INTERRUPTED), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_driver_that_is_stopped_leaves_no_process_and_the_next_goes_on(
    corpus: Path, tmp_path: Path, expected: dict[str, bytes], engine: str, number: signal.Signals, ending: int
) -> None:
    out = tmp_path / "out"
    line = ["count", corpus, "--out", out, "--by-label", "--engine", engine, "--workers", 2, "--shard-bytes", "32KiB"]
    with running(*line, "--no-report") as command:
        while len(list((out / SHARDS).glob("*.json"))) < 5:
            assert command.process.poll() is None
        if number == signal.SIGINT:  # as a terminal does
            os.killpg(command.pid, number)
        else:
            os.kill(command.pid, number)
        code, told = command.end()
    assert code == ending, told
    assert not (out / "_SUCCESS").exists()
    assert process(*line, "--no-report").code == 0
    assert run_json(out)["shards"]["kept"] >= 4
    assert data_of(out) == expected
