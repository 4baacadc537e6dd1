"""Slices to documents, in batches of raw bytes: one large buffer, never an object a document where bytes will do."""

import codecs
import contextlib
import io
import itertools
import json
import os
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.errors import InputError
from pipelines.storage.shards import Slice, splittable
from pipelines.storage.sources import Reading, Source

BATCH_BYTES = 1 << 20
PIECE_BYTES = 64 << 10
ROWS_A_BATCH = 512
_BOM = codecs.BOM_UTF8
_LOCAL_HEADER = 30


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be counted: where it begins and why.

    `offset`: bytes into the source, decompressed, and as UTF-8 where that is UTF-16 or UTF-32; rows into a table.
    """

    source: str
    offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Documents back to back, document i at `data[offsets[i]:offsets[i + 1]]`, int64 [documents + 1].

    `labels`: one for each document. `places`, `starts`: source and byte offset of each; one place may stand for all.
    """

    data: bytes | bytearray
    offsets: npt.NDArray[np.int64]
    labels: Sequence[str]
    places: Sequence[str]
    starts: Sequence[int] | npt.NDArray[np.int64]
    dead: Sequence[DeadLetter]
    encoding: str
    strip_bom: bool = False

    def dead_letter(self, document: int, reason: str) -> DeadLetter:
        """The dead letter of one of the documents."""
        place = self.places[document] if len(self.places) > 1 else self.places[0]
        return DeadLetter(place, int(self.starts[document]), reason)


def read_batches(slices: Sequence[Slice], reading: Reading) -> Iterator[Batch]:
    """The documents of a shard, in batches of one encoding each.

    Raises InputError when an input that was listed cannot be opened any more.
    """
    for (kind, encoding), group in itertools.groupby(
        slices, lambda piece: (piece.source.format, piece.source.encoding)
    ):
        pieces = list(group)
        try:
            if kind == "document":
                yield from _documents(pieces, reading, encoding)
            else:
                for piece in pieces:
                    yield from _FORMATS[kind](piece, reading)
        except OSError as error:
            place = error.filename or pieces[0].source.place
            raise InputError(f"{place}: {error.strerror or error}, though it was there when the run began") from error


def open_path(path: str) -> IO[bytes]:
    """Opens a local path or an fsspec URL for reading."""
    if "://" in path:
        import fsspec

        return cast(IO[bytes], fsspec.open(path, "rb").open())
    return open(path, "rb")


def open_source(source: Source) -> IO[bytes]:
    """Opens a source as a stream of decompressed bytes; UTF-16 and UTF-32 come as UTF-8, faults in them included."""
    file = open_path(source.path)
    if source.compression:
        codec = {"gz": "gzip", "zst": "zstd"}[source.compression]
        file = cast(IO[bytes], pa.CompressedInputStream(pa.PythonFile(file, "r"), codec))
    if source.wide:
        file = cast(IO[bytes], _Transcoder(file, source.encoding))
    return file


class _Transcoder(io.RawIOBase):
    """Re-encodes wide characters as UTF-8; what cannot be decoded becomes bytes that are not UTF-8."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._file, self._encoding = file, encoding
        self._decoder: codecs.IncrementalDecoder | None = None

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def read(self, size: int = -1) -> bytes:
        while block := self._file.read(max(size, 4) if self._decoder is None else size):
            self._decoder = self._decoder or _wide_decoder(self._encoding, block)
            if text := self._decoder.decode(block):
                return text.encode("utf-8", "surrogatepass")
        if self._decoder is None:
            return b""
        try:
            return self._decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            self._decoder.reset()
            return b"\xff"


def _wide_decoder(encoding: str, head: bytes) -> codecs.IncrementalDecoder:
    """A decoder for what begins with `head`; without a byte order mark the order is the machine's, as in `decode`."""
    marks = {"utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE), "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)}
    if encoding in marks and not head.startswith(marks[encoding]):
        encoding = f"{encoding}-{sys.byteorder[0]}e"
    return codecs.getincrementaldecoder(encoding)("surrogatepass")


