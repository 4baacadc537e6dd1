"""What training takes from each task: a model with its head, what of a batch goes into it, and how well it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np

from models.encoder import Encoder
from models.heads.masked_language_model import MaskedLanguageModel
from models.heads.text_classification import TextClassification
from pipelines.batching import VALID, Arrays
from pipelines.datasets import DataSet
from pipelines.errors import UsageError

Triple = tuple[dict[str, Any], Any, Any]  # inputs by name, targets, weights


class TrainingTask(Protocol):
    """How a task is trained."""

    @property
    def metric(self) -> str:
        """What is best when it is largest."""
        ...

    def model(self, encoder: Encoder, data_set: DataSet) -> keras.Model: ...

    def triple(self, batch: Arrays) -> Triple:
        """What `train_on_batch` takes; rows that are not valid weigh nothing."""
        ...

    def score(self, logits: Any, batch: Arrays) -> tuple[float, float]:
        """How many of the guesses are right, and how many there are."""
        ...


@dataclass(frozen=True, slots=True)
class _TextClassification:
    metric: str = "accuracy"

    def model(self, encoder: Encoder, data_set: DataSet) -> keras.Model:
        return TextClassification(encoder, classes=len(data_set.manifest["labels"]["label"]))

    def triple(self, batch: Arrays) -> Triple:
        return {"token_ids": batch["ids"]}, batch["label"], batch[VALID].astype(np.float32)

    def score(self, logits: Any, batch: Arrays) -> tuple[float, float]:
        right = logits.argmax(axis=-1) == batch["label"]
        return float(np.sum(right & batch[VALID])), float(np.sum(batch[VALID]))


@dataclass(frozen=True, slots=True)
class _MaskedLanguageModel:
    metric: str = "accuracy"

    def model(self, encoder: Encoder, data_set: DataSet) -> keras.Model:
        return MaskedLanguageModel(encoder)

    def triple(self, batch: Arrays) -> Triple:
        inputs = {"token_ids": batch["ids"], "masked_positions": batch["positions"]}
        return inputs, batch["labels"], batch["weights"]

    def score(self, logits: Any, batch: Arrays) -> tuple[float, float]:
        right = logits.argmax(axis=-1) == batch["labels"]
        return float(np.sum(right * batch["weights"])), float(np.sum(batch["weights"]))


TRAINING_TASKS: Mapping[str, TrainingTask] = {
    "text-classification": _TextClassification(),
    "masked-language-model": _MaskedLanguageModel(),
}


def training_task(name: str) -> TrainingTask:
    """Raises UsageError for a task that has no head yet."""
    if name not in TRAINING_TASKS:
        raise UsageError(f"{name} cannot be trained yet: only {' and '.join(TRAINING_TASKS)}")
    return TRAINING_TASKS[name]
