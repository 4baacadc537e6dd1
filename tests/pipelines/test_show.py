"""What `show` and `status` print, of whatever state a folder is in."""

import hashlib
import json
import os
import re
import socket
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.show import PRINTABLE, printable, tell_status, top_words
from tests.pipelines.command import count, hanmill, manifest


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished count of three documents, one of them bad, in parts of two shards."""
    top = tmp_path_factory.mktemp("show")
    (top / "corpus").mkdir()
    for name, content in (("1", "中国人民，中国[red]人民人民 :smile:\x1b"), ("2", "中国"), ("3", "中国" + "x" * 60)):
        (top / f"corpus/{name}.txt").write_text(content)
    (top / "corpus/4.txt").write_bytes(b"\xff")
    assert count(top / "corpus", "--out", top / "out", "--max-bad-records", 1).code == 0
    return top / "out"


def shown(capsys: pytest.CaptureFixture[str], directory: Path, top: int) -> list[list[str]]:
    top_words(directory, top)
    lines = capsys.readouterr().out.splitlines()
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]


def test_the_most_frequent_words(
    finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    tokens = manifest(finished)["totals"]["tokens"]
    rows = shown(capsys, finished, 2)
    assert [row[:3] for row in rows] == [["1", "中国", "4"], ["2", "人民", "3"]]
    assert rows[0][3:] == [f"{400 / tokens:.3f} %", "3"]
    everything = shown(capsys, finished, 5000)
    assert len(everything) == manifest(finished)["totals"]["words"]
    assert [int(row[0]) for row in everything] == list(range(1, len(everything) + 1))
    found = [row[1] for row in everything]
    assert "x" * 39 + "…" in found
    assert {"\\x1b", "[", ":"} < set(found)  # neither control characters nor markup
    top_words(finished, 1)
    assert "3 documents" in capsys.readouterr().out


def test_words_are_shown_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are data: neither markup nor names of emoji."""
    monkeypatch.setenv("COLUMNS", "120")
    found = ["[red]", ":smile:", "\\[", "[/]", "x"]
    pq.write_table(pa.table({"word": found, "count": [1] * 5, "documents": [1] * 5}), tmp_path / "part.parquet")
    totals = {"words": 5, "tokens": 5, "documents": 1}
    content = json.dumps({"job": "word_count", "totals": totals, "parts": [{"name": "part.parquet"}]}).encode()
    (tmp_path / "manifest.json").write_bytes(content)
    (tmp_path / "_SUCCESS").write_text(f"{hashlib.sha256(content).hexdigest()}\n")
    assert [row[1] for row in shown(capsys, tmp_path, 9)] == found


def test_numbers_are_whole_on_a_narrow_terminal(
    finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert all("…" not in cell for row in shown(capsys, finished, 500) for cell in (row[0], *row[2:]))


@pytest.mark.parametrize("missing", ["_SUCCESS", "manifest.json"])
def test_what_is_not_finished_is_not_shown(finished: Path, missing: str) -> None:
    content = (finished / missing).read_bytes()
    (finished / missing).unlink()
    try:
        with pytest.raises(
            InputError, match=rf"^{finished}: no finished count there: run hanmill count \.\.\. --out {finished}$"
        ):
            top_words(finished, 5)
    finally:
        (finished / missing).write_bytes(content)


@pytest.mark.parametrize("content", [None, b"", b"PAR1PAR1"])
def test_a_part_that_is_gone_or_damaged_is_named(finished: Path, content: bytes | None) -> None:
    part = finished / "word_counts-00000-of-00001.parquet"
    before = part.read_bytes()
    part.unlink()
    if content is not None:
        part.write_bytes(content)
    try:
        with pytest.raises(InputError, match=r"word_counts-00000-of-00001\.parquet: .+: run the count again"):
            top_words(finished, 5)
    finally:
        part.write_bytes(before)


@given(word=st.text(st.characters(exclude_categories=())))
def test_any_word_can_be_printed(word: str) -> None:
    shown = printable(word)
    assert shown.isprintable()
    assert len(shown) <= PRINTABLE
    if word.isprintable() and len(word) <= PRINTABLE:
        assert shown == word


# Status


def test_status_of_a_finished_run(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell_status(finished)
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"{finished}: finished \d{{4}}-\d\d-\d\dT\S+", lines[0])
    totals = manifest(finished)["totals"]
    assert lines[1] == f"1 shards done: 3 documents, {totals['tokens']} tokens"
    assert re.fullmatch(r"last shard \d+ s ago", lines[2])
    assert lines[3:] == [
        f"{totals['words']} words in 1 parts, 0.0 MB",
        f"1 bad records in {finished}/dead_letters.jsonl",
    ]


def test_status_of_a_run_that_stopped_or_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("中国\n" * 5)
    out = tmp_path / "out"
    assert count(tmp_path / "a.txt", "--out", out).code == 0
    (out / "_SUCCESS").unlink()
    tell_status(out)
    told = capsys.readouterr().out
    assert told.startswith(f"{out}: stopped before the end: run the same command again, it goes on from here\n")
    assert "1 shards done: 5 documents, 5 tokens" in told
    assert "words in" not in told
    lock = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.time()}
    (out / "_lock").write_text(json.dumps(lock))
    tell_status(out)
    assert f"{out}: running (host {lock['host']}, process {os.getpid()}, for 0 s)" in capsys.readouterr().out
    for path in (out / "_shards").glob("?" * 64 + ".json"):
        path.write_text("{")
    tell_status(out)
    assert "0 shards done: 0 documents, 0 tokens" in capsys.readouterr().out


def test_status_while_the_run_removes_a_shard(
    finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = Path.stat

    def gone(path: Path, **options: bool) -> os.stat_result:
        if len(path.stem) == 64 and path.suffix == ".json":
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", gone)
    tell_status(finished)
    assert "3 documents" in capsys.readouterr().out


def test_status_of_no_run(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match=f"^{place}: no run has written there$"):
            tell_status(place)


# The commands


def test_the_commands(finished: Path) -> None:
    assert "中国" in hanmill("show", finished, "--top", 3).out
    assert "finished" in hanmill("status", finished).out
    assert hanmill("verify", finished) == (0, f"{finished}: every file is as it was written\n", "")
    for command in ("show", "status", "verify"):
        result = hanmill(command, finished / "nowhere")
        assert (result.code, result.out) == (3, "")
        assert result.err.startswith(f"hanmill: {finished}/nowhere: no ")
