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
    check_bad_records,
    check_limit,
    gather_dead_letters,
    most_bad,
    write_dead_letters,
)
from pipelines.storage.manifest import DEAD_LETTERS, Entry, check_file
from tests.strategies import any_text

pytestmark = pytest.mark.usefixtures("unsynced")

LETTERS = st.builds(DeadLetter, any_text(max_size=4), st.integers(0, 9), any_text(max_size=4))


def entry(directory: Path, number: int, letters: list[DeadLetter]) -> Entry:
    """What a shard leaves."""
    return Entry(f"{number}", (), dead_letters=write_dead_letters(directory, f"{number}.dead.jsonl", letters))


@given(shards=st.lists(st.lists(LETTERS, max_size=5), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_all_are_gathered_in_one_order(tmp_path: Path, shards: list[list[DeadLetter]]) -> None:
    """Whatever characters they have, half surrogate pairs of file names among them."""
    written = gather_dead_letters(tmp_path, [entry(tmp_path, number, found) for number, found in enumerate(shards)])
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
    gather_dead_letters(tmp_path, [entry(tmp_path, 0, [DeadLetter("a", 0, "bad")])])
    assert (tmp_path / DEAD_LETTERS).exists()
    assert gather_dead_letters(tmp_path, [entry(tmp_path, 0, [])]) is None
    assert not (tmp_path / DEAD_LETTERS).exists()


def test_damaged_ones_are_told(tmp_path: Path) -> None:
    made = entry(tmp_path, 0, [DeadLetter("a", 0, "bad")])
    (tmp_path / "0.dead.jsonl").write_bytes((tmp_path / "0.dead.jsonl").read_bytes().replace(b"bad", b"mad"))
    with pytest.raises(InputError, match=r"0\.dead\.jsonl: damaged between bytes 0 and \d+: remove it and run"):
        gather_dead_letters(tmp_path, [made])


@pytest.mark.parametrize("text", ["0", "7", "5%", "0.1%", "5.%", "100%"])
def test_limits(text: str) -> None:
    assert check_limit(text) == text


@pytest.mark.parametrize("text", ["", "%", ".%", "-1", "1.5", "five", "5%%", "1e3", " 5", "5 %", "inf", "nan%"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(UsageError, match=r"write a number, or a share such as 5%$"):
        check_limit(text)


def test_a_limit_is_a_number_or_a_share() -> None:
    assert (most_bad("3", read=1000), most_bad("2.5%", read=1000)) == (3, 25)
    check_bad_records(Path("out"), "3", bad=3, read=3)
    check_bad_records(Path("out"), "0", bad=0, read=0)
    check_bad_records(Path("out"), "50%", bad=1, read=2)
    with pytest.raises(BadRecordsError, match=r"^2 of 3 records are bad, more than --max-bad-records 50%: see out"):
        check_bad_records(Path("out"), "50%", bad=2, read=3)
