"""Steps of a profile: none counted twice, none forgotten, and nothing left behind."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import word_count
from pipelines.bench.growth import PARTS
from pipelines.bench.profile import Watches, profile_count
from pipelines.sample import write_sample
from pipelines.storage.readers import read_batches
from pipelines.tally import prepare
from tests.pipelines.command import count, words


def test_a_step_inside_another_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    watches = Watches()

    def take(seconds: float) -> None:
        nonlocal now
        now += seconds

    def stream() -> Iterator[int]:
        take(4.0)
        yield 1
        take(5.0)

    inner, streamed = watches.measured("inner", take), watches.streamed("stream", stream)

    def outer() -> None:
        take(1.0)
        inner(2.0)
        assert list(streamed()) == [1]

    watches.measured("outer", outer)()
    assert {step: seconds for step, (seconds, _) in watches.spent.items()} == {"outer": 1, "inner": 2, "stream": 9}


def test_a_profile_is_of_a_whole_count(tmp_path: Path) -> None:
    write_sample(tmp_path / "corpus", documents=30, seed=1)
    profile = profile_count([str(tmp_path / "corpus")], workers=1)
    assert profile.steps.keys() == {step for steps in PARTS.values() for step in steps}
    assert min(seconds for seconds, _ in profile.steps.values()) >= 0
    assert count(tmp_path / "corpus", "--out", tmp_path / "out").code == 0
    assert profile.words == len(words(tmp_path / "out"))
    assert profile.words <= profile.run_rows
    assert profile.run_bytes > 0
    assert word_count.read_batches is read_batches


def test_what_is_watched_may_fail(tmp_path: Path) -> None:
    prepare(None, ())
    with pytest.raises(Exception, match="no such file"):
        profile_count([str(tmp_path / "missing")], workers=1)
    assert word_count.read_batches is read_batches
