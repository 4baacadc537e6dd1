"""The run as a whole, over contenders whose times are made up: order, sample, differences, who is left out."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from pipelines.bench import comparison
from pipelines.bench.comparison import Pilot, compare, sample_size
from pipelines.bench.contender import Measured, documents_of
from pipelines.bench.standings import Contender
from pipelines.errors import EngineError

SPEEDS = {"loop": 1e6, "rjieba_pool": 1e7, "local": 5e7}
OURS = ("local", "dask", "beam")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """Name, workers and bytes of every measurement, none of which is made."""
    made: list[tuple[str, int, int]] = []

    def measured(name: str, *, workers: int, corpus: Path, counts: bool = False) -> Measured:
        if name == "dask_bag":
            raise EngineError("the bag is torn")
        texts = documents_of(corpus)
        size = sum(len(text.encode()) for text in texts)
        made.append((name, workers, size))
        found = {"中": len(texts), **({"a": 1} if name == "rjieba_pool" else {})}
        return Measured(1.0, size / SPEEDS.get(name, 1e6) / workers, 1 << 20, found if counts else None)

    monkeypatch.setattr(comparison, "measure", measured)
    monkeypatch.setattr(comparison, "PILOT_BYTES", 1000)
    return made


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    for number in range(200):
        (tmp_path / f"{number}.txt").write_text("中" * 100)
    return str(tmp_path)


def compared(corpus: str, **options: Any) -> dict[str, Any]:
    return compare([corpus], **{"size": 30_000, "workers": [2], "rounds": 3, "tell": lambda text: None, **options})


def test_contenders_take_turns_peers_over_the_sample(calls: list[tuple[str, int, int]], corpus: str) -> None:
    found = compared(corpus, seconds=0)
    assert found["corpus"] == {"inputs": [corpus], "documents": 100, "bytes": 30_000}
    assert found["sample"]["bytes"] == 900  # no time for more than the pilot's
    a_round = len(calls) // 5
    assert calls[2 * a_round : 3 * a_round] == calls[3 * a_round : 4 * a_round] == calls[4 * a_round :]
    sizes = {(name, workers): size for name, workers, size in calls[-a_round:]}
    assert len(sizes) == a_round == 12
    assert all(size == (30_000 if name in OURS else 900) for (name, _), size in sizes.items())
    assert [workers for name, workers in sizes if name == "local"] == [1, 2]  # one is what E_self needs
    rows = {(row["name"], row["workers"]): row for row in found["contenders"]}
    assert rows.keys() == sizes.keys()
    assert all(len(row["seconds"]) == 3 for row in rows.values())
    assert rows["local", 2]["ratio"] == pytest.approx(100)
    assert rows["local", 2]["e_self"] == pytest.approx(1)


def test_more_time_more_text_for_peers(calls: list[tuple[str, int, int]], corpus: str) -> None:
    assert compared(corpus, seconds=10_000)["sample"]["bytes"] == 30_000


def test_differences_from_jieba_are_told(calls: list[tuple[str, int, int]], corpus: str) -> None:
    rows = {row["name"]: row["sample"] for row in compared(corpus, seconds=0)["contenders"]}
    assert rows["loop"] == {"tokens": 3, "types": 1, "tokens_off": 0, "types_off": 0}
    assert rows["rjieba_pool"] == {"tokens": 4, "types": 2, "tokens_off": 1, "types_off": 1}


def test_who_is_left_out_is_told(
    calls: list[tuple[str, int, int]], corpus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "apache_beam" else find(name))
    found = compared(corpus, seconds=0, tell=told.append)
    assert found["left_out"] == {
        "Beam word count of jieba, 2 workers": "apache_beam is not installed",
        "hanmill beam, 1 worker": "apache_beam is not installed",
        "hanmill beam, 2 workers": "apache_beam is not installed",
        "Dask bag of jieba, 2 workers": "the bag is torn",
    }
    assert {f"left out: {title}: {why}" for title, why in found["left_out"].items()} <= set(told)


def test_one_of_ours_may_not_fail(corpus: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(name: str, **options: Any) -> Measured:
        if name == "dask":
            raise EngineError("a worker died")
        return Measured(1.0, 1.0, 1, {})

    monkeypatch.setattr(comparison, "measure", measured)
    with pytest.raises(EngineError, match="a worker died"):
        compared(corpus)


def test_the_sample_fills_the_time_that_is_left() -> None:
    pilots = [
        Pilot(Contender("loop", 1), 1.0, 2.0),
        Pilot(Contender("queued_pool", 2), 9.0, 10.0),  # as much more text takes 1.5 / 2 times the loop's time
        Pilot(Contender("rjieba_pool", 2), 0.25, 1.0),
        Pilot(Contender("local", 2), 5.0, 6.0),
    ]
    assert sample_size(pilots, 1000, seconds=19.0 + 2 * 10) == 1000 + 10 * 1000
    assert sample_size(pilots, 1000, seconds=10.0) == 1000
