"""The score of a trained model; that it is the score of its predictions is in test_predict.py."""

import json
import os
from pathlib import Path

import pytest

from tests.pipelines.command import hanmill
from tests.pipelines.made_records import write_lines
from tests.pipelines.made_runs import rows_of, untrained_run

pytest.importorskip("keras")
TASK = "event-extraction"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return untrained_run(tmp_path_factory.mktemp(TASK), TASK)


def test_bad_rows_are_counted_and_cost_their_gold(run: Path, tmp_path: Path) -> None:
    *rows, bad = rows_of(TASK, 4, seed=3)
    told = [
        json.loads(hanmill("evaluate", TASK, "--model", run, write_lines(tmp_path / "gold.json", given), "--json").out)
        for given in (rows, [*rows, bad | {"text": ""}])
    ]
    assert [row["bad_records"] for row in told] == [0, 1]
    assert told[1]["recall"] < told[0]["recall"]


def test_gold_that_cannot_be_read_is_told_before_a_model_is(tmp_path: Path) -> None:
    gold = tmp_path / "gold.json"
    for content in ("no JSON\n", ""):
        gold.write_text(content)
        result = hanmill("evaluate", TASK, "--model", tmp_path / "no run", gold)
        assert (result.code, str(gold) in result.err, "no run" in result.err) == (3, True, False), result.err


def test_what_is_to_be_evaluated_is_told_by_one_option(run: Path, tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", rows_of(TASK, 2, seed=3))
    result = hanmill("evaluate", TASK, gold)
    assert (result.code, "--model RUN, or --oracle" in result.err) == (2, True)
    result = hanmill("evaluate", TASK, gold, "--model", run, "--max-length", 64)
    assert (result.code, "only with --oracle" in result.err) == (2, True)
