"""Records that are killed at any call that changes a file go on to the same bytes, also between two names of parts."""

from collections import Counter
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from pipelines.storage.commit import ATTEMPT, LOCK
from pipelines.storage.manifest import PARTS, RUN, SUCCESS
from tests.chaos.corpora import change_corpus, write_corpus, write_dictionary
from tests.chaos.forks import KILLED_AT, Call, Forks, Kill, Request
from tests.chaos.outputs import finished, half_entries, left_over, verify, visible
from tests.chaos.test_kills import RESUMED_WITH, Scenario, copy
from tests.pipelines.made_records import write_vocabulary


def results(directory: Path) -> dict[str, bytes]:
    """All that lies in the folder by name, but for what tells of times."""
    return {
        path.name: path.read_bytes()
        for path in directory.iterdir()
        if path.is_file() and path.name not in (RUN, SUCCESS, LOCK) and not path.name.endswith(ATTEMPT)
    }


@pytest.fixture(scope="module", params=["first", "changed"])
def scenario(request: pytest.FixtureRequest, forks: Forks, memory: Path) -> tuple[Scenario, list[Call]]:
    """A first run, and one after the inputs changed."""
    place = memory / request.param
    inputs = write_corpus(place / "corpus")
    asked = Request(
        inputs=inputs,
        directory=place / "before",
        dictionary=write_dictionary(memory / "dictionary"),
        vocabulary=write_vocabulary(memory / "vocab.txt"),
    )
    before = None
    if request.param == "changed":
        assert forks.run(asked).counted > 3
        before = asked.directory
        change_corpus(place / "corpus")
    assert forks.run(replace(asked, directory=place / "fresh")).error is None
    asked = replace(asked, directory=place / "undisturbed")
    copy(before, asked.directory)
    reply = forks.run(asked)
    assert (reply.error, reply.counted > 1, reply.kept > 0) == (None, True, before is not None)
    calls = Counter(call.name for call in reply.calls)
    kills = tuple(Kill(name, number) for name in KILLED_AT for number in range(1, calls[name] + 1))
    asked = replace(asked, directory=place / "killed")
    return Scenario(asked, before, place / "fresh", place / "undisturbed", kills), list(reply.calls)


def test_undisturbed(scenario: tuple[Scenario, list[Call]]) -> None:
    whole = results(scenario[0].undisturbed)
    assert whole == results(scenario[0].fresh)
    assert len([name for name in whole if ".tfrecord-" in name]) == 3
    assert {"dead_letters.jsonl", "features.json", "label.labels.txt", "README.md"} < whole.keys()
    assert scenario[0].before is None or whole != results(scenario[0].before)
    assert verify(scenario[0].undisturbed) == left_over(scenario[0].undisturbed) == []


def test_parts_get_their_names_last(scenario: tuple[Scenario, list[Call]]) -> None:
    """After all that stands in them is on the disk, and before `_SUCCESS`."""
    calls = scenario[1]
    directory = scenario[0].undisturbed
    named = [place for place, call in enumerate(calls) if call.name == "replace" and ".tfrecord-" in call.target]
    assert len(named) == 3
    assert all(Path(calls[place].path).parent == directory / PARTS for place in named)
    (success,) = [place for place, call in enumerate(calls) if call.target == str(directory / SUCCESS)]
    assert max(named) < success
    synced = [place for place, call in enumerate(calls) if call == Call("fsync", str(directory))]
    assert any(max(named) < place < success for place in synced)


@pytest.mark.parametrize(
    "killed_at", ["replace", *(pytest.param(name, marks=pytest.mark.slow) for name in KILLED_AT if name != "replace")]
)
def test_killed_at_every_call(scenario: tuple[Scenario, list[Call]], forks: Forks, killed_at: str) -> None:
    run, _ = scenario
    directory, whole = run.request.directory, results(run.undisturbed)
    seen = [visible(path) for path in (run.before, run.undisturbed) if path is not None]
    outputs = [results(path) for path in (run.before, run.undisturbed) if path is not None]
    kills = [kill for kill in run.kills if kill.call == killed_at]
    for kill, (workers, shard_bytes) in zip(kills, cycle(RESUMED_WITH)):
        copy(run.before, directory)
        assert forks.run(replace(run.request, kill=kill)).killed, kill
        assert half_entries(directory) == [], kill
        for name, content in visible(directory).items():
            assert any(found.get(name) == content for found in seen), (kill, name)
        if finished(directory):
            assert verify(directory) == [], kill
            assert results(directory) in outputs, kill
        assert forks.run(replace(run.request, workers=workers, shard_bytes=shard_bytes)).error is None, kill
        assert results(directory) == whole, kill
        assert verify(directory) == left_over(directory) == [], kill
