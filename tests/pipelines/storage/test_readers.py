"""Every record once, whole, with its place; whatever is bad is a dead letter that names it."""

import codecs
import gzip
import itertools
import json
import os
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.storage import batches as batch_limits
from pipelines.storage import documents
from pipelines.storage import rows as row_limits
from pipelines.storage.batches import DeadLetter
from pipelines.storage.readers import read_batches
from pipelines.storage.shards import Slice, whole
from pipelines.storage.sources import Reading, Source, discover
from pipelines.storage.streams import open_source
from tests.pipelines.reading import Read, read, read_inputs, read_sources, texts

DOCUMENTS = Reading(format="document")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that the examples of a property write in turn."""
    return tmp_path_factory.mktemp("readers") / "file"


def source_of(path: Path, format: str = "lines", encoding: str = "latin-1", **more: str) -> Source:
    return Source(str(path), "the label", path.stat().st_size, "1", format, encoding, **more)  # type: ignore[arg-type]


def reasons(dead: Sequence[DeadLetter]) -> list[tuple[int, str]]:
    return [(letter.offset, letter.reason) for letter in dead]


def slices_at(source: Source, cuts: Sequence[int]) -> list[Slice]:
    bounds = [0, *sorted(min(cut, source.size) for cut in cuts), source.size]
    return [Slice(source, begin, end) for begin, end in itertools.pairwise(bounds) if begin < end] or [whole(source)]


def lines_of(content: bytes) -> list[tuple[int, bytes]]:
    """The oracle: where each line begins, and the line without its newline and one carriage return before that."""
    lines = content.split(b"\n")
    starts = itertools.accumulate((len(line) + 1 for line in lines), initial=0)
    texts = [*(line.removesuffix(b"\r") for line in lines[:-1]), b"" if lines[-1] == b"\r" else lines[-1]]
    return [(start, line) for start, line in zip(starts, texts, strict=False) if line]


LINES = st.lists(st.sampled_from([b"\n", b"\n", b"\r\n", b"\r", b"a", b"bc", b" ", b"\t", b"\0", b"\xe4\xb8\xad" * 3]))
CUTS = st.lists(st.integers(0, 60), max_size=5)


@given(content=LINES.map(b"".join), cuts=CUTS, block=st.integers(1, 12), limit=st.integers(1, 12) | st.just(1000))
@example(b"ab\n\rc", [], 8, 1000)
@example(b"aaa\nb\n", [], 100, 2)
@example(b"aaa\nb\n", [], 1, 2)
@example(b"aa\r\nb\n", [], 3, 2)
@example(b"aa\r", [], 3, 2)
@settings(max_examples=600)
def test_any_cut_gives_every_line_once(file: Path, content: bytes, cuts: list[int], block: int, limit: int) -> None:
    file.write_bytes(content)
    source = source_of(file)
    documents, dead = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_limits, "BATCH_BYTES", block)
        for piece in slices_at(source, cuts):
            found = read([piece], Reading(max_document_bytes=limit))
            documents += found[0]
            dead += found[1]
    lines = lines_of(content)
    short = [Read(str(file), start, "the label", line.decode("latin-1")) for start, line in lines if len(line) <= limit]
    assert [document._replace(text=document.text.rstrip("\r\n")) for document in documents] == [
        document._replace(text=document.text.rstrip("\r\n")) for document in short
    ]
    long = f"a line of more than --max-document-bytes {limit:,}"
    assert reasons(dead) == [(start, long) for start, line in lines if len(line) > limit]


@given(
    rows=st.lists(st.tuples(st.sampled_from(["", "财经", "x"]), st.text("中国ab", max_size=4))),
    newline=st.sampled_from([b"\n", b"\r\n"]),
    end=st.booleans(),
    cuts=CUTS,
    block=st.integers(1, 40),
    format=st.sampled_from(["tsv", "jsonl"]),
)
def test_any_cut_gives_every_record_once(
    file: Path, rows: list[tuple[str, str]], newline: bytes, end: bool, cuts: list[int], block: int, format: str
) -> None:
    lines = [
        f"{label}\t{text}" if format == "tsv" else json.dumps({"label": label, "text": text}, ensure_ascii=False)
        for label, text in rows
    ]
    content = newline.join(line.encode() for line in lines) + (newline if end else b"")
    file.write_bytes(content)
    source = source_of(file, format, "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_limits, "BATCH_BYTES", block)
        found = [read([piece]) for piece in slices_at(source, cuts)]
    assert [dead for _, dead in found if dead] == []
    starts = itertools.accumulate((len(line.encode()) + len(newline) for line in lines), initial=0)
    assert [document for documents, _ in found for document in documents] == [
        Read(str(file), start, label or "the label", text) for start, (label, text) in zip(starts, rows, strict=False)
    ]


def test_a_batch_knows_its_places_and_shares_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("一\n\n二\n".encode())
    (batch,) = read_batches([whole(source_of(tmp_path / "a.txt", encoding="utf-8"))], Reading())
    assert (list(batch.places), list(batch.starts), batch.offsets.tolist()) == (
        [str(tmp_path / "a.txt")],
        [0, 5],
        [0, 5, 9],
    )
    assert batch.dead_letter(1, "why") == DeadLetter(str(tmp_path / "a.txt"), 5, "why")


def test_document_files_share_batches_and_keep_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        (tmp_path / f"{number}.txt").write_bytes(b"%d\nsecond line\n" % number * number)
    monkeypatch.setattr(batch_limits, "BATCH_BYTES", 40)
    batches = list(read_batches([whole(source) for source in discover([str(tmp_path)], Reading())], Reading()))
    assert [len(batch.labels) for batch in batches] == [3, 1, 1, 1, 1]
    documents, dead = read_inputs(tmp_path)
    assert dead == []
    assert [document.place for document in documents] == [str(tmp_path / f"{number}.txt") for number in range(7)]
    assert [document.text.count("second line") for document in documents] == list(range(7))
    assert {document.start for document in documents} == {0}


def test_kinds_and_encodings_mix_in_a_shard(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/1.txt").write_bytes("文件".encode("gb18030"))
    (tmp_path / "l.txt").write_bytes("甲\n乙\n".encode("gb18030"))
    (tmp_path / "l.tsv").write_bytes("标签\t丙\n".encode())
    (tmp_path / "l.jsonl").write_text('{"text": "丁"}\n')
    pq.write_table(pa.table({"text": ["戊"]}), tmp_path / "l.parquet")
    found = texts(*(tmp_path / name for name in ("d", "l.txt", "l.tsv", "l.jsonl", "l.parquet")))
    assert found == ["文件", "丁", "戊", "丙", "甲", "乙"]


# Documents


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("中国".encode(), "中国"),
        (codecs.BOM_UTF8 + "中国".encode(), "中国"),
        ("中国".encode("gb18030"), "中国"),
        ("𠀀".encode("gb18030"), "𠀀"),
        (b"", ""),
        (b"a\0b", "a\0b"),
    ],
)
def test_a_document_is_utf8_else_gb18030(tmp_path: Path, content: bytes, text: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    assert texts(tmp_path) == [text]


def test_documents_that_do_not_decode_are_bad_or_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff!")
    (tmp_path / "b.txt").write_bytes(b"good")
    documents, dead = read_inputs(tmp_path)
    assert [document.text for document in documents] == ["good"]
    assert dead == [
        DeadLetter(f"{tmp_path}/a.txt", 0, "not UTF-8 nor GB18030: byte 0xff at offset 0 (illegal multibyte sequence)")
    ]
    assert texts(tmp_path, reading=Reading(errors="replace")) == ["\ufffd!", "good"]


def test_a_document_in_a_named_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("國".encode("big5"))
    (tmp_path / "b.txt").write_bytes("国".encode("utf-16"))
    documents, dead = read_inputs(tmp_path / "a.txt", reading=replace(DOCUMENTS, encoding="Big5"))
    assert ([document.text for document in documents], dead) == (["國"], [])
    assert texts(tmp_path / "b.txt", reading=replace(DOCUMENTS, encoding="UTF16")) == ["国"]


def test_documents_over_the_limit_are_bad_and_never_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_bytes(b"abc")
    (tmp_path / "b.txt").write_bytes(b"abcd")
    with (tmp_path / "c.txt").open("wb") as file:
        file.truncate(1 << 40)
    documents, dead = read_inputs(tmp_path, reading=Reading(max_document_bytes=3))
    assert [document.text for document in documents] == ["abc"]
    assert reasons(dead) == [
        (0, "4 bytes: more than --max-document-bytes 3"),
        (0, f"{1 << 40:,} bytes: more than --max-document-bytes 3"),
    ]


def test_a_document_that_has_grown_over_the_limit(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"abc")
    (source,) = discover([str(tmp_path)], Reading())
    (tmp_path / "a.txt").write_bytes(b"a" * (5 << 20))
    assert read_sources([source])[0][0].text == "a" * (5 << 20)
    assert reasons(read_sources([source], Reading(max_document_bytes=4 << 20))[1]) == [
        (0, f"more than --max-document-bytes {4 << 20:,}: the file has grown since it was listed")
    ]


def test_a_read_that_gives_less_than_the_file_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Linux does beyond 2 GiB."""
    (tmp_path / "a.txt").write_bytes(b"0123456789")
    whole_read = os.read
    monkeypatch.setattr(documents.os, "read", lambda descriptor, size: whole_read(descriptor, min(size, 4)))
    assert texts(tmp_path) == ["0123456789"]


