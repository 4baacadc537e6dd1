"""Arrow tables in committed files: sorted runs between map and reduce, Parquet parts at the end."""

import contextlib
import hashlib
import mmap
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.storage.commit import AttemptFile, attempt
from pipelines.storage.manifest import File, check_range

ROWS_A_BATCH = 1 << 14
_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


def write_runs(directory: Path, name: str, runs: Iterable[Iterable[pa.Table]]) -> tuple[File, ...]:
    """Commits one file that holds several runs, each an Arrow IPC stream of its own; returns their ranges."""
    ranges = []
    with attempt(directory / name) as file:
        for run in runs:
            offset, records = file.tell(), 0
            digest = _Digest(file)
            writer = None
            for table in run:
                records += len(table)
                writer = writer or pa.ipc.new_stream(digest, table.schema, options=_OPTIONS)
                writer.write_table(table, max_chunksize=ROWS_A_BATCH)
            if writer is not None:
                writer.close()
            ranges.append(File(name, digest.sha256, file.tell() - offset, records, offset))
    return tuple(ranges)


class _Digest:
    """Passes on what is written and hashes it."""

    closed = False

    def __init__(self, file: AttemptFile) -> None:
        self._file, self._hash = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        pass

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def read_run(directory: Path, file: File) -> Iterator[pa.Table]:
    """The tables of a committed run, one at a time; checks the bytes first and raises InputError for damaged ones."""
    if file.bytes:
        check_range(directory, file)
        for batch in pa.ipc.open_stream(_mapped(directory, file)):
            yield pa.Table.from_batches([batch])


def read_some(directory: Path, file: File, wanted: Sequence[bool]) -> Iterator[pa.Table]:
    """Those tables of a committed run that are wanted, whose bytes were checked before; others are not decoded."""
    if file.bytes:
        messages = pa.ipc.MessageReader.open_stream(_mapped(directory, file))
        schema = pa.ipc.read_schema(messages.read_next_message())
        for decode, message in zip(wanted, messages, strict=True):
            if decode:
                yield pa.Table.from_batches([pa.ipc.read_record_batch(message, schema)])


def _mapped(directory: Path, file: File) -> pa.Buffer:
    with (directory / file.name).open("rb") as handle:  # Arrow opens no path that is not UTF-8
        mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
    return pa.py_buffer(mapped).slice(file.offset, file.bytes)


@contextlib.contextmanager
def scratch_run(directory: Path, tables: Iterable[pa.Table]) -> Iterator[Iterator[pa.Table]]:
    """Writes tables to a file without a name and reads them back one at a time, as often as memory is short."""
    with tempfile.TemporaryFile(dir=directory) as file:
        writer = None
        for table in tables:
            writer = writer or pa.ipc.new_stream(file, table.schema, options=_OPTIONS)
            writer.write_table(table, max_chunksize=ROWS_A_BATCH)
        if writer is not None:
            writer.close()
        file.seek(0)
        yield (pa.Table.from_batches([batch]) for batch in pa.ipc.open_stream(file)) if writer else iter(())


def write_parquet(
    directory: Path, stem: str, tables: Iterable[pa.Table], *, schema: pa.Schema, rows: int, group_rows: int
) -> list[AttemptFile]:
    """Writes rows as Parquet files of `rows` rows, row groups of `group_rows`, whatever pieces they come in.

    The files are synced and lack only their names, `<stem>-00000-of-0000N.parquet`, which they get with `commit`;
    there is always one.
    """
    files: list[AttemptFile] = []
    repeated = schema.names[1:]  # every key is a value of its own: a dictionary of them only takes time
    try:
        pieces = _rechunk(tables, schema, rows, group_rows)
        piece = next(pieces, None)
        while piece is not None or not files:
            file = AttemptFile(directory / f"{stem}-{len(files):05d}.parquet")
            files.append(file)
            written = 0
            with pq.ParquetWriter(
                pa.PythonFile(file, "w"), schema, compression="zstd", use_dictionary=repeated
            ) as writer:
                while piece is not None and written < rows:
                    writer.write_table(piece, row_group_size=group_rows)
                    written += len(piece)
                    piece = next(pieces, None)
            file.records = written
            file.sync()
    except BaseException:
        for file in files:
            file.discard()
        raise
    for index, file in enumerate(files):
        file.final = directory / f"{stem}-{index:05d}-of-{len(files):05d}.parquet"
    return files


def write_table(path: Path, tables: Iterable[pa.Table], *, schema: pa.Schema) -> AttemptFile:
    """Writes rows as one Parquet file; synced, it lacks only its name, which it gets with `commit`."""
    (file,) = write_parquet(path.parent, path.stem, tables, schema=schema, rows=1 << 60, group_rows=1 << 20)
    file.final = path
    return file


def _rechunk(tables: Iterable[pa.Table], schema: pa.Schema, rows: int, group_rows: int) -> Iterator[pa.Table]:
    """The rows in row groups, none of which crosses a multiple of `rows`."""
    held, left = schema.empty_table(), rows
    for table in tables:
        held = pa.concat_tables([held, table.select(schema.names)])
        while len(held) >= (wanted := min(group_rows, left)):
            yield held.slice(0, wanted).combine_chunks()
            held, left = held.slice(wanted), left - wanted or rows
    if len(held):
        yield held.combine_chunks()
