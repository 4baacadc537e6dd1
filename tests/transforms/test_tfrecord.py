"""TFRecord files and Example messages: round trips, and every way in which bytes can be wrong."""

import io
import itertools
import re
import struct
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.tfrecord import (
    LARGEST_RECORD,
    PIECE_BYTES,
    Feature,
    RecordError,
    decode_example,
    decode_varints,
    encode_example,
    encode_lists,
    encode_varints,
    frame,
    masked_crc,
    read_frames,
    varint,
)

int64s = st.integers(-(1 << 63), (1 << 63) - 1)
edges = st.builds(
    lambda groups, side, step: side * (1 << 7 * groups) + step, st.integers(0, 8), *(st.integers(-1, 1),) * 2
)
integers = st.lists(int64s | edges | st.integers(0, 200), max_size=20)
floats = st.lists(st.floats(width=32), max_size=20)
texts = st.lists(st.binary(max_size=300), max_size=5)
names = st.text(max_size=5)
features = st.dictionaries(
    names,
    integers.map(lambda values: np.array(values, np.int64))
    | floats.map(lambda values: np.array(values, np.float32))
    | texts,
    max_size=6,
)


def plain_varint(number: int) -> bytes:
    """As protocol buffers describe it, bit by bit."""
    number &= (1 << 64) - 1
    out = []
    while True:
        number, low = number >> 7, number & 0x7F
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def file_of(records: Sequence[bytes]) -> bytes:
    return b"".join(frame(records))


def read(content: bytes, *, offset: int = 0) -> list[tuple[int, bytes]]:
    file = io.BytesIO(content)
    file.seek(offset)
    return list(read_frames(file, name="a.tfrecord", offset=offset))


# --- varints ---


@given(integers)
def test_varints_are_those_of_protocol_buffers(values: list[int]) -> None:
    encoded = encode_varints(np.array(values, np.int64))
    assert encoded == b"".join(map(plain_varint, values))
    decoded = decode_varints(encoded)
    assert decoded.dtype == np.int64
    assert decoded.tolist() == values


@given(st.integers(0, (1 << 64) - 1))
def test_a_varint_of_any_length(number: int) -> None:
    assert varint(number) == plain_varint(number)


@given(st.lists(integers, max_size=8), integers)
def test_lists_are_encoded_as_one_by_one(lists: list[list[int]], before: list[int]) -> None:
    offsets = np.cumsum([len(before), *map(len, lists)])
    encoded = encode_lists(np.array([*before, *itertools.chain(*lists)], np.int64), offsets)
    assert encoded == [encode_varints(np.array(values, np.int64)) for values in lists]


@pytest.mark.parametrize(
    ("data", "message"), [(b"\x80", "no end"), (b"\x01\xff", "no end"), (b"\x80" * 10 + b"\x01", "more than ten bytes")]
)
def test_bytes_that_are_no_varints(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_varints(data)


# --- Examples ---


@given(features)
def test_an_example_is_what_it_was(values: dict[str, Feature]) -> None:
    found = decode_example(encode_example(values))
    assert found.keys() == values.keys()
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            assert isinstance(found[name], np.ndarray)
            assert found[name].dtype == value.dtype  # type: ignore[union-attr]
            assert found[name].tobytes() == value.tobytes()  # type: ignore[union-attr]
        else:
            assert found[name] == value


@given(st.dictionaries(names, integers, max_size=6))
def test_lists_encoded_before_make_the_same_example(values: dict[str, list[int]]) -> None:
    offsets = np.cumsum([0, *map(len, values.values())])
    encoded = encode_lists(np.array([*itertools.chain(*values.values())], np.int64), offsets)
    arrays = {name: np.array(value, np.int64) for name, value in values.items()}
    assert encode_example(dict(zip(values, encoded, strict=True))) == encode_example(arrays)


@pytest.mark.parametrize(
    ("given_", "stored"),
    [
        (np.array([1, 300], np.int32), np.array([1, 300], np.int64)),
        (np.array([True, False]), np.array([1, 0], np.int64)),
        (np.array([1, 300], ">i8"), np.array([1, 300], np.int64)),
        (np.arange(10)[::-3], np.array([9, 6, 3, 0], np.int64)),
        (np.array([0.1, -2]), np.array([0.1, -2], np.float32)),
        (np.array([0.5], np.float16), np.array([0.5], np.float32)),
    ],
)
def test_arrays_of_other_types_are_stored_as_int64_and_float32(given_: Feature, stored: np.ndarray) -> None:
    found = decode_example(encode_example({"values": given_}))["values"]
    assert isinstance(found, np.ndarray)
    assert (found.dtype, found.tolist()) == (stored.dtype, stored.tolist())


def test_features_stand_in_the_order_of_their_utf_8_bytes_and_longer_ones_first() -> None:
    encoded = encode_example({name: [b"x"] for name in ("\U00020000", "￥", "id", "", "a", "ids", "id中")})
    assert list(decode_example(encoded)) == ["a", "ids", "id中", "id", "￥", "\U00020000", ""]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("08", "tag 0x8 at byte 0"),
        ("8a", "tag 0x8a at byte 0"),
        ("0a", "ends within the length at byte 1"),
        ("0a80", "ends within the length at byte 2"),
        ("0a8080808080808000", "ends within the length"),
        ("0a05", "5 bytes wanted at byte 2, 0 left"),
        ("0a030a0161", "tag 0x61 at byte 0"),
        ("0a070a050a01ff1200", "'utf-8' codec"),
        ("0a0e0a0c0a0161120712050a03000000", "multiple of element size"),  # floats of three bytes
    ],
)
def test_bytes_that_are_no_example(data: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode_example(bytes.fromhex(data))


@given(
    st.binary(max_size=60) | st.text("\n\x01\x02\x12\x1a\x05a\x80", max_size=30).map(lambda text: text.encode("latin1"))
)
def test_any_bytes_are_an_example_or_a_value_error(data: bytes) -> None:
    with suppress(ValueError):
        decode_example(data)


@given(features, st.data())
def test_changed_bytes_are_an_example_or_a_value_error(values: dict[str, Feature], data: st.DataObject) -> None:
    encoded = bytearray(encode_example(values))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(encoded) - 1))
        match data.draw(st.sampled_from(["set", "cut", "insert"])):
            case "set":
                encoded[place] = data.draw(st.integers(0, 255))
            case "insert":
                encoded.insert(place, data.draw(st.integers(0, 255)))
            case _ if len(encoded) > 1:
                del encoded[place]
    with suppress(ValueError):
        decode_example(bytes(encoded))


