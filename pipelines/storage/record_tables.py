"""Records of a task as Arrow tables, as runs hold them between map and reduce."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
KEYS = [("key", pa.uint64()), ("number", pa.int32())]
BY_KEY = [("key", "ascending"), ("id", "ascending"), ("number", "ascending")]
ROWS_AT_ONCE = 1 << 10  # what numbers take while they become messages is many times the table


def to_table(records: Sequence[Record], schema: Schema, *, keys: Sequence[int], numbers: Sequence[int]) -> pa.Table:
    """A row a record: its place in the order of the partition (`key`, `id`, `number`), and its features."""
    columns = [pa.array(keys, pa.uint64()), pa.array(numbers, pa.int32())]
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
