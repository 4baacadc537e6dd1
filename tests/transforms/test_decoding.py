"""The oracle of every test is the running Python's own codec, one document at a time."""

import codecs
import itertools
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transforms.decoding import COMPILED, Decoded, _decode, _tables, decode

BOM = "\ufeff"
ENCODINGS = [*COMPILED, "utf-8-sig", "utf-16", "utf-7", "ascii", "latin-1", "shift_jis", "euc_kr", "hz"]
MIXED = "a中é\u0080\u07ff\u0800\uffff𠀀\U0010ffff、A1\ue5e5\n"


def decode_all(documents: Sequence[bytes], encoding: str, errors: str = "strict", strip_bom: bool = True) -> Decoded:
    offsets = np.cumsum([0, *map(len, documents)])
    return decode(b"".join(documents), offsets, encoding=encoding, errors=errors, strip_bom=strip_bom)  # type: ignore[arg-type]


def texts_of(decoded: Decoded) -> list[str | None]:
    """The documents, None for a failure, whose range must be empty."""
    bounds = decoded.offsets.tolist()
    text = decoded.points.tobytes().decode("utf-32-le", "surrogatepass")
    texts: list[str | None] = [text[begin:end] for begin, end in itertools.pairwise(bounds)]
    assert (bounds[0], bounds[-1]) == (0, len(text))
    for item in decoded.failures:
        assert texts[item] == ""
        texts[item] = None
    return texts


def python(document: bytes, encoding: str, errors: str = "strict", strip_bom: bool = True) -> str | None:
    if encoding == "auto":
        candidates = [python(document, name, strip_bom=False) for name in ("utf-8", "gb18030")]
        text = candidates[1] if candidates[0] is None else candidates[0]
        if text is None and errors == "replace":
            first, second = (document.decode(name, "replace") for name in ("utf-8", "gb18030"))
            fewer = first.count("\ufffd") <= second.count("\ufffd")
            text = first if document[:3] == b"\xef\xbb\xbf" or fewer else second
    else:
        try:
            text = document.decode(encoding, errors)
        except UnicodeError:
            text = None
    if text is not None and text[:1] == BOM and strip_bom and encoding in ("auto", "utf-8"):
        text = text[1:]
    return text


def assert_like_python(
    documents: Iterable[bytes], encoding: str, errors: str = "strict", strip_bom: bool = True
) -> None:
    documents = list(documents)
    found = texts_of(decode_all(documents, encoding, errors, strip_bom))
    expected = [python(document, encoding, errors, strip_bom) for document in documents]
    if found != expected:
        item = next(item for item in range(len(documents)) if found[item] != expected[item])
        pytest.fail(f"{documents[item]!r} as {encoding}: {found[item]!r}, Python gives {expected[item]!r}")


def start_of_error(document: bytes, encoding: str) -> int:
    try:
        document.decode(encoding)
    except UnicodeDecodeError as error:
        return error.start
    return -1


@pytest.mark.parametrize("encoding", COMPILED)
def test_all_documents_of_one_and_two_bytes(encoding: str) -> None:
    assert_like_python((bytes(pair) for pair in itertools.product(range(256), repeat=2)), encoding)
    assert_like_python((bytes([byte]) for byte in range(256)), encoding)


@pytest.mark.parametrize("lead", range(0x81, 0xFF, 21))
def test_all_four_byte_sequences_of_gb18030(lead: int) -> None:
    digits, thirds = range(0x30, 0x3A), range(0x81, 0xFF)
    leads = range(lead, lead + 21)
    assert_like_python(map(bytes, itertools.product(leads, digits, thirds, digits)), "gb18030")


def test_four_bytes_at_and_beyond_every_limit_of_gb18030() -> None:
    leads = (0x7F, 0x80, 0x81, 0x84, 0x85, 0x8F, 0x90, 0xE3, 0xE4, 0xFE, 0xFF)
    digits = (0x2F, 0x30, 0x31, 0x32, 0x39, 0x3A, 0x40, 0x7F, 0x80, 0xFF)
    documents = list(map(bytes, itertools.product(leads, digits, leads, digits)))
    for encoding in ("gb18030", "gbk", "auto"):
        assert_like_python(documents, encoding)


def test_utf8_at_and_beyond_every_limit() -> None:
    leads = (0x00, 0x7F, 0x80, 0xBF, *range(0xC0, 0x100))
    others = (0x00, 0x7F, 0x80, 0x81, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xE4, 0xFF)
    for length in (2, 3):
        documents = list(map(bytes, itertools.product(leads, *[others] * length)))
        assert_like_python(documents, "utf-8")
        assert_like_python(documents, "auto")


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_every_code_point_comes_back(encoding: str) -> None:
    points = np.setdiff1d(np.arange(0x110000), np.arange(0xD800, 0xE000))
    characters = [chr(point) for point in points.tolist()]
    alone = decode_all([character.encode(encoding) for character in characters], encoding, strip_bom=False)
    assert np.array_equal(alone.points, points)
    assert np.array_equal(alone.offsets, np.arange(len(points) + 1))
    together = decode_all(["".join(characters).encode(encoding)], encoding)
    assert np.array_equal(together.points, points)