def test_a_file_that_is_gone_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"abc")
    sources = [*discover([str(tmp_path)], Reading()), *discover([str(tmp_path / "a.txt")], Reading())]
    (tmp_path / "a.txt").unlink()
    for source in sources:
        with pytest.raises(InputError, match=r"a\.txt: No such file or directory, though it was there when the run"):
            read_sources([source])


# Archives


def archive(
    path: Path, members: Sequence[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED
) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_of_an_archive(tmp_path: Path, method: int) -> None:
    path = archive(
        tmp_path / "corpus.zip",
        [("财经/1.txt", "文" * 5000), ("体育/深/2.md", "中国".encode("gb18030")), ("3.txt", ""), ("图.png", b"\x89")],  # type: ignore[list-item]
        method,
    )
    documents, dead = read_inputs(path)
    assert dead == []
    assert documents == [
        Read(f"{path}!3.txt", 0, "corpus", ""),
        Read(f"{path}!体育/深/2.md", 0, "体育", "中国"),
        Read(f"{path}!财经/1.txt", 0, "财经", "文" * 5000),
    ]


def test_members_that_cannot_be_read_are_dead_letters(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.zip", [("../up.txt", b"x"), ("a/../../up.txt", b"x"), ("/root.txt", b"x"), ("ok.txt", b"ok")]
    )
    bzip2 = archive(tmp_path / "b.zip", [("b.txt", b"x")], zipfile.ZIP_BZIP2)
    locked = archive(tmp_path / "c.zip", [("c.txt", b"xxxx")])
    content = bytearray(locked.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    locked.write_bytes(content)
    documents, dead = read_inputs(path, bzip2, locked)
    assert [document.text for document in documents] == ["ok"]
    assert [(letter.source.removeprefix(f"{tmp_path}/"), letter.reason) for letter in dead] == [
        ("a.zip!../up.txt", "its name leads out of the archive"),
        ("a.zip!/root.txt", "its name leads out of the archive"),
        ("a.zip!a/../../up.txt", "its name leads out of the archive"),
        ("b.zip!b.txt", "its compression method 12 is not read here: repack the archive with deflate"),
        ("c.zip!c.txt", "it is encrypted"),
    ]


def test_members_of_one_name_are_all_told_and_the_last_counts(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = archive(tmp_path / "a.zip", [("a.txt", b"first"), ("a.txt", b"last")])
    documents, dead = read_inputs(path)
    assert documents == [Read(f"{path}!a.txt", 0, "a", "last")]
    assert dead == [DeadLetter(f"{path}!a.txt@0", 0, "the archive holds a later member of the same name")]


def patched(path: Path, name: str, **numbers: int) -> Path:
    """Changes the sizes that an archive's directory tells of a member."""
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(name.encode()))
    for field, value in numbers.items():
        offset, width = {"crc": (16, 4), "compressed": (20, 4), "size": (24, 4), "header": (42, 4)}[field]
        content[at + offset : at + offset + width] = value.to_bytes(width, "little")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ({"size": 5}, "damaged archive: size or CRC of the member is wrong"),
        ({"size": 4_000_000_000}, "4,000,000,000 bytes: more than --max-document-bytes 1,000,000"),
        ({"compressed": 20}, "damaged archive: size or CRC of the member is wrong"),
        ({"compressed": 4_000_000_000}, "damaged archive: the member is cut off"),
        ({"crc": 7}, "damaged archive: size or CRC of the member is wrong"),
        ({"header": 1}, "damaged archive: there is no member at its offset"),
        ({"header": 1 << 31}, "damaged archive: there is no member at its offset"),
    ],
)
def test_an_archive_that_lies(tmp_path: Path, numbers: dict[str, int], reason: str) -> None:
    path = archive(tmp_path / "a.zip", [("a.txt", os.urandom(1000).hex().encode()), ("b.txt", b"good")])
    documents, dead = read_inputs(patched(path, "a.txt", **numbers), reading=Reading(max_document_bytes=1_000_000))
    assert [document.text for document in documents] == ["good"]
    assert [(letter.source, letter.reason) for letter in dead] == [(f"{path}!a.txt", reason)]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_bomb_is_not_unpacked_beyond_the_limit(tmp_path: Path, method: int) -> None:
    path = archive(tmp_path / "a.zip", [("a.txt", bytes(30 << 20))], method)
    (source,) = discover([str(patched(path, "a.txt", size=10))], Reading())
    limit = 1 << 20
    tracemalloc.start()
    try:
        _, dead = read_sources([source], Reading(max_document_bytes=limit))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert reasons(dead) == [(0, f"more than --max-document-bytes {limit:,}, whatever the archive says")]
    assert peak < 8 << 20


