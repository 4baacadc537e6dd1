"""What an earlier run left that is still good, and what there is to do beside it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines.storage.commit import digest, remove, sync_folder
from pipelines.storage.listing import Listing
from pipelines.storage.manifest import (
    CONFIGURATION,
    SHARDS,
    Entry,
    check_configuration,
    clear,
    read_entry,
    read_json,
)
from pipelines.storage.shards import Shard, Slice, fingerprint_of, make_shard, make_shards, whole, without


@dataclass(frozen=True, slots=True)
class Plan:
    """`shards`: what there is to do. `kept`: entries of committed shards. `inputs`: of the inputs, for the manifest."""

    shards: Sequence[Shard]
    kept: Sequence[Entry]
    inputs: dict[str, Any]


def plan_job(
    directory: Path,
    sources: Listing,
    *,
    configuration: dict[str, Any],
    code: Sequence[str],
    workers: int,
    shard_bytes: int,
    fresh: bool = False,
    single: bool = False,
) -> Plan:
    """The plan of a job in its output folder, which belongs to its configuration.

    `code`: versions of what else decides the results, such as the job's own. `fresh` forgets what earlier runs left,
    now that there is known to be something to do. `single`: all sources make one shard.

    Raises InputError for a folder that holds another configuration.
    """
    if fresh:
        clear(directory)
    check_configuration(directory, configuration)
    fingerprinted = digest([configuration, *code])
    plan = make_plan(directory, sources, configuration=fingerprinted, workers=workers, shard_bytes=shard_bytes)
    if single and plan.shards:
        return replace(plan, shards=[make_shard(map(whole, sources), configuration=fingerprinted)], kept=[])
    return plan


def make_plan(directory: Path, sources: Listing, *, configuration: str, workers: int, shard_bytes: int) -> Plan:
    """Keeps every committed shard whose inputs are as they were, then shards only what is left.

    The result of a job cannot tell: a shard of a changed or removed input is dropped, and all of it counted again.
    """
    kept, left = _kept(directory / SHARDS, sources, configuration)
    shards = make_shards(left, workers=workers, shard_bytes=shard_bytes, configuration=configuration)
    inputs = {
        "files": len(sources),
        "bytes": sources.bytes,
        "sha256": sources.sha256,
        "encodings": dict(sources.encodings),
    }
    return Plan(shards, kept, inputs)


@dataclass(frozen=True, slots=True)
class _Left:
    """What is left of the sources. `done`: a byte for each, 1 if all of it is taken. `taken`: ranges, by number."""

    sources: Listing
    done: bytearray
    taken: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))

    def __iter__(self) -> Iterator[Slice]:
        for number, source in enumerate(self.sources):
            if number in self.taken:
                yield from without(source, self.taken[number])
            elif not self.done[number]:
                yield whole(source)

    def overlaps(self, number: int, piece: Slice) -> bool:
        """Whether some of the slice, or for an empty source the source, is taken."""
        ranges = self.taken.get(number, ())
        return bool(self.done[number]) or any(
            (begin < piece.end and piece.begin < end) or begin == end for begin, end in ranges
        )

    def take(self, number: int, piece: Slice) -> None:
        """Notes that a slice is done."""
        if piece == whole(piece.source):
            self.done[number] = 1
        else:
            self.taken[number].append((piece.begin, piece.end))


def _kept(folder: Path, sources: Listing, configuration: str) -> tuple[list[Entry], _Left]:
    """Entries of committed shards that are as good as new, and what is left beside them."""
    kept, left = [], _Left(sources, bytearray(len(sources)))
    for path in sorted(folder.glob("*.json")):
        slices = _slices(read_json(path), sources)
        if not slices or fingerprint_of([piece for _, piece in slices], configuration=configuration) != path.stem:
            continue
        entry = read_entry(folder, path.stem)
        if entry is None or any(left.overlaps(number, piece) for number, piece in slices):
            continue
        kept.append(entry)
        for number, piece in slices:
            left.take(number, piece)
    return kept, left


def written(slices: Sequence[Slice]) -> list[list[Any]]:
    """The slices of a shard as its entry remembers them."""
    return [[*piece.source.identity, piece.begin, piece.end] for piece in slices]


def drop_others(directory: Path, entries: Sequence[Entry]) -> None:
    """Removes the files of shards that are no part of the result: entries first, as none may name what is gone."""
    folder, keep = directory / SHARDS, {CONFIGURATION.partition(".")[0], *(entry.fingerprint for entry in entries)}
    others = [path for path in folder.iterdir() if path.name.partition(".")[0] not in keep]
    for path in others:
        if path.suffix == ".json":
            remove(path)
    if others:
        sync_folder(folder)
    for path in others:
        remove(path)


def _slices(entry: Any, sources: Listing) -> list[tuple[int, Slice]]:
    """The slices of an entry's shard with their sources' numbers, if all of those are as they were; else none."""
    if not isinstance(entry, dict):
        return []
    slices = []
    for *identity, begin, end in entry.get("slices", []):
        found = sources.find(identity[0])
        if found is None or found[1].identity != tuple(identity):
            return []
        slices.append((found[0], Slice(found[1], begin, end)))
    return slices
