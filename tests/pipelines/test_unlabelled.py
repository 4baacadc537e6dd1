"""Gold is not read where it is to be predicted: it may be wrong, or missing; what has a name has a place."""

import json
from typing import Any

import pytest

from pipelines.unlabelled import Unlabelled, first_of_each
from tests.pipelines.made_records import EVENT, LINKED, READING, RELATION
from transforms.tasks.json_input import GOLD
from transforms.tasks.record import BadRecord, Example
from transforms.tasks.task import TASKS
from transforms.vocabulary import SPECIAL_TOKENS, Vocabulary

ROWS: dict[str, Any] = {
    "reading-comprehension": READING["data"][0]["paragraphs"][0],
    "relation-extraction": RELATION,
    "event-extraction": EVENT,
    "entity-linking": LINKED,
}


def examples(name: str, row: Any) -> list[Example | BadRecord]:
    task = TASKS[name](Vocabulary(SPECIAL_TOKENS), 64, {})
    text = row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)
    return list(Unlabelled(task).examples(text, ""))


def without_gold(value: Any, field: str) -> Any:
    if isinstance(value, dict):
        return {name: without_gold(item, field) for name, item in value.items() if name != field}
    return [without_gold(item, field) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("gold", [None, 7, [{"text": "它不在", "subject": "", "event_type": 3}]])
def test_gold_may_be_missing_or_wrong(name: str, gold: Any) -> None:
    bare = without_gold(ROWS[name], GOLD[name])
    wanted = examples(name, bare)
    assert len(wanted) == 1
    assert isinstance(wanted[0], Example)
    assert wanted[0].gold is None
    assert examples(name, ROWS[name]) == wanted
    of = bare["qas"][0] if name == "reading-comprehension" else bare
    of[GOLD[name]] = gold
    assert examples(name, bare) == wanted


@pytest.mark.parametrize(
    ("row", "id", "text"),
    [
        ({"id": "e1", "text": ""}, "e1", ""),
        ({"id": 7}, "7", ""),
        ({"id": "e1", "text": "\ud800"}, "e1", ""),
        ({"id": [], "text": "中国"}, "", "中国"),
        ({"id": True, "text": "中国"}, "", "中国"),
    ],
)
def test_what_is_wrong_with_a_row_that_has_a_name_leaves_its_place(row: Any, id: str, text: str) -> None:
    error, example = examples("event-extraction", row)
    assert isinstance(error, BadRecord)
    assert isinstance(example, Example)
    said = {} if id else {"text": text}
    assert (example.texts, example.gold) == ((), {"id": id, **said, "event_list": []})


def test_a_row_of_another_task_is_bad_and_one_of_several_is_not() -> None:
    error, example = examples("event-extraction", {"id": "e1", "text": "中国", "spo_list": []})
    assert str(error) == "id e1: field 'spo_list' and no 'event_list': a row of relation-extraction"
    assert isinstance(example, Example)
    (example,) = examples("event-extraction", {"id": "e1", "text": "中国", "spo_list": [], "event_list": 5})
    assert isinstance(example, Example)
    assert example.texts == ("中国",)


def test_of_predictions_with_one_id_the_first_is_taken() -> None:
    linking, events = TASKS["entity-linking"], TASKS["event-extraction"]
    rows = [linking.nothing(id=id, text=text) for id, text in (("7", "甲"), ("8", "甲"), ("7", "乙"))]
    assert first_of_each(linking.known_by, rows, [True] * 3) == rows[:2]
    assert first_of_each(linking.known_by, rows, [False, True, True]) == rows[1:]
    assert first_of_each(linking.known_by, rows, [False, False, False]) == rows[:2]
    rows = [events.nothing(text=text) for text in "甲乙甲"]
    assert first_of_each(events.known_by, rows, [True] * 3) == rows[:2]


def test_relations_are_known_by_their_texts() -> None:
    task = TASKS["relation-extraction"]
    rows = [task.nothing(id="1", text=text) for text in "甲乙甲"]
    assert first_of_each(task.known_by, rows, [True] * 3) == rows[:2]


def test_a_bad_question_leaves_its_place_among_the_others() -> None:
    questions = [
        {"id": "a", "question": " "},
        {"id": "b", "question": "谁"},
        {"question": "谁"},
        {"id": True, "question": 7},
        {"id": 9, "question": 7},
        "no question",
    ]
    found = examples("reading-comprehension", {"context": "中国", "qas": questions})
    said = [isinstance(one, Example) and (one.id, one.gold) for one in found]
    a, b, nine = ("a", {"id": "a", "answer": ""}), ("b", None), ("9", {"id": "9", "answer": ""})
    assert said == [False, a, b, False, False, False, nine, False]


def test_questions_about_no_context_all_leave_their_places() -> None:
    questions = [{"id": name, "question": "谁"} for name in "ab"]
    error, *places = examples("reading-comprehension", {"context": "", "qas": questions})
    assert str(error) == "field 'context' is empty"
    assert [place.gold for place in places if isinstance(place, Example)] == [
        {"id": name, "answer": ""} for name in "ab"
    ]
    for bad in ({"context": "中国"}, {"context": "中国", "qas": 7}, []):
        assert [type(one) for one in examples("reading-comprehension", bad)] == [BadRecord]


def test_a_row_of_entity_linking_is_named_by_its_text_id() -> None:
    _, example = examples("entity-linking", {"text_id": 7, "id": 8, "text": " ", "mention_data": 9})
    assert isinstance(example, Example)
    assert (example.id, example.gold) == ("7", {"text_id": "7", "text": "", "mention_data": []})


@pytest.mark.parametrize("row", ["", "no JSON", "[" * 100_000, "7", {"text": " "}])
def test_what_has_no_name_is_bad_alone(row: Any) -> None:
    (error,) = examples("relation-extraction", row)
    assert isinstance(error, BadRecord)


def test_nothing_can_be_scored() -> None:
    for name, gold in ROWS.items():
        task = TASKS[name]
        whole = READING if name == "reading-comprehension" else gold
        row = task.nothing(id="q1", text=str(gold.get("text", "")))
        said = task.read_predictions(task.write([row]))
        assert task.score(said, task.read_gold(json.dumps(whole).encode()))["f1"] == 0
