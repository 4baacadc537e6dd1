"""Batches of a few shapes from records: for training without end, or once over a split."""

import contextlib
import functools
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.datasets import DataSet
from pipelines.errors import InputError
from pipelines.shuffle import Place, Shuffle
from transforms.tasks.record import Record

Arrays = dict[str, npt.NDArray[Any]]
VALID = "valid"
_PREFETCHED = 4


@dataclass(frozen=True, slots=True)
class Batching:
    """How batches are made of records.

    `targets`: makes a record and a source of random numbers into arrays. `shapes`: of those arrays in a batch whose
    records have up to so many tokens; what is smaller is filled up with zeros. `lengths`: in tokens, ascending; a
    record goes to the first that holds it. Random numbers follow from `seed` and the record's place alone.
    """

    targets: Callable[[Record, np.random.Generator], Mapping[str, Any]]
    shapes: Callable[[int], Mapping[str, tuple[int, ...]]]
    batch_size: int
    lengths: Sequence[int]
    seed: int = 0

    def length(self, record: Record) -> int:
        """The length of the batch that a record goes to; raises InputError for one that is too long."""
        for length in self.lengths:
            if len(record["ids"]) <= length:
                return length
        raise InputError(
            f"record {record['id']} has {len(record['ids'])} tokens, batches at most {self.lengths[-1]}: "
            "allow longer ones, or make the records with a smaller --max-length"
        )

    def random(self, place: Place) -> np.random.Generator:
        """The source of random numbers of a record in one pass."""
        return np.random.Generator(np.random.Philox(key=self.seed, counter=(0, place.offset, place.file, place.epoch)))

    def collate(self, rows: Sequence[Mapping[str, Any]], length: int) -> Arrays:
        """A batch of rows, [batch_size, ...] each; `valid` bool [batch_size] tells which there are."""
        batch: Arrays = {VALID: np.arange(self.batch_size) < len(rows)}
        for name, shape in self.shapes(length).items():
            values = [np.asarray(row[name]) for row in rows]
            batch[name] = np.zeros((self.batch_size, *shape), values[0].dtype)
            for number, value in enumerate(values):
                inside = tuple(slice(min(sizes)) for sizes in zip(value.shape, shape, strict=True))
                batch[name][number, ...][inside] = value[inside]  # a view even where it is a number
        return batch