def _documents(pieces: Iterable[Slice], reading: Reading, encoding: str) -> Iterator[Batch]:
    """Small files, many to a batch."""
    data, ends, labels, places, dead = bytearray(), [0], [], [], []
    for piece in pieces:
        source = piece.source
        content, problem = _document(source, reading.max_document_bytes)
        if problem:
            dead.append(DeadLetter(source.place, 0, problem))
            continue
        data += content
        ends.append(len(data))
        labels.append(source.label)
        places.append(source.place)
        if len(data) >= BATCH_BYTES:
            yield Batch(data, np.array(ends), labels, places, [0] * len(labels), dead, encoding, strip_bom=True)
            data, ends, labels, places, dead = bytearray(), [0], [], [], []
    if labels or dead:
        yield Batch(data, np.array(ends), labels, places, [0] * len(labels), dead, encoding, strip_bom=True)


def _document(source: Source, limit: int) -> tuple[bytes | bytearray, str]:
    """The bytes of one document, or why there are none; no more than `limit` are held."""
    if source.problem:
        return b"", source.problem
    if source.size > limit:
        return b"", f"{source.size:,} bytes: more than --max-document-bytes {limit:,}"
    if source.member is not None:
        return _member(source, limit)
    if "://" in source.path:
        with open_path(source.path) as file:
            content = file.read(limit + 1)
    else:
        descriptor = os.open(source.path, os.O_RDONLY)
        try:
            # One byte more than was listed: an answer of just that size is the whole file, without asking again.
            content = os.read(descriptor, source.size + 1)
            while source.size != len(content) <= limit and (more := os.read(descriptor, 1 << 20)):
                content += more
        finally:
            os.close(descriptor)
    if len(content) > limit:
        return b"", f"more than --max-document-bytes {limit:,}: the file has grown since it was listed"
    return content, ""


def _member(source: Source, limit: int) -> tuple[bytes | bytearray, str]:
    """One member of a zip archive, found by its offset: reading the archive's whole index for a shard takes seconds."""
    assert source.member is not None
    offset, compressed, method = source.member
    with open_path(source.path) as file:
        file.seek(offset)
        header = file.read(_LOCAL_HEADER)
        if len(header) < _LOCAL_HEADER or header[:4] != b"PK\x03\x04":
            return b"", "damaged archive: there is no member at its offset"
        file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), os.SEEK_CUR)
        content, left, unpack = bytearray(), compressed, zlib.decompressobj(-zlib.MAX_WBITS)
        while left and len(content) <= limit:  # in pieces, as the archive may lie about both sizes
            block = file.read(min(left, 1 << 20))
            if not block:
                return b"", "damaged archive: the member is cut off"
            left -= len(block)
            try:
                content += block if method == zipfile.ZIP_STORED else unpack.decompress(block, limit + 1 - len(content))
            except zlib.error as error:
                return b"", f"damaged archive: {error}"
    if len(content) > limit:
        return b"", f"more than --max-document-bytes {limit:,}, whatever the archive says"
    if len(content) != source.size or f"{zlib.crc32(content):08x}" != source.version:
        return b"", "damaged archive: size or CRC of the member is wrong"
    return content, ""


@dataclass(frozen=True, slots=True)
class _Lines:
    """Whole lines with their newlines, line i at `data[bounds[i]:bounds[i + 1]]`, the first at byte `start`."""

    data: bytes
    bounds: npt.NDArray[np.int64]
    start: int
    dead: list[DeadLetter]


