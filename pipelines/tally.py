"""What a shard adds up to: documents decoded, normalized and counted, by label where that is asked for."""

import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.errors import InputError
from pipelines.storage.batches import Batch, DeadLetter
from transforms import decoding, word_counts
from transforms.compiled import kernels_of
from transforms.decoding import decode
from transforms.document import Normalization, normalize
from transforms.segmentation import (
    Dictionary,
    DictionaryError,
    Segmenter,
    Tokenizer,
    WordCounter,
    compiled_folder,
    count_kernels,
    cut_kernels,
    dictionary_hash,
)
from transforms.word_counts import LABELLED_RUN, add_up

POINTS_HELD = 1 << 24
_Documents = tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]


def prepare(
    dictionary: str | None, user_dictionaries: Sequence[str], *, tell: Callable[[str], None] = lambda text: None
) -> str:
    """Compiles in the driver what workers share, if that was not done before; returns the dictionaries' hash.

    Raises InputError for a missing file or a bad line.
    """
    prepare_kernels(decoding, cut_kernels, count_kernels, word_counts, tell=tell)
    try:
        content_hash = dictionary_hash(dictionary, user_dictionaries=user_dictionaries)
        if not compiled_folder(content_hash).exists():
            tell("compiling the dictionary, once for its content")
            Dictionary.load(dictionary, user_dictionaries=user_dictionaries)
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error
    except DictionaryError as error:
        raise InputError(str(error)) from error
    return content_hash


def prepare_kernels(*modules: ModuleType, tell: Callable[[str], None] = lambda text: None) -> None:
    """Compiles the kernels of modules that were not compiled on this machine before; raises InputError."""
    missing = [kernel for module in modules for kernel in kernels_of(module) if not kernel.compiled]
    try:
        if missing:
            tell(f"compiling {len(missing)} kernels, once for this machine: some seconds")
        for kernel in missing:
            kernel.prepare()
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error


class _Kept(threading.local):
    """Each thread of a worker has its own counter, as kernels count without Python's lock."""

    counter: tuple[tuple[object, ...], WordCounter] | None = None


_KEPT = _Kept()
_LOADING = threading.Lock()


def load_dictionary(dictionary: str | None, user_dictionaries: tuple[str, ...], content_hash: str) -> Dictionary:
    """Raises InputError if the dictionaries are not those that the driver read."""
    try:
        with _LOADING:  # jieba compiles a dictionary in globals of its own
            loaded = Dictionary.load(dictionary, user_dictionaries=user_dictionaries)
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}: a worker cannot read it") from error
    if loaded.content_hash != content_hash:
        raise InputError("a dictionary changed while the run was on, or differs between workers: start the run again")
    return loaded


def counter_of(
    tokenizer: Tokenizer, hmm: bool, dictionary: str | None, user_dictionaries: tuple[str, ...], content_hash: str
) -> WordCounter:
    """This thread's counter, whose large arrays are made once.

    Raises InputError if the dictionaries are not those that the driver read.
    """
    asked = (tokenizer, hmm, dictionary, user_dictionaries, content_hash)
    if _KEPT.counter is None or _KEPT.counter[0] != asked:
        loaded = load_dictionary(dictionary, user_dictionaries, content_hash)
        _KEPT.counter = asked, WordCounter(Segmenter(loaded, tokenizer, hmm))
    return _KEPT.counter[1]


class ShardTally:
    """What a shard adds up to."""

    def __init__(
        self, counter: WordCounter, *, replace_errors: bool, normalization: Normalization, by_label: bool
    ) -> None:
        counter.clear()  # a task that failed half-way may have left some
        self.counter, self.by_label, self.normalization = counter, by_label, normalization
        self.errors: Literal["replace", "strict"] = "replace" if replace_errors else "strict"
        self.labels: dict[str, dict[str, int]] = {}
        self.dead: list[DeadLetter] = []
        self._held: dict[str, list[_Documents]] = {}  # by label, as the counter knows no labels
        self._tables: list[pa.Table] = []

    def add(self, batch: Batch) -> None:
        """Decodes, normalizes and counts a batch."""
        decoded = decode(
            batch.data, batch.offsets, encoding=batch.encoding, errors=self.errors, strip_bom=batch.strip_bom
        )
        self.dead += batch.dead
        self.dead += [batch.dead_letter(document, reason) for document, reason in decoded.failures.items()]
        documents = normalize(decoded.points, decoded.offsets, self.normalization)
        good = np.ones(len(batch.labels), bool)
        good[list(decoded.failures)] = False
        names = {label: number for number, label in enumerate(sorted(set(batch.labels)))}
        label_of = np.fromiter(map(names.__getitem__, batch.labels), np.int64, len(batch.labels))
        tokens = None if self.by_label else self.counter.add(*documents)
        for label, number in names.items():
            chosen = (label_of == number) & good
            made = self.labels.setdefault(label, {"documents": 0, "tokens": 0})
            made["documents"] += int(np.count_nonzero(chosen))
            if tokens is not None:
                made["tokens"] += int(tokens[chosen].sum())
            else:
                self._held.setdefault(label, []).append(_select(*documents, np.flatnonzero(chosen)))
        if sum(len(points) for held in self._held.values() for points, _ in held) > POINTS_HELD:
            self._count_held()

    def _count_held(self) -> None:
        for label, held in self._held.items():
            self.labels[label]["tokens"] += sum(int(self.counter.add(*documents).sum()) for documents in held)
            counts = self.counter.counts()
            self._tables.append(counts.add_column(1, "label", pa.repeat(label, len(counts))))
        self._held = {}

    def counts(self) -> pa.Table:
        """One row a word, or a word and label."""
        if not self.by_label:
            return self.counter.counts()
        self._count_held()
        return add_up(pa.concat_tables(self._tables)) if self._tables else LABELLED_RUN.empty_table()

    def total(self, name: str) -> int:
        """Documents or tokens of all labels."""
        return sum(made[name] for made in self.labels.values())


def _select(
    points: npt.NDArray[np.uint32], offsets: npt.NDArray[np.int64], documents: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    if len(documents) == len(offsets) - 1:
        return points, offsets
    sizes = (offsets[1:] - offsets[:-1])[documents]
    pieces = [points[offsets[document] : offsets[document + 1]] for document in documents.tolist()]
    return np.concatenate([points[:0], *pieces]), np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
