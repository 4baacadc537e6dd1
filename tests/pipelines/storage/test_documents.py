"""Documents in files: whole, or a dead letter that says why."""

import codecs
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.errors import InputError
from pipelines.storage import documents
from pipelines.storage.batches import DeadLetter
from pipelines.storage.sources import Reading, discover
from tests.pipelines.reading import (
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
