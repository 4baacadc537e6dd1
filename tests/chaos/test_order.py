"""The order of calls that a loss of power relies on: what is named is on the disk, and `_SUCCESS` speaks last."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.storage.commit import ATTEMPT, LOCK
from pipelines.storage.manifest import CONFIGURATION, MANIFEST, PARTS, RUN, SHARDS, SUCCESS
from tests.chaos.corpora import change_corpus, write_corpus, write_dictionary
from tests.chaos.forks import Call, Forks, Request
from tests.chaos.outputs import DEAD_LETTERS

Calls = list[Call]


@pytest.fixture(scope="module")
def request_(memory: Path) -> Request:
    inputs, dictionary = write_corpus(memory / "corpus"), write_dictionary(memory / "dictionary")
    return Request(inputs=inputs, directory=memory / "out", dictionary=dictionary)


@pytest.fixture(scope="module")
def runs(request_: Request, forks: Forks) -> dict[str, Calls]:
    """The calls of a first run, of one after the inputs changed, and of one with `--fresh`."""
    first = forks.run(request_)
    change_corpus(Path(request_.inputs[0]))
    changed = forks.run(request_)
    assert changed.counted
    assert changed.kept
    anew = forks.run(replace(request_, fresh=True))
    return {"first": list(first.calls), "changed": list(changed.calls), "anew": list(anew.calls)}


@pytest.fixture(params=["first", "changed", "anew"])
def calls(request: pytest.FixtureRequest, runs: dict[str, Calls]) -> Calls:
    return runs[request.param]


@pytest.fixture
def directory(request_: Request) -> Path:
    return request_.directory


def where(calls: Calls, chosen: Callable[[Call], bool]) -> list[int]:
    return [place for place, call in enumerate(calls) if chosen(call)]


def replaced(calls: Calls, *targets: Path) -> list[int]:
    """When files got their names."""
    names = set(map(str, targets))
    return where(calls, lambda call: call.name == "replace" and call.target in names)


def synced(calls: Calls, folder: Path | str) -> list[int]:
    return where(calls, lambda call: call == Call("fsync", str(folder)))


def is_part(path: str) -> bool:
    return path.endswith(".parquet")


def changes(calls: Calls) -> Iterable[tuple[int, Call, Path]]:
    """Every change of what a name stands for, with the name."""
    for place, call in enumerate(calls):
        path = Path(call.target or call.path)
        if call.name in ("replace", "unlink", "rmdir") and not path.name.endswith(ATTEMPT) and path.name != LOCK:
            yield place, call, path


def test_written_synced_named(calls: Calls) -> None:
    """A file gets its name when its bytes are on the disk, and not one is written to it then."""
    for place, call in enumerate(calls):
        if call.name != "replace":
            continue
        written = [at for at, other in enumerate(calls) if other.name == "write" and other.path == call.path]
        assert call.path.endswith(ATTEMPT), call
        assert Path(call.path).parent == Path(call.target).parent, call
        assert written, call
        syncs = [sync for sync in synced(calls, call.path) if written[-1] < sync < place]
        assert len(syncs) == 1, call
        assert written[-1] < place


def test_only_attempts_are_written_to(calls: Calls) -> None:
    for call in calls:
        if call.name in ("write", "pwrite", "ftruncate"):
            assert call.path.endswith(ATTEMPT) or (Path(call.path).name == LOCK and call.name != "write"), call


def test_folder_synced_before_success(calls: Calls, directory: Path) -> None:
    """Every name is on the disk before `_SUCCESS` has its own, and that one is in the end."""
    (success,) = replaced(calls, directory / SUCCESS)
    for place, call, path in changes(calls):
        if place < success:
            assert any(place < sync < success for sync in synced(calls, path.parent)), call
    assert any(sync > success for sync in synced(calls, directory))


def test_entry_after_its_files(calls: Calls, directory: Path) -> None:
    """What an entry names is on the disk under its name before the entry is."""
    made = 0
    for folder in (directory / SHARDS, directory / PARTS):
        for place, call in enumerate(calls):
            target = Path(call.target)
            if call.name != "replace" or target.parent != folder or target.suffix != ".json":
                continue
            if target.name == CONFIGURATION:
                continue
            named = replaced(calls, *(folder / f"{target.stem}{suffix}" for suffix in (".arrow", ".dead.jsonl")))
            assert named, call
            assert any(max(named) < sync < place for sync in synced(calls, folder)), call
            made += 1
    assert made > 8


def test_dead_letters_of_a_shard_come_before_its_entry(runs: dict[str, Calls], directory: Path) -> None:
    calls = runs["first"]
    (letters,) = where(calls, lambda call: call.name == "replace" and call.target.endswith(".dead.jsonl"))
    entry = calls[letters].target.replace(".dead.jsonl", ".json")
    assert letters < replaced(calls, Path(entry))[0]


def test_configuration_before_shards(runs: dict[str, Calls], directory: Path) -> None:
    """A shard without the options it was counted with could be taken for one of others."""
    for name in ("first", "anew"):
        first, *_ = where(runs[name], lambda call: call.name == "replace")
        assert runs[name][first].target == str(directory / SHARDS / CONFIGURATION)
        assert synced(runs[name], directory / SHARDS)[0] < where(runs[name], lambda call: call.name == "replace")[1]


def test_parts_manifest_run_success(calls: Calls, directory: Path) -> None:
    parts = where(calls, lambda call: call.name == "replace" and is_part(call.target))
    places = [replaced(calls, directory / name) for name in (DEAD_LETTERS, MANIFEST, RUN, SUCCESS)]
    assert [len(found) for found in places] == [1, 1, 1, 1]
    (letters, *_), (manifest, *_), (run, *_), (success, *_) = places
    assert len(parts) == 2
    assert max(*parts, letters) < manifest < run < success
    tasks = where(calls, lambda call: call.name == "replace" and Path(call.target).parent != directory)
    assert max(tasks) < min(parts)


@pytest.mark.parametrize("name", ["changed", "anew"])
def test_success_is_taken_back_first(runs: dict[str, Calls], directory: Path, name: str) -> None:
    """Before anything of a finished output changes, `_SUCCESS` is gone, and that is on the disk."""
    calls = runs[name]
    gone = where(calls, lambda call: call == Call("unlink", str(directory / SUCCESS)))[0]
    folder = min(sync for sync in synced(calls, directory) if sync > gone)
    outputs = [place for place, _, path in changes(calls) if path.parent == directory and path.name != SUCCESS]
    assert outputs
    assert folder < min(outputs)
    lost = where(
        calls, lambda call: call.name == "unlink" and Path(call.path).parent.name == SHARDS and ATTEMPT not in call.path
    )
    assert lost
    assert folder < min(lost)


def test_old_parts_go_before_the_manifest(forks: Forks, request_: Request, memory: Path) -> None:
    """A reader that goes by pattern finds the parts of one output."""
    asked = replace(request_, directory=memory / "fewer", inputs=write_corpus(memory / "same"))
    assert forks.run(asked).error is None
    calls = list(forks.run(replace(asked, min_count=18)).calls)
    gone = where(calls, lambda call: call.name == "unlink" and is_part(call.path))
    assert len(gone) == 2
    assert max(gone) < replaced(calls, asked.directory / MANIFEST)[0]
    assert min(gone) > where(calls, lambda call: call.name == "replace" and is_part(call.target))[0]


def test_nothing_but_clearing_away_after_success(runs: dict[str, Calls], directory: Path) -> None:
    for name, calls in runs.items():
        (success,) = replaced(calls, directory / SUCCESS)
        dropped = 0
        for call in calls[success + 1 :]:
            path = Path(call.path)
            assert call.name in ("fsync", "unlink", "rmdir"), call
            if call.name == "fsync":
                assert path in (directory, directory / SHARDS), call
            else:
                assert (
                    directory / PARTS in (path, path.parent) or path.parent == directory / SHARDS or path.name == LOCK
                )
                dropped += path.parent == directory / SHARDS
        assert (dropped > 0) == (name == "changed")
        assert calls[-1] == Call("unlink", str(directory / LOCK))


def test_dropped_entries_go_before_their_files(runs: dict[str, Calls], directory: Path) -> None:
    """While `_SUCCESS` stands, no entry names a file that is gone."""
    calls, folder = runs["changed"], directory / SHARDS
    (success,) = replaced(calls, directory / SUCCESS)
    gone = [
        place
        for place in where(calls, lambda call: call.name == "unlink" and Path(call.path).parent == folder)
        if place > success
    ]
    entries = [place for place in gone if calls[place].path.endswith(".json")]
    files = [place for place in gone if place not in entries]
    assert entries
    assert files
    assert any(max(entries) < sync < min(files) for sync in synced(calls, folder))


def test_lock_is_held_from_first_to_last(calls: Calls, directory: Path) -> None:
    first = next(place for place, call in enumerate(calls) if call.name not in ("mkdir",))
    assert calls[first].path == str(directory / LOCK)
    assert where(calls, lambda call: call.name == "unlink" and Path(call.path).name == LOCK) == [len(calls) - 1]
