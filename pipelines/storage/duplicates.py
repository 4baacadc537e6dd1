"""Ids that stand more than once: what comes first in the order of sources and of places in them counts."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.storage.batches import DeadLetter

Numbers = npt.NDArray[np.int64]


class ById(NamedTuple):
    """Rows by number: `first`, those that count, in the order of ids; `later`, whose id stands before; and why."""

    first: Numbers
    later: Numbers
    dead: list[DeadLetter]


def by_id(rows: pa.Table) -> ById:
    """What of rows counts. Columns: id, then source, offset, and what else tells an example from others there.

    Rows that are alike in all of these are parts of one example, as windows are. A row whose id is null has none, and
    is in neither list.

    >>> names, places = ["id", "source", "offset"], (["q1", "q0", "q1"], ["b", "b", "a"], [0, 9, 5])
    >>> found = by_id(pa.table(dict(zip(names, places))))
    >>> found.first.tolist(), found.later.tolist(), found.dead[0].reason
    ([1, 2], [0], "id 'q1' stands before: a, offset 5")
    """
    names = rows.column_names
    order = pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in names]).to_numpy().astype(np.int64)
    order = order[: len(rows) - rows["id"].null_count]  # nulls come last
    ordered = rows.take(pa.array(order))
    again, part = _as_before(ordered, names[:1]), _as_before(ordered, names)
    examples, begins = np.cumsum(~part), np.flatnonzero(~again)
    of_id = np.cumsum(~again) - 1
    later = examples > examples[begins][of_id]
    dead = []
    for row in np.flatnonzero(later & ~part).tolist():
        (before,), (here,) = (ordered.slice(at, 1).to_pylist() for at in (int(begins[of_id[row]]), row))
        reason = f"id {here['id']!r} stands before: {before['source']}, offset {before['offset']:,}"
        dead.append(DeadLetter(here["source"], here["offset"], reason))
    return ById(order[~later], order[later], dead)


def _as_before(rows: pa.Table, names: list[str]) -> npt.NDArray[np.bool_]:
    """Whether columns of a row are as in the row before it."""
    same = np.zeros(len(rows), np.bool_)
    if len(rows) > 1:
        columns = (rows[name].combine_chunks() for name in names)
        same[1:] = np.all([pc.equal(column[1:], column[:-1]).to_numpy(zero_copy_only=False) for column in columns], 0)
    return same
