"""TFRecord files and `tf.train.Example` messages without TensorFlow.

Framing: TensorFlow's `core/lib/io/record_writer.h`; messages: `core/example/example.proto` in protocol buffers' wire
format, map entries in the order of TensorFlow's deterministic serialization.
"""

import functools
import itertools
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO

import numpy as np
import numpy.typing as npt
from google_crc32c import value as crc32c

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Feature = Integers | Floats | Sequence[bytes] | bytes

PIECE_BYTES = 1 << 20
HEADER_BYTES, FOOTER_BYTES = 12, 4
LARGEST_RECORD = 1 << 31  # what a message of protocol buffers may have
_HEADERS_KEPT = 1 << 16
_BYTES, _FLOATS, _INTEGERS = 0x0A, 0x12, 0x1A  # fields 1 to 3 of Feature, each with a length
_SHIFTS = np.arange(0, 70, 7, dtype=np.uint64)


class RecordError(ValueError):
    """A TFRecord file or a record in it that is not as it was written."""


def masked_crc(data: bytes) -> int:
    """CRC-32C of bytes, masked as TFRecord stores it, so that CRCs of CRCs stay good.

    >>> hex(masked_crc(b"123456789"))
    '0xc78ab0e5'
    """
    crc: int = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def frame(records: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of a TFRecord file, in pieces of about a MiB."""
    parts: list[bytes] = []
    size = 0
    for record in records:
        length = struct.pack("<Q", len(record))
        parts += (length, struct.pack("<I", masked_crc(length)), record, struct.pack("<I", masked_crc(record)))
        size += HEADER_BYTES + len(record) + FOOTER_BYTES
        if size >= PIECE_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


def read_frames(file: IO[bytes], *, name: str, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """The records of a file that is positioned at byte `offset`, each with the byte at which it begins.

    Raises RecordError that names file, byte and what is wrong, for a file that is torn or has changed.

    >>> import io
    >>> [record for _, record in read_frames(io.BytesIO(b"".join(frame([b"one", b"two"]))), name="a.tfrecord")]
    [b'one', b'two']
    """
    headers: dict[bytes, int] = {}  # lengths whose CRC was found right: there are few
    unpack = struct.Struct("<I").unpack_from
    block, position = b"", 0
    while True:
        left = len(block) - position
        header = block[position : position + HEADER_BYTES]
        length = headers.get(header, -1)
        if length < 0 and left >= HEADER_BYTES:
            length = _length(header, name, offset)
            if len(headers) < _HEADERS_KEPT:
                headers[header] = length
        size = HEADER_BYTES + max(length, 0) + FOOTER_BYTES
        if left < size:
            more = file.read(max(PIECE_BYTES, size - left))
            if more:
                block, position = block[position:] + more, 0
                continue
            if left:
                raise RecordError(f"{name}: torn at byte {offset}: a record begins there and the file ends within it")
            return
        end = position + size - FOOTER_BYTES
        record = block[position + HEADER_BYTES : end]
        crc = crc32c(record)
        if (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF != unpack(block, end)[0]:
            raise RecordError(f"{name}: damaged: the record at byte {offset} does not match its CRC: write it anew")
        yield offset, record
        position += size
        offset += size


def _length(header: bytes, name: str, offset: int) -> int:
    length, crc = struct.unpack("<QI", header)
    if masked_crc(header[:8]) != crc or length >= LARGEST_RECORD:
        raise RecordError(f"{name}: damaged: no record begins at byte {offset}, the CRC of its length is wrong")
    return int(length)


def encode_example(features: Mapping[str, Feature]) -> bytes:
    """The bytes of a `tf.train.Example`, equal to TensorFlow's `SerializeToString(deterministic=True)`.

    Values: integers [n], floating-point numbers [n] (stored as float32), a sequence of bytes, or what `encode_lists`
    made of integers.

    >>> encode_example({"ids": np.array([1, 300])}).hex()
    '0a100a0e0a0369647312071a050a0301ac02'
    """
    entries: list[bytes] = []
    for name, key in _keys(tuple(features)):
        feature = _encode_feature(features[name])
        entry = b"".join((key, b"\x12", varint(len(feature)), feature))
        entries += (b"\n", varint(len(entry)), entry)
    body = b"".join(entries)
    return b"\n" + varint(len(body)) + body


@functools.lru_cache
def _keys(names: tuple[str, ...]) -> list[tuple[str, bytes]]:
    """Names in order, each with its field of an entry: by bytes, but `ids` before `id`.

    So upb sorts them, the implementation of protocol buffers that TensorFlow has in Python.
    """
    keys = [(name, name.encode()) for name in names]
    keys.sort(key=lambda item: item[1] + b"\xff")  # a byte that UTF-8 does not have
    return [(name, b"\n" + varint(len(key)) + key) for name, key in keys]


def _encode_feature(value: Feature) -> bytes:
    if isinstance(value, bytes):
        tag, body = _INTEGERS, b"\n" + varint(len(value)) + value if value else b""
    elif isinstance(value, np.ndarray):
        if value.dtype.kind == "f":
            tag, packed = _FLOATS, value.astype("<f4").tobytes()
        else:
            tag, packed = _INTEGERS, encode_varints(value.astype(np.int64, copy=False))
        body = b"\n" + varint(len(packed)) + packed if packed else b""
    else:
        tag, body = _BYTES, b"".join(part for item in value for part in (b"\n", varint(len(item)), item))
    return bytes((tag,)) + varint(len(body)) + body


def varint(number: int) -> bytes:
    """A non-negative integer as a varint."""
    if number < len(_SMALL):
        return _SMALL[number]
    return _varint(number)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_SMALL = [_varint(number) for number in range(1 << 12)]  # most lengths


def encode_varints(values: Integers) -> bytes:
    """Integers [n] as varints back to back; a negative one takes ten bytes.

    >>> encode_varints(np.array([1, 300])).hex()
    '01ac02'
    """
    return _encode(values)[0]


def encode_lists(values: Integers, offsets: Integers) -> list[bytes]:
    """The varints of many lists at once, list `i` being `values[offsets[i]:offsets[i + 1]]`.

    >>> [item.hex() for item in encode_lists(np.array([1, 300, 2]), np.array([0, 2, 2, 3]))]
    ['01ac02', '', '02']
    """
    data, sizes = _encode(values)
    bounds = np.concatenate([[0], np.cumsum(sizes)])[offsets].tolist()
    return [data[begin:end] for begin, end in itertools.pairwise(bounds)]


def _encode(values: Integers) -> tuple[bytes, npt.NDArray[np.int64]]:
    """Varints back to back, and how many bytes each has."""
    unsigned = values.view(np.uint64)
    longest = -(-int(unsigned.max(initial=0)).bit_length() // 7)
    if longest <= 1:
        return unsigned.astype(np.uint8).tobytes(), np.ones(len(values), np.int64)
    groups = unsigned[:, None] >> _SHIFTS[:longest]
    used = groups != 0
    used[:, 0] = True
    low = groups.astype(np.uint8) & 0x7F
    low[:, :-1] |= used[:, 1:].view(np.uint8) << 7
    return low[used].tobytes(), used.sum(axis=1)


def decode_varints(data: bytes | memoryview) -> Integers:
    """Varints back to back as int64 [n]; raises ValueError when the last has no end.

    >>> decode_varints(bytes.fromhex("01ac02"))
    array([  1, 300])
    """
    octets = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(octets < 0x80)
    if len(ends) == len(octets):
        return octets.astype(np.int64)
    if not len(ends) or ends[-1] != len(octets) - 1:
        raise ValueError("a varint has no end")
    begins = np.empty_like(ends)
    begins[0] = 0
    np.add(ends[:-1], 1, out=begins[1:])
    places = np.arange(len(octets)) - np.repeat(begins, ends - begins + 1)
    if places.max() >= len(_SHIFTS):
        raise ValueError("a varint of more than ten bytes")
    return np.add.reduceat((octets & 0x7F).astype(np.int64) << 7 * places, begins)


def decode_example(data: bytes) -> dict[str, Integers | Floats | list[bytes]]:
    """The features of a serialized `tf.train.Example`: int64 [n], float32 [n] or a list of bytes.

    Raises ValueError for bytes that are none.

    >>> decode_example(encode_example({"ids": np.array([1, 300]), "text": [b"ab"]}))
    {'ids': array([  1, 300]), 'text': [b'ab']}
    """
    found: dict[str, Integers | Floats | list[bytes]] = {}
    for tag, body in _fields(data):
        if tag != _BYTES:
            continue
        for _, entry in _fields(body):
            parts = dict(_fields(entry))
            found[str(parts.get(0x0A, b""), "utf-8")] = _decode_feature(parts.get(0x12, b""))
    return found


def _decode_feature(data: bytes) -> Integers | Floats | list[bytes]:
    for tag, body in _fields(data):
        if tag == _BYTES:
            return [item for _, item in _fields(body)]
        if tag == _INTEGERS:
            packed = b"".join(item for _, item in _fields(body))
            return decode_varints(packed)
        if tag == _FLOATS:
            return np.frombuffer(b"".join(item for _, item in _fields(body)), "<f4")
    return []


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of the fields of a message; all fields of an Example have a length."""
    position, end = 0, len(data)
    while position < end:
        tag = data[position]
        if tag & 7 != 2 or tag >= 0x80:
            raise ValueError(f"not a tf.train.Example: tag {tag:#x} at byte {position}")
        position += 1
        length = shift = 0
        while True:
            if position >= end or shift > 35:
                raise ValueError(f"not a tf.train.Example: it ends within the length at byte {position}")
            octet = data[position]
            position += 1
            length |= (octet & 0x7F) << shift
            if octet < 0x80:
                break
            shift += 7
        if length > end - position:
            raise ValueError(f"not a tf.train.Example: {length} bytes wanted at byte {position}, {end - position} left")
        yield tag, data[position : position + length]
        position += length
