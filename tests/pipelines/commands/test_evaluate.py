"""`hanmill evaluate`: what is printed for whom, and what it refuses."""

import json
from pathlib import Path

import pytest

from tests.pipelines.command import hanmill
from tests.pipelines.made_records import EVENT, LINKED, READING, write_lines, write_vocabulary


def test_the_oracle(tmp_path: Path) -> None:
    gold, vocabulary = write_lines(tmp_path / "gold.json", [READING]), write_vocabulary(tmp_path / "v.txt")
    found = hanmill("evaluate", "reading-comprehension", "--oracle", gold, "--json")
    assert (found.code, json.loads(found.out)) == (0, {"f1": 1.0, "exact_match": 1.0, "bad_records": 0, "cut": 0})
    lost = {**EVENT, "id": "e2", "text": "北京"}
    gold = write_lines(tmp_path / "gold.json", [EVENT, lost])
    found = hanmill("evaluate", "event-extraction", gold, "--oracle", "--vocab", vocabulary, "--max-length", 20)
    first, second = found.out.splitlines()
    assert first == "precision 1.0000  recall 0.5000  f1 0.6667  bad records 1  cut 0"
    assert second.startswith(f"  {gold}, byte ")
    assert second.endswith(
        "trigger '发' does not stand at offset 6, behind the end of 2 characters, nor elsewhere in the text"
    )


def test_the_oracle_of_links(tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", [LINKED])
    found = hanmill("evaluate", "entity-linking", "--oracle", gold, "--json")
    assert (found.code, json.loads(found.out)["f1"]) == (0, 1)


@pytest.mark.parametrize("name", ["relation-extraction", "event-extraction", "entity-linking", "reading-comprehension"])
def test_gold_without_a_row_has_no_ceiling(tmp_path: Path, name: str) -> None:
    gold = write_lines(tmp_path / "gold.json", [{"data": []}] if name == "reading-comprehension" else [])
    found = hanmill("evaluate", name, "--oracle", gold)
    assert (found.code, found.out) == (3, "")
    assert found.err.startswith(f"hanmill: {gold}: no ")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["event-extraction", "--oracle", "a", "--kb", "b"], 2, "--kb: event-extraction has no entities"),
        (["entity-linking", "--oracle", "a", "--schema", "b"], 2, "--schema: entity-linking has no labels"),
        (["event-extraction", "a"], 2, "what is to be evaluated? --model RUN, or --oracle"),
        (["event-extraction", "--oracle", "a"], 3, "a: "),
        (["reading-comprehension", "--oracle", "a", "--schema", "b"], 2, "--schema: reading-compr"),
    ],
)
def test_what_cannot_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = hanmill("evaluate", *arguments)
    assert found.code == code
    assert found.err.startswith(f"hanmill: {message}")
