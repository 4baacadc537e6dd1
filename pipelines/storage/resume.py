"""What an earlier run left that is still good, and what there is to do beside it."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.storage.commit import digest, digest_of_many, remove, sync_folder
from pipelines.storage.manifest import (
    CONFIGURATION,
    SHARDS,
    Entry,
    check_configuration,
    clear,
    read_entry,
    read_json,
)
from pipelines.storage.shards import Shard, Slice, make_shard, make_shards, whole, without
from pipelines.storage.sources import Source


@dataclass(frozen=True, slots=True)
class Plan:
    """`shards`: what there is to do. `kept`: entries of committed shards. `inputs`: of the inputs, for the manifest."""

    shards: Sequence[Shard]
    kept: Sequence[Entry]
    inputs: dict[str, Any]


def plan_job(
    directory: Path,
    sources: Sequence[Source],
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
        return replace(plan, shards=[make_shard(list(map(whole, sources)), configuration=fingerprinted)], kept=[])
    return plan


def make_plan(
    directory: Path, sources: Sequence[Source], *, configuration: str, workers: int, shard_bytes: int
) -> Plan:
    """Keeps every committed shard whose inputs are as they were, then shards only what is left.

    The result of a job cannot tell: a shard of a changed or removed input is dropped, and all of it counted again.
    """
    kept, taken = _kept(directory / SHARDS, sources, configuration)
    left = [piece for source in sources for piece in without(source, taken.get(source.place, []))]
    shards = make_shards(left, workers=workers, shard_bytes=shard_bytes, configuration=configuration)
    inputs = {
        "files": len(sources),
        "bytes": sum(source.size for source in sources),
        "sha256": digest_of_many(source.identity for source in sources),
        "encodings": dict(Counter(source.encoding for source in sources)),
    }
    return Plan(shards, kept, inputs)


def _kept(
    folder: Path, sources: Sequence[Source], configuration: str
) -> tuple[list[Entry], dict[str, list[tuple[int, int]]]]:
    """Entries of committed shards that are as good as new, and by place the ranges that they hold."""
    kept: list[Entry] = []
    taken: dict[str, list[tuple[int, int]]] = defaultdict(list)
    committed = sorted(folder.glob("*.json"))
    current = {source.place: source for source in sources} if committed else {}
    for path in committed:
        slices = _slices(read_json(path), current)
        if not slices or make_shard(slices, configuration=configuration).fingerprint != path.stem:
            continue
        entry = read_entry(folder, path.stem)
        if entry is None or any(_overlaps(piece, taken[piece.source.place]) for piece in slices):
            continue
        kept.append(entry)
        for piece in slices:
            taken[piece.source.place].append((piece.begin, piece.end))
    return kept, taken


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


def _slices(entry: Any, current: dict[str, Source]) -> list[Slice]:
    """The slices of an entry's shard, if all of its sources are as they were; else none."""
    if not isinstance(entry, dict):
        return []
    slices = []
    for *identity, begin, end in entry.get("slices", []):
        source = current.get(identity[0])
        if source is None or source.identity != tuple(identity):
            return []
        slices.append(Slice(source, begin, end))
    return slices


def _overlaps(piece: Slice, taken: Sequence[tuple[int, int]]) -> bool:
    """Whether the slice, or for an empty source the source, is taken."""
    return any((begin < piece.end and piece.begin < end) or begin == end for begin, end in taken)
