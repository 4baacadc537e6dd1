"""Each peer, in a process of its own as it is measured: its counts are those of jieba, or of its own library."""

from collections import Counter
from pathlib import Path

import pytest
import rjieba

from pipelines.bench.contender import ENGINES, documents_of, measure
from pipelines.bench.corpora import write_documents
from pipelines.bench.counting import jieba_cut
from pipelines.bench.peers import LOOP, PEERS, batches, merged

TEXTS = [
    "我来到北京清华大学，他来到了网易杭研大厦。\n　　小明硕士毕业于中国科学院计算所\r",
    "",
    "\u2028iPhone 5的AT&T用户 3.14%\r\n\r\n第二行\x0b第三行",
    *(f"第{number}届奥运会在北京举行" for number in range(30)),
]
SLOW = {"dask_bag", "beam_word_count", "dask", "beam"}
NAMES = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in [*PEERS, *ENGINES]]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_documents([text.encode() for text in TEXTS], tmp_path_factory.mktemp("peers") / "corpus").folder


@pytest.mark.parametrize("name", NAMES)
def test_counts_are_those_of_the_library(corpus: Path, name: str) -> None:
    cut = rjieba.cut if name == "rjieba_pool" else jieba_cut()
    expected = Counter(word for text in TEXTS for word in cut(text) if not word.isspace())
    workers = 2 if name in ENGINES or PEERS[name].parallel else 1
    measured = measure(name, workers=workers, corpus=corpus, counts=True)
    assert measured.counts == expected
    assert measured.startup > 0
    assert measured.seconds > 0
    assert 20 << 20 < measured.peak_bytes < 4 << 30


def test_counts_are_handed_over_only_when_asked_for(corpus: Path) -> None:
    assert measure(LOOP, workers=1, corpus=corpus).counts is None


def test_documents_are_read_as_they_were_written(corpus: Path) -> None:
    assert documents_of(corpus) == TEXTS


def test_batches_are_the_texts_in_order() -> None:
    assert list(batches(list("abcde"), size=2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert merged([{"a": 1, "b": 2}, {"b": 3}, {}]) == {"a": 1, "b": 5}
