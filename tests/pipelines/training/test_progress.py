"""What a person sees of training: lines in a log, a live line on a terminal."""

import sys

import pytest

from pipelines.training import progress as training_progress
from pipelines.training.progress import LineWatch, LiveWatch, watch
from tests.pipelines.test_progress import Terminal

SCORE = {"step": 2, "split": "dev", "loss": 0.25, "accuracy": 0.5, "seconds": 1.0}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(training_progress.time, "monotonic", lambda: now[0])
    return now


def row(step: int) -> dict[str, float]:
    return {"step": step, "loss": 2.5, "tokens_per_second": 1234.5, "mfu": 0.333}


def test_lines_for_the_first_step_the_last_and_every_ten_seconds(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = watch(1000, done=3)
    assert isinstance(lines, LineWatch)
    told = []
    for step in (4, 5, 6, 7, 1000):
        told.append(lines.step(row(step)))
        clock[0] += 6
    assert told == [True, False, True, False, True]
    lines.score(SCORE)
    lines.close()
    assert capsys.readouterr().err.splitlines() == [
        *(f"hanmill: step {step} of 1,000: loss 2.5000, 1,234 tokens/s, MFU 33.3 %" for step in ("4", "6", "1,000")),
        "hanmill: step 2 of 1,000: dev: loss 0.2500, accuracy 0.5000",
    ]


def test_a_terminal_shows_a_live_line(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    live = watch(400, done=100)
    assert isinstance(live, LiveWatch)
    assert not live.step(row(200))
    clock[0] += 11
    assert live.step(row(200))
    live._bar.refresh()
    assert "200/400\x1b[0m loss 2.5000, 1,234 tokens/s, MFU 33.3 %" in terminal.getvalue()
    live.score(SCORE)
    assert "hanmill: step 2: dev: loss 0.2500, accuracy 0.5000" in terminal.getvalue()
    live.close()
    assert live._bar.finished or not live._bar.live.is_started
