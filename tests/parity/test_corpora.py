"""The real corpora whole: word counts and document frequencies are those of jieba 0.42.1."""

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

import pytest

from tests.parity.oracle import MODES, jieba_counts
from transforms.segmentation import Dictionary, Segmenter, Tokenizer

DATA = os.environ.get("HANMILL_DATA")
PROCESSES = 2

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA, reason="HANMILL_DATA names the folder of the corpora, and is not set"),
]


def fudan(data: Path) -> list[str]:
    """One text a file, GB18030; the files that do not decode are left out."""
    texts = []
    for path in sorted((data / "fudan").glob("*/*.txt")):
        try:
            texts.append(path.read_bytes().decode("gb18030"))
        except UnicodeDecodeError:
            continue
    return texts


def laws(data: Path) -> list[str]:
    """One text a file, UTF-8, in folders of folders."""
    return [path.read_bytes().decode("utf-8") for path in sorted((data / "laws").rglob("*.md"))]


def cnews(data: Path) -> list[str]:
    """One text a line, behind its label."""
    lines = (data / "cnews" / "cnews.tsv").read_bytes().decode("utf-8").split("\n")
    return [line.split("\t", 1)[1] for line in lines if line]


def oracle_counts(texts: list[str], *, mode: Tokenizer, hmm: bool) -> tuple[Counter[str], Counter[str]]:
    """jieba's counts and document frequencies, by several processes."""
    counts: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    ordered = sorted(texts, key=len)  # dealt out in turn, so that the shares are alike
    shares = [ordered[number::PROCESSES] for number in range(PROCESSES)]
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("spawn")) as pool:
        for share_counts, share_documents in pool.map(jieba_counts, shares, repeat(mode), repeat(hmm)):
            counts.update(share_counts)
            documents.update(share_documents)
    return counts, documents


CORPORA = [
    (fudan, 9_000, "words", True),
    (laws, 100, "words", True),
    *((cnews, 100, mode, hmm) for mode, hmm in MODES),
]


@pytest.mark.parametrize(
    ("read", "at_least", "mode", "hmm"),
    CORPORA,
    ids=[f"{read.__name__}-{mode}-{'hmm' if hmm else 'no-hmm'}" for read, _, mode, hmm in CORPORA],
)
def test_counts_of_a_whole_corpus(
    stock: Dictionary, read: Callable[[Path], list[str]], at_least: int, mode: Tokenizer, hmm: bool
) -> None:
    assert DATA is not None
    texts = read(Path(DATA))
    assert len(texts) >= at_least, f"{DATA} holds another corpus than expected"
    counted = Segmenter(stock, tokenizer=mode, hmm=hmm).count(texts).table.to_pydict()
    counts, documents = oracle_counts(texts, mode=mode, hmm=hmm)
    ours = dict(zip(counted["word"], zip(counted["count"], counted["documents"], strict=True), strict=True))
    theirs = {word: (counts[word], documents[word]) for word in counts}
    assert len(ours) == len(counted["word"])
    differences = [(word, ours.get(word), theirs.get(word)) for word in sorted(ours.keys() | theirs.keys())]
    differences = [difference for difference in differences if difference[1] != difference[2]]
    assert differences[:20] == []
    print(f"{read.__name__}: {len(texts)} texts, {sum(counts.values())} tokens, {len(counts)} words, 0 differences")