def test_damage_anywhere_in_an_archive_never_gives_other_text(tmp_path: Path) -> None:
    """Every byte changed in turn: the archive is refused, or each of its documents is whole or a dead letter."""
    content = archive(tmp_path / "a.zip", [("中/a.txt", "中国人民".encode() * 9), ("b.txt", b"stored?")]).read_bytes()
    known, dead_letters, refused = {"中国人民" * 9, "stored?"}, 0, 0
    for position in range(len(content)):
        path = tmp_path / "damaged.zip"
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x55]) + content[position + 1 :])
        try:
            documents, dead = read_inputs(path)
        except InputError:
            refused += 1
            continue
        assert {document.text for document in documents} <= known
        dead_letters += len(dead)
    assert dead_letters > 30
    assert refused > 5


# Lines


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16", "utf-16-le", "utf-32-be", "auto"])
def test_lines_in_any_encoding(tmp_path: Path, encoding: str, ending: str) -> None:
    path = tmp_path / "a.txt"
    lines = ["第一", "", "ਊ਍", "𠀀三", "last"]  # U+0A0A, U+0A0D: newline bytes inside characters
    path.write_bytes(ending.join(lines).encode("utf-8" if encoding == "auto" else encoding))
    assert texts(path, reading=Reading(encoding=encoding)) == [line for line in lines if line]


