"""A plan keeps what is still good and leaves nothing out, however the work was cut before."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.storage.listing import Source, listing_of
from pipelines.storage.manifest import CONFIGURATION, SHARDS, Entry, File, read_json, write_entry
from pipelines.storage.resume import Plan, drop_others, make_plan, plan_job, written
from pipelines.storage.shards import Shard, Slice, make_shard

pytestmark = pytest.mark.usefixtures("unsynced")


def source(name: str, size: int, format: str = "lines", version: str = "1") -> Source:
    return Source(f"/{name}", "label", size, version, format, "utf-8")  # type: ignore[arg-type]


def plan(
    directory: Path, sources: Sequence[Source], workers: int = 1, shard_bytes: int = 100, configuration: str = "c"
) -> Plan:
    (directory / SHARDS).mkdir(exist_ok=True)
    return make_plan(
        directory, listing_of(sources), configuration=configuration, workers=workers, shard_bytes=shard_bytes
    )


def commit(directory: Path, shard: Shard, content: bytes = b"a run") -> Entry:
    """Leaves what a worker that counted the shard leaves."""
    name = f"{SHARDS}/{shard.fingerprint}.arrow"
    (directory / SHARDS).mkdir(exist_ok=True)
    (directory / name).write_bytes(content)
    file = File(name, hashlib.sha256(content).hexdigest(), len(content), 1)
    entry = Entry(shard.fingerprint, (file,), {"bytes": shard.size})
    write_entry(directory / SHARDS, entry, slices=written(shard.slices))
    return entry


def ranges(pieces: Sequence[Slice]) -> dict[str, list[tuple[int, int]]]:
    found = defaultdict(list)
    for piece in pieces:
        found[piece.source.place].append((piece.begin, piece.end))
    return {place: sorted(pairs) for place, pairs in found.items()}


def assert_whole(sources: Sequence[Source], pieces: Sequence[Slice]) -> None:
    """Every byte of every source once; an empty source once."""
    found = ranges(pieces)
    assert found.keys() == {each.place for each in sources}
    for each in sources:
        pairs = found[each.place]
        assert [pair[0] for pair in pairs] == [0, *(pair[1] for pair in pairs[:-1])]
        assert pairs[-1][1] == each.size


SOURCES = [
    source("a", 1000),
    source("b", 0),
    source("c", 333, "tsv"),
    source("d", 50, "document"),
    source("e", 0, "document"),
]


def test_the_first_plan_is_for_everything(tmp_path: Path) -> None:
    made = plan(tmp_path, SOURCES)
    assert made.kept == []
    assert_whole(SOURCES, [piece for shard in made.shards for piece in shard.slices])
    assert made.inputs["files"] == 5
    assert made.inputs["bytes"] == 1383
    assert made.inputs["encodings"] == {"utf-8": 5}
    assert plan(tmp_path, SOURCES[:-1]).inputs["sha256"] != made.inputs["sha256"]
    assert plan(tmp_path, SOURCES, workers=7, shard_bytes=9).inputs == made.inputs


@given(
    first=st.tuples(st.integers(1, 4), st.integers(20, 500)),
    second=st.tuples(st.integers(1, 4), st.integers(20, 500)),
    done=st.lists(st.booleans(), min_size=100, max_size=100),
)
def test_another_cut_keeps_what_is_committed_and_plans_the_rest(
    tmp_path_factory: pytest.TempPathFactory, first: tuple[int, int], second: tuple[int, int], done: list[bool]
) -> None:
    directory = tmp_path_factory.mktemp("plan")
    shards = plan(directory, SOURCES, *first).shards
    committed = {
        commit(directory, shard).fingerprint: shard for shard, is_done in zip(shards, done, strict=False) if is_done
    }
    made = plan(directory, SOURCES, *second)
    assert {entry.fingerprint for entry in made.kept} == committed.keys()
    kept = [piece for entry in made.kept for piece in committed[entry.fingerprint].slices]
    assert_whole(SOURCES, [*kept, *(piece for shard in made.shards for piece in shard.slices)])
    for shard in made.shards:
        commit(directory, shard)
    last = plan(directory, SOURCES, 1, 64)
    assert last.shards == []
    assert len(last.kept) == len(made.kept) + len(made.shards)


def finished(directory: Path, sources: Sequence[Source]) -> list[Shard]:
    shards = list(plan(directory, sources).shards)
    for shard in shards:
        commit(directory, shard)
    return shards


@pytest.mark.parametrize(
    "changed",
    [
        SOURCES[0]._replace(version="2"),
        SOURCES[0]._replace(size=1001),
        SOURCES[0]._replace(label="other"),
        SOURCES[0]._replace(encoding="gb18030"),
        SOURCES[0]._replace(format="tsv"),
        SOURCES[0]._replace(problem="damaged"),
        None,
    ],
)
def test_a_changed_or_removed_input_drops_its_shards_alone(tmp_path: Path, changed: Source | None) -> None:
    shards = finished(tmp_path, SOURCES)
    now = [*SOURCES[1:]] if changed is None else [changed, *SOURCES[1:]]
    made = plan(tmp_path, now)
    touched = [shard for shard in shards if SOURCES[0] in {piece.source for piece in shard.slices}]
    assert 0 < len(touched) < len(shards)
    assert {entry.fingerprint for entry in made.kept} == {shard.fingerprint for shard in shards if shard not in touched}
    by_fingerprint = {shard.fingerprint: shard for shard in shards}
    kept = [piece for entry in made.kept for piece in by_fingerprint[entry.fingerprint].slices]
    assert_whole(now, [*kept, *(piece for shard in made.shards for piece in shard.slices)])


def test_an_added_input_is_all_there_is_to_do(tmp_path: Path) -> None:
    shards = finished(tmp_path, SOURCES)
    added = source("new", 70)
    made = plan(tmp_path, [*SOURCES, added])
    assert len(made.kept) == len(shards)
    assert [shard.slices for shard in made.shards] == [(Slice(added, 0, 70),)]


def test_another_configuration_keeps_nothing(tmp_path: Path) -> None:
    finished(tmp_path, SOURCES)
    made = plan(tmp_path, SOURCES, configuration="d")
    assert made.kept == []
    assert_whole(SOURCES, [piece for shard in made.shards for piece in shard.slices])


def test_a_job_s_folder_belongs_to_its_configuration_until_it_is_told_to_forget(tmp_path: Path) -> None:
    (tmp_path / SHARDS).mkdir()
    sources = listing_of([source("a", 100)])
    size: dict[str, Any] = {"workers": 1, "shard_bytes": 1000}
    first = plan_job(tmp_path, sources, configuration={"a": 1}, code=["x"], **size)
    commit(tmp_path, first.shards[0])
    assert plan_job(tmp_path, sources, configuration={"a": 1}, code=["x"], **size).kept
    assert not plan_job(tmp_path, sources, configuration={"a": 1}, code=["y"], **size).kept
    with pytest.raises(InputError, match=r"holds a run with other options \(a: 1, now 2\)"):
        plan_job(tmp_path, sources, configuration={"a": 2}, code=["x"], **size)
    assert plan_job(tmp_path, sources, configuration={"a": 2}, code=["x"], fresh=True, **size).shards


def test_a_job_may_want_one_shard_of_all(tmp_path: Path) -> None:
    (tmp_path / SHARDS).mkdir()
    sources = listing_of([source(name, 1 << 20, "document") for name in "abc"])
    options: dict[str, Any] = {"configuration": {}, "code": [], "workers": 4, "shard_bytes": 1 << 16, "single": True}
    (shard,) = plan_job(tmp_path, sources, **options).shards
    assert [piece.source.place for piece in shard.slices] == [one.place for one in sources]
    commit(tmp_path, shard)
    assert plan_job(tmp_path, sources, **options).shards == []
    assert [*plan_job(tmp_path, listing_of([*sources, source("d", 5, "document")]), **options).kept] == []


@pytest.mark.parametrize("damage", ["json", "no json", "other json", "slices", "run", "no run"])
def test_a_damaged_shard_is_counted_again(tmp_path: Path, damage: str) -> None:
    shard, *rest = finished(tmp_path, SOURCES)
    path = tmp_path / SHARDS / f"{shard.fingerprint}.json"
    run = path.with_suffix(".arrow")
    if damage == "json":
        path.write_bytes(path.read_bytes()[:-9])
    elif damage == "no json":
        path.unlink()
    elif damage == "other json":
        path.write_bytes(b"[1, 2]")
    elif damage == "slices":
        path.write_bytes(
            path.read_bytes().replace(
                b'"slices": [[', b'"slices": [["/a", "label", "1000", "1", "lines", "utf-8", "", 5, 6], ['
            )
        )
    elif damage == "run":
        run.write_bytes(run.read_bytes()[:-1])
    else:
        run.unlink()
    made = plan(tmp_path, SOURCES)
    assert {entry.fingerprint for entry in made.kept} == {each.fingerprint for each in rest}
    assert ranges([piece for each in made.shards for piece in each.slices]) == ranges(shard.slices)


def test_of_two_shards_that_overlap_one_is_kept(tmp_path: Path) -> None:
    """As when a killed run's shards and another cut's meet in one folder."""
    coarse, fine = plan(tmp_path, SOURCES, shard_bytes=1000), plan(tmp_path, SOURCES, workers=8, shard_bytes=90)
    committed = {}
    for shard in [*coarse.shards, *fine.shards]:
        committed[commit(tmp_path, shard).fingerprint] = shard
    made = plan(tmp_path, SOURCES)
    kept = [piece for entry in made.kept for piece in committed[entry.fingerprint].slices]
    assert 0 < len(made.kept) < len(committed)
    assert_whole(SOURCES, [*kept, *(piece for shard in made.shards for piece in shard.slices)])


def test_an_empty_source_is_in_one_shard_that_is_kept(tmp_path: Path) -> None:
    empty, other = source("a", 0), source("b", 5)
    shards = [
        make_shard([Slice(empty, 0, 0)], configuration="c"),
        make_shard([Slice(empty, 0, 0), Slice(other, 0, 5)], configuration="c"),
    ]
    for shard in shards:
        commit(tmp_path, shard)
    made = plan(tmp_path, [empty, other])
    assert len(made.kept) == 1
    kept = next(shard for shard in shards if shard.fingerprint == made.kept[0].fingerprint)
    assert_whole([empty, other], [*kept.slices, *(piece for shard in made.shards for piece in shard.slices)])


def test_paths_that_are_no_text_are_kept(tmp_path: Path) -> None:
    sources = [source("中", 100), source("\udcd6\udcd0", 100)]
    assert finished(tmp_path, sources)
    assert plan(tmp_path, sources).shards == []


def test_what_is_no_part_of_the_result_is_dropped(tmp_path: Path) -> None:
    shards = finished(tmp_path, SOURCES)
    (tmp_path / SHARDS / CONFIGURATION).write_text("{}")
    kept = [Entry(shard.fingerprint, ()) for shard in shards[1:]]
    drop_others(tmp_path, kept)
    names = {path.name for path in (tmp_path / SHARDS).iterdir()}
    assert names == {CONFIGURATION} | {f"{entry.fingerprint}.{end}" for entry in kept for end in ("json", "arrow")}


def test_slices_are_remembered_with_all_that_decides_them(tmp_path: Path) -> None:
    piece = Slice(SOURCES[0]._replace(split="dev"), 5, 9)
    assert written([piece]) == [["/a", "label", "1000", "1", "lines", "utf-8", "", "dev", 5, 9]]
    shard = finished(tmp_path, SOURCES)[0]
    assert read_json(tmp_path / SHARDS / f"{shard.fingerprint}.json")["slices"] == written(shard.slices)
