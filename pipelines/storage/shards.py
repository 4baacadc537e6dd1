"""Shards: balanced lists of slices of the inputs, identified by what they hold and how it is counted."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

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


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=True, sort_keys=True).encode()).hexdigest()


def make_shards(slices: Iterable[Slice], *, workers: int, shard_bytes: int, configuration: str) -> list[Shard]:
    """Packs slices in order into shards of about `shard_bytes` at most, and four a worker where there is enough."""
    slices = list(slices)
    total = sum(map(_size, slices))
    target = max(min(shard_bytes, -(-total // (SHARDS_PER_WORKER * workers))), min(SMALLEST_SHARD, shard_bytes), 1)
    count = max(1, -(-total // target))
    groups: list[list[Slice]] = [[] for _ in range(count)]
    position = 0
    for piece in _split(slices, target):
        # A slice goes where its middle falls, when the whole is divided evenly.
        middle = position + _size(piece) // 2
        groups[min(count - 1, middle * count // max(1, total))].append(piece)
        position += _size(piece)
    return [make_shard(group, configuration=configuration) for group in groups if group]


def make_shard(slices: Sequence[Slice], *, configuration: str) -> Shard:
    """A shard with its fingerprint."""
    fingerprint = digest([configuration, [(*piece.source.identity, piece.begin, piece.end) for piece in slices]])
    return Shard(fingerprint, sum(map(_size, slices)), tuple(slices))


def whole(source: Source) -> Slice:
    """The slice that is all of a source."""
    return Slice(source, 0, source.size)


def splittable(source: Source) -> bool:
    """Whether a byte range can be read alone: row groups, or plain lines where byte `\\n` ends a line."""
    wide = source.encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32", "utf16", "utf32"))
    return source.format != "document" and not source.compression and not wide


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


def _split(slices: Iterable[Slice], target: int) -> Iterable[Slice]:
    for piece in slices:
        if not splittable(piece.source) or _size(piece) <= target:
            yield piece
            continue
        pieces = -(-_size(piece) // target)
        bounds = [piece.begin + _size(piece) * index // pieces for index in range(pieces + 1)]
        for begin, end in itertools.pairwise(bounds):
            yield Slice(piece.source, begin, end)
