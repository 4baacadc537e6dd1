"""Small models learn what is in the labels, and nothing where labels are another row's."""

import itertools
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.knowledge_base import BuildKnowledgeBase
from pipelines.made_entities import write_made_entities
from pipelines.oracle import Oracle, score_oracle
from tests.pipelines.made_records import made, write_lines
from tests.pipelines.made_runs import records_of, rows_of
from tests.pipelines.real_rows import SCHEMAS, real_rows
from tests.transforms.tasks.making import DATA, needs_data
from transforms.tasks.task import TASKS

pytest.importorskip("keras")
LINKING, WITH_ENCODER = "entity-linking", "entity-linking with an encoder"
NAMES = ("reading-comprehension", "relation-extraction", "event-extraction", LINKING)
every_task = pytest.mark.parametrize("name", NAMES)
every_model = pytest.mark.parametrize("model", [*NAMES, WITH_ENCODER])
SMALL = {
    "hidden": 128, "layers": 2, "heads": 4, "head_size": 32, "key_size": 32, "key_heads": 4, "value_heads": 4,
    "intermediate": 256, "embedding_size": 128, "positions": 64, "dropout": 0.0, "attention_dropout": 0.0,
}  # fmt: skip
TRAINED, PERMUTED, SCORED = 32, 320, 192
MAX_LENGTH = 192  # of real texts, and a question
COSTLY = {LINKING, WITH_ENCODER}  # of right labels they learn most that there is in 240 steps


@pytest.fixture(scope="module")
def train() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipelines import train as module

    return module