def _lines(piece: Slice, limit: int) -> Iterator[_Lines]:
    """The lines that begin in a slice, many at a time; a line over `limit` bytes is passed by without holding it."""
    source = piece.source
    end = piece.end if splittable(source) and piece.end < source.size else None
    dead: list[DeadLetter] = []
    pending, skipping = b"", piece.begin > 0
    # The byte before the slice tells whether a line begins with the slice.
    position = rest = piece.begin - skipping
    with open_source(source) as file:
        if position:
            file.seek(position)
        last, problem = False, ""
        while not last:
            block, problem = _read_block(file, source, position)
            start, position = position, position + len(block)
            last = not block or bool(problem)
            if skipping:
                cut = block.find(b"\n") + 1
                skipping = cut == 0
                block, start = (block[cut:], start + cut) if cut else (b"", position)
                rest = start
                if end is not None and start >= end:
                    break
                if skipping:
                    continue
            data, start = pending + block, start - len(pending)
            if start == 0 and data.startswith(_BOM) and _named(source) == "utf-8":
                data, start = data[len(_BOM) :], len(_BOM)
            cut = len(data) if last and not problem else data.rfind(b"\n") + 1
            if end is not None and start + cut >= end:
                cut, last = data.find(b"\n", max(end - 1 - start, 0), cut) + 1 or cut, True
            if cut:
                yield _without_long(_Lines(data[:cut], _bounds(data[:cut]), start, dead), source, limit)
                dead = []
            pending, rest = data[cut:], start + cut
            if len(pending) > limit + 1 and not last:  # one byte may be half of its newline
                dead.append(DeadLetter(source.place, rest, _too_long(limit)))
                pending, skipping = b"", True
                last = end is not None and position >= end
    if problem:
        dead.append(DeadLetter(source.place, rest, f"damaged from here on: {problem}"))
    if dead:
        yield _Lines(b"", np.zeros(1, np.int64), position, dead)


