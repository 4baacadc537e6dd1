"""A trained model as a run left it: best weights, and the task with all that it needs to make records and read them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from models.checkpoints import CheckpointError, load, open_checkpoint
from models.encoder import Encoder
from pipelines.batching import lengths_of
from pipelines.datasets import DataSet
from pipelines.errors import InputError
from pipelines.inference import InBatches
from pipelines.storage.commit import digest
from pipelines.storage.manifest import MANIFEST, read_json
from pipelines.training.folder import BEST, RECORDS
from pipelines.training.tasks import training_task
from transforms.tasks.task import Task
from transforms.wordpiece import WordPiece


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """The folder of a run of `hanmill train`: it is whole by itself, and may be copied to another machine."""

    directory: Path
    records: DataSet  # only what tells of them

    @staticmethod
    def open(directory: Path, *, task: str) -> "TrainedRun":
        """Raises InputError where there is no run, or one of another task."""
        manifest = read_json(directory / RECORDS / MANIFEST)
        if not isinstance(manifest, dict) or not (directory / BEST).is_dir():
            raise InputError(f"{directory}: no run with weights in {BEST}/: name the folder that hanmill train wrote")
        if manifest["task"] != task:
            raise InputError(f"{directory}: a model of {manifest['task']}, not of {task}")
        return TrainedRun(directory, DataSet(str(directory / RECORDS), manifest))

    @property
    def fingerprint(self) -> str:
        """Hexadecimal, of all that predictions depend on."""
        files = sorted((self.directory / BEST).iterdir())
        best = [(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
        return digest([best, self.records.manifest["configuration"], self.records.manifest["labels"]])

    def task(self) -> tuple[Task, WordPiece]:
        """The task with the options that its records were made with, and its tokenizer."""
        task = self.records.task()
        return task, WordPiece(task.vocabulary, lowercase=not task.vocabulary.cased)

    def model(self, *, batch_size: int) -> InBatches:
        """The model as decoding calls it; raises InputError for a checkpoint that is damaged."""
        task, _ = self.task()
        try:
            checkpoint = open_checkpoint(self.directory / BEST)
            model = training_task(task.name).model(Encoder(checkpoint.config), self.records)
            load(model, checkpoint)
        except CheckpointError as error:
            raise InputError(f"{error}") from error
        return InBatches(model.predict_on_batch, batch_size, lengths_of(task.max_length))
