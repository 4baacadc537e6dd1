"""Folders of documents: how much of a corpus, how often, and in which shape."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.bench.contender import documents_of
from pipelines.bench.corpora import gathered, link_documents, thinned, write_documents, write_small_files
from pipelines.errors import InputError

DOCUMENTS = [f"第{number}篇文章。".encode() * (1 + number % 7) for number in range(60)]


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=80), st.integers(1, 3000))
def test_what_is_thinned_is_in_order_and_about_as_much(documents: list[bytes], limit: int) -> None:
    kept = thinned(documents, limit=limit)
    remaining = iter(documents)
    assert all(document in remaining for document in kept)
    total = sum(map(len, documents))
    if limit >= total:
        assert kept == documents
    else:
        assert abs(sum(map(len, kept)) - limit) <= max(map(len, documents))


def test_documents_come_decoded_from_any_input(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("中文".encode("gb18030"))
    (tmp_path / "b.txt").write_bytes("中文".encode())
    assert gathered([str(tmp_path)], tmp_path, limit=100) == ["中文".encode()] * 2


def test_no_input_means_a_made_corpus(tmp_path: Path) -> None:
    documents = gathered([], tmp_path, limit=200_000)
    assert sum(map(len, documents)) == pytest.approx(200_000, rel=0.1)


def test_nothing_to_count_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"")
    with pytest.raises(InputError, match="no text there"):
        gathered([str(tmp_path)], tmp_path, limit=100)


def test_more_than_the_corpus_repeats_it_in_seeded_order(tmp_path: Path) -> None:
    base = write_documents(DOCUMENTS, tmp_path / "base")
    assert base.size == sum(map(len, DOCUMENTS))
    size = 2 * base.size + base.size // 2
    linked = {seed: link_documents(base, tmp_path / f"{seed}", size=size, seed=seed) for seed in (0, 1)}
    texts = {seed: documents_of(corpus.folder) for seed, corpus in linked.items()}
    for seed, corpus in linked.items():
        assert size <= corpus.size < size + max(map(len, DOCUMENTS))
        assert (corpus.documents, corpus.size) == (len(texts[seed]), sum(len(text.encode()) for text in texts[seed]))
        assert sorted(texts[seed][:60]) == sorted(texts[seed][60:120]) == sorted(map(bytes.decode, DOCUMENTS))
        assert texts[seed][:60] != texts[seed][60:120]
    assert texts[0] != texts[1]
    assert texts[0] == documents_of(link_documents(base, tmp_path / "again", size=size).folder)


def test_small_files_have_the_shape_that_was_asked_for(tmp_path: Path) -> None:
    made = write_small_files(DOCUMENTS, tmp_path / "small", files=400, size=40_000)
    paths = sorted(made.folder.rglob("*.txt"))
    assert len(paths) == made.documents == 400
    assert sum(path.stat().st_size for path in paths) == made.size == pytest.approx(40_000, rel=0.05)
    assert len({path.parent for path in paths}) == 14
    text = "".join((made.folder / path).read_text() for path in sorted(paths, key=lambda path: int(path.stem)))
    assert set("".join(text.split("\n"))) == set("".join(map(bytes.decode, DOCUMENTS)))
    again = write_small_files(DOCUMENTS, tmp_path / "again", files=400, size=40_000)
    assert documents_of(again.folder) == documents_of(made.folder)
