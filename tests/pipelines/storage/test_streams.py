"""Compressed streams: what is whole is read, and where one is damaged is told."""

import gzip
import os
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines.storage import batches as batch_limits
from pipelines.storage.sources import Reading, discover
from pipelines.storage.streams import open_source
from tests.pipelines.reading import read_inputs, reasons, texts


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