def scores(
    train: Any,
    folder: Path,
    model: str,
    *,
    dev: Any,
    permuted: bool = False,
    batch_size: int = 16,
    rate: float = 3e-3,
    **more: Any,
) -> list[float]:
    """F1 of a small model on split dev, after each pass of twenty steps; trained on the same rows, or on permuted."""
    name = task_of(model)
    rows = rows_of(name, PERMUTED, seed=1, permuted=True) if permuted else copies(dev, 20 * batch_size // TRAINED)
    data_set = records_of(folder, name, train=rows, dev=dev, **more)
    task: Any = data_set.task()
    changes = {**SMALL, "positions": 512 if model == WITH_ENCODER else task.max_length}
    encoder = {"encoder": None} if model == LINKING else {"changes": tuple(changes.items())}
    options = train.TrainOptions(
        records=data_set.directory, out=folder / "run", **encoder, batch_size=batch_size, weight_decay=0.0,
        steps=240 if permuted and model in COSTLY else 400, learning_rate=rate,
    )  # fmt: skip
    train.train(options, task=name)
    rows = [json.loads(line) for line in (folder / "run/metrics.jsonl").read_text().splitlines()]
    return [row["f1"] for row in rows if row["split"] == "dev"]


def copies(rows: list[Any], count: int) -> list[Any]:
    """Rows again and again under other ids, as a pass is scored, and one of two steps would not be worth it."""
    made = [json.loads(json.dumps(rows).replace('"1-', f'"{number}-')) for number in range(count)]
    if "data" in rows[0]:
        return [{"data": [article for (file,) in made for article in file["data"]]}]
    return list(itertools.chain.from_iterable(made))


def task_of(model: str) -> str:
    return model.partition(" ")[0]


def oracle_of(folder: Path, name: str, gold: Path) -> dict[str, float]:
    """Of the schema and the knowledge base that records were made with."""
    there = {"schema": folder / "made_schema.json", "knowledge_base": folder / "kb"}
    return score_oracle(Oracle.of(name, gold, **{key: path for key, path in there.items() if path.exists()}), gold)


@pytest.mark.slow
@every_model
def test_a_small_model_learns_32_examples(train: Any, model: str, tmp_path: Path) -> None:
    """And the score that training gives is that of predictions made from the file."""
    from pipelines.evaluate import evaluate

    name, gold = task_of(model), tmp_path / "dev.json"
    found = max(scores(train, tmp_path, model, dev=rows_of(name, TRAINED, seed=1)))
    most = oracle_of(tmp_path, name, gold)["f1"]
    assert found >= 0.95 * most > 0.9
    assert evaluate(tmp_path / "run", gold, task=name)["f1"] == pytest.approx(found, abs=1e-6)


@needs_data
@pytest.mark.slow
@every_model
def test_a_small_model_learns_32_real_examples(train: Any, model: str, tmp_path: Path) -> None:
    name, data = task_of(model), Path(str(DATA))
    rows = real_rows(data, name, TRAINED)
    gold = write_lines(tmp_path / "gold.json", rows)
    there = {"vocabulary": data / "vocab/vocab.txt", "schema": data / SCHEMAS[name] if name in SCHEMAS else None}
    known = base_of(gold, tmp_path) if name == LINKING else None
    how = {"batch_size": 32, "rate": 1e-3, "max_length": MAX_LENGTH}
    found = max(scores(train, tmp_path, model, dev=rows, known=known, **how, **there))
    most = score_oracle(Oracle.of(name, gold, knowledge_base=known, max_length=MAX_LENGTH, **there), gold)["f1"]
    assert found >= 0.95 * most > 0.9


def base_of(gold: Path, folder: Path) -> Path:
    """A knowledge base of the mentions of a file."""
    write_made_entities([gold], folder / "kb_data")
    made(BuildKnowledgeBase((str(folder / "kb_data"),), folder / "real_kb"))
    return folder / "real_kb"


@pytest.mark.slow
@every_model
def test_of_labels_of_other_rows_nothing_is_learned(train: Any, model: str, tmp_path: Path) -> None:
    """A dev score over what comes of always giving the same answer would be a leak of labels into inputs.

    The labels of dev are other rows' too: where texts tell nothing of labels, whatever a model takes scores no more. Of
    its own labels it might, without a leak: a candidate that stands out from the others is taken always or never. So
    many rows are trained on that what labels leak would be learned for other rows too.
    """
    name = task_of(model)
    dev = rows_of(name, SCORED, seed=2, permuted=True)
    found = scores(train, tmp_path, model, dev=dev, permuted=True)
    assert np.mean(found[len(found) // 2 :]) <= majority(name, dev) + 0.05


def majority(name: str, rows: Any) -> float:
    """What the most frequent label scores where all spans are right, or the best place that is no question's own."""
    if name != "reading-comprehension":
        kinds = [kind_of(row) for row in rows]
        return Counter(kinds).most_common(1)[0][1] / len(kinds)
    task = TASKS[name]
    paragraphs, gold = rows[0]["data"][0]["paragraphs"], task.read_gold(json.dumps(rows[0]).encode())
    places = itertools.combinations(range(len(paragraphs[0]["context"]) + 1), 2)  # texts are alike but for the words
    return max(
        task.score({of["qas"][0]["id"]: of["context"][slice(*place)] for of in paragraphs}, gold)["f1"]
        for place in places
    )


def kind_of(row: Any) -> str:
    """What a row's one label says, of those that all rows have."""
    if "mention_data" in row:
        return str(row["mention_data"][0]["kb_id"][-1])
    return str(row["spo_list"][0]["predicate"] if "spo_list" in row else row["event_list"][0]["event_type"])


@every_model
def test_targets_reach_the_loss_and_padding_does_not(model: str, tmp_path: Path) -> None:
    """The loss of a batch is that of its rows alone, however long and however many the others are."""
    from models.encoder import Encoder
    from models.encoder_config import EncoderConfig
    from pipelines.batching import Batching, in_order
    from pipelines.training.tasks import training_task

    name = task_of(model)
    data_set = linked(records_of(tmp_path, name, train=rows_of(name, 3, seed=1)))
    task: Any = data_set.task()
    how = training_task(name)
    config = EncoderConfig.of({**SMALL, "layers": 1, "positions": 512, "vocabulary_size": len(task.vocabulary)})
    built = how.model(None if model == LINKING else Encoder(config), data_set)
    built.compile(optimizer="sgd", loss=how.loss())
    losses = []
    for size, length in ((3, 40), (5, 64)):
        batching = Batching(task.targets, task.shapes, size, (length,))
        ((batch, _),) = in_order(data_set, "train", batching)
        inputs, targets, weights = how.triple(batch)
        for field, of in weights.items():
            assert np.sum(of) == 3 if field == "link" else np.sum(of) == np.sum(next(iter(weights.values())))
        told = built.test_on_batch(inputs, targets, sample_weight=weights, return_dict=True)
        losses.append({name: float(value) for name, value in told.items()})
        built.reset_metrics()
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0]["loss"] > 0


@every_task
def test_gold_of_records_is_that_of_the_file(name: str, tmp_path: Path) -> None:
    """A model that knows all reaches the score that the file's own gold gives it."""
    from pipelines.batching import Batching
    from pipelines.training.tasks import training_task

    data_set = linked(records_of(tmp_path, name, train=rows_of(name, 9, seed=1)))
    task: Any = data_set.task()
    perfect = task.perfect(list(data_set.records("train")))

    def predict(inputs: Any) -> Any:
        kept = inputs["ids"].any(axis=1)
        made = perfect({field: values[kept] for field, values in inputs.items()})
        return {field: np.concatenate([of, np.zeros((sum(~kept), *of.shape[1:]))]) for field, of in made.items()}

    found = training_task(name).evaluate(
        predict, data_set, "train", batching=Batching(task.targets, task.shapes, 4, (64,))
    )
    best = oracle_of(tmp_path, name, tmp_path / "train.json")
    metrics = best.keys() & {"precision", "recall", "f1", "exact_match"}
    assert {key: found[key] for key in metrics} == {key: best[key] for key in metrics}
    assert name == LINKING or found == best
    assert json.dumps(found)


def linked(data_set: Any) -> Any:
    """With candidates, where a task needs them."""
    from pipelines.training.linking import known_base, with_candidates

    known = known_base(data_set, None)
    return data_set if known is None else with_candidates(data_set, known)
