"""The rows of committed runs in another order than they have there, without holding them all."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.storage.manifest import File
from pipelines.storage.tables import read_some

Numbers = npt.NDArray[np.int64]
_HELD = 16 << 20


@dataclass(frozen=True, slots=True)
class RunRows:
    """A run whose bytes were checked, and how many rows each of its tables has."""

    file: File
    tables: Sequence[int]


def reordered(
    directory: Path, runs: Sequence[RunRows], order: Numbers, sizes: Numbers, *, held: int = _HELD
) -> Iterator[pa.Table]:
    """The rows in their new order, in tables of about `held` bytes.

    `order`: rows by number, through all runs; `sizes`: int64 [rows], the bytes of each. A table of a run is decoded for
    each piece that has rows of it: where runs are sorted by what `order` goes by once or twice, unless there are so
    many runs that a piece has less than a table of each.
    """
    ends = np.cumsum(sizes[order])
    begin = 0
    while begin < len(order):
        before = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + held, "right")))
        rows = np.sort(order[begin:end])
        table = pa.concat_tables(_taken(directory, runs, rows))
        yield table.take(pa.array(np.searchsorted(rows, order[begin:end]))).combine_chunks()
        begin = end


def _taken(directory: Path, runs: Sequence[RunRows], rows: Numbers) -> Iterator[pa.Table]:
    """Rows by ascending number."""
    first = 0
    for run in runs:
        bounds = first + np.cumsum([0, *run.tables])
        places = np.searchsorted(rows, bounds)
        wanted = np.flatnonzero(np.diff(places))
        tables = read_some(directory, run.file, (np.diff(places) > 0).tolist())
        for number, table in zip(wanted.tolist(), tables, strict=True):
            yield table.take(pa.array(rows[places[number] : places[number + 1]] - bounds[number]))
        first = int(bounds[-1])
