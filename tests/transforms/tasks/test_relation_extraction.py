"""Relation extraction: where subjects and objects stand, slots, labels, bad rows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.transforms.tasks.making import (
    a_task,
    as_read,
    line,
    made,
    needs_data,
    real_lines,
    real_task,
    reason,
    record_of,
    said,
    tokens_said,
)
from transforms.tasks.json_input import json_object
from transforms.tasks.record import content_id
from transforms.tasks.relation_extraction import RelationExtraction

SCHEMA = """{"object_type": {"inWork": "影视作品", "@value": "人物"}, "predicate": "饰演", "subject_type": "娱乐人物"}
{"object_type": {"@value": "人物"}, "predicate": "丈夫", "subject_type": "人物"}
{"object_type": "Date", "predicate": "建成", "subject_type": "地点"}
""".encode()
TASK = a_task(RelationExtraction, labels=SCHEMA)


def triple(subject: Any, predicate: Any, item: Any) -> dict[str, Any]:
    value = item if isinstance(item, dict) else {"@value": item}
    return {"subject": subject, "predicate": predicate, "object": value, "subject_type": "", "object_type": {}}


def triples(record: dict[str, Any]) -> list[tuple[str, str, str, int]]:
    return list(
        zip(
            said(record, "subject"),
            record["predicates"],
            said(record, "object"),
            record["groups"].tolist(),
            strict=True,
        )
    )


def test_a_slot_is_a_triple_and_its_group_tells_which_belong_together() -> None:
    spos = [
        triple("林远", "饰演", {"@value": "周舟", "inWork": "海雾"}),
        triple("周舟", "丈夫", "林远"),
        triple("林远", "饰演", {"inWork": "春夏", "@value": "周舟"}),
    ]
    record = record_of(TASK, line(text="林远在《海雾》《春夏》中饰演周舟", spo_list=spos))
    assert triples(record) == [
        ("林远", "饰演_@value", "周舟", 0),
        ("林远", "饰演_inWork", "海雾", 0),
        ("周舟", "丈夫_@value", "林远", 1),
        ("林远", "饰演_@value", "周舟", 2),
        ("林远", "饰演_inWork", "春夏", 2),
    ]
    assert record["text"] == "林远在《海雾》《春夏》中饰演周舟"
    assert record["id"] == content_id(record["text"])
    assert tokens_said(record) == ["", *record["text"], ""]
    assert list(TASK.marks(as_read(TASK, record)))[:3] == [
        (0, 2, "0 饰演_@value subject"),
        (14, 16, "0 饰演_@value object"),
        (0, 2, "0 饰演_inWork subject"),
    ]


def test_several_objects_of_one_subject_and_predicate_are_all_kept() -> None:
    spos = [triple("海雾", "丈夫", name) for name in ("林远", "周舟", "林远")]
    found = triples(record_of(TASK, line(text="海雾林远周舟", spo_list=spos)))
    assert [(item, group) for _, _, item, group in found] == [("林远", 0), ("周舟", 1), ("林远", 2)]


@pytest.mark.parametrize(
    ("text", "subject", "item", "spans"),
    [
        ("林远林远周舟周舟", "林远", "周舟", [(0, 2), (4, 6)]),  # several occurrences
        ("1987年98人，小城98", "小城", "98", [(9, 11), (5, 7)]),  # tokens rather than inside of one
        ("小城图书馆1987年", "小城图书馆", "图书馆", [(0, 5), (2, 5)]),  # one inside of the other
        ("小城图书馆", "小城图", "图书馆", [(0, 3), (2, 5)]),  # they overlap
        ("林远林远", "林远", "林远", [(0, 2), (0, 2)]),
        ("《海雾》林远", "海雾", "林远", [(1, 3), (4, 6)]),
        ("海雾，《海雾》林远", "《海雾》", "林远", [(3, 7), (7, 9)]),
        ("ABC林远abc", "abc", "林远", [(5, 8), (3, 5)]),  # as it is written, where it is
        ("ABC林远", "aBc", "林远", [(0, 3), (3, 5)]),
        ("𠀀𠮷林远周舟", "林远", "周舟", [(2, 4), (4, 6)]),  # beyond the basic plane a character is one
        ("\u3000 林远\r\n周舟", "林远", "周舟", [(2, 4), (6, 8)]),
        ("林远·周舟 （甲）", "林远·周舟", "（甲）", [(0, 5), (6, 9)]),
    ],
)
def test_where_they_stand(text: str, subject: str, item: str, spans: list[tuple[int, int]]) -> None:
    record = record_of(TASK, line(text=text, spo_list=[triple(subject, "丈夫", item)]))
    found = [record[f"{part}_{edge}"].tolist() for part in ("subject", "object") for edge in ("begins", "ends")]
    assert found == [[value] for span in spans for value in span]
    assert record["text"] == text


@given(st.text("林远周舟aA𠀀 98\r\n《》", min_size=2, max_size=20), st.data())
def test_spans_hold_what_they_claim(text: str, data: st.DataObject) -> None:
    parts = []
    for _ in range(2 * data.draw(st.integers(0, 3))):
        begin = data.draw(st.integers(0, len(text) - 1))
        parts.append(text[begin : data.draw(st.integers(begin + 1, len(text)))])
    assume(text.strip() and all(part.strip() for part in parts))
    spos = [triple(subject, "丈夫", item) for subject, item in zip(parts[::2], parts[1::2], strict=True)]
    record = record_of(TASK, line(text=text, spo_list=spos))
    assert [
        item for pair in zip(said(record, "subject"), said(record, "object"), strict=True) for item in pair
    ] == parts


@pytest.mark.parametrize("max_length", [8, 9, 30])
def test_spans_behind_the_last_token_are_kept(max_length: int) -> None:
    text = "林远在《海雾》中饰演周舟"
    task = a_task(RelationExtraction, labels=SCHEMA, max_length=max_length)
    record = record_of(task, line(text=text, spo_list=[triple("林远", "丈夫", "周舟")]))
    assert len(record["ids"]) == min(max_length, len(text) + 2)
    assert tokens_said(record) == ["", *text[: max_length - 2], ""]
    assert said(record, "object") == ["周舟"]


@pytest.mark.parametrize("given_", [{}, {"spo_list": []}, {"spo_list": None}])
def test_a_row_without_gold(given_: dict[str, Any]) -> None:
    record = record_of(TASK, line(text="林远", **given_))
    assert triples(record) == []
    assert {record[name].dtype for name in record if name.endswith(("begins", "ends", "groups"))} == {
        np.dtype(np.int32)
    }
    assert list(TASK.marks(as_read(TASK, record))) == []


def test_slots_that_are_empty_are_none() -> None:
    spo = triple("林远", "饰演", {"@value": "周舟", "inWork": ""})
    assert triples(record_of(TASK, line(text="林远周舟", spo_list=[spo]))) == [("林远", "饰演_@value", "周舟", 0)]


def test_an_object_without_slots_is_its_value() -> None:
    spo = {"subject": "小城", "predicate": "建成", "object": "1987"}
    found = triples(record_of(TASK, line(text="小城1987", spo_list=[spo])))
    assert found == [("小城", "建成_@value", "1987", 0)]


def test_the_id_of_a_row() -> None:
    assert record_of(TASK, line(text="林远", id="r1"))["id"] == "r1"
    assert record_of(TASK, line(text="林远", id=0))["id"] == "0"
    assert record_of(TASK, line(text="林远", id=""))["id"] == content_id("林远")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": " "}, "field 'text' is empty"),
        ({"text": None}, "field 'text' is missing or no str"),
        ({"text": "林\ud800"}, "field 'text': character 1 is half of a surrogate pair, no text"),
        ({"id": ["r1"]}, "field 'id' is missing or no str"),
        ({"spo_list": {"subject": "林远"}}, "field 'spo_list' is missing or no list"),
        ({"spo_list": 1}, "field 'spo_list' is missing or no list"),
        ({"spo_list": ["林远"]}, "spo_list, item 0: field 'subject' is missing or no str"),
        ({"spo_list": [triple("", "丈夫", "周舟")]}, "spo_list, item 0: field 'subject' is empty"),
        ({"spo_list": [triple("林远", None, "周舟")]}, "spo_list, item 0: field 'predicate' is missing or no str"),
        ({"spo_list": [triple("林远", "丈夫", "")]}, "spo_list, item 0: field 'object' is missing or empty"),
        ({"spo_list": [triple("林远", "丈夫", {})]}, "spo_list, item 0: field 'object' is missing or empty"),
        (
            {"spo_list": [{"subject": "林远", "predicate": "丈夫"}]},
            "spo_list, item 0: field 'object' is missing or empty",
        ),
        ({"spo_list": [triple("林远", "丈夫", " ")]}, "spo_list, item 0: field '@value' is empty"),
        ({"spo_list": [triple("林远", "丈夫", ["周舟"])]}, "spo_list, item 0: field '@value' is missing or no str"),
        (
            {"spo_list": [triple("林远", "丈夫", "周舟"), triple("甲", "丈夫", "周舟")]},
            "subject '甲' does not stand in the text",
        ),
        ({"spo_list": [triple("林远", "丈夫", "甲")]}, "object '甲' does not stand in the text"),
        ({"spo_list": [triple("林远", "导演", "周舟")]}, "predicates: '导演_@value' is not in the schema"),
        ({"spo_list": [triple("林远", "丈夫", {"inWork": "周舟"})]}, "predicates: '丈夫_inWork' is not in the schema"),
    ],
)
def test_bad_rows_are_named(row: dict[str, Any], message: str) -> None:
    escaped = line(**{"text": "林远周舟", **row}).replace("\ud800", "\\ud800")
    assert reason(TASK, escaped) == message


@pytest.mark.parametrize(("text", "message"), [("林远", "not JSON: "), ("[]", "not a JSON object but list")])
def test_a_line_that_is_no_object(text: str, message: str) -> None:
    assert reason(TASK, text).startswith(message)


def test_labels_of_a_schema() -> None:
    assert RelationExtraction.read_labels(SCHEMA.replace(b"\n", b"\r\n") + SCHEMA) == {
        "predicates": ("饰演_@value", "饰演_inWork", "丈夫_@value", "建成_@value")
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}\n", "line 1: field 'predicate' is missing or no str"),
        (SCHEMA + b"\n[]", "line 5: not a JSON object but list"),
        (SCHEMA + b"{", "line 4: not JSON: "),
    ],
)
def test_a_bad_line_of_a_schema_is_named(content: bytes, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        RelationExtraction.read_labels(content)
    assert str(caught.value).startswith(message)


@needs_data
def test_every_real_row_makes_a_record_that_says_the_same() -> None:
    task, wordpiece = real_task(RelationExtraction, schema="duie2/schema.json")
    assert len(task.labels["predicates"]) == 55
    lines = real_lines("duie2/dev.json")
    records, bad = made(task, *lines, wordpiece=wordpiece)
    assert (len(records), bad) == (2500, [])
    for record, row in zip(records, map(json_object, lines), strict=True):
        found: dict[int, list[tuple[str, str, str]]] = {}
        for subject, label, item, group in triples(record):
            found.setdefault(group, []).append((subject.lower(), label, item.lower()))
        assert found == {
            number: [
                (spo["subject"].lower(), f"{spo['predicate']}_{slot}", item.lower())
                for slot, item in sorted(spo["object"].items())
                if item
            ]
            for number, spo in enumerate(row["spo_list"])
        }