def test_a_cut_example_is_a_value_error() -> None:
    encoded = encode_example({"ids": np.array([1, 300]), "text": [b"ab"], "x": np.array([0.5])})
    for size in range(1, len(encoded)):
        with pytest.raises(ValueError, match=r"^not a tf\.train\.Example: "):
            decode_example(encoded[:size])


# --- files ---


def test_the_crc_of_the_specification() -> None:
    # RFC 3720, B.4: 32 bytes of zeros, and of ones.
    for data, crc in ((bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)):
        assert masked_crc(data) == (((crc >> 15) | (crc << 17) & 0xFFFFFFFF) + 0xA282EAD8) % (1 << 32)


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_a_file_is_its_records_in_order(records: list[bytes]) -> None:
    content = file_of(records)
    starts = list(itertools.accumulate((len(record) + 16 for record in records), initial=0))
    assert len(content) == starts[-1]
    assert read(content) == list(zip(starts, records, strict=False))
    for start, record in zip(starts, records, strict=False):
        length = struct.pack("<Q", len(record))
        header = length + struct.pack("<I", masked_crc(length))
        assert content[start:].startswith(header + record + struct.pack("<I", masked_crc(record)))


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=6), st.data())
def test_a_file_read_from_a_record_on(records: list[bytes], data: st.DataObject) -> None:
    whole = read(file_of(records))
    first = data.draw(st.integers(0, len(records)))
    offset = whole[first][0] if first < len(records) else len(file_of(records))
    assert read(file_of(records), offset=offset) == whole[first:]


RECORDS = [b"one", b"", b"three" * 3, b"three" * 3]
STARTS = [0, 19, 35, 66]


def test_every_flipped_bit_is_named_with_file_and_byte() -> None:
    content = file_of(RECORDS)
    for place in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[place] ^= 1 << bit
            begun = max(start for start in STARTS if start <= place)
            found = []
            with pytest.raises(RecordError) as caught:
                found.extend(read(bytes(flipped)))
            assert re.fullmatch(rf"a\.tfrecord: damaged: .*\bbyte {begun}\b.*", str(caught.value))


def test_records_before_the_damage_are_read() -> None:
    content = bytearray(file_of(RECORDS))
    content[40] ^= 1
    found = []
    with pytest.raises(RecordError, match="byte 35"):
        found.extend(read_frames(io.BytesIO(content), name="a.tfrecord"))
    reader = read_frames(io.BytesIO(content), name="a.tfrecord")
    assert [next(reader), next(reader)] == [(0, b"one"), (19, b"")]


def test_every_torn_end_is_named_with_file_and_byte() -> None:
    content = file_of(RECORDS)
    for size in range(len(content)):
        if size in STARTS:  # what only the count of records tells
            assert len(read(content[:size])) == STARTS.index(size)
            continue
        begun = max(start for start in STARTS if start <= size)
        with pytest.raises(RecordError, match=rf"^a\.tfrecord: torn at byte {begun}: "):
            read(content[:size])


def test_an_offset_inside_of_a_record_is_damage() -> None:
    for offset in set(range(1, len(file_of(RECORDS)))) - set(STARTS):
        with pytest.raises(RecordError, match=rf"\bbyte {offset}\b"):
            read(file_of(RECORDS), offset=offset)


def test_a_length_that_no_message_has_is_damage() -> None:
    length = struct.pack("<Q", LARGEST_RECORD)
    with pytest.raises(RecordError, match=r"^a\.tfrecord: damaged: no record begins at byte 0"):
        read(length + struct.pack("<I", masked_crc(length)) + bytes(20))


class Dribble(io.BytesIO):
    """A file that gives a few bytes at a time, as a socket may."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 7))


def test_reads_may_be_short() -> None:
    assert [record for _, record in read_frames(Dribble(file_of(RECORDS)), name="a.tfrecord")] == RECORDS


@pytest.mark.parametrize("around", [-17, -16, -15, -1, 0, 1, PIECE_BYTES + 5])
def test_records_larger_than_what_is_read_at_once(around: int) -> None:
    records = [b"a", bytes(range(256)) * 4096 + b"x" * around if around > 0 else bytes(PIECE_BYTES + around), b"", b"b"]
    content = file_of(records)
    assert [record for _, record in read(content)] == records
    offset = 17 + 16 + len(records[1])
    assert read(content, offset=offset) == [(offset, b""), (offset + 16, b"b")]


@pytest.mark.parametrize("size", [0, 10, 3000])
def test_pieces_are_bounded(size: int) -> None:
    count = 3 * PIECE_BYTES // (size + 16)
    pieces = list(map(len, frame(itertools.repeat(bytes(size), count))))
    assert sum(pieces) == count * (size + 16)
    assert max(pieces) < PIECE_BYTES + size + 16
    assert len(pieces) in (3, 4)
