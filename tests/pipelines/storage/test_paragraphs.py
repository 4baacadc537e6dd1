"""Any cut of a file gives each paragraph once; what is no such file is one dead letter, whoever reads it."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.storage.batches import DeadLetter
from pipelines.storage.readers import read_batches
from pipelines.storage.shards import Slice, make_shards, splittable, whole
from pipelines.storage.sources import Reading, discover

READING = Reading(format="paragraphs")
ARTICLE = st.lists(st.fixed_dictionaries({"context": st.text(max_size=9)}), max_size=5)


def written(path: Path, *articles: Any, encoding: str = "utf-8") -> Path:
    path.write_bytes(json.dumps({"data": list(articles)}, ensure_ascii=False).encode(encoding, "replace"))
    return path


def read(path: Path, cuts: list[int], reading: Reading = READING) -> tuple[list[tuple[int, Any]], list[DeadLetter]]:
    """Paragraphs behind their numbers, and dead letters, of slices in their order."""
    (source,) = discover([str(path)], reading)
    bounds = sorted({0, source.size, *(min(cut, source.size) for cut in cuts)})
    slices = [Slice(source, *edges) for edges in itertools.pairwise(bounds)] or [whole(source)]
    found, dead = [], []
    for piece in slices:
        for batch in read_batches([piece], reading):
            texts, failures = batch.texts()
            found += [(batch.position(document)[1], json.loads(text)) for document, text in texts.items()]
            dead += [*batch.dead, *failures]
    return found, dead


@given(articles=st.lists(ARTICLE, max_size=5), cuts=st.lists(st.integers(0, 400), max_size=6))
def test_any_cut_gives_each_paragraph_once(tmp_path_factory: Any, articles: Any, cuts: list[int]) -> None:
    path = written(tmp_path_factory.mktemp("cut") / "a.json", *({"paragraphs": article} for article in articles))
    every = json.loads(path.read_bytes())["data"]
    wanted = [paragraph for article in every for paragraph in article["paragraphs"]]
    assert read(path, cuts) == (list(enumerate(wanted)), [])


@pytest.mark.parametrize("cuts", [[], [1, 20, 40]])
def test_a_bad_article_has_a_place_among_the_paragraphs(tmp_path: Path, cuts: list[int]) -> None:
    path = written(tmp_path / "a.json", {"paragraphs": [1, {"context": "中"}]}, {"title": ""}, {"paragraphs": ["二"]})
    found, dead = read(path, cuts)
    assert found == [(0, 1), (1, {"context": "中"}), (3, "二")]
    assert dead == [DeadLetter(str(path), 2, "data, item 1: field 'paragraphs' is missing")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON: Expecting value at character 1"),
        (b'{"data": [', "not JSON: Expecting value at character 11"),
        (b'{"data":\n [', "not JSON: Expecting value at line 2, character 3"),
        (b'{"text": "", "spo_list": []}', "field 'spo_list' and no 'data': a row of relation-extraction"),
        (b'{"question": "", "answers": []}', "field 'data' is missing"),
        (b'{"data": {}}', "field 'data' is an object, not a list"),
        (b"[]", "not a JSON object but a list"),
        (b'{"data": "\xff\xff"}', "not UTF-8 nor GB18030: "),
    ],
)
@pytest.mark.parametrize("cuts", [[], [1, 5, 9]])
def test_what_is_no_such_file_is_one_dead_letter(tmp_path: Path, content: bytes, reason: str, cuts: list[int]) -> None:
    (tmp_path / "a.json").write_bytes(content)
    found, (letter,) = read(tmp_path / "a.json", cuts)
    assert (found, letter.offset) == ([], 0)
    assert letter.reason.startswith(reason)


def test_a_file_over_the_limit_is_one_dead_letter(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", {"paragraphs": ["中"]})
    found, (letter,) = read(path, [5], Reading(format="paragraphs", max_document_bytes=20))
    assert (found, "more than --max-document-bytes 20" in letter.reason) == ([], True)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path / "a.json", {"paragraphs": ["中国人民"]}, encoding=encoding)
    reading = Reading(format="paragraphs", encoding="utf-16" if encoding == "utf-16" else "auto")
    assert read(path, [4], reading) == ([(0, "中国人民")], [])


def test_a_source_that_does_not_tell_its_size_is_read_as_a_whole(tmp_path: Path) -> None:
    (source,) = discover([str(written(tmp_path / "a.json", {"paragraphs": ["中", "国"]}))], READING)
    (batch,) = read_batches([whole(source._replace(size=0))], READING)
    assert list(batch.starts) == [0, 1]


def test_files_of_a_folder_are_cut_too(tmp_path: Path) -> None:
    for name in "ab":
        written(tmp_path / f"{name}.json", {"paragraphs": ["中"] * 50_000})
    reading = Reading(format="paragraphs", patterns=("*.json",))
    sources = discover([str(tmp_path)], reading)
    assert all(source.format == "paragraphs" and splittable(source) for source in sources)
    assert len(make_shards(map(whole, sources), workers=1, shard_bytes=1 << 30, configuration="")) == 4
