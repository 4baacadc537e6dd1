"""Imports only go down, plain counting pays for no framework, and training machines need few packages."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipelines.made_records import classification, made, numbered, write_labelled

ROOT = Path(__file__).parents[1]
FRAMEWORKS = {"dask", "distributed", "apache_beam", "tensorflow", "keras", "torch", "jax"}
FORBIDDEN = {
    "transforms": {"pipelines", "models", *FRAMEWORKS},
    "models": {"pipelines", "transforms", "dask", "distributed", "apache_beam"},
    "pipelines": {"tests"},
}


def imported(source: str) -> Iterator[tuple[int, str]]:
    """The modules that a file imports anywhere in it, with the lines."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
            yield node.lineno, ast.literal_eval(node.args[0]) if isinstance(node.args[0], ast.Constant) else "?"


def test_all_ways_to_import_are_seen() -> None:
    source = """
import os, keras.layers
from dask.distributed import Client
from . import sibling
def later():
    import tensorflow as tf
    importlib.import_module("apache_beam.io")
    __import__(name)
"""
    assert [name for _, name in imported(source)] == [
        "os",
        "keras.layers",
        "dask.distributed",
        ".",
        "tensorflow",
        "apache_beam.io",
        "?",
    ]


@pytest.mark.parametrize("room", FORBIDDEN)
def test_imports_only_go_down(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in files
        for line, name in imported(file.read_text("utf-8"))
        if name.partition(".")[0] in FORBIDDEN[room] or name.startswith((".", "?"))
    ]
    assert wrong == []


HEAVY = {*FRAMEWORKS, "numba", "bokeh", "jieba", "fsspec", "scipy", "safetensors"}


@pytest.mark.parametrize(
    "work",
    [
        "import pipelines.word_count, pipelines.cli, pipelines.engines.local, pipelines.engines.preload",
        "from pipelines.cli import main; main()",
    ],
)
def test_plain_counting_loads_no_framework(tmp_path: Path, work: str) -> None:
    """The modules of a fresh interpreter; numba and jieba only compile what is kept afterwards."""
    (tmp_path / "a.txt").write_text("中国人民\n" * 3)
    arguments = ["count", str(tmp_path / "a.txt"), "--out", str(tmp_path / "out"), "--workers", "1", "--no-report"]
    program = f"""
import sys
sys.argv[1:] = {arguments!r}
try:
    {work}
finally:
    print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
    warm = subprocess.run([sys.executable, "-m", "pipelines.cli", *arguments], cwd=ROOT, capture_output=True)
    assert warm.returncode == 0
    (tmp_path / "a.txt").write_text("中国人民\n" * 4)
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = set(ended.stdout.splitlines()[-1].split())
    assert {"pipelines", "transforms", "pyarrow", "llvmlite"} <= modules
    assert modules & HEAVY == set()


READING = {"numpy", "google_crc32c", "tokenizers", "rich", "fsspec", "h5py", "safetensors", "keras"}
_ALLOWED_ONLY = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in {READING | set(FORBIDDEN)!r} and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"{{name}} is not on a machine for training", name=name)

sys.meta_path.insert(0, Blocked())
"""


def on_a_training_machine(program: str) -> "subprocess.CompletedProcess[str]":
    """Runs a program that finds nothing but the three rooms and what is installed there."""
    return subprocess.run([sys.executable, "-c", _ALLOWED_ONLY + program], cwd=ROOT, capture_output=True, text=True)


def test_what_a_training_machine_lacks_is_blocked() -> None:
    for module in ("pyarrow", "typer", "jieba"):
        assert "is not on a machine for training" in on_a_training_machine(f"import {module}").stderr
    assert on_a_training_machine("import numpy, google_crc32c, tokenizers, rich").returncode == 0
    assert "pyarrow is not on" in on_a_training_machine("import pipelines.storage.tables").stderr


def test_predictions_are_scored_on_a_training_machine(tmp_path: Path) -> None:
    (tmp_path / "gold.json").write_text('{"text": "a", "spo_list": [{"subject": "a", "predicate": "b", "object": {}}]}')
    program = f"""
from pathlib import Path
from pipelines.scores import score_files
gold = Path({str(tmp_path / "gold.json")!r})
print(score_files("relation-extraction", gold, gold)["f1"])
"""
    ended = on_a_training_machine(program)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "1.0\n", "")


def test_records_are_read_on_a_training_machine(tmp_path: Path) -> None:
    """With NumPy and few packages besides: no Arrow, no TensorFlow."""
    source = write_labelled(tmp_path / "a.tsv", numbered(9))
    made(classification(tmp_path, tmp_path / "out", source))
    program = f"""
import pipelines.shuffle
from pipelines.batching import Batches, Batching, in_order, lengths_of
from pipelines.datasets import DataSet

data_set = DataSet.open({str(tmp_path / "out")!r})
task = data_set.task()
batching = Batching(task.targets, task.shapes, 3, lengths_of(48))
with Batches(data_set, "train", batching) as batches:
    next(batches)
print(sum(batch["valid"].sum() for batch, _ in in_order(data_set, "train", batching)))
loaded = {{name.partition(".")[0] for name in sys.modules}}
print(sorted(loaded & {{"pyarrow", "tensorflow", "numba", "jieba", "typer", "dask", "apache_beam", "pandas"}}))
"""
    ended = on_a_training_machine(program)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "9\n[]\n", "")


# All that hanmill needs elsewhere, and TensorFlow does not.
ELSEWHERE = ("pyarrow", "numba", "llvmlite", "jieba", "typer", "bokeh", "jinja2", "dask", "distributed", "apache_beam")


def test_training_needs_no_more_than_a_training_machine_has() -> None:
    """The backend brings packages of its own, so that what must not be needed is named here."""
    pytest.importorskip("keras")
    program = f"""
import sys

sys.modules |= dict.fromkeys({ELSEWHERE!r})
import pipelines.train
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
