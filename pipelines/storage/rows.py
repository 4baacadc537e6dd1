"""Parquet: a document a row."""

from collections.abc import Iterator
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa

from pipelines.errors import InputError
from pipelines.storage.batches import Batch, DeadLetter
from pipelines.storage.listing import Source
from pipelines.storage.paths import open_path
from pipelines.storage.shards import Slice
from pipelines.storage.sources import Reading

ROWS_A_BATCH = 512
_BUFFER_BYTES = 64 << 10


def read_parquet(piece: Slice, reading: Reading) -> Iterator[Batch]:
    """The row groups that begin in a slice; a start is the number of a row."""
    with open_path(piece.source.path) as file:
        try:
            yield from _row_groups(file, piece, reading)
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise InputError(f"{piece.source.place}: not a whole Parquet file ({error}): fetch it again") from error


def _row_groups(file: IO[bytes], piece: Slice, reading: Reading) -> Iterator[Batch]:
    import pyarrow.parquet as pq

    source, row = piece.source, 0
    table = pq.ParquetFile(file, buffer_size=_BUFFER_BYTES)
    names = table.schema_arrow.names
    if reading.text_field not in names:
        raise InputError(f"{source.place}: no column {reading.text_field!r} (--text-field); it has {', '.join(names)}")
    columns = list(dict.fromkeys(name for name in (reading.text_field, reading.label_field) if name in names))
    for group in range(table.metadata.num_row_groups):
        meta = table.metadata.row_group(group)
        column = meta.column(0)
        begin = min(filter(None, (column.dictionary_page_offset, column.data_page_offset)))
        if not piece.begin <= begin < piece.end:
            row += meta.num_rows
            continue
        for rows in table.iter_batches(ROWS_A_BATCH, row_groups=[group], columns=columns):
            yield _rows(rows, row, source, reading, reading.max_document_bytes)
            row += len(rows)


def _rows(rows: pa.RecordBatch, first: int, source: Source, reading: Reading, limit: int) -> Batch:
    data, ends, labels, starts, dead = bytearray(), [0], [], [], []
    texts = _values(rows, reading.text_field, pa.binary(), source)
    given = [None] * len(texts)
    if reading.label_field in rows.schema.names:
        given = _values(rows, reading.label_field, pa.string(), source)
    for row, (text, label) in enumerate(zip(texts, given, strict=True), first):
        problem = "the text is null" if text is None else ""
        if text is not None and len(text) > limit:
            problem = f"a text of more than --max-document-bytes {limit:,}"
        if problem:
            dead.append(DeadLetter(source.place, row, problem))
            continue
        data += text
        ends.append(len(data))
        labels.append(label or source.label)
        starts.append(row)
    return Batch(data, np.array(ends), labels, [source.place], starts, dead, "utf-8")


def _values(rows: pa.RecordBatch, name: str, kind: pa.DataType, source: Source) -> list[Any]:
    column = rows.column(name)
    try:
        return cast(list[Any], column.cast(kind).to_pylist())
    except pa.ArrowException as error:
        raise InputError(f"{source.place}: column {name!r} is {column.type}, not text ({error})") from error