@pytest.mark.parametrize("name", ["UTF16", "utf_16", "U16", "UTF-16LE"])
def test_wide_encodings_by_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("ਊ\n二".encode(name))
    assert texts(path, reading=Reading(encoding=name)) == ["ਊ", "二"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_without_a_mark_the_order_is_the_machine_s_as_in_documents(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("一\n二".encode(f"{encoding}-{'le' if sys.byteorder == 'little' else 'be'}"))
    assert texts(path, reading=Reading(encoding=encoding)) == ["一", "二"]
    assert texts(path, reading=Reading(encoding=encoding, format="document")) == ["一\n二"]


@pytest.mark.parametrize("block", [1, 2, 3, 5, 1 << 20])
def test_a_bad_unit_of_utf16_costs_its_line_alone(tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("好\n坏".encode("utf-16-le") + b"\x00\xd8" + "\n好好\n".encode("utf-16-le") + b"\x61")
    monkeypatch.setattr(batch_limits, "BATCH_BYTES", block)
    documents, dead = read_inputs(path, reading=Reading(encoding="utf-16-le"))
    assert [document.text for document in documents] == ["好", "好好"]
    assert [(offset, reason.partition(":")[0]) for offset, reason in reasons(dead)] == [
        (4, "not UTF-8"),
        (18, "not UTF-8"),
    ]
    replaced = Reading(encoding="utf-16-le", errors="replace")
    assert [text.replace("\ufffd", "") for text in texts(path, reading=replaced)] == ["好", "坏", "好好", ""]


@pytest.mark.parametrize("block", [1, 2, 1 << 20])
@pytest.mark.parametrize(
    ("name", "content", "text"),
    [("a.txt", b"%s\nb", "a"), ("a.tsv", b"%s\tt\nb\tt", "t"), ("a.jsonl", b'{"text": "%s"}\n{"text": "b"}', "a")],
)
def test_a_mark_at_the_head_of_a_file_is_no_text(
    tmp_path: Path, name: str, content: bytes, text: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_limits, "BATCH_BYTES", block)
    path = tmp_path / name
    path.write_bytes(codecs.BOM_UTF8 + content % b"a")
    documents, dead = read_inputs(path)
    assert dead == []
    assert [document.text for document in documents] == [text, "t" if name == "a.tsv" else "b"]
    assert [document.start for document in documents] == [3, path.read_bytes().index(b"\n") + 1]
    assert documents[0].label == "a"


def test_lines_that_do_not_decode_are_bad_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("好\n坏\n".encode() * 3 + b"\xe5\n" + "好\n".encode())
    documents, dead = read_inputs(path)
    assert len(documents) == 7
    assert [(letter.source, letter.offset) for letter in dead] == [(str(path), 24)]
    assert dead[0].reason.startswith("not UTF-8: byte 0xe5 at offset 0")
    assert texts(path, reading=Reading(errors="replace"))[6] == "\ufffd"


def test_nul_bytes_are_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\0\n\0a\0\n")
    assert texts(tmp_path / "a.txt") == ["\0", "\0a\0"]


def test_lines_that_were_added_while_the_run_was_on_are_read_with_the_last_slice(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\ntwo\n")
    (source,) = discover([str(path)], Reading())
    path.write_bytes(b"one\ntwo\nthree\n")
    assert [document.text for piece in slices_at(source, [5]) for document in read([piece])[0]] == [
        "one",
        "two",
        "three",
    ]


# Streams


def packed(content: bytes, suffix: str) -> bytes:
    return gzip.compress(content) if suffix == "gz" else pa.compress(content, codec="zstd", asbytes=True)


STREAM = "".join(f"第{number}行\n" for number in range(9000)).encode()


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_whole_streams(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt.{suffix}"
    path.write_bytes(packed(STREAM[:90000], suffix) + packed(STREAM[90000:], suffix))  # two members are one stream
    assert "\n".join(texts(path)) + "\n" == STREAM.decode()
    (source,) = discover([str(path)], Reading())
    assert (source.label, source.format, source.encoding, source.compression) == ("a", "lines", "utf-8", suffix)
    for name, line in (("b.tsv", "标签\t甲"), ("b.jsonl", '{"text": "甲", "label": "标签"}')):
        (tmp_path / f"{name}.{suffix}").write_bytes(packed(line.encode(), suffix))
        documents, _ = read_inputs(tmp_path / f"{name}.{suffix}")
        assert [(document.label, document.text) for document in documents] == [("标签", "甲")]


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_a_wide_stream(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt.{suffix}"
    path.write_bytes(packed(STREAM.decode().encode("utf-16"), suffix))
    assert "\n".join(texts(path, reading=Reading(encoding="utf-16"))) + "\n" == STREAM.decode()
    path.write_bytes(path.read_bytes()[:-40])
    _, dead = read_inputs(path, reading=Reading(encoding="utf-16"))
    assert [reason for _, reason in reasons(dead)] == ["damaged from here on: Truncated compressed stream"]


@pytest.mark.parametrize("suffix", ["gz", "zst"])
@pytest.mark.parametrize("kept", [0.999, 0.7, 0.1, 0.0005])
def test_a_truncated_stream_gives_what_is_whole_and_tells_where_it_ends(
    tmp_path: Path, suffix: str, kept: float
) -> None:
    path = tmp_path / f"a.txt.{suffix}"
    content = packed(STREAM, suffix)
    path.write_bytes(content[: max(1, int(kept * len(content)))])
    documents, dead = read_inputs(path)
    read_bytes = len("".join(f"{document.text}\n" for document in documents).encode())
    assert STREAM.decode().startswith("".join(f"{document.text}\n" for document in documents))
    assert reasons(dead) == [(read_bytes, "damaged from here on: Truncated compressed stream")]
    if suffix == "gz" and kept > 0.001:  # DEFLATE can be read up to the last byte; Zstandard in blocks of 128 KiB
        assert read_bytes > (kept - 0.2) * len(STREAM)


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_garbage_behind_and_instead_of_a_stream(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt.{suffix}"
    path.write_bytes(packed("一\n二\n三".encode(), suffix) + b"garbage")
    documents, dead = read_inputs(path)
    assert [document.text for document in documents] == ["一", "二"]
    assert [(offset, reason[:20]) for offset, reason in reasons(dead)] == [(8, "damaged from here on")]
    path.write_bytes(b"no stream at all")
    documents, dead = read_inputs(path)
    assert (documents, [reason[:20] for _, reason in reasons(dead)]) == ([], ["damaged from here on"])


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_damage_in_a_stream_is_told_and_ends_it(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt.{suffix}"
    content = bytearray(packed(os.urandom(90000).hex().encode() + b"\n" + STREAM, suffix))
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    documents, dead = read_inputs(path, reading=Reading(encoding="latin-1"))
    if suffix == "gz":
        assert [reason[:20] for _, reason in reasons(dead)] == ["damaged from here on"]
    assert len(documents) + len(dead) <= 9002


def test_a_stream_is_closed_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress("一".encode("utf-16")))
    for source in discover([str(tmp_path / "a.txt.gz")], Reading(encoding="utf-16")):
        with open_source(source) as stream:
            stream.read(10)
        assert stream.closed  # a file left open would be a ResourceWarning, which is an error here


def test_a_long_line_of_a_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_limits, "BATCH_BYTES", 1000)
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"one\n" + b"x" * 50000 + b"\ntwo\n" + b"y" * 20000))
    documents, dead = read_inputs(path, reading=Reading(max_document_bytes=9000))
    assert [(document.start, document.text) for document in documents] == [(0, "one"), (50005, "two")]
    long = "a line of more than --max-document-bytes 9,000"
    assert reasons(dead) == [(4, long), (50009, long)]


# Records


def test_tsv(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes("体育\t一\t二\r\n\t无\n\n没有\n \t空\n".encode())
    documents, dead = read_inputs(path)
    assert [(document.label, document.text) for document in documents] == [("体育", "一\t二"), ("a", "无"), (" ", "空")]
    assert reasons(dead) == [(22, "no tab: a line is label<TAB>text")]


def test_tsv_in_gb18030_and_a_label_that_does_not_decode(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes("体育\t一\n".encode("gb18030") + b"\xff!\tx\nok\t\xff\n")
    documents, dead = read_inputs(path)
    assert [(document.label, document.text) for document in documents] == [("体育", "一")]
    assert [offset for offset, _ in reasons(dead)] == [8, 13]
    assert reasons(dead)[0][1] == "the label is not gb18030: illegal multibyte sequence"
    documents, dead = read_inputs(path, reading=Reading(errors="replace"))
    assert [(document.label, document.text) for document in documents] == [
        ("体育", "一"),
        ("\ufffd!", "x"),
        ("ok", "\ufffd"),
    ]
    assert dead == []


def test_jsonl_records_that_are_bad_are_named(tmp_path: Path) -> None:
    lines = [
        '{"text": "好", "label": "甲", "id": 1}',
        '{"text": "好"',
        '{"id": "r3", "body": "x"}',
        '{"id": "r4", "text": 5}',
        '{"id": "r5", "text": "\\ud800"}',
        '{"id": "r6", "text": "x", "label": ["y"]}',
        '{"id": "r7", "text": "x", "label": "\\udc00"}',
        '["text"]',
        "[" * 100_000,
        '{"text": "好", "label": 7}',
        '{"text": "\\ud83d\\ude00", "label": null}',
        "   ",
        '{"id": "r13", "text": null}',
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    documents, dead = read_inputs(path)
    assert [(document.label, document.text) for document in documents] == [("甲", "好"), ("7", "好"), ("a", "😀")]
    starts = list(itertools.accumulate((len(line.encode()) + 1 for line in lines), initial=0))
    assert [letter.offset for letter in dead] == [starts[line] for line in (1, 2, 3, 4, 5, 6, 7, 8, 11, 12)]
    missing = "field 'text' (--text-field) is missing or no string (record {})"
    assert [letter.reason for letter in dead] == [
        "Expecting ',' delimiter: line 1 column 13 (char 12)",
        missing.format("r3"),
        missing.format("r4"),
        "a lone surrogate at character 0 (record r5)",
        "field 'label' (--label-field) is no string (record r6)",
        "a lone surrogate at character 0 (record r7)",
        "not a JSON object but list",
        "not JSON that can be read: nested too deep",
        "Expecting value: line 1 column 4 (char 3)",
        missing.format("r13"),
    ]


def test_jsonl_fields_by_option(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"body": "正文", "class": "类", "key": 9}\n{"key": 10}\n')
    documents, dead = read_inputs(path, reading=Reading(text_field="body", label_field="class", id_field="key"))
    assert [(document.label, document.text) for document in documents] == [("类", "正文")]
    assert [letter.reason for letter in dead] == ["field 'body' (--text-field) is missing or no string (record 10)"]


@pytest.mark.parametrize("encoding", ["auto", "gb18030", "utf-16"])
def test_jsonl_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    """Escapes and characters give the same text, in whatever encoding the line is."""
    path = tmp_path / "a.jsonl"
    content = '{"text": "中\\u56fd", "label": "类"}\n{"text": "\\u4e2d\\u56fd"}\n'
    path.write_bytes(content.encode("gb18030" if encoding == "auto" else encoding))
    documents, dead = read_inputs(path, reading=Reading(encoding=encoding))
    assert ([(document.label, document.text) for document in documents], dead) == ([("类", "中国"), ("a", "中国")], [])


def test_jsonl_lines_that_do_not_decode(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"text": "中国"}\n'.encode() * 2 + b'{"text": "\xff!"}\n')
    documents, dead = read_inputs(path)
    assert (len(documents), len(dead)) == (2, 1)
    assert dead[0].reason == "'utf-8' codec can't decode byte 0xff in position 10: invalid start byte"
    assert texts(path, reading=Reading(errors="replace"))[2] == "\ufffd!"


# Tables


def table(path: Path, columns: dict[str, object], **options: object) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def test_parquet(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", {"id": [1, 2, 3], "text": ["一", None, "三" * 9], "label": ["甲", "乙", None]})
    documents, dead = read_inputs(path, reading=Reading(max_document_bytes=20))
    assert documents == [Read(str(path), 0, "甲", "一")]
    assert reasons(dead) == [(1, "the text is null"), (2, "a text of more than --max-document-bytes 20")]
    assert texts(table(path, {"text": pa.array([], pa.string())})) == []


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["一", "二"], pa.large_string()),
        pa.array(["一", "二"]).dictionary_encode(),
        pa.array(["一".encode(), "二".encode()], pa.binary()),
        pa.array(["一", "二"], pa.string_view()),
    ],
)
def test_parquet_text_of_any_kind(tmp_path: Path, column: pa.Array) -> None:
    assert texts(table(tmp_path / "a.parquet", {"text": column})) == ["一", "二"]


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        (pa.array([1, None]), ["1", "a"]),
        (pa.array(["甲", "甲"]).dictionary_encode(), ["甲", "甲"]),
        (pa.array(["", "乙"]), ["a", "乙"]),
    ],
)
def test_parquet_labels_of_any_kind(tmp_path: Path, column: pa.Array, labels: list[str]) -> None:
    documents, _ = read_inputs(table(tmp_path / "a.parquet", {"text": ["一", "二"], "label": column}))
    assert [document.label for document in documents] == labels


def test_parquet_text_that_is_not_utf8_is_a_dead_letter(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", {"text": pa.array([b"ok", b"\xff"], pa.binary())})
    documents, dead = read_inputs(path)
    assert ([document.text for document in documents], [letter.offset for letter in dead]) == (["ok"], [1])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"body": ["x"], "id": [1]}, "no column 'text' \\(--text-field\\); it has body, id"),
        ({"text": [1, 2]}, "column 'text' is int64, not text"),
        ({"text": ["x"], "label": [["y"]]}, "column 'label' is list<.*not text"),
    ],
)
def test_parquet_without_text_is_refused(tmp_path: Path, columns: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=rf"a\.parquet: {message}"):
        read_inputs(table(tmp_path / "a.parquet", columns))


