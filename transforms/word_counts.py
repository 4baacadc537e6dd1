"""Word counts as Arrow tables: partitioned by word, sorted, and merged as streams."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from transforms.compiled import kernel

SortKeys = Sequence[tuple[str, str]]
BY_WORD = [("word", "ascending")]
BY_WORD_AND_LABEL = [*BY_WORD, ("label", "ascending")]
BY_COUNT = [("count", "descending"), ("word", "ascending")]

RUN = pa.schema([("word", pa.string()), ("count", pa.int64()), ("documents", pa.int64())])
LABELLED_RUN = pa.schema(
    [("word", pa.string()), ("label", pa.string()), ("count", pa.int64()), ("documents", pa.int64())]
)


@dataclass(frozen=True, slots=True)
class WordCounts:
    """How often each word stands in a corpus.

    `table`: columns word (string), count (int64, occurrences) and documents (int64, documents that hold the word),
    ordered by count descending, then by word in code-point order.
    """

    table: pa.Table

    @staticmethod
    def of(counts: pa.Table) -> "WordCounts":
        """Puts rows with distinct words into order.

        >>> WordCounts.of(pa.table({"word": ["乙", "甲", "丙"], "count": [1, 2, 2], "documents": [1, 1, 2]})).words
        {'丙': 2, '甲': 2, '乙': 1}
        """
        return WordCounts(counts.take(pc.sort_indices(counts, sort_keys=BY_COUNT)))

    @property
    def words(self) -> Mapping[str, int]:
        """The counts as a dictionary, in order."""
        return dict(zip(self.table["word"].to_pylist(), self.table["count"].to_pylist(), strict=True))


@kernel(np.dtype("u1"), np.dtype("i4"), int, np.dtype("u1"))
def _assign(data, offsets, partitions, assigned):  # type: ignore[no-untyped-def]
    for item in range(len(offsets) - 1):
        value = np.uint64(0xCBF29CE484222325)  # FNV-1a, its high bits folded in
        for position in range(offsets[item], offsets[item + 1]):
            value = (value ^ np.uint64(data[position])) * np.uint64(0x100000001B3)
        value ^= value >> np.uint64(32)
        assigned[item] = value % np.uint64(partitions)
    return 0


def partition(words: pa.StringArray, *, partitions: int) -> npt.NDArray[np.uint8]:
    """The partition of each word, a function of its UTF-8 bytes alone; raises ValueError for more than 256."""
    if not 1 <= partitions <= 256:
        raise ValueError(f"{partitions} partitions: between 1 and 256")
    _, offsets, data = words.buffers()
    assigned = np.zeros(len(words), np.uint8)
    if len(words):
        bounds = np.frombuffer(offsets, np.int32)[words.offset : words.offset + len(words) + 1]
        _assign(np.frombuffer(data, np.uint8), bounds, partitions, assigned)
    return assigned


def partition_runs(counts: pa.Table, *, partitions: int) -> list[pa.Table]:
    """One table for each partition, sorted by word, then by label where there is one."""
    counts = counts.combine_chunks()
    if len(counts) == 0:
        return [counts] * partitions
    assigned = partition(counts["word"].combine_chunks(), partitions=partitions)
    order = np.argsort(assigned, kind="stable")
    bounds = np.searchsorted(assigned[order], np.arange(partitions + 1))
    grouped = counts.take(pa.array(order))
    runs = [grouped.slice(bounds[item], bounds[item + 1] - bounds[item]) for item in range(partitions)]
    return [_sorted(run) for run in runs]


def merge_runs(
    runs: Sequence[Iterable[pa.Table]], *, sort_keys: SortKeys = BY_WORD, rows: int = 1 << 18
) -> Iterator[pa.Table]:
    """Adds up runs that are sorted by word (and label), where a run holds each key once; so does what is yielded.

    Memory is bounded by a table of each run, cut to `rows` in all.
    """
    for table in merge_sorted(runs, sort_keys=sort_keys, rows=rows):
        yield _sorted(add_up(table))


def add_up(counts: pa.Table) -> pa.Table:
    """Adds the rows of each word (and label) into one, in no particular order."""
    keys = [name for name, _ in _keys(counts)]
    numbers = [name for name in counts.column_names if name not in keys]
    added = counts.group_by(keys, use_threads=False).aggregate([(name, "sum") for name in numbers])
    return added.rename_columns([*keys, *numbers])


def _keys(counts: pa.Table) -> list[tuple[str, str]]:
    return [(name, "ascending") for name in counts.column_names if name in ("word", "label")]


def _sorted(counts: pa.Table) -> pa.Table:
    return counts.take(pc.sort_indices(counts, sort_keys=_keys(counts)))


def merge_sorted(runs: Sequence[Iterable[pa.Table]], *, sort_keys: SortKeys, rows: int) -> Iterator[pa.Table]:
    """Brings sorted runs together in rounds of about `rows` rows; equal keys come in the same round, rows unsorted.

    A run holds each key once. A round takes from every run what does not lie behind the least of the last rows that
    are in memory.
    """
    share = max(1, rows // max(1, len(runs)))
    cursors = [_Cursor(iter(run), share) for run in runs]
    while cursors := [cursor for cursor in cursors if cursor.fill()]:
        lasts = [cursor.last(sort_keys) for cursor in cursors if not cursor.at_end]
        bound = min(lasts, default=None)
        yield pa.concat_tables([cursor.take(sort_keys, bound) for cursor in cursors])


class _Cursor:
    """A sorted run, read a piece at a time."""

    def __init__(self, tables: Iterator[pa.Table], share: int) -> None:
        self.tables, self.share = tables, share
        self.buffer: pa.Table | None = None
        self.at_end = False

    def fill(self) -> bool:
        """Has at least `share` rows in memory, unless the run ends; False when nothing is left."""
        parts = [] if self.buffer is None else [self.buffer]
        while not self.at_end and sum(map(len, parts)) < self.share:
            table = next(self.tables, None)
            if table is None:
                self.at_end = True
            else:
                parts.append(table)
        self.buffer = pa.concat_tables(parts).combine_chunks() if parts else None
        return self.buffer is not None and len(self.buffer) > 0

    def _key(self, row: int, sort_keys: SortKeys) -> tuple[Any, ...]:
        assert self.buffer is not None
        values = [(self.buffer[name][row].as_py(), direction) for name, direction in sort_keys]
        return tuple(-value if direction == "descending" else value for value, direction in values)

    def last(self, sort_keys: SortKeys) -> tuple[Any, ...]:
        """The key of the last row in memory; Python compares strings by code point, as Arrow does by UTF-8 byte."""
        assert self.buffer is not None
        return self._key(len(self.buffer) - 1, sort_keys)

    def take(self, sort_keys: SortKeys, bound: tuple[Any, ...] | None) -> pa.Table:
        """Removes and returns the rows up to and with `bound`, found by bisection."""
        assert self.buffer is not None
        low, high = 0, len(self.buffer)
        while bound is not None and low < high:
            middle = (low + high) // 2
            if self._key(middle, sort_keys) <= bound:
                low = middle + 1
            else:
                high = middle
        taken, self.buffer = self.buffer.slice(0, high), self.buffer.slice(high)
        return taken


def strings(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int32]) -> pa.StringArray:
    """An Arrow array over UTF-8 bytes that lie in memory already."""
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))


def strings_of_points(points: npt.NDArray[np.uint32], ends: npt.NDArray[np.int64]) -> pa.StringArray:
    """An Arrow array of words given as code points, word i ending at `ends[i]` and the first beginning at 0."""
    widths = 1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)
    sizes = np.concatenate([[0], np.cumsum(widths)])
    offsets = np.concatenate([[0], sizes[ends]]).astype(np.int32)
    return strings(np.frombuffer(points.tobytes().decode("utf-32-le").encode(), np.uint8), offsets)
