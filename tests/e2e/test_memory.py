"""Bounded memory, whatever the input: measured by the system, in a process of its own."""

import gzip
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.bench.knowledge_base import watched, write_entities
from tests.pipelines.command import ROOT

MIB = 1 << 20

# Counts once to have everything loaded, then counts what is asked for and tells by how much the peak has grown.
_PROGRAM = """
import contextlib, os, resource, sys
from pathlib import Path
from tests.pipelines.command import count, dead_letters, manifest
top, given, *options = sys.argv[1:]
Path(top, "small.txt").write_text("中国人民\\n")
assert count(Path(top, "small.txt"), "--out", Path(top, "first")).code == 0
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = count(given, "--out", Path(top, "out"), *options)
assert result.code == 0, result.err
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
totals = manifest(Path(top, "out"))["totals"]
print(grown >> 10, totals["documents"], totals["dead_letters"])
print(dead_letters(Path(top, "out"))[0]["reason"] if totals["dead_letters"] else "")
"""


def grown(top: Path, given: Path, *options: str) -> tuple[int, int, int, str]:
    """MiB by which the peak has grown, documents, dead letters, and the first one's reason."""
    command = [sys.executable, "-c", _PROGRAM, str(top), str(given), *options]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    numbers, reason = ended.stdout.splitlines()[-2:]
    megabytes, documents, dead = map(int, numbers.split())
    return megabytes, documents, dead, reason


def sparse(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.write("好\n".encode())
        file.truncate(size)
        file.seek(0, 2)
        file.write("\n好\n".encode())
    return path


def test_a_line_of_a_gigabyte_is_passed_by(tmp_path: Path) -> None:
    """At the default limit of 64 MiB a line may be held as long as it may still end."""
    given = sparse(tmp_path / "a.txt", 1024 * MIB)
    megabytes, documents, dead, reason = grown(tmp_path, given, "--max-bad-records", "1")
    assert (documents, dead, reason) == (2, 1, "a line of more than --max-document-bytes 67,108,864")
    assert megabytes < 220


@pytest.mark.parametrize("name", ["a.txt", "a.tsv", "a.jsonl"])
def test_a_long_line_is_passed_by_within_a_small_limit(tmp_path: Path, name: str) -> None:
    given = sparse(tmp_path / name, 256 * MIB)
    options = ("--max-document-bytes", "1MiB", "--max-bad-records", "3")
    megabytes, documents, dead, _ = grown(tmp_path, given, *options)
    assert (documents, dead) == ((2, 1) if name == "a.txt" else (0, 3))
    assert megabytes < 60


def packed_gz(path: Path) -> Path:
    with gzip.open(path.with_suffix(".txt.gz"), "wb", compresslevel=1) as file:
        for _ in range(300):
            file.write(bytes(MIB))
    return path.with_suffix(".txt.gz")


def packed_zip(path: Path) -> Path:
    with zipfile.ZipFile(path.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("a.txt", "w") as file:
            for _ in range(300):
                file.write(bytes(MIB))
    return path.with_suffix(".zip")


def document(path: Path) -> Path:
    (path / "d").mkdir(parents=True)
    with (path / "d/a.txt").open("wb") as file:
        file.truncate(300 * MIB)
    return path / "d"


@pytest.mark.parametrize("pack", [packed_gz, packed_zip, document])
def test_what_unpacks_to_more_than_the_limit_is_not_held(tmp_path: Path, pack: Callable[[Path], Path]) -> None:
    given = pack(tmp_path / "a")
    options = ("--max-document-bytes", "1MiB", "--max-bad-records", "1")
    megabytes, documents, dead, reason = grown(tmp_path, given, *options)
    assert (documents, dead) == (0, 1)
    assert "more than --max-document-bytes 1,048,576" in reason
    assert megabytes < 60


def test_many_lines_need_no_more_memory_than_few(tmp_path: Path) -> None:
    line = "央行下调存款准备金率，银行贷款利率随之下降。\n".encode()
    with (tmp_path / "a.txt").open("wb") as file:
        for _ in range(150):
            file.write(line * (MIB // len(line)))
    megabytes, documents, _, _ = grown(tmp_path, tmp_path / "a.txt")
    assert documents == 150 * (MIB // len(line))
    assert megabytes < 150


@pytest.mark.slow
def test_a_knowledge_base_of_400_000_entities_takes_less_than_a_gigabyte(tmp_path: Path) -> None:
    """Driver and workers together, each page counted once; files aside."""
    write_entities(tmp_path / "kb_data", entities=400_000)
    command = ["kb", "build", str(tmp_path / "kb_data"), "--out", str(tmp_path / "kb"), "--workers", "2"]
    _, largest, together = watched([sys.executable, "-m", "pipelines.cli", *command])
    assert 0 < largest < together
    assert together << 10 < 1_000_000_000
