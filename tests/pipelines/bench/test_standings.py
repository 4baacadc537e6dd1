"""The arithmetic of the table: what it must be for times that are known."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.bench.contender import Measured
from pipelines.bench.corpora import Corpus
from pipelines.bench.standings import HEADINGS, Contender, cells, difference, standing, with_ratios

EQUAL = {"tokens": 10, "types": 5, "tokens_off": 0, "types_off": 0}


def row(name: str, workers: int, *seconds: float, megabytes: float = 10.0) -> dict[str, Any]:
    rounds = [Measured(0.5 + number, taken, (100 + number) << 20, None) for number, taken in enumerate(seconds)]
    return standing(Contender(name, workers), rounds, Corpus(Path(), 7, int(1e6 * megabytes)), EQUAL)


def test_both_efficiencies_or_neither() -> None:
    rows = [
        row("loop", 1, 10.0, 9.0, 20.0),
        row("batched_loop", 1, 8.0),
        row("queued_pool", 4, 2.5),
        row("dask_bag", 4, 5.0),
        row("local", 1, 2.0, megabytes=100),
        row("local", 4, 0.625, megabytes=100),
    ]
    made = {(one["name"], one["workers"]): one for one in with_ratios(rows)}
    figures = {key: (one["ratio"], one["e_loop"], one["e_self"]) for key, one in made.items()}
    assert figures == {
        ("loop", 1): (1.0, 1.0, 1.0),
        ("batched_loop", 1): (1.25, 1.25, 1.0),
        ("queued_pool", 4): (4.0, 1.0, pytest.approx(0.8)),  # against its batches in one process, as in the post
        ("dask_bag", 4): (2.0, None, None),
        ("local", 1): (50.0, 50.0, 1.0),
        ("local", 4): (160.0, 40.0, 0.8),
    }


def test_medians_and_ranges() -> None:
    made = row("loop", 1, 10.0, 8.0, 20.0)
    speeds = {name: made[name] for name in ("mb_per_second", "slowest", "fastest", "startup")}
    assert speeds == {"mb_per_second": 1.0, "slowest": 0.5, "fastest": 1.25, "startup": 1.5}
    assert made["peak_bytes"] == 102 << 20


def test_the_table_says_what_was_measured() -> None:
    [made] = with_ratios([row("loop", 1, 10.0, 8.0, 20.0)])
    made["sample"] = difference({"中": 3, "a": 1}, {"中": 2, "b": 1})
    shown = dict(zip(HEADINGS, cells(made), strict=True))
    assert shown == {
        "": "jieba, the plain loop", "MB": "10.0", "MB/s": "1.00", "range": "0.50 to 1.25", "x loop": "1.00",
        "E_loop": "1.00", "E_self": "1.00", "start-up s": "1.50", "peak MiB": "102",
        "tokens off": "3 (75.000 %)", "types off": "2 (100.000 %)",
    }  # fmt: skip


def test_titles() -> None:
    assert Contender("local", 1).title == "hanmill local, 1 worker"
    assert Contender("rjieba_pool", 2).title == "rjieba, a pool, 2 workers"
