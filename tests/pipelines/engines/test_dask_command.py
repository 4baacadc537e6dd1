"""A command on a cluster: where it runs, what comes back, and what becomes of it when its worker is lost."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from pipelines.engines.dask_command import run_on_cluster
from pipelines.engines.options import EngineOptions
from pipelines.errors import EngineError
from tests.clusters import Cluster

PATIENCE = 60


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with contextlib.closing(Cluster(tmp_path_factory.mktemp("cluster"))) as cluster:
        cluster.start_scheduler()
        cluster.add_worker()
        for _ in range(2):
            cluster.add_worker("--resources", "GPU=1")
        with Client(cluster.address) as client:
            client.wait_for_workers(3, timeout=PATIENCE)
        yield cluster


def run(cluster: Cluster, *arguments: object) -> tuple[int, bytes, list[str]]:
    told: list[str] = []
    options = EngineOptions("dask", scheduler=cluster.address)
    code, printed = run_on_cluster(list(map(str, arguments)), options, key="step", tell=told.append)
    return code, printed, told


def test_a_command_runs_in_this_folder_on_a_worker_with_the_resource(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, printed, told = run(cluster, "sample", "--out", "made", "--documents", 3)
    assert (code, printed[:18]) == (0, b"made: 3 documents,")
    assert told == ["step: one task of the cluster, which asks for GPU 1"]
    assert len(list((tmp_path / "made").rglob("*.txt"))) == 3


def test_its_exit_code_and_its_words_come_back(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed, _ = run(cluster, "show", "/nowhere")
    assert (code, printed) == (3, b"")
    assert "hanmill: /nowhere: " in capsys.readouterr().err


def test_a_command_whose_worker_is_lost_goes_on_elsewhere(cluster: Cluster, tmp_path: Path) -> None:
    """The command ends with its worker, so the second does not find the first in its way."""
    corpus, out = tmp_path / "corpus", tmp_path / "out"
    subprocess.run(
        [sys.executable, "-m", "pipelines.cli", "sample", "--out", corpus, "--documents", "3000"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    results: list[int] = []
    thread = threading.Thread(
        target=lambda: results.append(run(cluster, "count", corpus, "--out", out, "--workers", 1, "--no-report")[0])
    )
    thread.start()
    patience = time.monotonic() + PATIENCE
    while not (first := _commands(out)):
        assert time.monotonic() < patience
        time.sleep(0.01)
    os.kill(_parent(first[0]), signal.SIGKILL)
    thread.join(PATIENCE)
    assert results == [0]
    assert (out / "_SUCCESS").exists()
    assert first[0] not in _commands(out)


def test_a_cluster_that_is_not_there() -> None:
    options = EngineOptions("dask", scheduler="tcp://127.0.0.1:1")
    with pytest.raises(EngineError, match="no Dask scheduler answers at tcp://127"):
        run_on_cluster(["doctor"], options, key="step", tell=lambda text: None)


def _commands(out: Path) -> list[int]:
    """The processes that count into a folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(out).encode() in words and b"-c" in words:
            found.append(int(place.name))
    return found


def _parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
