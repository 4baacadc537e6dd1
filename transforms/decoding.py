"""Documents from bytes to code points: many in one compiled call, exactly as Python's codecs decode them.

UTF-8 is RFC 3629's (no surrogates, no overlong forms). GB18030 and the encodings of one or two bytes are the running
Python's: the tables are read off its codecs. Any other encoding, and any bad document, goes through Python itself.
"""

import codecs
import difflib
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from encodings.aliases import aliases
from typing import Literal

import numpy as np
import numpy.typing as npt

from transforms.compiled import helper, kernel
from transforms.double_array import code_points

BYTE_ORDER_MARK = 0xFEFF
UTF8, PAIRS, AUTO = 0, 1, 2
COMPILED = {"utf-8": UTF8, "auto": AUTO} | dict.fromkeys(("gb18030", "gbk", "gb2312", "big5", "cp950"), PAIRS)

_BYTE, _UNIT, _POINT, _OFFSET = np.dtype("u1"), np.dtype("u2"), np.dtype("u4"), np.dtype("i8")


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Documents as code points: document `i` is `points[offsets[i]:offsets[i + 1]]`.

    `points`: uint32, the good documents back to back. `offsets`: int64 [documents + 1]; the range of a bad document is
    empty. `failures`: why a document is bad, by its index.
    """

    points: npt.NDArray[np.uint32]
    offsets: npt.NDArray[np.int64]
    failures: dict[int, str]


# Indices are cast to unsigned, or Numba would ask of each whether it counts from the end: a third of the time.
@helper
def _put_ascii(data, position, end, points, count):  # type: ignore[no-untyped-def]
    """Takes eight bytes if they are all ASCII, else the one at `position`, which is; returns how many."""
    if position + 8 <= end:
        united = data[np.uint64(position)]
        for step in range(1, 8):
            united |= data[np.uint64(position + step)]
        if united < 0x80:
            for step in range(8):
                points[np.uint64(count + step)] = data[np.uint64(position + step)]
            return 8
    points[np.uint64(count)] = data[np.uint64(position)]
    return 1


@helper
def _put_utf8(data, position, end, points, count):  # type: ignore[no-untyped-def]
    """Decodes data[position:end] to points[count:]; returns where those end, or `~offset` of the first bad sequence."""
    while position < end:
        lead = data[np.uint64(position)]
        if lead < 0x80:
            length = _put_ascii(data, position, end, points, count)
            position += length
            count += length
            continue
        left = end - position
        if 0xE0 <= lead < 0xF0 and left >= 3:  # Han
            second, third = data[np.uint64(position + 1)], data[np.uint64(position + 2)]
            point = (lead & 0x0F) << 12 | (second & 0x3F) << 6 | third & 0x3F
            bad = ((second ^ 0x80) | (third ^ 0x80)) & 0xC0
            if bad or point < 0x800 or point >> 11 == 0xD800 >> 11:
                return ~position
            position += 3
        elif 0xC2 <= lead < 0xE0 and left >= 2 and data[np.uint64(position + 1)] & 0xC0 == 0x80:
            point = (lead & 0x1F) << 6 | data[np.uint64(position + 1)] & 0x3F
            position += 2
        elif 0xF0 <= lead < 0xF5 and left >= 4:
            second, third = data[np.uint64(position + 1)], data[np.uint64(position + 2)]
            fourth = data[np.uint64(position + 3)]
            point = (lead & 0x07) << 18 | (second & 0x3F) << 12 | (third & 0x3F) << 6 | fourth & 0x3F
            bad = ((second ^ 0x80) | (third ^ 0x80) | (fourth ^ 0x80)) & 0xC0
            if bad or point < 0x10000 or point > 0x10FFFF:
                return ~position
            position += 4
        else:
            return ~position
        points[np.uint64(count)] = point
        count += 1
    return count


@helper
def _put_pairs(data, position, end, pairs, quads, points, count):  # type: ignore[no-untyped-def]
    """The same for GB18030 or, when `quads` is empty, an encoding of ASCII and pairs of bytes."""
    while position < end:
        lead = data[np.uint64(position)]
        if lead < 0x80:
            length = _put_ascii(data, position, end, points, count)
            position += length
            count += length
            continue
        left = end - position
        if left < 2:
            return ~position
        second = data[np.uint64(position + 1)]
        point = np.int64(pairs[np.uint64(lead << 8 | second)])
        if point:
            position += 2
        else:
            if left < 4 or len(quads) == 0 or lead == 0x80 or not 0x30 <= second <= 0x39:
                return ~position
            third, fourth = data[np.uint64(position + 2)], data[np.uint64(position + 3)]
            if not 0x81 <= third <= 0xFE or not 0x30 <= fourth <= 0x39:
                return ~position
            index = (((lead - 0x81) * 10 + second - 0x30) * 126 + third - 0x81) * 10 + fourth - 0x30
            if lead >= 0x90:  # beyond the basic plane, in order
                point = index - (0x90 - 0x81) * 12600 + 0x10000
            elif index < len(quads):
                point = np.int64(quads[index])
            if point == 0 or point > 0x10FFFF:
                return ~position
            position += 4
        points[np.uint64(count)] = point
        count += 1
    return count


@kernel(_BYTE, _OFFSET, int, int, _UNIT, _UNIT, _POINT, _OFFSET, _OFFSET)
def _decode(data, offsets, encoding, strip_bom, pairs, quads, points, bounds, bad):  # type: ignore[no-untyped-def]
    """Fills points, bounds [documents + 1] and, for each document, how many bytes of it are good or -1 if all are."""
    count = 0
    bounds[0] = 0
    for item in range(len(offsets) - 1):
        begin, end = offsets[item], offsets[item + 1]
        reached = ~begin
        if encoding != PAIRS:
            reached = _put_utf8(data, begin, end, points, count)
        if encoding != UTF8 and reached < 0:
            other = _put_pairs(data, begin, end, pairs, quads, points, count)
            reached = other if other >= 0 else min(reached, other)  # the encoding that got further
        if reached < 0:
            bad[item] = ~reached - begin
        else:
            bad[item] = -1
            if strip_bom and reached > count and points[count] == BYTE_ORDER_MARK:
                reached -= 1
                for place in range(count, reached):
                    points[place] = points[place + 1]
            count = reached
        bounds[item + 1] = count
    return count


def decode(
    data: bytes | bytearray | memoryview | npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    *,
    encoding: str,
    errors: Literal["strict", "replace"] = "strict",
    strip_bom: bool = True,
) -> Decoded:
    """Decodes documents that lie back to back, `data[offsets[i]:offsets[i + 1]]`, each to what `bytes.decode` gives.

    `offsets`: int64 [documents + 1], ascending. `encoding`: "auto" or any that Python knows; "auto" decides a document
    as a whole: UTF-8 if that decodes it, else GB18030 if that does. With `errors="replace"` what neither decodes is
    UTF-8 if it begins with UTF-8's byte order mark or has no more replacement characters as UTF-8 than as GB18030, and
    GB18030 otherwise. `strip_bom` drops one U+FEFF at the head of each document of UTF-8 or "auto".

    Raises LookupError for an unknown encoding and ValueError for offsets outside the data or another `errors`. A bad
    document raises nothing: it is among the `failures`, for "auto" with the error of the encoding that got further.

    >>> data = "中国".encode() + "人".encode("gb18030") + b"no\\x80!"
    >>> decoded = decode(data, np.array([0, 6, 8, 12]), encoding="auto")
    >>> decoded.points.tobytes().decode("utf-32-le"), decoded.offsets.tolist()
    ('中国人', [0, 2, 3, 3])
    >>> decoded.failures
    {2: 'not UTF-8 nor GB18030: byte 0x80 at offset 2 (illegal multibyte sequence)'}
    """
    if errors not in ("strict", "replace"):
        raise ValueError(f"errors={errors!r}: give strict or replace")
    codec = codec_name(encoding)
    if codec == "utf-8-sig":
        codec, strip_bom = "utf-8", True
    strip_bom = strip_bom and codec in ("utf-8", "auto")
    raw = np.frombuffer(data, np.uint8)
    starts = np.ascontiguousarray(offsets, np.int64)
    if len(starts) == 0 or starts[0] < 0 or starts[-1] > len(raw) or np.any(starts[1:] < starts[:-1]):
        raise ValueError(f"offsets must ascend from 0 or more to at most {len(raw)}, the bytes of the data")
    documents = len(starts) - 1
    bounds, bad = np.zeros(documents + 1, np.int64), np.zeros(documents, np.int64)
    room = np.empty(starts[-1] - starts[0] if codec in COMPILED else 0, np.uint32)  # at most a point a byte
    if codec in COMPILED:
        pairs, quads = _tables("gb18030" if codec == "auto" else codec)
        _decode(raw, starts, COMPILED[codec], strip_bom, pairs, quads, room, bounds, bad)
    failures, texts = {}, {}
    for item in np.flatnonzero(bad >= 0).tolist():
        document = raw[starts[item] : starts[item + 1]].tobytes()
        try:
            text = _by_python(document, codec, errors)
            texts[item] = text.removeprefix(chr(BYTE_ORDER_MARK)) if strip_bom else text
        except UnicodeError as error:
            failures[item] = _reason(error, codec)
    if texts:
        room = _put_in(room, bounds, texts)
    return Decoded(room[: bounds[-1]], bounds, failures)


def _put_in(
    room: npt.NDArray[np.uint32], bounds: npt.NDArray[np.int64], texts: Mapping[int, str]
) -> npt.NDArray[np.uint32]:
    """Puts documents where they belong, their ranges empty so far; what stands behind them moves up.

    Either there is room for them, as for a point a byte, or there is none and they are all the documents' points.
    """
    added, ends = code_points(list(texts.values()))
    items, lengths = np.fromiter(texts, np.int64), np.diff(ends)
    if len(room):
        end, shift = bounds[-1], ends[-1]
        for place, begin, length in zip(bounds[items][::-1], ends[:-1][::-1], lengths[::-1], strict=True):
            room[place + shift : end + shift] = room[place:end]
            end, shift = place, shift - length
            room[place + shift : place + shift + length] = added[begin : begin + length]
    moved = np.zeros_like(bounds)
    moved[items + 1] = lengths
    bounds += np.cumsum(moved)
    return room if len(room) else added


def codec_name(encoding: str) -> str:
    """Python's name of an encoding, or "auto"; raises LookupError with the nearest name."""
    if encoding == "auto":
        return encoding
    try:
        "".encode(encoding)  # unlike the look-up refuses what makes no text, such as hex
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        names = {"auto", *(name.replace("_", "-") for name in aliases.values())}
        nearest = difflib.get_close_matches(encoding.lower().replace("_", "-"), sorted(names), 1)
        hint = f"did you mean {nearest[0]}?" if nearest else "give auto, utf-8, gb18030 or a text codec of Python's"
        raise LookupError(f"unknown encoding {encoding!r}: {hint}") from None


