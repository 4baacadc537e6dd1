"""Folders of documents to measure on: a corpus's own, a part of them, more of them, or as small as THUCNews'."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np

from pipelines.bench.counting import texts_of
from pipelines.errors import InputError
from pipelines.sample import CATEGORIES, write_sample

MADE_DOCUMENT = 2700  # bytes of UTF-8 that a document of `hanmill sample` has on average
FILES_A_FOLDER = 1000
THUCNEWS_FILES, THUCNEWS_BYTES = 836_000, 2_200_000_000


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents in UTF-8, one a file below `folder`; `size` in bytes."""

    folder: Path
    documents: int
    size: int

    @property
    def megabytes(self) -> float:
        return self.size / 1e6

    def facts(self) -> dict[str, int]:
        """What a result tells of it."""
        return {"documents": self.documents, "bytes": self.size}


def gathered(inputs: Sequence[str], scratch: Path, *, limit: int) -> list[bytes]:
    """About `limit` bytes of decoded documents in UTF-8, evenly from the inputs, or made ones where there are none.

    Raises InputError for inputs without text.
    """
    if not inputs:
        made = scratch / "made"
        write_sample(made, documents=-(-limit // MADE_DOCUMENT) + len(CATEGORIES), seed=0)
        inputs = [str(made)]
    documents = [text.encode() for text in texts_of(inputs, limit=limit)]
    if not any(documents):
        raise InputError(f"{', '.join(inputs)}: no text there that can be decoded")
    return thinned(documents, limit=limit)


def thinned(documents: Sequence[bytes], *, limit: int) -> list[bytes]:
    """About `limit` bytes of the documents, evenly from the whole, in order.

    >>> len(thinned([b"1234"] * 10, limit=20)), len(thinned([b"1234"] * 10, limit=100))
    (5, 10)
    """
    share = limit / sum(map(len, documents))
    kept: list[bytes] = []
    taken = 0
    for document, seen in zip(documents, accumulate(map(len, documents)), strict=True):
        if taken + len(document) / 2 <= seen * share:
            kept.append(document)
            taken += len(document)
    return kept or list(documents[:1])


def write_documents(documents: Sequence[bytes], folder: Path) -> Corpus:
    """A file for each document, a thousand a folder."""
    for number, document in enumerate(documents):
        path = folder / f"{number // FILES_A_FOLDER:04}" / f"{number:07}.txt"
        if number % FILES_A_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(document)
    return Corpus(folder, len(documents), sum(map(len, documents)))


def link_documents(corpus: Corpus, folder: Path, *, size: int, seed: int = 0) -> Corpus:
    """`size` bytes of documents as links to those of a corpus: all of them in seeded order, again and again."""
    paths = sorted(corpus.folder.rglob("*.txt"))
    sizes = [path.stat().st_size for path in paths]
    random = np.random.Generator(np.random.PCG64(seed))
    linked = written = 0
    while written < size:
        for number in random.permutation(len(paths)).tolist():
            place = folder / f"{linked // FILES_A_FOLDER:04}"
            if linked % FILES_A_FOLDER == 0:
                place.mkdir(parents=True)
            os.link(paths[number], place / f"{linked:07}.txt")
            linked += 1
            written += sizes[number]
            if written >= size:
                break
    return Corpus(folder, linked, written)


def write_small_files(documents: Sequence[bytes], folder: Path, *, files: int, size: int, seed: int = 0) -> Corpus:
    """THUCNews' shape: so many files of so many bytes together, in 14 folders, of pieces of the documents.

    Lengths are log-normal; the documents come in seeded order, again and again, and are cut elsewhere each time.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    for category in CATEGORIES:
        (folder / category).mkdir(parents=True)
    characters = sum(len(document.decode()) for document in documents) / sum(map(len, documents))  # a byte
    lengths = random.lognormal(sigma=0.65, size=files)
    lengths *= characters * size / lengths.sum()
    stream = _endless(documents, random)
    text, start, written = next(stream), 0, 0
    for number, length in enumerate(np.maximum(1, lengths.round()).astype(int).tolist()):
        while len(text) - start < length:
            text, start = text[start:] + next(stream), 0
        piece = text[start : start + length].encode()
        start += length
        (folder / CATEGORIES[number % len(CATEGORIES)] / f"{number}.txt").write_bytes(piece)
        written += len(piece)
    return Corpus(folder, files, written)


def _endless(documents: Sequence[bytes], random: np.random.Generator) -> Iterator[str]:
    while True:
        for number in random.permutation(len(documents)).tolist():
            yield documents[number].decode() + "\n"