def _read_block(file: IO[bytes], source: Source, position: int) -> tuple[bytes, str]:
    """The next block; of a damaged stream what stands before the fault, and what is wrong with it."""
    if not source.compression and not source.wide:
        return file.read(BATCH_BYTES), ""
    block = bytearray()
    try:
        while len(block) < BATCH_BYTES and (piece := file.read(min(PIECE_BYTES, BATCH_BYTES - len(block)))):
            block += piece
    except (pa.ArrowException, EOFError, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        return bytes(block) + _salvage(source, position + len(block)), str(error)
    return bytes(block), ""


def _salvage(source: Source, position: int) -> bytes:
    """What can be read behind `position` still, byte by byte: of a read that fails, Arrow drops all."""
    rest = bytearray()
    if not source.wide:
        with contextlib.suppress(pa.ArrowException, OSError), open_source(source) as file:
            while position and (piece := file.read(min(PIECE_BYTES, position))):
                position -= len(piece)
            while piece := file.read(1):
                rest += piece
    return bytes(rest)


def _bounds(data: bytes) -> npt.NDArray[np.int64]:
    """Where lines begin, and the end of the last."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    return np.unique(np.concatenate([[0], ends, [len(data)]]))


def _too_long(limit: int) -> str:
    return f"a line of more than --max-document-bytes {limit:,}"


def _without_long(lines: _Lines, source: Source, limit: int) -> _Lines:
    """Buries lines over the limit that were read whole, as a block may be larger than the limit."""
    sizes = np.diff(lines.bounds)
    ranges = [lines.bounds[line : line + 2].tolist() for line in np.flatnonzero(sizes > limit)]
    long = [(begin, end) for begin, end in ranges if end - begin - _newline(lines.data[end - 2 : end]) > limit]
    if not long:
        return lines
    dead = [DeadLetter(source.place, lines.start + begin, _too_long(limit)) for begin, _ in long]
    data = bytearray(lines.data)
    for begin, end in long:
        # Overwritten, not cut out: the places of the other lines stay what they are.
        data[begin:end] = b"\n" * (end - begin)
    return _Lines(bytes(data), lines.bounds, lines.start, lines.dead + dead)


def _newline(tail: bytes) -> int:
    """How many of the last bytes of a line are its newline."""
    return 2 if tail == b"\r\n" else int(tail.endswith(b"\n"))


def _plain_lines(piece: Slice, reading: Reading) -> Iterator[Batch]:
    """A document a line. Newlines stay, as white space is not counted; blank lines are part of the line before."""
    source = piece.source
    for lines in _lines(piece, reading.max_document_bytes):
        begins = lines.bounds[:-1]
        data = np.frombuffer(lines.data + b"\n", np.uint8)
        blank = (data[begins] == ord("\n")) | ((data[begins] == ord("\r")) & (data[begins + 1] == ord("\n")))
        starts = begins[~blank]
        offsets = np.concatenate([starts, [len(lines.data)]]) if len(starts) else np.zeros(1, np.int64)
        yield Batch(
            lines.data,
            offsets,
            [source.label] * len(starts),
            [source.place],
            starts + lines.start,
            lines.dead,
            _named(source),
        )


def _named(source: Source) -> str:
    """The encoding of the bytes that `open_source` gives."""
    return "utf-8" if source.wide else source.encoding


def _parsed_lines(
    piece: Slice, reading: Reading, parse: Callable[[bytes], tuple[bytes, str]], encoding: str
) -> Iterator[Batch]:
    """A record a line, of which `parse` makes text in `encoding` and label; it raises ValueError for a bad one."""
    source = piece.source
    for lines in _lines(piece, reading.max_document_bytes):
        data, ends, labels, starts, dead = bytearray(), [0], [], [], list(lines.dead)
        bounds = lines.bounds.tolist()
        for begin, end in itertools.pairwise(bounds):
            line = lines.data[begin:end].rstrip(b"\r\n")
            if not line:
                continue
            try:
                text, label = parse(line)
            except ValueError as error:
                dead.append(DeadLetter(source.place, lines.start + begin, str(error)))
                continue
            data += text
            ends.append(len(data))
            labels.append(label or source.label)
            starts.append(lines.start + begin)
        yield Batch(data, np.array(ends), labels, [source.place], starts, dead, encoding)


def _parse_json(line: str, reading: Reading) -> tuple[bytes, str]:
    try:
        record = json.loads(line)
    except RecursionError as error:
        raise ValueError("not JSON that can be read: nested too deep") from error
    if not isinstance(record, dict):
        raise ValueError(f"not a JSON object but {type(record).__name__}")
    text, label = record.get(reading.text_field), record.get(reading.label_field, "")
    named = f" (record {record[reading.id_field]})" if reading.id_field in record else ""
    if not isinstance(text, str):
        raise ValueError(f"field {reading.text_field!r} (--text-field) is missing or no string{named}")
    if label is not None and not isinstance(label, str | int):
        raise ValueError(f"field {reading.label_field!r} (--label-field) is no string{named}")
    try:
        return text.encode("utf-8"), "" if label is None else str(label).encode("utf-8").decode()
    except UnicodeEncodeError as error:
        raise ValueError(f"a lone surrogate at character {error.start}{named}") from error


def _tsv(piece: Slice, reading: Reading) -> Iterator[Batch]:
    encoding = _named(piece.source)

    def parse(line: bytes) -> tuple[bytes, str]:
        label, tab, text = line.partition(b"\t")
        if not tab:
            raise ValueError("no tab: a line is label<TAB>text")
        try:
            return text, label.decode(encoding, _on_errors(reading))
        except UnicodeDecodeError as error:
            raise ValueError(f"the label is not {encoding}: {error.reason}") from error

    return _parsed_lines(piece, reading, parse, encoding)


def _jsonl(piece: Slice, reading: Reading) -> Iterator[Batch]:
    encoding = _named(piece.source)

    def parse(line: bytes) -> tuple[bytes, str]:
        return _parse_json(line.decode(encoding, _on_errors(reading)), reading)

    return _parsed_lines(piece, reading, parse, "utf-8")


def _on_errors(reading: Reading) -> str:
    return "replace" if reading.errors == "replace" else "strict"


def _parquet(piece: Slice, reading: Reading) -> Iterator[Batch]:
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
    table = pq.ParquetFile(file, buffer_size=PIECE_BYTES)
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
        if text is None or len(text) > limit:
            dead.append(DeadLetter(source.place, row, "the text is null" if text is None else _too_long(limit)))
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


_FORMATS: dict[str, Callable[[Slice, Reading], Iterator[Batch]]] = {
    "lines": _plain_lines,
    "tsv": _tsv,
    "jsonl": _jsonl,
    "parquet": _parquet,
}
