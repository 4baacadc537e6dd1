"""Records as they are read again, in order; needs neither TensorFlow nor Arrow."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipelines.errors import InputError
from pipelines.storage.manifest import MANIFEST, RUN, SUCCESS, parse_manifest
from pipelines.storage.paths import open_path
from transforms.tasks.entity_linking_candidates import Candidates
from transforms.tasks.record import Kind, Record, Schema
from transforms.tasks.task import TASKS, Task
from transforms.tfrecord import RecordError, decode_example, read_frames
from transforms.vocabulary import Vocabulary

VOCABULARY = "vocab.txt"


@dataclass(frozen=True, slots=True)
class DataSet:
    """A finished output of `hanmill records`, in a folder or at an fsspec URL.

    `candidates`: of entity linking, whose task needs them for targets and decoding; None until they are known.
    """

    directory: str
    manifest: Mapping[str, Any]
    candidates: Candidates | None = None

    @staticmethod
    def open(directory: str) -> "DataSet":
        """Raises InputError where there is none."""
        try:
            with open_path(f"{directory}/{SUCCESS}") as success, open_path(f"{directory}/{MANIFEST}") as file:
                manifest = parse_manifest(file.read(), success.read())
        except OSError as error:
            raise InputError(f"{directory}: no finished output there ({error}): run hanmill records again") from error
        if manifest is None:
            raise InputError(f"{directory}/{MANIFEST}: differs from what {SUCCESS} says: run hanmill records again")
        if manifest.get("job") != "records":
            raise InputError(f"{directory}: holds no records but the output of {manifest.get('job')}")
        return DataSet(str(directory), manifest)

    @property
    def task_name(self) -> str:
        """As `hanmill records` was told it."""
        return str(self.manifest["task"])

    def task(self) -> Task:
        """The task that made the records, of what stands beside them; it has not all that it takes to make more.

        Raises InputError for a vocabulary that is missing or damaged.
        """
        try:
            with self.open_file(VOCABULARY) as file:
                vocabulary = Vocabulary.of(file.read(), name=f"{self.directory}/{VOCABULARY}")
        except (OSError, ValueError) as error:
            raise InputError(f"{error}") from error
        labels = {name: tuple(known) for name, known in self.manifest["labels"].items()}
        configuration = self.manifest["configuration"]
        more = {"stride": configuration.get("stride"), "candidates": self.candidates}
        more = {name: value for name, value in more.items() if value is not None}
        task: Task = TASKS[self.task_name](vocabulary, configuration["max_length"], labels, **more)
        return task

    @property
    def knowledge_base(self) -> Path | None:
        """Where the knowledge base lay that the records were made with, if there was one."""
        try:
            with self.open_file(RUN) as file:
                found = json.loads(file.read()).get("knowledge_base")
        except (OSError, ValueError):
            return None
        return found and Path(found)

    @property
    def schema(self) -> Schema:
        """The features and their types."""
        schema: Schema = TASKS[self.task_name].schema
        return schema

    def open_file(self, name: str) -> IO[bytes]:
        """Opens a file of the output."""
        return open_path(f"{self.directory}/{name}")

    def files(self, split: str) -> list[str]:
        """The files of a split; raises InputError for one that is not there."""
        if split not in self.manifest["splits"]:
            raise InputError(f"{self.directory}: no split {split!r}: it has {', '.join(self.manifest['splits'])}")
        stem = f"{self.task_name.replace('-', '_')}_{split}.tfrecord-"
        return [part["name"] for part in self.manifest["parts"] if part["name"].startswith(stem)]

    def frames(self, name: str, *, offset: int = 0) -> Iterator[tuple[int, bytes]]:
        """The serialized records of a file, from the one at byte `offset` on; raises InputError for a damaged file."""
        path = f"{self.directory}/{name}"
        try:
            with open_path(path) as file:
                file.seek(offset)
                yield from read_frames(file, name=path, offset=offset)
        except RecordError as error:
            raise InputError(f"{error}") from error
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}") from error

    def records(self, split: str) -> Iterator[Record]:
        """The records of a split, in the order of its files."""
        for name in self.files(split):
            for _, record in self.frames(name):
                yield self.read(record)

    def read(self, record: bytes) -> Record:
        """A record's features."""
        return read_record(record, self.schema)


def read_record(record: bytes, schema: Schema) -> Record:
    """A record's features, as its schema types them: integers int64, labels as numbers, text as str."""
    found = decode_example(record)
    return {name: _value(found[name], kind) for name, kind in schema.items()}


def _value(value: Any, kind: Kind) -> Any:
    match kind:
        case Kind.INTEGER | Kind.LABEL:
            return int(value[0])
        case Kind.TEXT:
            return value[0].decode()
        case Kind.TEXTS:
            return [item.decode() for item in value]
    return value if len(value) else np.empty(0, np.int64)  # an empty list does not tell its type
