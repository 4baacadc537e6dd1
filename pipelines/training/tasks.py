"""What training takes from each task: a model with its head, what of a batch goes into it, and how well it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np

from models.encoder import Encoder
from models.heads.masked_language_model import MaskedLanguageModel
from models.heads.text_classification import TextClassification
from pipelines.batching import VALID, Arrays, Batching, in_order
from pipelines.datasets import DataSet
from pipelines.errors import UsageError
from pipelines.inference import Predict
from pipelines.training.extraction import (
    TrainEventExtraction,
    TrainReadingComprehension,
    TrainRelationExtraction,
    Triple,
)
from pipelines.training.linking import TrainEntityLinking


class TrainingTask(Protocol):
    """How a task is trained."""

    @property
    def metric(self) -> str:
        """The metric by which weights are best: of those that `evaluate` returns, and better when it is larger."""
        ...

    @property
    def light(self) -> bool:
        """Whether there is a model without an encoder, too."""
        ...

    def model(self, encoder: Any, data_set: DataSet) -> keras.Model:
        """Head and `Encoder`; None for a light model."""
        ...

    def loss(self) -> Any:
        """What `compile` takes: a Keras loss that adds up (`reduction="sum"`), or one for each output by name."""
        ...

    def triple(self, batch: Arrays) -> Triple:
        """What `train_on_batch` takes; rows that are not valid weigh nothing.

        The run divides weights by their sum over a step, so that a loss which adds up becomes a mean.
        """
        ...

    def evaluate(self, predict: Predict, data_set: DataSet, split: str, *, batching: Batching) -> dict[str, float]:
        """Scores the records of a split, however the task does that: metrics by name."""
        ...


@dataclass(frozen=True, slots=True)
class _TextClassification:
    metric: str = "accuracy"
    light: bool = False

    def model(self, encoder: Encoder, data_set: DataSet) -> keras.Model:
        return TextClassification(encoder, classes=len(data_set.manifest["labels"]["label"]))

    def loss(self) -> Any:
        return _cross_entropy()

    def triple(self, batch: Arrays) -> Triple:
        return {"token_ids": batch["ids"]}, batch["label"], batch[VALID].astype(np.float32)

    def evaluate(self, predict: Predict, data_set: DataSet, split: str, *, batching: Batching) -> dict[str, float]:
        return _score_guesses(self, predict, data_set, split, batching)


@dataclass(frozen=True, slots=True)
class _MaskedLanguageModel:
    metric: str = "accuracy"
    light: bool = False

    def model(self, encoder: Encoder, data_set: DataSet) -> keras.Model:
        return MaskedLanguageModel(encoder)

    def loss(self) -> Any:
        return _cross_entropy()

    def triple(self, batch: Arrays) -> Triple:
        inputs = {"token_ids": batch["ids"], "masked_positions": batch["positions"]}
        return inputs, batch["labels"], batch["weights"]

    def evaluate(self, predict: Predict, data_set: DataSet, split: str, *, batching: Batching) -> dict[str, float]:
        return _score_guesses(self, predict, data_set, split, batching)


def _cross_entropy() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")


def _score_guesses(
    how: TrainingTask, predict: Predict, data_set: DataSet, split: str, batching: Batching
) -> dict[str, float]:
    """Loss and accuracy of a model whose targets are classes, each with a weight of 0 or 1."""
    loss = right = of = 0.0
    for batch, _ in in_order(data_set, split, batching):
        inputs, targets, weights = how.triple(batch)
        kept = weights > 0
        logits, targets = predict(inputs)[kept].astype(np.float64), targets[kept]
        logits -= logits.max(axis=-1, keepdims=True)
        chosen = np.take_along_axis(logits, targets[:, None], axis=-1)[:, 0]
        loss += float(np.sum(np.log(np.exp(logits).sum(axis=-1)) - chosen))
        right += float(np.sum(logits.argmax(axis=-1) == targets))
        of += len(targets)
    return {"loss": loss / max(of, 1.0), "accuracy": right / max(of, 1.0)}


TRAINING_TASKS: Mapping[str, TrainingTask] = {
    "text-classification": _TextClassification(),
    "masked-language-model": _MaskedLanguageModel(),
    "reading-comprehension": TrainReadingComprehension(),
    "relation-extraction": TrainRelationExtraction(),
    "event-extraction": TrainEventExtraction(),
    "entity-linking": TrainEntityLinking(),
}


def training_task(name: str) -> TrainingTask:
    """Raises UsageError for a task that has no head yet."""
    if name not in TRAINING_TASKS:
        raise UsageError(f"{name} cannot be trained yet: only {' and '.join(TRAINING_TASKS)}")
    return TRAINING_TASKS[name]
