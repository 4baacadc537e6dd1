"""Records of a task as Arrow tables, as runs hold them between map and reduce."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.storage.batches import DeadLetter
from pipelines.storage.duplicates import by_id
from transforms.tasks.record import Kind, Record, Schema
from transforms.tfrecord import Feature, encode_example, encode_lists

_TYPES = {
    Kind.INTEGER: pa.int64(),
    Kind.INTEGERS: pa.list_(pa.int32()),
    Kind.TEXT: pa.string(),
    Kind.TEXTS: pa.list_(pa.string()),
    Kind.LABEL: pa.string(),
    Kind.LABELS: pa.list_(pa.string()),
}
KEYS = [
    ("key", pa.uint64()),
    ("number", pa.int32()),
    ("named", pa.string()),
    ("source", pa.string()),
    ("offset", pa.int64()),
    ("example", pa.int32()),
    ("cut", pa.bool_()),
    ("mended", pa.int32()),
]
BY_KEY = [("key", "ascending"), ("id", "ascending"), ("number", "ascending")]
TOTALS = ("documents", "tokens", "cut", "mended", "dead_letters")
ROWS_AT_ONCE = 1 << 10  # what numbers take while they become messages is many times the table


class Place(NamedTuple):
    """Where a record comes in its partition, by `key`, id and `number` (of the example's record), and of what it is.

    `named`: the example's id, where the input gives one; with it where that stands, as dead letters tell it, and its
    number there. `cut`: whether the example's records leave out the end of a text. `mended`: its offsets that were.
    """

    key: int
    number: int
    named: str | None = None
    source: str | None = None
    offset: int | None = None
    example: int | None = None
    cut: bool = False
    mended: int = 0


def to_table(records: Sequence[Record], schema: Schema, places: Sequence[Place]) -> pa.Table:
    """A row a record: its place, and its features."""
    columns = [pa.array([place[number] for place in places], kind) for number, (_, kind) in enumerate(KEYS)]
    columns += [_column([record[name] for record in records], kind) for name, kind in schema.items()]
    return pa.table(columns, schema=table_schema(schema))


def table_schema(schema: Schema) -> pa.Schema:
    """The columns of a run of such records."""
    return pa.schema([*KEYS, *((name, _TYPES[kind]) for name, kind in schema.items())])


def _column(values: Sequence[Any], kind: Kind) -> pa.Array:
    if kind is not Kind.INTEGERS:
        return pa.array(values, _TYPES[kind])
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(value) for value in values], out=offsets[1:])
    flat = np.concatenate([np.empty(0, np.int32), *values], dtype=np.int32, casting="same_kind")
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))


def each_once(table: pa.Table) -> tuple[pa.Table, list[DeadLetter], dict[str, int]]:
    """Records without those of examples whose id stands before, their dead letters, and what that adds to totals."""
    columns = {"id": "named", **{name: name for name in ("source", "offset", "example")}}
    _, later, dead = by_id(pa.table({name: table[of] for name, of in columns.items()}))
    if not dead:
        return table, [], dict.fromkeys(TOTALS, 0)
    left_out, kept = table.take(pa.array(later)), np.ones(len(table), np.bool_)
    kept[later] = False
    tokens = len(pc.list_flatten(left_out["ids"]))
    examples = left_out.filter(pc.equal(left_out["number"], 0))
    cut, mended = (pc.sum(examples[name]).as_py() or 0 for name in ("cut", "mended"))
    more = (-len(dead), -tokens, -cut, -mended, len(dead))
    return table.filter(pa.array(kept)), dead, dict(zip(TOTALS, more, strict=True))


def by_key(table: pa.Table) -> Iterator[pa.Table]:
    """The rows in the order of their keys, so many at a time as are encoded at once."""
    order = pc.sort_indices(table, sort_keys=BY_KEY)
    for begin in range(0, len(table), ROWS_AT_ONCE):
        yield table.take(order.slice(begin, ROWS_AT_ONCE))


def encode_table(table: pa.Table, schema: Schema, labels: Mapping[str, Sequence[str]]) -> Iterator[bytes]:
    """The records of a table as `tf.train.Example` messages, in its order; labels as their places in `labels`."""
    columns = [_encoded(table[name].combine_chunks(), kind, labels.get(name, ())) for name, kind in schema.items()]
    for values in zip(*columns, strict=True):
        yield encode_example(dict(zip(schema, values, strict=True)))


def _encoded(column: pa.Array, kind: Kind, labels: Sequence[str]) -> Sequence[Feature]:
    match kind:
        case Kind.TEXT:
            return [[text] for text in column.cast(pa.binary()).to_pylist()]
        case Kind.TEXTS:
            return column.cast(pa.list_(pa.binary())).to_pylist()  # type: ignore[no-any-return]
    lists = kind in (Kind.INTEGERS, Kind.LABELS)
    offsets = np.asarray(column.offsets, np.int64) if lists else np.arange(len(column) + 1)
    values = column.flatten() if lists else column
    if kind in (Kind.LABEL, Kind.LABELS):
        values = pc.index_in(values, value_set=pa.array(labels, pa.string()))
    return encode_lists(np.asarray(values, np.int64), offsets - offsets[0])


def from_table(table: pa.Table, schema: Schema) -> Iterator[Record]:
    """The records of a table, in its order: integers as arrays int32, all else as Python's own."""
    columns = [_values(table[name].combine_chunks(), kind) for name, kind in schema.items()]
    for values in zip(*columns, strict=True):
        yield dict(zip(schema, values, strict=True))


def _values(column: pa.Array, kind: Kind) -> Sequence[Any]:
    if kind is not Kind.INTEGERS:
        return column.to_pylist()  # type: ignore[no-any-return]
    flat = np.asarray(column.values)
    offsets = np.asarray(column.offsets).tolist()  # from the first of the values, whatever slice the column is
    return [flat[begin:end] for begin, end in itertools.pairwise(offsets)]
