"""`hanmill run`: a recipe from end to end, what is skipped, what a user reads; with a cluster, and interrupted."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.errors import DONE, INPUT, INTERRUPTED, USAGE
from tests.pipelines.command import ROOT, hanmill, process

pytestmark = pytest.mark.usefixtures("unsynced")

RECIPE = """
corpus = "corpus"
out = "made"

[count]
arguments = ["${corpus}"]
no-report = true

[vocab]
arguments = ["${count.out}"]
out = "${out}/vocab.txt"

[look]
command = "show"
arguments = ["${count.out}"]
save = "${out}/words.txt"
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    hanmill("sample", "--out", tmp_path / "corpus", "--documents", 30)
    text = RECIPE.replace('"corpus"', f'"{tmp_path}/corpus"').replace('"made"', f'"{tmp_path}/made"')
    (tmp_path / "words.toml").write_text(text)
    return tmp_path / "words.toml"


def test_steps_run_and_are_skipped(recipe: Path, tmp_path: Path) -> None:
    told = process("run", recipe, "--workers", 1)
    assert told.code == DONE, told.err
    assert [line.split()[:2] for line in told.out.splitlines()[-3:]] == [
        ["count", "done"],
        ["vocab", "done"],
        ["look", "done"],
    ]
    assert (tmp_path / "made/vocab.txt").read_text().startswith("[PAD]\n[UNK]\n")
    words = (tmp_path / "made/words.txt").read_text()
    assert "30 documents" in words
    assert words in told.out
    again = process("run", recipe, "--json")
    assert json.loads(again.out)["exit_code"] == again.code == DONE
    assert {step["status"] for step in json.loads(again.out)["steps"]} == {"skipped"}
    other = process("run", recipe, "--json", "--set", "vocab.size=50", "--set", "look.top=1")
    assert [step["status"] for step in json.loads(other.out)["steps"]] == ["skipped", "done", "done"]
    assert len((tmp_path / "made/vocab.txt").read_text().splitlines()) == 50


def test_what_is_gone_is_made_again(recipe: Path, tmp_path: Path) -> None:
    assert process("run", recipe, "--workers", 1).code == DONE
    before = (tmp_path / "made/vocab.txt").read_bytes()
    for part in (tmp_path / "made/count").glob("*.parquet"):
        part.unlink()
    (tmp_path / "made/vocab.txt").unlink()
    again = process("run", recipe, "--json", "--workers", 1)
    assert again.code == DONE, again.err
    assert [step["status"] for step in json.loads(again.out)["steps"]] == ["done", "done", "skipped"]
    assert (tmp_path / "made/vocab.txt").read_bytes() == before
    assert hanmill("verify", tmp_path / "made/count").code == DONE


def test_the_exit_code_is_that_of_the_step_that_failed(recipe: Path, tmp_path: Path) -> None:
    told = process("run", recipe, "--json", "--set", f"corpus={tmp_path}/nothing")
    assert told.code == json.loads(told.out)["exit_code"] == INPUT
    assert "nothing: no such file or directory" in told.err
    assert [step["status"] for step in json.loads(told.out)["steps"]] == ["failed", "not run", "not run"]
    told = process("run", recipe, "--set", "vocab.sise=50")
    assert (told.code, told.out) == (USAGE, "")
    assert "vocab has no option sise: did you mean size?" in told.err
    told = process("run", recipe, "--scheduler", "tcp://127.0.0.1:1")
    assert told.code == USAGE
    assert "--scheduler is for --engine dask" in told.err


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("look.top=many", "[look]: Invalid value for '--top': "),
        ("look.top=0", "[look]: Invalid value for '--top': "),
        ("look.arguments=[]", "[look]: Missing argument 'directory'"),
        ("vocab.unit=letter", "[vocab]: Invalid value for '--unit': "),
    ],
)
def test_values_are_checked_before_the_first_step(recipe: Path, tmp_path: Path, setting: str, message: str) -> None:
    told = process("run", recipe, "--set", setting)
    assert (told.code, told.out) == (USAGE, "")
    assert told.err.startswith(f"hanmill: {recipe}: {message}")
    assert not (tmp_path / "made").exists()


def test_recipes_that_come_along_are_whole() -> None:
    """Their commands and options are those there are: they fail only for want of a corpus."""
    for recipe in sorted((ROOT / "pipelines/recipes").glob("*.toml")):
        told = hanmill("run", recipe.stem, "--set", "out=/proc/nowhere")
        assert told.code == INPUT, told.err
        assert "/proc/nowhere" in told.err


def test_on_a_cluster_of_its_own(recipe: Path, tmp_path: Path) -> None:
    told = process("run", recipe, "--engine", "dask", "--workers", 1, "--json")
    assert told.code == DONE, told.err
    assert json.loads((tmp_path / "made/count/run.json").read_bytes())["engine"] == "dask"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_recipe_goes_on(recipe: Path, tmp_path: Path, number: int) -> None:
    hanmill("sample", "--out", tmp_path / "corpus", "--documents", 4000)
    command = [sys.executable, "-m", "pipelines.cli", "run", str(recipe), "--json", "--workers", "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        patience = time.monotonic() + 60
        while not list((tmp_path / "made/count/_shards").glob("*.json")):
            assert time.monotonic() < patience
            time.sleep(0.01)
        running.send_signal(number)
        out, err = running.communicate()
    assert running.returncode == json.loads(out)["exit_code"] == INTERRUPTED, err
    assert not (tmp_path / "made/count/_SUCCESS").exists()
    assert not (tmp_path / "made/count/_lock").exists()
    assert process("run", recipe).code == DONE
