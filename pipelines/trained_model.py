"""A trained model as a run left it: best weights, and the task with all that it needs to make records and read them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.checkpoints import CONFIG, CheckpointError, load, load_own, open_checkpoint
from models.encoder import Encoder
from pipelines.batching import lengths_of
from pipelines.datasets import DataSet
from pipelines.errors import InputError
from pipelines.inference import InBatches
from pipelines.storage.commit import digest
from pipelines.storage.knowledge_base import KnownBase
from pipelines.storage.manifest import MANIFEST, read_json
from pipelines.training.folder import BEST, KNOWLEDGE_BASE, RECORDS, STATISTICS
from pipelines.training.linking import with_candidates
from pipelines.training.tasks import training_task
from transforms.tasks.entity_linking import EntityLinking
from transforms.tasks.entity_linking_candidates import Statistics
from transforms.tasks.task import Task, tokenizer_of
from transforms.wordpiece import Tokenizer


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """The folder of a run of `hanmill train`, which may be copied to another machine: it is whole but for a knowledge
    base, as that may be large.
    """

    directory: Path
    records: DataSet  # only what tells of them
    knowledge_base: KnownBase | None = None

    @staticmethod
    def open(directory: Path, *, task: str, knowledge_base: Path | None = None) -> "TrainedRun":
        """Raises InputError where there is no run, one of another task, or not its knowledge base.

        `knowledge_base`: where that lies now, if not where the run found it.
        """
        manifest = read_json(directory / RECORDS / MANIFEST)
        if not isinstance(manifest, dict) or not (directory / BEST).is_dir():
            raise InputError(f"{directory}: no run with weights in {BEST}/: name the folder that hanmill train wrote")
        if manifest["task"] != task:
            raise InputError(f"{directory}: a model of {manifest['task']}, not of {task}")
        records = DataSet(str(directory / RECORDS), manifest)
        if task != EntityLinking.name:
            return TrainedRun(directory, records)
        before, said = read_json(directory / KNOWLEDGE_BASE), read_json(directory / BEST / STATISTICS)
        if before is None or said is None:
            raise InputError(f"{directory}: a run without {KNOWLEDGE_BASE} or {BEST}/{STATISTICS}: train it again")
        known = KnownBase.find(knowledge_base or Path(before["directory"]), wanted=before["sha256"], made=directory)
        return TrainedRun(directory, with_candidates(records, known, Statistics.of_json(said)), known)

    @property
    def fingerprint(self) -> str:
        """Hexadecimal, of all that predictions depend on."""
        files = sorted((self.directory / BEST).iterdir())
        best = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
        known = [self.knowledge_base.sha256] if self.knowledge_base is not None else []
        return digest([best, self.records.manifest["configuration"], self.records.manifest["labels"], *known])

    def task(self) -> tuple[Task, Tokenizer]:
        """The task with the options that its records were made with, and its tokenizer."""
        task = self.records.task()
        return task, tokenizer_of(task)

    def model(self, *, batch_size: int) -> InBatches:
        """The model as decoding calls it; raises InputError for a checkpoint that is damaged."""
        task: Any = self.task()[0]
        how, best = training_task(task.name), self.directory / BEST
        try:
            if how.light and not (best / CONFIG).exists():
                model = how.model(None, self.records)
                load_own(model, best)
            else:
                checkpoint = open_checkpoint(best)
                model = how.model(Encoder(checkpoint.config), self.records)
                if unknown := load(model, checkpoint).unused:
                    raise InputError(f"{best}: has {unknown[0]}, which the model has not: train it again")
        except CheckpointError as error:
            raise InputError(f"{error}") from error
        return InBatches(model.predict_on_batch, batch_size, lengths_of(task.max_length), task.shapes)
