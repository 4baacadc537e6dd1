"""Inputs of every kind through one door."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.storage import batches as batch_limits
from pipelines.storage.batches import DeadLetter
from pipelines.storage.readers import read_batches
from pipelines.storage.shards import whole
from pipelines.storage.sources import Reading, discover
from tests.pipelines.reading import (
    archive,
    read_inputs,
    read_sources,
    source_of,
    table,
    texts,
)


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
