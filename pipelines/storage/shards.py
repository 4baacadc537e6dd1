"""Shards: balanced lists of slices of the inputs, identified by what they hold and how it is counted."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipelines.storage.commit import digest
from pipelines.storage.sources import Source

SHARDS_PER_WORKER = 4
SMALLEST_SHARD = 64 << 10


@dataclass(frozen=True, slots=True)
class Slice:
    """A byte range of a source; a line or a row group belongs to the slice in which it begins."""

    source: Source
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Shard:
    """What one task reads. `size`: bytes. `fingerprint`: over the slices and the job's configuration, never a rank."""

    fingerprint: str
    size: int
    slices: tuple[Slice, ...]


def make_shards(slices: Iterable[Slice], *, workers: int, shard_bytes: int, configuration: str) -> list[Shard]:
    """Packs slices in order into shards of `shard_bytes` at most, and four a worker where there is enough.

    A shard is larger only where it is a single slice that cannot be split. The last of each worker are cut in four.
    """
    slices = list(slices)
    total = sum(map(_size, slices))
    target = max(min(shard_bytes, -(-total // (SHARDS_PER_WORKER * workers))), min(SMALLEST_SHARD, shard_bytes), 1)
    pieces = list(_split(slices, target))
    # A shard may end up to half a piece later than it should, and begin as much before.
    room = max(1, shard_bytes // 2, shard_bytes - max(map(_size, pieces), default=0))
    count = max(1, -(-total // min(target, room)))
    groups: dict[int, list[Slice]] = defaultdict(list)  # an archive may lie about its sizes: many would be empty
    position = 0
    for piece in pieces:
        # A slice goes where its middle falls, when the whole is divided evenly.
        middle = position + _size(piece) // 2
        groups[min(count - 1, middle * count // max(1, total))].append(piece)
        position += _size(piece)
    within = list(itertools.chain.from_iterable(_halved(group, shard_bytes) for group in groups.values()))
    if workers > 1 and target == shard_bytes:
        # Large shards leave workers idle at the end, when one has begun its last and others have none.
        tail = itertools.chain.from_iterable(within[-workers:])
        quarters = make_shards(tail, workers=1, shard_bytes=-(-shard_bytes // 4), configuration=configuration)
        return [make_shard(group, configuration=configuration) for group in within[:-workers]] + quarters
    return [make_shard(group, configuration=configuration) for group in within]


def make_shard(slices: Sequence[Slice], *, configuration: str) -> Shard:
    """A shard with its fingerprint."""
    fingerprint = digest([configuration, [(*piece.source.identity, piece.begin, piece.end) for piece in slices]])
    return Shard(fingerprint, sum(map(_size, slices)), tuple(slices))


def whole(source: Source) -> Slice:
    """The slice that is all of a source."""
    return Slice(source, 0, source.size)


def splittable(source: Source) -> bool:
    """Whether a byte range can be read alone: row groups, or plain lines where byte `\\n` ends a line."""
    return source.format != "document" and not source.compression and not source.wide


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


def _halved(group: list[Slice], most: int) -> Iterator[list[Slice]]:
    if len(group) == 1 or sum(map(_size, group)) <= most:
        yield group
        return
    for half in (group[: len(group) // 2], group[len(group) // 2 :]):
        yield from _halved(half, most)


def _split(slices: Iterable[Slice], target: int) -> Iterable[Slice]:
    for piece in slices:
        if not splittable(piece.source) or _size(piece) <= target:
            yield piece
            continue
        pieces = -(-_size(piece) // target)
        bounds = [piece.begin + _size(piece) * index // pieces for index in range(pieces + 1)]
        for begin, end in itertools.pairwise(bounds):
            yield Slice(piece.source, begin, end)
