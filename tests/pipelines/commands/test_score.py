"""`hanmill score` and `hanmill evaluate`: what is printed for whom."""

import json
from pathlib import Path

import pytest

from tests.pipelines.command import hanmill
from tests.pipelines.made_records import EVENT, LINKED, READING, RELATION, write_lines, write_vocabulary


def test_scores_for_programs_and_for_people(tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", [RELATION])
    said = write_lines(tmp_path / "said.json", [{**RELATION, "spo_list": RELATION["spo_list"][:1]}])  # type: ignore[index]
    found = hanmill("score", "relation-extraction", said, gold, "--json")
    assert (found.code, json.loads(found.out)) == (0, {"precision": 1.0, "recall": 0.5, "f1": 2 / 3})
    assert hanmill("score", "relation-extraction", said, gold).out == "precision 1.0000  recall 0.5000  f1 0.6667\n"


def test_rows_that_only_one_file_has_are_told(tmp_path: Path) -> None:
    other = {**RELATION, "text": "上海"}
    gold = write_lines(tmp_path / "gold.json", [RELATION, {**other, "text": "北京"}])
    said = write_lines(tmp_path / "said.json", [RELATION, other])
    found = hanmill("score", "relation-extraction", said, gold, "--json")
    assert json.loads(found.out) == {"precision": 1.0, "recall": 0.5, "f1": 2 / 3}
    assert found.err.splitlines() == [
        f"hanmill: {said}: has nothing for 1 of the 2 rows of {gold}",
        f"hanmill: {said}: has 1 row, of 2, that {gold} does not have",
    ]
    assert hanmill("score", "relation-extraction", said, said).err == ""


def test_the_oracle(tmp_path: Path) -> None:
    gold, vocabulary = write_lines(tmp_path / "gold.json", [READING]), write_vocabulary(tmp_path / "v.txt")
    found = hanmill("evaluate", "reading-comprehension", "--oracle", gold, "--json")
    assert (found.code, json.loads(found.out)) == (0, {"f1": 1.0, "exact_match": 1.0, "bad_records": 0})
    lost = {**EVENT, "id": "e2", "text": "北京"}
    gold = write_lines(tmp_path / "gold.json", [EVENT, lost])
    found = hanmill("evaluate", "event-extraction", gold, "--oracle", "--vocab", vocabulary, "--max-length", 20)
    first, second = found.out.splitlines()
    assert first == "precision 1.0000  recall 0.5000  f1 0.6667  bad records 1"
    assert second.startswith(f"  {gold}, byte ")
    assert second.endswith(": trigger '发' does not stand in the text, at offset 6 or elsewhere")


def test_rules_of_entity_linking(tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", [LINKED])
    assert json.loads(hanmill("score", "entity-linking", gold, gold, "--json").out)["f1"] == 1
    found = hanmill("score", "entity-linking", gold, gold, "--rules", "duel2020")
    assert found.out == "precision 1.0000  recall 0.5000  f1 0.6667\n"
    found = hanmill("evaluate", "entity-linking", "--oracle", gold, "--json")
    assert (found.code, json.loads(found.out)["f1"]) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["score", "event-extraction", "a", "b", "--aliases", "c"], 2, "--aliases: event-extraction has none"),
        (["score", "event-extraction", "a", "b", "--rules", "duel2020"], 2, "--rules: event-extraction has one rule"),
        (["score", "event-extraction", "a", "b", "--kb", "c"], 2, "--kb: event-extraction has no entities"),
        (["evaluate", "event-extraction", "--oracle", "a", "--kb", "b"], 2, "--kb: event-extraction has no entities"),
        (["evaluate", "entity-linking", "--oracle", "a", "--schema", "b"], 2, "--schema: entity-linking has no labels"),
        (["score", "event-extraction", "a", "b"], 3, "b: No such file or directory"),
        (["evaluate", "event-extraction", "a"], 2, "what is to be evaluated? --model RUN, or --oracle"),
        (["evaluate", "event-extraction", "--oracle", "a"], 3, "a: "),
        (["evaluate", "reading-comprehension", "--oracle", "a", "--schema", "b"], 2, "--schema: reading-compr"),
    ],
)
def test_what_cannot_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = hanmill(*arguments)
    assert found.code == code
    assert found.err.startswith(f"hanmill: {message}")
