"""The predictions of a shard: of a model that knows all, whatever is wrong with rows between."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.storage.batches import Batch
from tests.pipelines.made_runs import records_of, rows_of
from transforms.wordpiece import WordPiece

pytest.importorskip("keras")
NAME = "event-extraction"


def batch_of(rows: list[Any]) -> Batch:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    ends = np.cumsum([0, *map(len, lines)])
    return Batch("".join(lines).encode(), ends, [""] * len(lines), ["rows.json"], ends[:-1].tolist(), [], "utf-8")


@pytest.fixture
def predictions(tmp_path: Path) -> Any:
    from pipelines.shard_predictions import Opened, ShardPredictions

    data_set = records_of(tmp_path, NAME, train=rows_of(NAME, 80, seed=1))
    task: Any = data_set.task()
    model = task.perfect(list(data_set.records("train")))
    return ShardPredictions(Opened(task, WordPiece(task.vocabulary, lowercase=True), model))


def test_each_row_has_what_its_own_text_says(predictions: Any) -> None:
    """However long texts are, in whose order they are decoded."""
    rows = rows_of(NAME, 80, seed=1)
    predictions.add(batch_of([{"id": row["id"], "text": row["text"]} for row in rows]))
    found = predictions.table().to_pylist()
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    assert all(row["good"] for row in found)
    for row, of in zip(rows, found, strict=True):
        said = [argument["argument"] for argument in json.loads(of["prediction"])["event_list"][0]["arguments"]]
        assert said == [argument["argument"] for argument in row["event_list"][0]["arguments"]]
    assert predictions.totals == {"documents": 80, "predictions": 80, "tokens": predictions.totals["tokens"], "cut": 0}
    assert predictions.totals["tokens"] == sum(len(row["text"]) + 2 for row in rows)


def test_bad_rows_between_good_ones(predictions: Any) -> None:
    text = rows_of(NAME, 80, seed=1)[0]["text"]
    predictions.add(batch_of(["no JSON", {"id": "a", "text": " "}, {"text": text}, {"id": "b", "text": text}, {}]))
    found = predictions.table().to_pylist()
    assert [(row["id"], row["good"], json.loads(row["prediction"])["id"]) for row in found] == [
        (None, False, "a"),
        (None, True, found[1]["prediction"][8:24]),
        ("b", True, "b"),
    ]
    assert [letter.reason.partition(":")[0] for letter in predictions.reader.dead] == [
        "not JSON", "id a", "field 'text' is missing",
    ]  # fmt: skip
    assert predictions.totals["predictions"] == predictions.totals["documents"] + 1 == 3
