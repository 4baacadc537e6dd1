"""A recipe whose training is a task of a cluster: committed like any output, ended with its driver, told as JSON."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from pipelines.errors import DONE, ENGINE, INPUT, INTERRUPTED
from tests.clusters import Cluster, kill
from tests.pipelines.command import ROOT, Result, hanmill, process
from tests.pipelines.keras_modules import with_keras
from tests.pipelines.made_models import write_checkpoint
from tests.pipelines.made_records import numbered, write_labelled, write_vocabulary

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unsynced")]
PATIENCE = 120
MANY = 100_000  # steps that no test waits for

RECIPE = """
data = "data.tsv"
init = "init"
out = "made"

[records]
arguments = ["text-classification", "train=${data}"]
vocab = "${init}/vocab.txt"
max-length = 64

[train]
arguments = ["text-classification"]
records = "${records.out}"
init = "${init}"
steps = 3
batch-size = 8
checkpoint-minutes = 60

[look]
command = "show"
arguments = ["${train.out}"]
save = "${out}/said.txt"
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A worker that has no GPU, and one that says it has."""
    with contextlib.closing(Cluster(tmp_path_factory.mktemp("cluster"))) as cluster:
        cluster.start_scheduler()
        cluster.add_worker()
        cluster.add_worker("--resources", "GPU=1")
        with Client(cluster.address) as client:
            client.wait_for_workers(2, timeout=PATIENCE)
        yield cluster


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    with_keras("models.encoder")
    write_labelled(tmp_path / "data.tsv", numbered(40))
    write_checkpoint(tmp_path / "init", write_vocabulary(tmp_path / "vocab.txt"))
    text = RECIPE
    for name in ("data.tsv", "init", "made"):
        text = text.replace(f'"{name}"', f'"{tmp_path / name}"')
    (tmp_path / "recipe.toml").write_text(text)
    return tmp_path / "recipe.toml"


def arguments(recipe: Path, cluster: Cluster | None, *more: str) -> list[object]:
    where = ["--scheduler", cluster.address] if cluster else []
    return ["run", recipe, "--json", "--engine", "dask", *where, *more]


@contextlib.contextmanager
def training(recipe: Path, cluster: Cluster | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A driver whose training is on, has saved no state yet, and would go on for long."""
    line = map(str, arguments(recipe, cluster, "--set", f"train.steps={MANY}"))
    with subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *line],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    ) as driver:  # fmt: skip
        try:
            wait_for(lambda: steps(recipe), driver)
            yield driver
        finally:
            kill(driver)


def ended(driver: subprocess.Popen[bytes]) -> tuple[str, str]:
    """What it printed."""
    out, err = driver.communicate(timeout=PATIENCE)
    return out.decode(), err.decode()


def wait_for(happened: Any, driver: subprocess.Popen[bytes] | None = None) -> None:
    patience = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < patience
        assert driver is None or driver.poll() is None, driver.communicate()
        time.sleep(0.05)


def steps(recipe: Path) -> int:
    """How many the run has logged."""
    log = recipe.parent / "made/train/metrics.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def trainings(recipe: Path) -> list[int]:
    """The processes that train into the recipe's folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (place / "cmdline").read_bytes().split(b"\0")
            if {b"train", str(recipe.parent / "made/train").encode()} <= {*words}:
                found.append(int(place.name))
    return found


def statuses(out: str) -> list[str]:
    return [step["status"] for step in json.loads(out)["steps"]]


def test_a_training_step_on_a_worker_with_a_gpu(recipe: Path, cluster: Cluster) -> None:
    told = process(*arguments(recipe, cluster))
    assert told.code == DONE, told.err
    assert "train: one task of the cluster, which asks for GPU 1" in told.err
    assert statuses(told.out) == ["done", "done", "done"]
    run = recipe.parent / "made/train"
    assert hanmill("verify", run) == Result(DONE, f"{run}: every file is as it was written\n", "")
    assert (recipe.parent / "made/said.txt").read_text().startswith("text-classification, 3 steps; best step ")
    assert json.loads((run / "run.json").read_text())["command"][0] == "-c"  # of the process beside the worker
    again = process(*arguments(recipe, cluster))
    assert statuses(again.out) == ["skipped", "skipped", "skipped"], again.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_reaches_the_training(recipe: Path, cluster: Cluster, number: signal.Signals) -> None:
    with training(recipe, cluster) as driver:
        driver.send_signal(number)
        out, err = ended(driver)
        left = trainings(recipe)
    assert driver.returncode == json.loads(out)["exit_code"] == INTERRUPTED, err
    assert "Traceback" not in err
    assert statuses(out) == ["done", "failed", "not run"]
    assert not left
    assert (recipe.parent / "made/train/state.npz").exists()
    assert not (recipe.parent / "made/train/_lock").exists()
    assert json.loads((recipe.parent / "made/_recipe/steps.json").read_text()).keys() == {"records"}


def test_a_training_whose_driver_is_killed_ends(recipe: Path, cluster: Cluster) -> None:
    with training(recipe, cluster) as driver:
        [pid] = trainings(recipe)
        driver.kill()
        driver.communicate()
        wait_for(lambda: pid not in trainings(recipe))
    run = recipe.parent / "made/train"
    assert (run / "state.npz").exists()
    assert not (run / "_lock").exists()
    told = process(*arguments(recipe, cluster, "--set", "train.fresh=true"))
    assert told.code == DONE, told.err


def test_a_training_whose_scheduler_is_lost_ends(recipe: Path, tmp_path: Path) -> None:
    with contextlib.closing(Cluster(tmp_path)) as cluster:
        cluster.start_scheduler()
        cluster.add_worker()
        with training(recipe, cluster) as driver:
            kill(cluster.scheduler)
            out, err = ended(driver)
            wait_for(lambda: not trainings(recipe))
    assert driver.returncode == json.loads(out)["exit_code"] == ENGINE, err
    assert "hanmill: train: the cluster lost it (" in err
    assert (recipe.parent / "made/train/state.npz").exists()
    assert statuses(out) == ["done", "failed", "not run"]


def test_an_interrupt_reaches_the_training_on_a_cluster_of_its_own(recipe: Path) -> None:
    """As a terminal does it: all processes get it at once."""
    with training(recipe) as driver:
        os.killpg(driver.pid, signal.SIGINT)
        out, err = ended(driver)
        assert not trainings(recipe)
    assert driver.returncode == json.loads(out)["exit_code"] == INTERRUPTED, err
    assert (recipe.parent / "made/train/state.npz").exists()
    assert not (recipe.parent / "made/train/_lock").exists()


def test_no_scheduler_is_told_as_json(recipe: Path) -> None:
    nowhere = ("run", recipe, "--json", "--engine", "dask", "--scheduler", "tcp://127.0.0.1:1")
    told = process(*nowhere)
    assert told.code == json.loads(told.out)["exit_code"] == ENGINE
    assert statuses(told.out) == ["failed", "not run", "not run"]
    assert process("run", recipe, "--json", "--set", "train.init=/nowhere").code == INPUT  # records are there
    told = process(*nowhere)
    assert told.code == json.loads(told.out)["exit_code"] == ENGINE
    assert "hanmill: train: no Dask scheduler answers at tcp://127.0.0.1:1" in told.err
    assert statuses(told.out) == ["skipped", "failed", "not run"]
    assert json.loads((recipe.parent / "made/_recipe/steps.json").read_text()).keys() == {"records"}
