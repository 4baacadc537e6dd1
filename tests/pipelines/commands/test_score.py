"""`hanmill score`: what is printed for whom."""

import json
from pathlib import Path

import pytest

from tests.pipelines.command import hanmill
from tests.pipelines.made_records import EVENT, LINKED, READING, RELATION, write_lines


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
        f"hanmill: {said}: has nothing for 1 of the 2 rows of {gold}, as 北京",
        f"hanmill: {said}: has 1 row, of 2, that {gold} does not have, as 上海",
    ]
    assert hanmill("score", "relation-extraction", said, said).err == ""


def test_rules_of_entity_linking(tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", [LINKED])
    assert json.loads(hanmill("score", "entity-linking", gold, gold, "--json").out)["f1"] == 1
    found = hanmill("score", "entity-linking", gold, gold, "--rules", "duel2020")
    assert found.out == "precision 1.0000  recall 0.5000  f1 0.6667\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["score", "event-extraction", "a", "b", "--aliases", "c"], 2, "--aliases: event-extraction has none"),
        (["score", "event-extraction", "a", "b", "--rules", "duel2020"], 2, "--rules: event-extraction has one rule"),
        (["score", "event-extraction", "a", "b", "--kb", "c"], 2, "--kb: event-extraction has no entities"),
        (["score", "event-extraction", "a", "b"], 3, "b: No such file or directory"),
    ],
)
def test_what_cannot_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = hanmill(*arguments)
    assert found.code == code
    assert found.err.startswith(f"hanmill: {message}")


def test_a_row_that_is_said_again_is_told(tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", [RELATION])
    said = write_lines(tmp_path / "said.json", [{**RELATION, "spo_list": []}, RELATION])
    found = hanmill("score", "relation-extraction", said, gold, "--json")
    assert json.loads(found.out)["f1"] == 1
    assert found.err == f"hanmill: {said}: 1 row with a text that stands there again: of each the last counts\n"


@pytest.mark.parametrize("name", ["relation-extraction", "event-extraction", "entity-linking", "reading-comprehension"])
def test_gold_without_a_row_scores_nothing(tmp_path: Path, name: str) -> None:
    reading = name == "reading-comprehension"
    gold = write_lines(tmp_path / "gold.json", [{"data": []}] if reading else [])
    said = write_lines(tmp_path / "said.json", [{}] if reading else [])
    found = hanmill("score", name, said, gold)
    assert (found.code, found.out) == (3, "")
    assert found.err.startswith(f"hanmill: {gold}: no ")


def test_predictions_of_reading_comprehension_as_rows(tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", [READING])
    said = write_lines(tmp_path / "predictions.jsonl", [{"id": "q1", "answer": "北京"}])
    found = hanmill("score", "reading-comprehension", said, gold, "--json")
    assert json.loads(found.out) == {"f1": 1.0, "exact_match": 1.0}
    write_lines(said, [{"id": "q1", "answer": "北京"}] * 2)
    found = hanmill("score", "reading-comprehension", said, gold)
    assert (found.code, found.err) == (3, f"hanmill: {said}: line 2: question q1 stands there twice\n")
    said.write_text('{"q1": "北京", "q1": "上海"}')
    found = hanmill("score", "reading-comprehension", said, gold)
    assert (found.code, found.err) == (3, f"hanmill: {said}: q1 stands there twice\n")


def test_files_that_were_swapped(tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", [READING])
    said = write_lines(tmp_path / "said.json", [{"q1": "北京"}])
    found = hanmill("score", "reading-comprehension", gold, said)
    assert found.code == 3
    assert (
        found.err == f"hanmill: {said}: field 'data' is missing; but {gold} is of the task's format: name it second\n"
    )


@pytest.mark.parametrize("content", [None, "{}\n"])
def test_gold_that_is_missing_or_bad_is_not_taken_for_predictions(tmp_path: Path, content: str | None) -> None:
    for name, row in (("relation-extraction", RELATION), ("reading-comprehension", READING)):
        said = write_lines(tmp_path / "said.json", [row])
        gold = tmp_path / "gold.json"
        if content is not None:
            gold.write_text(f"[{content}")
        found = hanmill("score", name, said, gold)
        assert (found.code, "second" in found.err) == (3, False)


def test_a_byte_order_mark_is_no_row(tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", [RELATION])
    gold.write_bytes("\ufeff\n".encode() + gold.read_bytes())
    assert hanmill("score", "relation-extraction", gold, gold).err == ""


def test_an_encoding_that_is_not_utf8(tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", [EVENT])
    said = tmp_path / "said.json"
    said.write_bytes(json.dumps({**EVENT, "id": "甲"}, ensure_ascii=False).encode("gb18030"))
    found = hanmill("score", "event-extraction", said, gold)
    assert found.code == 3
    assert f"{said}: line 1: not UTF-8" in found.err


def test_links_of_one_text_id_and_two_texts(tmp_path: Path) -> None:
    gold = write_lines(tmp_path / "gold.json", [LINKED])
    said = write_lines(tmp_path / "said.json", [LINKED, {**LINKED, "text": "上海"}])
    found = hanmill("score", "entity-linking", said, gold)
    assert (found.code, found.err) == (3, f"hanmill: {said}: line 2: text_id 7 stands there twice\n")
