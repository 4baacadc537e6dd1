"""Imports only go down, and plain counting pays for no framework."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