def lengths_of(max_length: int) -> tuple[int, ...]:
    """Four lengths up to the longest, multiples of eight but for the last.

    >>> lengths_of(512), lengths_of(20)
    ((128, 256, 384, 512), (8, 16, 20))
    """
    quarters = {min(max_length, -(-max_length * quarter // 32) * 8) for quarter in (1, 2, 3, 4)}
    return tuple(sorted(quarters))


def in_order(data_set: DataSet, split: str, batching: Batching) -> Iterator[tuple[Arrays, list[Record]]]:
    """Each record of a split once, batches with the records they were made of; the last of each length not full."""
    waiting: dict[int, list[tuple[Mapping[str, Any], Record]]] = {length: [] for length in batching.lengths}
    for number, name in enumerate(data_set.files(split)):
        for offset, raw in data_set.frames(name):
            record = data_set.read(raw)
            length = batching.length(record)
            rows = waiting[length]
            rows.append((batching.targets(record, batching.random(Place(0, number, offset))), record))
            if len(rows) == batching.batch_size:
                yield _batch(rows, length, batching)
                waiting[length] = []
    for length, rows in waiting.items():
        if rows:
            yield _batch(rows, length, batching)


def _batch(
    rows: Sequence[tuple[Mapping[str, Any], Record]], length: int, batching: Batching
) -> tuple[Arrays, list[Record]]:
    return batching.collate([row for row, _ in rows], length), [record for _, record in rows]


class Batches:
    """Shuffled batches without end, made ahead by a thread. Closed at the end of a `with` block.

    `position` after a batch, given to another `Batches` of the same data and arguments, makes that go on with the next
    one: the same batches come, to the byte.
    """

    def __init__(
        self,
        data_set: DataSet,
        split: str,
        batching: Batching,
        *,
        position: Mapping[str, Any] | None = None,
        open_files: int = 16,
        buffer: int = 8192,
    ) -> None:
        position = position or {"shuffle": None, "waiting": {}}
        self._data_set, self._batching = data_set, batching
        self._shuffle = Shuffle(
            data_set,
            split,
            seed=batching.seed,
            open_files=open_files,
            buffer=buffer,
            position=position["shuffle"],
        )
        self._waiting = {
            length: [Place(*place) for place in position["waiting"].get(str(length), [])] for length in batching.lengths
        }
        self._rows = {
            length: [self._row(data_set.read(raw), place) for place, raw in self._shuffle.fetch(places)]
            for length, places in self._waiting.items()
        }
        self._position: Callable[[], dict[str, Any]] = lambda: dict(position)
        self._ready: queue.Queue[tuple[Arrays, _Position] | BaseException | None] = queue.Queue(_PREFETCHED)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Batches":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the thread; no batch comes afterwards."""
        self._closed.set()
        while self._thread.is_alive() or not self._ready.empty():
            while not self._ready.empty():
                self._ready.get_nowait()
            self._thread.join(0.01)
        self._ready.put(None)

    def __iter__(self) -> Iterator[Arrays]:
        return self

    def __next__(self) -> Arrays:
        """The next batch; raises what reading raised, and StopIteration for a split without records."""
        found = self._ready.get()
        if found is None or isinstance(found, BaseException):
            self._ready.put(found)
            raise StopIteration if found is None else found
        batch, self._position = found
        return batch

    @property
    def position(self) -> dict[str, Any]:
        """Where the next batch begins, in JSON's own types."""
        return self._position()

    def _work(self) -> None:
        last: BaseException | None = None
        try:
            for found in self._made():
                if not self._put(found):
                    return
        except BaseException as error:
            last = error
        self._put(last)

    def _put(self, item: "tuple[Arrays, _Position] | BaseException | None") -> bool:
        while not self._closed.is_set():
            try:
                self._ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def _made(self) -> "Iterator[tuple[Arrays, _Position]]":
        for place, raw in self._shuffle:
            record = self._data_set.read(raw)
            length = self._batching.length(record)
            self._waiting[length].append(place)
            self._rows[length].append(self._row(record, place))
            if len(self._rows[length]) == self._batching.batch_size:
                batch = self._batching.collate(self._rows[length], length)
                self._waiting[length], self._rows[length] = [], []
                waiting = {str(length): [list(place) for place in places] for length, places in self._waiting.items()}
                yield batch, functools.partial(_position, self._shuffle.mark(), waiting)

    def _row(self, record: Record, place: Place) -> Mapping[str, Any]:
        return self._batching.targets(record, self._batching.random(place))


_Position = Callable[[], dict[str, Any]]


def _position(mark: _Position, waiting: dict[str, list[list[int]]]) -> dict[str, Any]:
    return {"shuffle": mark(), "waiting": waiting}


def as_tf_dataset(make: Callable[[], Batches | Generator[Arrays, None, None]], batching: Batching) -> Any:
    """A `tf.data.Dataset` of the batches that `make` begins to give anew each time; needs TensorFlow.

    Only the axes whose size depends on the length of a batch's records are left open. Raises InputError where there
    is no batch.
    """
    import tensorflow as tf

    def batches() -> Iterator[Arrays]:
        with contextlib.closing(make()) as made:
            yield from made

    with contextlib.closing(make()) as made:
        example = next(made, None)
    if example is None:
        raise InputError("a split without records has no batches: name another")
    least, most = batching.shapes(batching.lengths[0]), batching.shapes(batching.lengths[-1])
    signature = {VALID: tf.TensorSpec((batching.batch_size,), tf.bool)}
    for name, shape in most.items():
        axes = [high if low == high else None for low, high in zip(least[name], shape, strict=True)]
        signature[name] = tf.TensorSpec((batching.batch_size, *axes), example[name].dtype)
    return tf.data.Dataset.from_generator(batches, output_signature=signature)
