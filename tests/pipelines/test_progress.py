"""What a person sees of a run: lines in a log, a live line on a terminal."""

import io
import sys
from pathlib import Path

import pytest

from pipelines import progress
from pipelines.console import tell
from pipelines.engines.job import Progress
from pipelines.progress import LineWatch, LiveWatch, watch
from pipelines.storage.manifest import Entry
from pipelines.storage.resume import Plan
from pipelines.storage.shards import Shard
from tests.pipelines.jobs import shards


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def mapped(size: int, documents: int) -> Progress:
    return Progress("map", Entry("f", (), {"documents": documents}), Shard("f", size))


REDUCED = Progress("reduce", Entry("p", ()))


def test_lines_where_a_stage_ends_and_every_ten_seconds(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    lines = LineWatch("documents")
    lines.planned(Plan(shards(3_000_000, 1_000_000), [], {}))
    assert capsys.readouterr().err == "hanmill: 2 shards to count, 4.0 MB\n"
    clock[0] += 5
    lines.progressed(mapped(500_000, 1000))
    assert capsys.readouterr().err == ""
    clock[0] += 5
    lines.progressed(mapped(500_000, 1000))
    told = "hanmill: 25 %  2,000 documents  200 documents/s  0.1 MB/s  ETA 30 s\n"
    assert capsys.readouterr().err == told
    clock[0] += 9.9
    lines.progressed(mapped(1_000_000, 0))
    assert capsys.readouterr().err == ""
    clock[0] += 20.1
    lines.progressed(mapped(2_000_000, 2000))
    assert capsys.readouterr().err == ""
    lines.progressed(REDUCED)
    assert capsys.readouterr().err == "hanmill: 100 %  4,000 documents  100 documents/s  0.1 MB/s  ETA 0 s\n"
    lines.progressed(REDUCED)
    lines.stage("finish")
    lines.close()
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""


def test_lines_when_all_is_kept_or_empty(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    lines = LineWatch("documents")
    lines.planned(Plan([], [Entry("a", ()), Entry("b", ())], {}))
    lines.progressed(REDUCED)
    lines.stage("finish")
    assert capsys.readouterr().err == "hanmill: 0 shards to count, 2 kept from before, 0.0 MB\n"
    assert lines.describe() == "100 %  0 documents  0 documents/s  0.0 MB/s  ETA 0 s"


def test_a_terminal_shows_a_live_line(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    live = watch("documents")
    assert isinstance(live, LiveWatch)
    live.planned(Plan(shards(3_000_000, 1_000_000), [], {}))
    clock[0] += 2
    live.progressed(mapped(3_000_000, 5000))
    live._bar.refresh()
    assert "2,500 documents/s  1.5 MB/s" in terminal.getvalue()
    assert "75 %" in terminal.getvalue()
    live.progressed(mapped(1_000_000, 5000))
    live.progressed(REDUCED)
    live._bar.refresh()
    assert "merge" in terminal.getvalue()
    live.stage("finish")
    live._bar.refresh()
    assert "write" in terminal.getvalue()
    live.close()
    assert live._bar.finished


def test_a_terminal_with_nothing_to_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    live = LiveWatch("documents")
    live.planned(Plan([], [], {}))
    live.progressed(REDUCED)
    live.stage("finish")
    live.close()


def test_without_a_terminal_there_are_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "log").open("w") as log:
        monkeypatch.setattr(sys, "stderr", log)
        assert isinstance(watch("documents"), LineWatch)
        tell("a line")
        assert (tmp_path / "log").read_text() == "hanmill: a line\n"  # at once, not when the buffer is full