@pytest.mark.parametrize("encoding", COMPILED)
def test_every_cut_of_a_text(encoding: str) -> None:
    codec = "utf-8" if encoding == "auto" else encoding
    whole = MIXED.encode(codec, "ignore") + MIXED.encode("gb18030" if encoding == "auto" else codec, "ignore")
    documents = [whole[begin:end] for begin in range(len(whole)) for end in range(begin, len(whole) + 1)]
    for errors in ("strict", "replace"):
        assert_like_python(documents, encoding, errors)
    for cut in range(len(whole)):  # a document never reads on into the next
        assert_like_python([whole[:cut], whole[cut:]], encoding)
        for character in map(str.encode, MIXED):
            assert_like_python([character[:cut], character[cut:], b"a"], encoding)


@pytest.mark.parametrize("encoding", COMPILED)
def test_ascii_of_every_length_with_another_byte_anywhere(encoding: str) -> None:
    plain = bytes(range(0x30, 0x30 + 27))
    documents = [plain[:length] for length in range(len(plain))]
    for other in (b"\0", b"\x80", b"\xff", "中".encode(), "中".encode("gbk")):
        for text in (plain, bytes(27)):
            documents += [text[:place] + other + text[place:length] for length in range(27) for place in range(length)]
    assert_like_python(documents, encoding)


MARKS = ("utf-8", "gb18030", "utf-16")
PIECE = st.one_of(
    st.binary(max_size=6),
    st.text(st.characters(codec="ascii"), max_size=20).map(str.encode),
    st.builds(
        lambda text, codec: text.encode(codec, "ignore"),
        st.text(st.sampled_from(MIXED + "中国人。") | st.characters(codec="utf-8"), max_size=6),
        st.sampled_from(["utf-8", *ENCODINGS[2:]]),
    ),
    st.sampled_from([BOM.encode(codec) for codec in MARKS]),
)
DOCUMENT = st.builds(lambda pieces, cut: b"".join(pieces)[cut:], st.lists(PIECE, max_size=5), st.integers(0, 2))


@given(
    documents=st.lists(DOCUMENT, max_size=8),
    encoding=st.sampled_from(ENCODINGS),
    errors=st.sampled_from(["strict", "replace"]),
    strip_bom=st.booleans(),
)
@example([b"a\xff", b"", BOM.encode() * 2, b"\xff\xff", b"b"], "auto", "replace", True)
def test_any_batch_is_what_python_makes_of_each(
    documents: list[bytes], encoding: str, errors: str, strip_bom: bool
) -> None:
    assert_like_python(documents, encoding, errors, strip_bom)


@given(documents=st.lists(DOCUMENT, max_size=8), encoding=st.sampled_from(sorted(COMPILED)))
@example(["一".encode() + b"\xff", b"\xd6\xd0\xff", b"\xff", b"a"], "auto")
def test_kernel_keeps_to_its_room_and_finds_the_first_bad_byte(documents: list[bytes], encoding: str) -> None:
    offsets = np.cumsum([0, *map(len, documents)])
    points = np.full(offsets[-1] + 16, 0xDEADBEEF, np.uint32)
    bounds, bad = np.zeros(len(offsets), np.int64), np.zeros(len(documents), np.int64)
    tables = _tables("gb18030" if encoding == "auto" else encoding)
    data = np.frombuffer(b"".join(documents), np.uint8)
    assert _decode(data, offsets, COMPILED[encoding], False, *tables, points, bounds, bad) == bounds[-1]
    assert np.all(points[offsets[-1] :] == 0xDEADBEEF)
    names = ["utf-8", "gb18030"] if encoding == "auto" else [encoding]
    starts = [[start_of_error(document, name) for name in names] for document in documents]
    assert bad.tolist() == [-1 if -1 in found else max(found) for found in starts]


def test_a_mark_is_dropped_once_and_only_at_the_head() -> None:
    utf8, gb18030 = BOM.encode(), BOM.encode("gb18030")
    documents = [utf8, utf8 + b"a" + utf8, utf8 * 2, b"a", gb18030 + "中".encode("gbk"), utf8 + b"\x80"]
    assert texts_of(decode_all(documents[:4], "utf-8")) == ["", "a" + BOM, BOM, "a"]
    assert texts_of(decode_all(documents[:5], "auto")) == ["", "a" + BOM, BOM, "a", "中"]
    assert texts_of(decode_all(documents[:4], "utf-8", strip_bom=False)) == [BOM, BOM + "a" + BOM, BOM * 2, "a"]
    assert texts_of(decode_all(documents[4:5], "gb18030")) == [BOM + "中"]
    assert texts_of(decode_all(documents[:1], "utf-8-sig", strip_bom=False)) == [""]
    assert texts_of(decode_all(documents[5:], "utf-8", "replace")) == ["\ufffd"]
    assert texts_of(decode_all([utf8 + b"\x80", b"", b"a"], "utf-8")) == [None, "", "a"]


