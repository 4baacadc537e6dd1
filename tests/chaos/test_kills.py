"""A run that is killed at any call that changes a file leaves nothing half, and goes on to the same bytes."""

import shutil
from collections import Counter
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path

import pytest

from tests.chaos.corpora import change_corpus, write_corpus, write_dictionary
from tests.chaos.forks import KILLED_AT, Forks, Kill, Request
from tests.chaos.outputs import finished, half_entries, left_over, results, verify, visible

RESUMED_WITH = ((2, 200), (3, 1 << 20))
# Whether shards are counted, and whether some are kept.
STEPS = {"first": (True, False), "changed": (True, True), "rarer": (False, True), "anew": (True, False)}


@dataclass(frozen=True, slots=True)
class Scenario:
    """A run that is to be killed. `before`: the output folder as it finds it, if there is one."""

    request: Request
    before: Path | None
    fresh: Path
    undisturbed: Path
    kills: tuple[Kill, ...]


@pytest.fixture(scope="module", params=STEPS)
def scenario(request: pytest.FixtureRequest, forks: Forks, memory: Path) -> Scenario:
    """A first run; one after the inputs changed; one with another `--min-count`; one with `--fresh`."""
    name, place = request.param, memory / request.param
    inputs = write_corpus(place / "corpus")
    asked = Request(inputs=inputs, directory=place / "before", dictionary=write_dictionary(memory / "dictionary"))
    before = None if name == "first" else asked.directory
    if before is not None:
        assert forks.run(asked).counted > 3
    if name in ("changed", "anew"):
        change_corpus(place / "corpus")
    if name == "rarer":
        asked = replace(asked, min_count=18)
    assert forks.run(replace(asked, directory=place / "fresh")).error is None
    # What a first run writes is watched in full, so it has few shards; later ones write no differently.
    asked = replace(asked, directory=place / "undisturbed", fresh=name == "anew")
    if name in ("first", "anew"):
        asked = replace(asked, shard_bytes=500)
    copy(before, asked.directory)
    reply = forks.run(asked)
    assert (reply.counted > 0, reply.kept > 0) == STEPS[name]
    assert reply.counted + reply.kept > 1
    calls = Counter(call.name for call in reply.calls)
    killed_at = [call for call in KILLED_AT if call != "write" or name == "first"]
    kills = [Kill(call, number) for call in killed_at for number in range(1, calls[call] + 1)]
    if name == "first":
        writes = [call for call in reply.calls if call.name == "write"]
        kills += [Kill("write", number, half=True) for number, call in enumerate(writes, 1) if call.size > 1]
    asked = replace(asked, directory=place / "killed")
    return Scenario(asked, before, place / "fresh", place / "undisturbed", tuple(kills))


def copy(before: Path | None, directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    if before is not None:
        shutil.copytree(before, directory)


def test_undisturbed(scenario: Scenario) -> None:
    whole = results(scenario.undisturbed)
    assert whole == results(scenario.fresh)
    assert len([name for name in whole if name.endswith(".parquet")]) == (1 if scenario.request.min_count > 1 else 2)
    assert "dead_letters.jsonl" in whole
    assert scenario.before is None or whole != results(scenario.before)
    assert verify(scenario.undisturbed) == left_over(scenario.undisturbed) == []
    assert len(scenario.kills) > (500 if scenario.before is None else 80)


def test_killed_at_every_call(scenario: Scenario, forks: Forks) -> None:
    directory, whole = scenario.request.directory, results(scenario.undisturbed)
    seen = [visible(path) for path in (scenario.before, scenario.undisturbed) if path is not None]
    outputs = [results(path) for path in (scenario.before, scenario.undisturbed) if path is not None]
    for kill, (workers, shard_bytes) in zip(scenario.kills, cycle(RESUMED_WITH)):
        copy(scenario.before, directory)
        assert forks.run(replace(scenario.request, kill=kill)).killed, kill
        assert half_entries(directory) == [], kill
        for name, content in visible(directory).items():
            assert any(found.get(name) == content for found in seen), (kill, name)
        if finished(directory):
            assert verify(directory) == [], kill
            assert results(directory) in outputs, kill
        resumed = replace(scenario.request, workers=workers, shard_bytes=shard_bytes, fresh=False)
        assert forks.run(resumed).error is None, kill
        assert results(directory) == whole, kill
        assert verify(directory) == left_over(directory) == [], kill