def _by_python(document: bytes, codec: str, errors: str) -> str:
    """One document as `decode` promises it; raises UnicodeError, for "auto" that of the encoding that got further."""
    if codec != "auto":
        return document.decode(codec, errors)
    if errors == "replace":
        utf8, gb18030 = document.decode("utf-8", errors), document.decode("gb18030", errors)
        marked = document.startswith(codecs.BOM_UTF8)
        return utf8 if marked or utf8.count("\ufffd") <= gb18030.count("\ufffd") else gb18030
    raised = []
    for candidate in ("gb18030", "utf-8"):
        try:
            document.decode(candidate)
        except UnicodeDecodeError as error:
            raised.append(error)
    raise max(raised, key=lambda error: error.start)


def _reason(error: UnicodeError, codec: str) -> str:
    name = "UTF-8 nor GB18030" if codec == "auto" else codec.upper()
    if not isinstance(error, UnicodeDecodeError):
        return f"not {name}: {error}"
    byte = error.object[error.start : error.start + 1].hex()
    return f"not {name}: byte 0x{byte} at offset {error.start} ({error.reason})"


@functools.cache
def _tables(codec: str) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """The points of pairs [65536], by both bytes, and of GB18030's quadruples from 0x81308130 on [50400]; 0 is bad."""
    if codec == "utf-8":
        return np.empty(0, np.uint16), np.empty(0, np.uint16)
    pairs, quads = np.zeros((256, 256), np.uint16), np.empty(0, np.uint16)
    pairs[0x81:0xFF, 0x40:0xFF] = _points_of(codec, (0x81, 0xFF), (0x40, 0xFF)).reshape(126, 191)
    if codec == "gb18030":
        quads = _points_of(codec, (0x81, 0x85), (0x30, 0x3A), (0x81, 0xFF), (0x30, 0x3A))
    return pairs.ravel(), quads


def _points_of(codec: str, *ranges: tuple[int, int]) -> npt.NDArray[np.uint16]:
    """What a codec makes of every sequence of bytes in these ranges, 0 of bad ones.

    One call decodes them all, a line each: of a bad sequence Python replaces the first byte and goes on with the next,
    so that its line has more than one character.
    """
    sequences = np.stack(np.meshgrid(*(np.arange(*bounds) for bounds in ranges), [ord("\n")], indexing="ij"), axis=-1)
    text = (sequences.astype(np.uint8).tobytes() + b"\n\n").decode(codec, "replace")
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    ends = np.flatnonzero(points == ord("\n"))[:-2]
    return np.where(np.diff(ends, prepend=-1) == 2, points[ends - 1], 0).astype(np.uint16)
