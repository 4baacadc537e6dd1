"""Dead letters come out in the order of source and offset, with every name and reason as it was; limits hold."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import BadRecordsError, InputError, UsageError
from pipelines.storage.batches import DeadLetter
from pipelines.storage.dead_letters import (
    check_limit,
    few_enough,
    gather_dead_letters,
    write_dead_letters,
)
from pipelines.storage.manifest import DEAD_LETTERS, Entry, File, check_file
from tests.strategies import any_text

pytestmark = pytest.mark.usefixtures("unsynced")

LETTERS = st.builds(DeadLetter, any_text(max_size=4), st.integers(0, 9), any_text(max_size=4))


def entry(directory: Path, number: int, letters: list[DeadLetter]) -> Entry:
    """What a shard leaves."""
    return Entry(f"{number}", (), dead_letters=write_dead_letters(directory, f"{number}.dead.jsonl", letters))


def gathered(directory: Path, *entries: Entry) -> File | None:
    """Where any number is allowed."""
    return gather_dead_letters(directory, entries, totals={"documents": 0, "dead_letters": 0}, limit="100%")


@given(shards=st.lists(st.lists(LETTERS, max_size=5), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_all_are_gathered_in_one_order(tmp_path: Path, shards: list[list[DeadLetter]]) -> None:
    """Whatever characters they have, half surrogate pairs of file names among them."""
    written = gathered(tmp_path, *(entry(tmp_path, number, found) for number, found in enumerate(shards)))
    wanted = sorted(dataclasses.astuple(letter) for found in shards for letter in found)
    if not wanted:
        assert written is None
        assert not (tmp_path / DEAD_LETTERS).exists()
        return
    lines = (tmp_path / DEAD_LETTERS).read_bytes().split(b"\n")
    assert [tuple(json.loads(line).values()) for line in lines[:-1]] == wanted
    assert lines[-1] == b""
    assert written is not None
    assert (written.name, written.records) == (DEAD_LETTERS, len(wanted))
    assert check_file(tmp_path, written) == ""


def test_those_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    gathered(tmp_path, entry(tmp_path, 0, [DeadLetter("a", 0, "bad")]))
    assert (tmp_path / DEAD_LETTERS).exists()
    assert gathered(tmp_path, entry(tmp_path, 0, [])) is None
    assert not (tmp_path / DEAD_LETTERS).exists()


def test_damaged_ones_are_told(tmp_path: Path) -> None:
    made = entry(tmp_path, 0, [DeadLetter("a", 0, "bad")])
    (tmp_path / "0.dead.jsonl").write_bytes((tmp_path / "0.dead.jsonl").read_bytes().replace(b"bad", b"mad"))
    with pytest.raises(InputError, match=r"0\.dead\.jsonl: damaged between bytes 0 and \d+: remove it and run"):
        gathered(tmp_path, made)


@pytest.mark.parametrize("text", ["0", "7", "5%", "0.1%", "5.%", "100%"])
def test_limits(text: str) -> None:
    assert check_limit(text) == text


@pytest.mark.parametrize("text", ["", "%", ".%", "-1", "1.5", "five", "5%%", "1e3", " 5", "5 %", "inf", "nan%"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(UsageError, match=r"write a number, or a share such as 5%$"):
        check_limit(text)


@pytest.mark.parametrize(
    ("limit", "bad", "good", "few"),
    [("3", 3, 0, True), ("3", 4, 996, False), ("0", 0, 0, True), ("2.5%", 25, 975, True), ("2.5%", 26, 974, False)],
)
def test_a_limit_is_a_number_or_a_share(limit: str, bad: int, good: int, few: bool) -> None:
    assert few_enough(limit, {"documents": good, "dead_letters": bad}) is few


def test_too_many_are_told_when_they_are_written(tmp_path: Path) -> None:
    made = entry(tmp_path, 0, [DeadLetter("a", 0, "bad"), DeadLetter("b", 0, "bad")])
    with pytest.raises(BadRecordsError, match=r"^2 of 3 records are bad, more than --max-bad-records 50%: see /"):
        gather_dead_letters(tmp_path, [made], totals={"documents": 1, "dead_letters": 2}, limit="50%")
    assert len((tmp_path / DEAD_LETTERS).read_bytes().splitlines()) == 2
