"""How reading comprehension, relation and event extraction are trained: targets in, organisers' scores out."""

import itertools
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from models.encoder import Encoder
from models.heads.event_extraction import EventExtraction
from models.heads.pointers import PointerLoss
from models.heads.reading_comprehension import EdgeLoss, ReadingComprehension
from models.heads.relation_extraction import RelationExtraction
from pipelines.batching import VALID, Arrays, Batching
from pipelines.datasets import DataSet
from pipelines.inference import InBatches, Predict
from transforms.tasks.record import Record

Triple = tuple[dict[str, Any], Any, Any]  # inputs by name, targets, weights
_AT_ONCE = 64  # examples


@dataclass(frozen=True, slots=True)
class TrainReadingComprehension:
    """Two softmaxes over tokens; a window without an answer points at [CLS]."""

    metric: str = "f1"
    light: bool = False

    def model(self, encoder: Encoder, data_set: DataSet) -> keras.Model:
        return ReadingComprehension(encoder)

    def loss(self) -> Any:
        return {"begins": EdgeLoss(), "ends": EdgeLoss()}

    def triple(self, batch: Arrays) -> Triple:
        weights = batch[VALID].astype(np.float32)
        inputs = {name: batch[name] for name in ("ids", "segments")}
        return inputs, {"begins": batch["begin"], "ends": batch["end"]}, {"begins": weights, "ends": weights}

    def evaluate(self, predict: Predict, data_set: DataSet, split: str, *, batching: Batching) -> dict[str, float]:
        return scored(predict, data_set, split, batching)


@dataclass(frozen=True, slots=True)
class TrainRelationExtraction:
    """Pointers at all subjects, and at the objects of the one that was drawn."""

    metric: str = "f1"
    light: bool = False

    def model(self, encoder: Encoder, data_set: DataSet) -> keras.Model:
        return RelationExtraction(encoder, labels=len(data_set.manifest["labels"]["predicates"]))

    def loss(self) -> Any:
        return {"subjects": PointerLoss(), "objects": PointerLoss()}

    def triple(self, batch: Arrays) -> Triple:
        weights = of_tokens(batch)
        inputs = {"ids": batch["ids"], "subjects": batch["subject"]}
        targets = {"subjects": batch["subject_pointers"], "objects": batch["object_pointers"]}
        return inputs, targets, {"subjects": weights, "objects": weights}

    def evaluate(self, predict: Predict, data_set: DataSet, split: str, *, batching: Batching) -> dict[str, float]:
        return scored(predict, data_set, split, batching)


@dataclass(frozen=True, slots=True)
class TrainEventExtraction:
    """Pointers at the arguments of each role."""

    metric: str = "f1"
    light: bool = False

    def model(self, encoder: Encoder, data_set: DataSet) -> keras.Model:
        return EventExtraction(encoder, labels=len(data_set.manifest["labels"]["argument_roles"]))

    def loss(self) -> Any:
        return {"roles": PointerLoss()}

    def triple(self, batch: Arrays) -> Triple:
        return {"ids": batch["ids"]}, {"roles": batch["roles"]}, {"roles": of_tokens(batch)}

    def evaluate(self, predict: Predict, data_set: DataSet, split: str, *, batching: Batching) -> dict[str, float]:
        return scored(predict, data_set, split, batching)


def of_tokens(batch: Arrays) -> Any:
    """1 where there is a token, float32 [rows, tokens]; rows that are not valid have none."""
    return ((batch["ids"] != 0) & batch[VALID][:, None]).astype(np.float32)


def scored(predict: Predict, data_set: DataSet, split: str, batching: Batching) -> dict[str, float]:
    """The organisers' metrics of what is predicted for the records of a split."""
    task, records, predictions = predicted(predict, data_set, split, batching)
    return dict(task.score(task.read_predictions(task.write(predictions)), task.gold(records)))


def predicted(
    predict: Predict, data_set: DataSet, split: str, batching: Batching
) -> tuple[Any, list[Record], list[dict[str, Any]]]:
    """The task, the records of a split, and a prediction for each example of them."""
    task: Any = data_set.task()
    model = InBatches(predict, batching.batch_size, batching.lengths, batching.shapes)
    of_example: dict[str, dict[int, Record]] = defaultdict(dict)
    for record in data_set.records(split):
        # Of an id that stands there twice the first one counts.
        of_example[record["id"]].setdefault(record.get("window", 0), record)
    examples = [list(windows.values()) for windows in of_example.values()]
    examples.sort(key=lambda windows: len(windows[0]["ids"]))
    predictions: list[dict[str, Any]] = []
    for begin in range(0, len(examples), _AT_ONCE):
        predictions += task.decode(list(itertools.chain(*examples[begin : begin + _AT_ONCE])), model)
    return task, list(itertools.chain(*examples)), predictions
