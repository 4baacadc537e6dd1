"""How entity linking is trained: the knowledge base of its records, what training texts tell of names, two losses."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras

from models.encoder import Encoder
from models.heads.entity_linking import BinaryLoss, EntityLinking
from models.heads.entity_linking_with_encoder import EntityLinkingWithEncoder
from pipelines.batching import VALID, Arrays, Batching
from pipelines.datasets import DataSet
from pipelines.errors import InputError, UsageError
from pipelines.inference import Predict
from pipelines.storage.knowledge_base import NAME, KnownBase, open_knowledge_base
from pipelines.training.extraction import Triple, of_tokens, predicted
from transforms.splits import TRAIN
from transforms.tasks.entity_linking import EntityLinking as Task
from transforms.tasks.entity_linking_candidates import Candidates, Statistics
from transforms.tasks.entity_linking_features import HITS
from transforms.tasks.scores.entity_linking import parts


@dataclass(frozen=True, slots=True)
class TrainEntityLinking:
    """Pointers at all mentions, and whether an entity that was drawn is meant by the mention that was drawn."""

    metric: str = "f1"
    light: bool = True

    def model(self, encoder: Encoder | None, data_set: DataSet) -> keras.Model:
        """Raises InputError for an encoder that does not take a text and a description at once."""
        task: Any = data_set.task()
        if encoder is None:
            return EntityLinking(vocabulary_size=len(task.vocabulary), hits=HITS, dtype=keras.config.dtype_policy())
        if (positions := encoder.config.positions) < task.max_length + task.description_length:
            raise InputError(
                f"{data_set.directory}: texts of up to {task.max_length} tokens and descriptions of "
                f"{task.description_length} are read as one, the encoder takes {positions} tokens: make "
                f"records with a smaller --max-length, or take an encoder with more positions"
            )
        return EntityLinkingWithEncoder(encoder, hits=HITS)

    def loss(self) -> Any:
        return {"mentions": BinaryLoss(axes=2), "link": BinaryLoss(axes=1)}

    def triple(self, batch: Arrays) -> Triple:
        inputs = {name: batch[name] for name in ("ids", "matches", "mention", "description", "hits")}
        targets = {"mentions": batch["mention_pointers"], "link": batch["link"]}
        return inputs, targets, {"mentions": of_tokens(batch), "link": batch["link_weight"] * batch[VALID]}

    def evaluate(self, predict: Predict, data_set: DataSet, split: str, *, batching: Batching) -> dict[str, float]:
        task, records, predictions = predicted(predict, data_set, split, batching)
        said = task.read_predictions(task.write(predictions))
        gold = task.gold(records)
        return {**task.score(said, gold), **parts(said, gold, frequent=task.candidates.statistics.frequent)}


def known_base(data_set: DataSet, directory: Path | None) -> KnownBase | None:
    """The knowledge base in a folder, or else where the records say that theirs lies; None for other tasks.

    Raises UsageError where none is named, InputError for one that is not there, or not that of the records.
    """
    if data_set.task_name != Task.name:
        return None
    directory = directory or data_set.knowledge_base
    if directory is None:
        raise UsageError(f"{data_set.directory}: records that were made without --kb: name a knowledge base, --kb DIR")
    return KnownBase.find(directory, wanted=data_set.manifest["configuration"][NAME], made=data_set.directory)


def with_candidates(data_set: DataSet, known: KnownBase, statistics: Statistics | None = None) -> DataSet:
    """Records whose task knows candidates. `statistics`: those of split `train` if they are not given."""
    knowledge_base = open_knowledge_base(known.directory)
    if statistics is None:
        statistics = Statistics.of(data_set.records(TRAIN), knowledge_base)
    return replace(data_set, candidates=Candidates(knowledge_base, statistics))
