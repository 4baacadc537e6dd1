"""Small models learn what is in the labels, and nothing where labels are another row's."""

import itertools
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.oracle import Oracle, score_oracle
from tests.pipelines.made_runs import records_of, rows_of
from transforms.tasks.task import TASKS

pytest.importorskip("keras")
NAMES = ("reading-comprehension", "relation-extraction", "event-extraction")
every_task = pytest.mark.parametrize("name", NAMES)
SMALL = {
    "hidden": 128, "layers": 2, "heads": 4, "head_size": 32, "key_size": 32, "key_heads": 4, "value_heads": 4,
    "intermediate": 256, "embedding_size": 128, "positions": 64, "dropout": 0.0, "attention_dropout": 0.0,
}  # fmt: skip
TRAINED, SCORED = 32, 64


@pytest.fixture(scope="module")
def train() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipelines import train as module

    return module


def scores(train: Any, folder: Path, name: str, *, dev: Any, permuted: bool = False) -> list[float]:
    """F1 of a small model on split dev, after each pass of few steps."""
    made = rows_of(name, TRAINED, seed=1, permuted=permuted)
    data_set = records_of(folder, name, train=made, dev=dev)
    options = train.TrainOptions(
        records=data_set.directory, out=folder / "run", changes=tuple(SMALL.items()), steps=400, batch_size=16,
        learning_rate=1e-3, weight_decay=0.0,
    )  # fmt: skip
    train.train(options, task=name)
    rows = [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]
    return [row["f1"] for row in rows if row["split"] == "dev"]


@pytest.mark.slow
@every_task
def test_a_small_model_learns_32_examples(train: Any, name: str, tmp_path: Path) -> None:
    """And the score that training gives is that of predictions made from the file."""
    from pipelines.predict import evaluate

    found = max(scores(train, tmp_path, name, dev=rows_of(name, TRAINED, seed=1)))
    schema = None if name == "reading-comprehension" else tmp_path / "made_schema.json"
    gold = tmp_path / "dev.json"
    most = score_oracle(Oracle.of(name, gold, schema=schema), gold)["f1"]
    assert found >= 0.95 * most > 0.9
    assert evaluate(tmp_path / "run", gold, task=name)["f1"] == pytest.approx(found, abs=1e-6)


@pytest.mark.slow
@every_task
def test_of_labels_of_other_rows_nothing_is_learned(train: Any, name: str, tmp_path: Path) -> None:
    """A dev score over what comes of always giving the same answer would be a leak of labels into inputs."""
    dev = rows_of(name, SCORED, seed=2)
    found = scores(train, tmp_path, name, dev=dev, permuted=True)
    assert np.mean(found[len(found) // 2 :]) <= majority(name, dev) + 0.05


def majority(name: str, rows: Any) -> float:
    """What the most frequent label scores where all spans are right, or the best place that is no question's own."""
    if name != "reading-comprehension":
        kinds = [
            row["spo_list"][0]["predicate"] if "spo_list" in row else row["event_list"][0]["event_type"] for row in rows
        ]
        return Counter(kinds).most_common(1)[0][1] / len(kinds)
    task = TASKS[name]
    paragraphs, gold = rows[0]["data"][0]["paragraphs"], task.read_gold(json.dumps(rows[0]).encode())
    places = itertools.combinations(range(len(paragraphs[0]["context"]) + 1), 2)  # texts are alike but for the words
    return max(
        task.score({of["qas"][0]["id"]: of["context"][slice(*place)] for of in paragraphs}, gold)["f1"]
        for place in places
    )


@every_task
def test_targets_reach_the_loss_and_padding_does_not(name: str, tmp_path: Path) -> None:
    """The loss of a batch is that of its rows alone, however long and however many the others are."""
    from models.encoder import Encoder
    from models.encoder_config import EncoderConfig
    from pipelines.batching import Batching, in_order
    from pipelines.training.tasks import training_task

    data_set = records_of(tmp_path, name, train=rows_of(name, 3, seed=1))
    task: Any = data_set.task()
    how = training_task(name)
    config = EncoderConfig.of({**SMALL, "layers": 1, "vocabulary_size": len(task.vocabulary)})
    model = how.model(Encoder(config), data_set)
    model.compile(optimizer="sgd", loss=how.loss())
    losses = []
    for size, length in ((3, 40), (5, 64)):
        batching = Batching(task.targets, task.shapes, size, (length,))
        ((batch, _),) = in_order(data_set, "train", batching)
        inputs, targets, weights = how.triple(batch)
        assert all(np.sum(of) == np.sum(next(iter(weights.values()))) for of in weights.values())
        told = model.test_on_batch(inputs, targets, sample_weight=weights, return_dict=True)
        losses.append({name: float(value) for name, value in told.items()})
        model.reset_metrics()
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0]["loss"] > 0


@every_task
def test_gold_of_records_is_that_of_the_file(name: str, tmp_path: Path) -> None:
    """A model that knows all reaches the score that the file's own gold gives it."""
    from pipelines.batching import Batching
    from pipelines.training.tasks import training_task

    data_set = records_of(tmp_path, name, train=rows_of(name, 9, seed=1))
    task: Any = data_set.task()
    perfect = task.perfect(list(data_set.records("train")))

    def predict(inputs: Any) -> Any:
        kept = inputs["ids"].any(axis=1)
        made = perfect({field: values[kept] for field, values in inputs.items()})
        return {field: np.concatenate([of, np.zeros((sum(~kept), *of.shape[1:]))]) for field, of in made.items()}

    found = training_task(name).evaluate(
        predict, data_set, "train", batching=Batching(task.targets, task.shapes, 4, (64,))
    )
    gold = tmp_path / "train.json"
    assert found == score_oracle(Oracle.of(name, gold), gold)
    assert json.dumps(found)