def test_damaged_parquet_is_refused_and_named(tmp_path: Path) -> None:
    content = table(tmp_path / "a.parquet", {"text": [str(number) for number in range(5000)]}).read_bytes()
    for damaged in (
        b"",
        b"PAR1",
        content[:-1],
        content[: len(content) // 2],
        b"x" * 100,
        content[:50] + b"\xff" * 50 + content[100:],
    ):
        (tmp_path / "a.parquet").write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.parquet: not a whole Parquet file .*: fetch it again"):
            read_inputs(tmp_path / "a.parquet")


@given(
    values=st.lists(st.text("中a", max_size=3), max_size=30),
    rows=st.integers(1, 7),
    cuts=st.lists(st.floats(0, 1), max_size=6),
    batch=st.integers(1, 5),
)
@settings(max_examples=60)
def test_any_cut_gives_every_row_once(file: Path, values: list[str], rows: int, cuts: list[float], batch: int) -> None:
    pq.write_table(pa.table({"text": pa.array(values, pa.string())}), file, row_group_size=rows)
    source = source_of(file, "parquet", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_limits, "ROWS_A_BATCH", batch)
        found = [read([piece]) for piece in slices_at(source, [int(cut * source.size) for cut in cuts])]
    assert [document for documents, _ in found for document in documents] == [
        Read(str(file), row, "the label", text) for row, text in enumerate(values)
    ]


def test_a_cut_where_a_row_group_begins_gives_every_row_once(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", {"id": [1, 2, 3], "text": ["一", "二", "三"]}, row_group_size=1)
    metadata = pq.read_metadata(path)
    columns = [metadata.row_group(group).column(0) for group in range(3)]
    begins = [column.dictionary_page_offset or column.data_page_offset for column in columns]
    found = [read([piece])[0] for piece in slices_at(source_of(path, "parquet", "utf-8"), begins)]
    assert [[(document.start, document.text) for document in documents] for documents in found] == [
        [],
        [(0, "一")],
        [(1, "二")],
        [(2, "三")],
    ]


# What is opened by URL


@pytest.fixture
def memory() -> Callable[[str, bytes], str]:
    fsspec = pytest.importorskip("fsspec")
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()

    def put(path: str, content: bytes) -> str:
        filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
        filesystem.pipe_file(path, content)
        return f"memory:/{path}"

    return put


def test_urls_are_read_like_paths(memory: Callable[[str, bytes], str], tmp_path: Path) -> None:
    memory("/corpus/体育/1.txt", "文件".encode("gb18030"))
    memory("/corpus/.hidden/1.txt", b"hidden")
    memory("/corpus/top.md", b"top")
    lines = memory("/a.txt", "一\n二\n".encode())
    memory("/a.tsv.gz", gzip.compress("标\t丙".encode()))
    packed_members = archive(tmp_path / "a.zip", [("四/1.txt", b"member")])
    memory("/a.zip", packed_members.read_bytes())
    memory("/a.parquet", table(tmp_path / "a.parquet", {"text": ["行"]}).read_bytes())
    documents, dead = read_inputs(
        "memory://corpus", lines, "memory:///a.tsv.gz", "memory:///a.zip", "memory:///a.parquet"
    )
    assert dead == []
    assert [(document.place, document.label, document.text) for document in documents] == [
        ("memory:///a.parquet", "a", "行"),
        ("memory:///a.tsv.gz", "标", "丙"),
        ("memory:///a.txt", "a", "一"),
        ("memory:///a.txt", "a", "二"),
        ("memory:///a.zip!四/1.txt", "四", "member"),
        ("memory:///corpus/top.md", "corpus", "top"),
        ("memory:///corpus/体育/1.txt", "体育", "文件"),
    ]


def test_a_document_by_url_keeps_to_the_limit(memory: Callable[[str, bytes], str]) -> None:
    memory("/corpus/1.txt", b"12345")
    (source,) = discover(["memory://corpus"], Reading())
    assert read_sources([source], Reading(max_document_bytes=5))[0][0].text == "12345"
    memory("/corpus/1.txt", b"123456789")
    _, dead = read_sources([source], Reading(max_document_bytes=5))
    assert [letter.reason[:30] for letter in dead] == ["more than --max-document-bytes"]