def test_what_neither_decodes_goes_to_the_one_with_fewer_replacements_or_by_its_mark() -> None:
    utf8 = "一二".encode() * 20 + b"\xff "
    gb18030 = "一二".encode("gb18030") * 20 + b"\xff "
    tie = b"a\xff "
    marked = codecs.BOM_UTF8 + gb18030
    assert tie.decode("utf-8", "replace") == tie.decode("gb18030", "replace")
    assert texts_of(decode_all([utf8, gb18030, tie, marked], "auto", "replace")) == [
        "一二" * 20 + "\ufffd ",
        "一二" * 20 + "\ufffd ",
        "a\ufffd ",
        gb18030.decode("utf-8", "replace"),
    ]


def test_failures_name_byte_offset_and_reason() -> None:
    good = "中".encode()
    assert decode_all([b"ok", b"a" * 17 + b"\x80!"], "auto").failures == {
        1: "not UTF-8 nor GB18030: byte 0x80 at offset 17 (illegal multibyte sequence)"
    }
    assert decode_all([good * 4 + b"\xff\xff"], "auto").failures == {
        0: "not UTF-8 nor GB18030: byte 0xff at offset 12 (illegal multibyte sequence)"
    }
    assert decode_all(["一".encode() + b"\xff"], "auto").failures == {
        0: "not UTF-8 nor GB18030: byte 0xff at offset 3 (invalid start byte)"
    }
    assert decode_all([good, codecs.BOM_UTF8 + b"\xc0"], "utf-8").failures == {
        1: "not UTF-8: byte 0xc0 at offset 3 (invalid start byte)"
    }
    assert decode_all([b"\xff!"], "gbk").failures == {0: "not GBK: byte 0xff at offset 0 (illegal multibyte sequence)"}
    assert decode_all([b"\xff", b"a\0b"], "utf-16-le").failures == {
        0: "not UTF-16-LE: byte 0xff at offset 0 (truncated data)",
        1: "not UTF-16-LE: byte 0x62 at offset 2 (truncated data)",
    }


@pytest.mark.parametrize("data", [b"xab\xd6\xd0", bytearray(b"xab\xd6\xd0"), memoryview(b"xab\xd6\xd0")])
def test_any_bytes_and_offsets_that_begin_later(data: bytes) -> None:
    for buffer in (data, np.frombuffer(data, np.uint8)):
        decoded = decode(buffer, np.array([1, 1, 3, 3, 5]), encoding="gb18030")
        assert texts_of(decoded) == ["", "ab", "", "中"]
        assert (decoded.points.dtype.str, decoded.offsets.dtype.str) == ("<u4", "<i8")


@pytest.mark.parametrize("encoding", ["auto", "utf-8", "gb18030", "utf-16"])
def test_no_documents_and_empty_ones(encoding: str) -> None:
    assert texts_of(decode_all([], encoding)) == []
    assert texts_of(decode_all([b"", b""], encoding)) == ["", ""]


@pytest.mark.parametrize("alias", ["UTF8", "U8", "cp65001", "GB18030", "gb18030-2000", "936", "EUC-CN", "Big5-TW"])
def test_python_s_aliases(alias: str) -> None:
    assert texts_of(decode_all(["中a".encode(alias)], alias)) == ["中a"]


@pytest.mark.parametrize("offsets", [[], [-1, 2], [0, 4], [0, 2, 1, 3], [4, 4]])
def test_offsets_outside_the_data_are_refused(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="offsets must ascend from 0 or more to at most 3"):
        decode(b"abc", np.array(offsets, np.int64), encoding="utf-8")


@pytest.mark.parametrize(
    ("encoding", "hint"),
    [("gb1830", "did you mean gb18030"), ("UTF-88", "did you mean utf-8"), ("Auto", "did you mean auto")]
    + [(name, "unknown encoding") for name in ("", "hex", "rot13", "undefined", "a\0b", "我")],
)
def test_unknown_encodings_are_refused(encoding: str, hint: str) -> None:
    with pytest.raises(LookupError, match=hint):
        decode_all([], encoding)


def test_unknown_errors_are_refused() -> None:
    with pytest.raises(ValueError, match="give strict or replace"):
        decode_all([b"a"], "utf-8", "ignore")


@pytest.mark.skipif("HANMILL_DATA" not in os.environ, reason="HANMILL_DATA names the folder of the corpora")
@pytest.mark.parametrize("errors", ["strict", "replace"])
def test_fudan_articles(errors: str) -> None:
    paths = sorted(Path(os.environ["HANMILL_DATA"]).glob("fudan/*/*.txt"))
    documents = [path.read_bytes() for path in paths]
    decoded = decode_all(documents, "auto", errors)
    assert (len(documents), len(decoded.failures)) == (9804, 96 if errors == "strict" else 0)
    assert texts_of(decoded) == [python(document, "auto", errors) for document in documents]
