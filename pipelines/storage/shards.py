"""Shards: balanced lists of slices of the inputs, identified by what they hold and how it is counted."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipelines.storage.commit import digest
from pipelines.storage.listing import Source, packed, unpacked

SHARDS_PER_WORKER = 4
SMALLEST_SHARD = 64 << 10
_LARGEST = 1 << 36
_SIZED = np.dtype([("size", np.int64), ("splittable", np.bool_)])


class Slice(NamedTuple):
    """A byte range of a source; a line or a row group belongs to the slice in which it begins."""

    source: Source
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Shard:
    """What one task reads. `size`: bytes. `fingerprint`: over the slices and the job's configuration, never a rank.

    `content`: the slices, packed, as the driver holds all shards at once and engines carry them.
    """

    fingerprint: str
    size: int
    content: bytes = packed([])

    @property
    def slices(self) -> tuple[Slice, ...]:
        """What it holds, in order; unpacked each time."""
        return tuple(Slice(Source._make(row), begin, end) for *row, begin, end in unpacked(self.content))


def make_shards(slices: Iterable[Slice], *, workers: int, shard_bytes: int, configuration: str) -> list[Shard]:
    """Packs slices in order into shards of `shard_bytes` at most, and four a worker where there is enough.

    A shard is larger only where it is a single slice that cannot be split. The last of each worker are cut in four.
    The slices are gone through twice, so that there may be millions: first for their sizes.
    """
    sizes = np.fromiter(map(_sized, slices), _SIZED)
    total = int(sizes["size"].sum())
    target = max(min(shard_bytes, -(-total // (SHARDS_PER_WORKER * workers))), min(SMALLEST_SHARD, shard_bytes), 1)
    counts = _counts(_split_sizes(sizes, target), target=target, shard_bytes=shard_bytes)
    pieces = _split(slices, target)
    # Large shards leave workers idle at the end, when one has begun its last and others have none.
    last = workers if workers > 1 and target == shard_bytes else 0
    shards = [
        make_shard(itertools.islice(pieces, count), configuration=configuration)
        for count in counts[: max(0, len(counts) - last)]
    ]
    if not last:
        return shards
    quarter = -(-shard_bytes // 4)
    return shards + make_shards(list(pieces), workers=1, shard_bytes=quarter, configuration=configuration)


def make_shard(slices: Iterable[Slice], *, configuration: str) -> Shard:
    """A shard with its fingerprint."""
    slices = list(slices)
    content = packed((*piece.source, piece.begin, piece.end) for piece in slices)
    return Shard(fingerprint_of(slices, configuration=configuration), sum(map(_size, slices)), content)


def fingerprint_of(slices: Iterable[Slice], *, configuration: str) -> str:
    """What a shard of these slices is known by."""
    return digest([configuration, [(*piece.source.identity, piece.begin, piece.end) for piece in slices]])


def whole(source: Source) -> Slice:
    """The slice that is all of a source."""
    return Slice(source, 0, source.size)


def splittable(source: Source) -> bool:
    """Whether a range can be read alone: row groups, paragraphs of a file, or plain lines where byte `\\n` ends one."""
    if source.format in ("document", "paragraphs"):
        return source.format == "paragraphs" and source.member is None
    return not source.compression and not source.wide


def without(source: Source, taken: Sequence[tuple[int, int]]) -> list[Slice]:
    """What is left of a source when the ranges `taken` are done."""
    left, position = [], 0
    for begin, end in sorted(taken):
        if begin > position:
            left.append(Slice(source, position, begin))
        position = max(position, end)
    if position < source.size or (source.size == 0 and not taken):
        left.append(Slice(source, position, source.size))
    return left


def _size(piece: Slice) -> int:
    return piece.end - piece.begin


def _sized(piece: Slice) -> tuple[int, bool]:
    """Size and whether it can be split; archives may lie about a member's, and many lies add up to no number."""
    divisible, size = splittable(piece.source), _size(piece)
    return size if divisible else min(size, _LARGEST), divisible


def _counts(sizes: npt.NDArray[np.int64], *, target: int, shard_bytes: int) -> list[int]:
    """How many pieces each shard gets, int64 [pieces] being their sizes."""
    total = int(sizes.sum())
    # A shard may end up to half a piece later than it should, and begin as much before.
    room = max(1, shard_bytes // 2, shard_bytes - int(sizes.max(initial=0)))
    count = max(1, -(-total // min(target, room)))
    # A piece goes where its middle falls, when the whole is divided evenly. An archive may lie about its sizes: of
    # more shards than pieces most would be empty, and are not even looked at.
    ends = np.cumsum(sizes)
    middles = ends - sizes + sizes // 2
    counts: list[int] = []
    first = 0
    while first < len(sizes):
        number = min(count - 1, int(middles[first]) * count // max(1, total))
        # The first middle that belongs to the next: middle * count >= (number + 1) * total.
        following = -(-(number + 1) * total // count) if number < count - 1 else total + 1
        last = int(np.searchsorted(middles, min(following, total + 1)))
        last = max(last, first + 1)
        counts += _halved(sizes[first:last], shard_bytes)
        first = last
    return counts


def _halved(sizes: npt.NDArray[np.int64], most: int) -> Iterator[int]:
    if len(sizes) == 1 or sizes.sum() <= most:
        yield len(sizes)
        return
    for half in (sizes[: len(sizes) // 2], sizes[len(sizes) // 2 :]):
        yield from _halved(half, most)


def _split_sizes(sizes: npt.NDArray[np.void], target: int) -> npt.NDArray[np.int64]:
    """The sizes of what `_split` makes of slices, int64 [pieces]."""
    many = np.flatnonzero(sizes["splittable"] & (sizes["size"] > target))
    parts, done = [], 0
    for index in many.tolist():
        parts += [sizes["size"][done:index], np.diff(_bounds(0, int(sizes["size"][index]), target))]
        done = index + 1
    return np.concatenate([*parts, sizes["size"][done:]])


def _split(slices: Iterable[Slice], target: int) -> Iterator[Slice]:
    for piece in slices:
        if not splittable(piece.source) or _size(piece) <= target:
            yield piece
            continue
        for begin, end in itertools.pairwise(_bounds(piece.begin, piece.end, target)):
            yield Slice(piece.source, begin, end)


def _bounds(begin: int, end: int, target: int) -> list[int]:
    """Where a range is cut into even pieces of `target` at most."""
    pieces = -(-(end - begin) // target)
    return [begin + (end - begin) * index // pieces for index in range(pieces + 1)]
