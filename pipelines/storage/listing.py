"""What inputs hold: sources, and listings of them that stay small where there are millions."""

import hashlib
import heapq
import itertools
import json
import pickle
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal, NamedTuple

Format = Literal["document", "lines", "tsv", "jsonl", "parquet", "paragraphs", "pairs"]
BLOCK = 1024
_place = attrgetter("place")


class Source(NamedTuple):
    """One file, one member of an archive, or a stretch of the random numbers that a job draws (format "pairs").

    `version`: what changes with the content (time of change, etag, or CRC). `encoding` is "auto" where every document
    is decided by itself. `member`: (offset of the local header, compressed bytes, method) inside a zip archive.
    `problem`: why a member cannot be read. `split`: the part of a data set that it was named for, if any.
    A tuple and no dataclass: a corpus may have millions, and a tuple is made in less than half the time.
    """

    path: str
    label: str
    size: int
    version: str
    format: Format
    encoding: str
    compression: str = ""
    name: str = ""
    member: tuple[int, int, int] | None = None
    problem: str = ""
    split: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """What a fingerprint covers."""
        return (
            self.place,
            self.label,
            str(self.size),
            self.version,
            self.format,
            self.encoding,
            self.problem,
            self.split,
        )

    @property
    def wide(self) -> bool:
        """Whether characters are two or four bytes wide, so that byte `\\n` may be half of one."""
        return self.encoding.startswith(("utf-16", "utf-32"))

    @property
    def place(self) -> str:
        """How messages and dead letters call it: the path, with `!` before the member of an archive."""
        return f"{self.path}!{self.name}" if self.name else self.path


@dataclass(frozen=True, slots=True)
class Listing:
    """Sources in the order of their places, each place once; packed, some 30 bytes of memory for a small file.

    `firsts`: the place with which each block begins. `bytes`: of all sources. `sha256`: over all identities.
    """

    blocks: tuple[bytes, ...]
    firsts: tuple[str, ...]
    count: int
    bytes: int
    encodings: Mapping[str, int]
    sha256: str
    _open: dict[int, dict[str, tuple[int, Source]]] = field(default_factory=dict, compare=False, repr=False)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Source]:
        for block in self.blocks:
            yield from map(Source._make, unpacked(block))

    def find(self, place: str) -> tuple[int, Source] | None:
        """The number and the source of a place; quick where one is asked for after the other, in order."""
        number = bisect_right(self.firsts, place) - 1
        if number not in self._open:
            self._open.clear()
            sources = map(Source._make, unpacked(self.blocks[number]) if number >= 0 else [])
            self._open[number] = {source.place: (index, source) for index, source in enumerate(sources, number * BLOCK)}
        return self._open[number].get(place)


def listing_of(sources: Iterable[Source]) -> Listing:
    """Lists sources that come in order, of which a block at a time is in memory.

    >>> listing = listing_of(Source(path, "", 9, "1", "lines", "utf-8") for path in ("a.txt", "b.txt"))
    >>> len(listing), listing.bytes, [source.path for source in listing]
    (2, 18, ['a.txt', 'b.txt'])
    """
    blocks, firsts, count, size, encodings, whole = [], [], 0, 0, Counter[str](), hashlib.sha256()
    sources = iter(sources)
    while block := list(itertools.islice(sources, BLOCK)):
        blocks.append(packed(block))
        firsts.append(block[0].place)
        count += len(block)
        size += sum(source.size for source in block)
        encodings.update(source.encoding for source in block)
        whole.update(json.dumps([source.identity for source in block]).encode())
    return Listing(tuple(blocks), tuple(firsts), count, size, dict(encodings), whole.hexdigest())


def in_order(listings: Iterable[Iterable[Source]]) -> Iterator[Source]:
    """Merges what comes in order each; of one place the first listing's source comes first."""
    return heapq.merge(*listings, key=_place)


def packed(rows: Iterable[tuple[Any, ...]]) -> bytes:
    """Tuples of plain values as few bytes."""
    return zlib.compress(pickle.dumps(list(map(tuple, rows))), 1)


def unpacked(content: bytes) -> list[Any]:
    """The tuples of `packed`.

    >>> unpacked(packed([("a.txt", 9)]))
    [('a.txt', 9)]
    """
    return list(pickle.loads(zlib.decompress(content)))
