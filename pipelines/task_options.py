"""The options that decide what the records of a task hold, and the task made of them, once in each worker."""

import functools
import hashlib
import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import InputError, UsageError
from pipelines.storage.knowledge_base import knowledge_base_hash, open_knowledge_base
from pipelines.tally import load_dictionary
from transforms.segmentation import Segmenter
from transforms.tasks.entity_linking import EntityLinking
from transforms.tasks.entity_linking_candidates import Candidates
from transforms.tasks.reading_comprehension import default_stride, largest_stride
from transforms.tasks.record import check_label
from transforms.tasks.task import TASKS, Task, tokenizer_of
from transforms.vocabulary import Vocabulary
from transforms.wordpiece import Tokenizer


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """A task with its files; hashes stand for their content in what is compared between runs.

    Raises UsageError for options that the task does not take, or needs, and InputError for a bad file.
    """

    name: str
    vocabulary: Path
    schema: Path | None = None
    max_length: int = 0  # the task's own
    stride: int = 0
    across: bool = False
    dictionary_hash: str = ""  # for words that are masked as a whole
    knowledge_base: Path | None = None
    known_ids: bool = False  # an id that the knowledge base does not have makes a bad record

    def __post_init__(self) -> None:
        if self.schema is None and TASKS[self.name].listed == "yes":
            raise UsageError(f"{self.name} needs --schema FILE: the organisers' list of its labels")
        if self.schema is not None:
            check_listed(self.name)
        if self.stride and self.name != "reading-comprehension":
            raise UsageError(f"--stride: {self.name} has no windows; only reading-comprehension takes it")
        if self.across and self.name != "masked-language-model":
            raise UsageError(f"--across-documents: {self.name} packs nothing; only masked-language-model takes it")
        if self.knowledge_base is not None and self.name != EntityLinking.name:
            raise UsageError(f"--kb: {self.name} has no entities; only entity-linking takes it")
        if self.known_ids and self.knowledge_base is None:
            raise UsageError("--known-ids: known to what? name a knowledge base with --kb DIR")
        if not 0 <= self.max_length <= 1 << 16 or 0 < self.max_length < 8:
            raise UsageError(f"--max-length {self.max_length}: between 8 and {1 << 16:,} tokens")
        if self.stride > (most := largest_stride(self.length)):
            raise UsageError(
                f"--stride {self.stride}: at most {most}, what --max-length {self.length} leaves for a window"
            )

    @property
    def length(self) -> int:
        """The most tokens that a record has."""
        return self.max_length or int(TASKS[self.name].default_length)

    @property
    def window_stride(self) -> int:
        """How many tokens windows lie apart."""
        return self.stride or default_stride(self.length)

    @property
    def configuration(self) -> dict[str, Any]:
        """What records depend on."""
        linking = {
            "knowledge_base": self.knowledge_base and knowledge_base_hash(self.knowledge_base),
            "known_ids": self.known_ids,
        }
        return {
            "task": self.name,
            "vocabulary": read_hash(self.vocabulary),
            "schema": self.schema and read_hash(self.schema),
            "max_length": self.length,
            "stride": self.window_stride if self.name == "reading-comprehension" else None,
            "across_documents": self.across,
            "dictionary": self.dictionary_hash,
            **(linking if self.name == EntityLinking.name else {}),
        }


def check_listed(name: str) -> None:
    """Raises UsageError for a task whose labels are in no file, or that has none."""
    if TASKS[name].listed == "no":
        others = ", ".join(other for other, task in TASKS.items() if task.listed != "no")
        raise UsageError(f"--schema: {name} has no labels; only {others} take it")


def read_hash(path: Path) -> str:
    """SHA-256 of a file; raises InputError."""
    return hashlib.sha256(read_file(path)).hexdigest()


def read_file(path: Path) -> bytes:
    """The content of a small file; raises InputError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error


def open_task(options: TaskOptions) -> tuple[Task, Tokenizer]:
    """The task and its tokenizer, made once a process; raises InputError for a bad file or knowledge base."""
    # By content: a process of a cluster outlives runs, between which files change.
    known = options.knowledge_base and knowledge_base_hash(options.knowledge_base)
    return _open_task(options, read_file(options.vocabulary), options.schema and read_file(options.schema), known)


def read_vocabulary(path: Path) -> Vocabulary:
    """Raises InputError."""
    return _vocabulary(read_file(path), path)


def read_labels(name: str, path: Path) -> dict[str, tuple[str, ...]]:
    """The labels of a task's schema; raises InputError."""
    return _labels(name, read_file(path), path)


def _vocabulary(content: bytes, path: Path) -> Vocabulary:
    try:
        return Vocabulary.of(content, name=str(path))
    except ValueError as error:
        raise InputError(str(error)) from error


def _labels(name: str, content: bytes, path: Path) -> dict[str, tuple[str, ...]]:
    try:
        labels: dict[str, tuple[str, ...]] = TASKS[name].read_labels(content)
        for label in itertools.chain.from_iterable(labels.values()):
            check_label(label)
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    if not all(labels.values()):
        raise InputError(f"{path}: no label in it")
    return labels


@functools.lru_cache(maxsize=1)
def _open_task(options: TaskOptions, words: bytes, schema: bytes | None, known: str | None) -> tuple[Task, Tokenizer]:
    kind, more = TASKS[options.name], dict[str, Any]()
    vocabulary = _vocabulary(words, options.vocabulary)
    labels: dict[str, tuple[str, ...]] = {}
    if schema is not None:
        assert options.schema is not None
        labels = _labels(options.name, schema, options.schema)
    if options.name == "masked-language-model":
        segmenter = Segmenter(load_dictionary(None, (), options.dictionary_hash))
        more = {"word_ends": lambda text: segmenter.spans(text)["end"], "across": options.across}
    elif options.name == "reading-comprehension":
        more = {"stride": options.window_stride}
    elif options.knowledge_base is not None:
        candidates = Candidates(open_knowledge_base(options.knowledge_base))
        more = {"candidates": candidates, "known_ids": options.known_ids}
    task: Task = kind(vocabulary, options.length, labels, **more)
    return task, tokenizer_of(task)
