"""Documents in files and archives: whole, or a dead letter that says why."""

import codecs
import os
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.storage import documents
from pipelines.storage.batches import DeadLetter
from pipelines.storage.sources import Reading, discover
from tests.pipelines.reading import (
    Read,
    archive,
    read_inputs,
    read_sources,
    reasons,
    texts,
)

DOCUMENTS = Reading(format="document")


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
