"""Files of lines: a document a line, `label<TAB>text`, or a JSON object; any slice of them."""

import codecs
import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.storage import batches
from pipelines.storage.batches import Batch, DeadLetter
from pipelines.storage.listing import Source
from pipelines.storage.shards import Slice, splittable
from pipelines.storage.sources import Reading
from pipelines.storage.streams import open_source

PIECE_BYTES = 64 << 10
_BOM = codecs.BOM_UTF8


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
        return file.read(batches.BATCH_BYTES), ""
    block = bytearray()
    try:
        while (room := batches.BATCH_BYTES - len(block)) > 0 and (piece := file.read(min(PIECE_BYTES, room))):
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


def read_lines(piece: Slice, reading: Reading) -> Iterator[Batch]:
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


def read_tsv(piece: Slice, reading: Reading) -> Iterator[Batch]:
    """Lines of `label<TAB>text`; one without a tab is a bad record."""
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


def read_jsonl(piece: Slice, reading: Reading) -> Iterator[Batch]:
    """Lines of JSON objects, text and label in the fields that options name."""
    encoding = _named(piece.source)

    def parse(line: bytes) -> tuple[bytes, str]:
        return _parse_json(line.decode(encoding, _on_errors(reading)), reading)

    return _parsed_lines(piece, reading, parse, "utf-8")


def _on_errors(reading: Reading) -> str:
    return "replace" if reading.errors == "replace" else "strict"
