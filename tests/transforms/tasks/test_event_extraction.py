"""Event extraction: where triggers and arguments stand, roles, offsets right and wrong, bad rows."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.transforms.tasks.making import (
    a_task,
    as_read,
    check_shapes,
    line,
    made,
    needs_data,
    oracle,
    real_lines,
    real_task,
    reason,
    record_of,
    said,
    tokens_said,
)
from transforms.tasks.event_extraction import EventExtraction
from transforms.tasks.json_input import json_object
from transforms.tasks.record import content_id

SCHEMA = """{"event_type": "组织-裁员/停业", "role_list": [{"role": "裁员方"}, {"role": "人数"}], "id": "1"}
{"event_type": "建成", "role_list": [{"role": "时间"}, {"role": "地点"}], "id": "2", "class": "建成"}
""".encode()
TASK = a_task(EventExtraction, labels=SCHEMA)
LAY_OFF = "组织-裁员/停业"
TEXT = "甲公司昨日宣布裁员300人"


def argument(said: Any, role: Any, begin: Any = -1) -> dict[str, Any]:
    return {"argument": said, "role": role, "argument_start_index": begin, "alias": []}


def event(kind: Any, trigger: Any, begin: Any, *arguments: Any) -> dict[str, Any]:
    return {
        "event_type": kind,
        "trigger": trigger,
        "trigger_start_index": begin,
        "class": "",
        "arguments": list(arguments),
    }


def test_events_and_their_arguments() -> None:
    events = [
        event(LAY_OFF, "裁员", 7, argument("甲公司", "裁员方", 0), argument("300人", "人数", 9)),
        event("建成", "宣布", 5),
        event(LAY_OFF, "裁员", 7, argument("甲公司", "裁员方", 0)),
    ]
    record = record_of(TASK, line(id="e1", text=TEXT, event_list=events))
    assert (record["id"], record["text"]) == ("e1", TEXT)
    assert tokens_said(record) == ["", *TEXT[:9], "300", "人", ""]
    assert said(record, "trigger") == ["裁员", "宣布", "裁员"]
    assert record["event_types"] == [LAY_OFF, "建成", LAY_OFF]
    assert said(record, "argument") == ["甲公司", "300人", "甲公司"]
    assert record["argument_roles"] == [f"{LAY_OFF}/裁员方", f"{LAY_OFF}/人数", f"{LAY_OFF}/裁员方"]
    assert record["argument_events"].tolist() == [0, 0, 2]
    assert list(TASK.marks(as_read(TASK, record))) == [
        (7, 9, f"0 {LAY_OFF}"),
        (5, 7, "1 建成"),
        (7, 9, f"2 {LAY_OFF}"),
        (0, 3, "0 裁员方"),
        (9, 13, "0 人数"),
        (0, 3, "2 裁员方"),
    ]


@pytest.mark.parametrize(
    ("text", "part", "offset", "span"),
    [
        ("甲公司甲公司甲公司", "甲公司", 3, (3, 6)),  # not where it stands first
        ("甲公司甲公司甲公司", "甲公司", -1, (0, 3)),
        ("甲公司甲公司甲公司", "甲公司", None, (0, 3)),
        ("甲公司甲公司甲公司", "甲公司", "3", (3, 6)),
        ("1987年98人", "98", 1, (1, 3)),  # as the data says, inside of a token
        ("1987年98人", "98", -1, (5, 7)),
        ("𠀀𠮷甲公司", "甲公司", 2, (2, 5)),  # characters, not UTF-16
        ("\u3000 甲\r\n甲公司", "甲", 5, (5, 6)),
        ("ABC公司abc公司", "abc公司", 0, (0, 5)),
        ("ABC公司abc公司", "ABC公司", 5, (5, 10)),
        ("ABC公司abc公司", "abc公司", -1, (5, 10)),
    ],
)
def test_offsets_are_kept(text: str, part: str, offset: Any, span: tuple[int, int]) -> None:
    events = [event(LAY_OFF, part, offset, argument(part, "裁员方", offset))]
    record = record_of(TASK, line(text=text, event_list=events))
    for name in ("trigger", "argument"):
        assert (record[f"{name}_begins"].tolist(), record[f"{name}_ends"].tolist()) == ([span[0]], [span[1]])


@pytest.mark.parametrize("offset", [1, 2, 4, 5])
@pytest.mark.parametrize("name", ["trigger", "argument"])
def test_an_offset_that_is_off_by_one_is_wrong(name: str, offset: int) -> None:
    wrong = event(LAY_OFF, "甲公司", offset if name == "trigger" else 0, argument("甲公司", "裁员方", offset))
    at = "event_list, item 1: " + ("trigger" if name == "trigger" else "arguments, item 0: argument")
    message = reason(TASK, line(text="甲公司甲公司", event_list=[event("建成", None, -1), wrong]))
    assert message.startswith(f"{at} '甲公司' does not stand at offset {offset}, where ")
    assert message.endswith(f" does, but next at {0 if offset < 2 else 3}: mend the offset")


@given(st.text("甲公司裁aA𠀀 98\r\n", min_size=1, max_size=20), st.data())
def test_right_offsets_are_kept(text: str, data: st.DataObject) -> None:
    spans = []
    for _ in range(data.draw(st.integers(1, 5))):
        begin = data.draw(st.integers(0, len(text) - 1))
        spans.append((begin, data.draw(st.integers(begin + 1, len(text)))))
    assume(all(text[begin:end].strip() for begin, end in spans))
    (first, last), *others = spans
    arguments = [argument(text[begin:end], "裁员方", begin) for begin, end in others]
    record = record_of(TASK, line(text=text, event_list=[event(LAY_OFF, text[first:last], first, *arguments)]))
    found = [*record["trigger_begins"], *record["argument_begins"], *record["trigger_ends"], *record["argument_ends"]]
    assert found == [begin for begin, _ in spans] + [end for _, end in spans]


def test_missing_offsets_are_searched() -> None:
    events = [{"event_type": "建成", "trigger": "宣布", "arguments": [{"argument": "昨日", "role": "时间"}]}]
    record = record_of(TASK, line(text=TEXT, event_list=events))
    assert (said(record, "trigger"), said(record, "argument")) == (["宣布"], ["昨日"])


def test_an_event_need_not_have_a_trigger() -> None:
    """Nor what of it is said: triggers are neither asked for nor scored."""
    bare = {"event_type": LAY_OFF, "arguments": [argument("甲公司", "裁员方", 0)]}
    events = [bare, event("建成", "宣布", 5), {**bare, "trigger": None, "trigger_start_index": None}]
    record = record_of(TASK, line(text=TEXT, event_list=events))
    assert (said(record, "trigger"), record["trigger_events"].tolist()) == (["宣布"], [1])
    assert record["event_types"] == [LAY_OFF, "建成", LAY_OFF]
    assert list(TASK.marks(as_read(TASK, record))) == [
        (5, 7, "1 建成"), (0, 3, "0 裁员方"), (0, 3, "2 裁员方")
    ]  # fmt: skip


@pytest.mark.parametrize("max_length", [8, 12, 30])
def test_spans_behind_the_last_token_are_kept(max_length: int) -> None:
    task = a_task(EventExtraction, labels=SCHEMA, max_length=max_length)
    record = record_of(task, line(text=TEXT, event_list=[event(LAY_OFF, "裁员", 7, argument("300人", "人数", 9))]))
    assert len(record["ids"]) == min(max_length, 13)
    assert (said(record, "trigger"), said(record, "argument")) == (["裁员"], ["300人"])


@pytest.mark.parametrize("given_", [{}, {"event_list": []}, {"event_list": None}])
def test_a_row_without_gold(given_: dict[str, Any]) -> None:
    record = record_of(TASK, line(text=TEXT, **given_))
    assert record["id"] == content_id(TEXT)
    assert record["event_types"] == record["argument_roles"] == []
    spans = [record[name] for name in record if name.startswith(("trigger_", "argument_")) and name[-1] == "s"]
    assert {len(value) for value in spans} == {0}
    assert record["argument_events"].dtype == record["trigger_begins"].dtype == np.int32


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": ""}, "field 'text' is empty"),
        ({"text": 5}, "field 'text' is a number, not text"),
        ({"id": {}}, "field 'id' is an object, not text"),
        ({"event_list": "裁员"}, "field 'event_list' is text, not a list"),
        ({"event_list": [5]}, "event_list, item 0: a number, not an object with field 'event_type'"),
        ({"event_list": [event(" ", "裁员", 7)]}, "event_list, item 0: field 'event_type' is empty"),
        ({"event_list": [event(LAY_OFF, 5, 7)]}, "event_list, item 0: field 'trigger' is a number, not text"),
        (
            {"event_list": [event(LAY_OFF, "裁员", 7.5)]},
            "event_list, item 0: field 'trigger_start_index' is neither a whole number from 0 nor -1 but 7.5",
        ),
        ({"event_list": [event(LAY_OFF, "雇人", -1)]}, "event_list, item 0: trigger '雇人' does not stand in the text"),
        (
            {"event_list": [event(LAY_OFF, "雇人", 7)]},
            "event_list, item 0: trigger '雇人' does not stand at offset 7, where '裁员' does, "
            "nor elsewhere in the text",
        ),
        (
            {"event_list": [event(LAY_OFF, "裁员", 10)]},
            "event_list, item 0: trigger '裁员' does not stand at offset 10, where '00' does, "
            "but next at 7: mend the offset",
        ),
        (
            {"event_list": [event(LAY_OFF, "裁员", 7), {"event_type": LAY_OFF, "trigger": "裁员"}]},
            "event_list, item 1: field 'arguments' is missing",
        ),
        (
            {"event_list": [event(LAY_OFF, "裁员", 7, "甲公司")]},
            "event_list, item 0: arguments, item 0: text, not an object with field 'argument'",
        ),
        (
            {"event_list": [event(LAY_OFF, "裁员", 7, argument("甲公司", ""))]},
            "event_list, item 0: arguments, item 0: field 'role' is empty",
        ),
        (
            {"event_list": [event(LAY_OFF, "裁员", 7, argument("甲公司", "裁员方", "首"))]},
            "event_list, item 0: arguments, item 0: field 'argument_start_index' is neither a whole number from 0 "
            "nor -1 but '首'",
        ),
        (
            {"event_list": [event(LAY_OFF, "裁员", 7, argument("昨日", "裁员方", 3), argument("乙公司", "裁员方", 0))]},
            "event_list, item 0: arguments, item 1: argument '乙公司' does not stand at offset 0, where '甲公司' does, "
            "nor elsewhere in the text",
        ),
        (
            {"event_list": [event(LAY_OFF, "裁员", 7, {**argument("昨日", "裁员方", 3), "alias": "昨"})]},
            "event_list, item 0: arguments, item 0: field 'alias' is text, not a list",
        ),
        (
            {"event_list": [event(LAY_OFF, "裁员", 7, {**argument("昨日", "裁员方", 3), "alias": ["昨", 5]})]},
            "event_list, item 0: arguments, item 0: field 'alias' holds more than texts",
        ),
        ({"event_list": [event("合并", "裁员", 7)]}, "event_types: '合并' is not in the schema"),
        (
            {"event_list": [event(LAY_OFF, "裁员", 7, argument("昨日", "时间", 3))]},
            f"argument_roles: '{LAY_OFF}/时间' is not in the schema",
        ),
    ],
)
def test_bad_rows_are_named(row: dict[str, Any], message: str) -> None:
    assert reason(TASK, line(**{"text": TEXT, **row})) == message


def test_labels_of_a_schema() -> None:
    assert EventExtraction.read_labels(SCHEMA + SCHEMA) == {
        "event_types": (LAY_OFF, "建成"),
        "argument_roles": (f"{LAY_OFF}/裁员方", f"{LAY_OFF}/人数", "建成/时间", "建成/地点"),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"role_list": []}', "line 3: field 'event_type' is missing"),
        ('{"event_type": "合并"}', "line 3: field 'role_list' is missing"),
        ('{"event_type": "合并", "role_list": ["时间"]}', "line 3: text, not an object with field 'role'"),
        ("[]", "line 3: not a JSON object but a list"),
    ],
)
def test_a_bad_line_of_a_schema_is_named(content: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        EventExtraction.read_labels(SCHEMA + content.encode())


# --- targets and decoding ---


def test_targets_are_where_arguments_are() -> None:
    events = [
        event(LAY_OFF, "裁员", 7, argument("甲公司", "裁员方", 0), argument("300人", "人数", 9)),
        event("建成", "宣布", 5, argument("甲公司", "地点", 0), argument("公司", "地点", 1)),
    ]
    targets = TASK.targets(as_read(TASK, record_of(TASK, line(text=TEXT, event_list=events))), np.random.default_rng(0))
    check_shapes(TASK, targets)
    assert (targets["ids"].dtype, targets["roles"].dtype) == (np.int32, np.float32)
    assert np.argwhere(targets["roles"]).tolist() == [
        [1, 0, 0], [1, 3, 0], [2, 3, 0], [3, 0, 1], [3, 3, 1], [10, 1, 0], [11, 1, 1]
    ]  # fmt: skip


@pytest.mark.parametrize(("max_length", "kept"), [(8, 1), (12, 1), (13, 2)])
def test_what_does_not_lie_in_a_record_is_no_target(max_length: int, kept: int) -> None:
    task = a_task(EventExtraction, labels=SCHEMA, max_length=max_length)
    events = [event(LAY_OFF, "裁员", 7, argument("甲公司", "裁员方", 0), argument("300人", "人数", 9))]
    record = record_of(task, line(text=TEXT, event_list=events))
    assert task.targets(as_read(task, record), np.random.default_rng(0))["roles"].sum() == 2 * kept
    assert len(oracle(task, [record])[0]["event_list"][0]["arguments"]) == kept


def arguments(row: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (event["event_type"], found["role"], found["argument"])
        for event in row["event_list"]
        for found in event["arguments"]
    ]


def test_a_span_may_have_two_roles_and_every_occurrence_counts() -> None:
    text = "甲公司宣布甲公司裁员甲公司"
    events = [
        event(LAY_OFF, "裁员", 8, argument("甲公司", "裁员方", 0), argument("甲公司", "人数", 0)),
        event("建成", "宣布", 3, argument("甲公司", "地点", 0), argument("甲公司", "地点", 10)),
        event("建成", "宣布", 3, argument("公司", "地点", 6)),
    ]
    (row,) = oracle(TASK, [record_of(TASK, line(id="e1", text=text, event_list=events))])
    assert row["id"] == "e1"
    assert arguments(row) == [
        (LAY_OFF, "裁员方", "甲公司"),
        (LAY_OFF, "人数", "甲公司"),
        ("建成", "地点", "甲公司"),
        ("建成", "地点", "公司"),
        ("建成", "地点", "甲公司"),
    ]
    assert [found["argument_start_index"] for event in row["event_list"] for found in event["arguments"]] == [
        0, 0, 0, 6, 10
    ]  # fmt: skip
    assert json_object(TASK.write([row]).decode()) == row


@given(st.data())
def test_a_perfect_model_finds_all_arguments(data: st.DataObject) -> None:
    """Those of one label stand apart; a text has them where it has them, whatever else it says."""
    text = data.draw(st.text("甲公司裁aA𠀀98", min_size=1, max_size=24))
    record = record_of(TASK, line(text=text))
    tokens, wanted, given_ = len(record["ids"]) - 2, [], []
    for role in ("裁员方", "人数"):
        edges = sorted(data.draw(st.sets(st.integers(1, tokens), max_size=6)))
        for first, last in zip(edges[::2], edges[1::2], strict=False):
            begin, end = int(record["begins"][first]), int(record["ends"][last])
            given_.append(argument(text[begin:end], role, begin))
            wanted.append((LAY_OFF, role, text[begin:end]))
    (row,) = oracle(TASK, [record_of(TASK, line(text=text, event_list=[event(LAY_OFF, text, 0, *given_)]))])
    assert arguments(row) == wanted
    for item in (item for event in row["event_list"] for item in event["arguments"]):
        assert text[item["argument_start_index"] :].startswith(item["argument"])


def test_the_threshold_and_tokens_that_are_no_text() -> None:
    records = [as_read(TASK, record_of(TASK, line(text=text))) for text in ("甲公司", "甲")]

    def model(inputs: Any) -> Any:
        logits = np.full((*inputs["ids"].shape, 4, 2), -9, np.float32)
        logits[:, :, 1] = 9  # [CLS], [SEP] and padding too
        logits[0, [1, 3], 0, [0, 1]] = 0.2  # probability 0.55
        return {"roles": logits}

    rows = TASK.decode(records, model)
    assert [arguments(row) for row in rows] == [
        [(LAY_OFF, "裁员方", "甲公司"), *((LAY_OFF, "人数", character) for character in "甲公司")],
        [(LAY_OFF, "人数", "甲")],
    ]
    assert len(arguments(TASK.decode(records, model, threshold=0.6)[0])) == 3


# --- real data ---


@needs_data
def test_real_arguments_stand_where_others_do() -> None:
    """With another role or type, which one tag a token could not say."""
    shared = 0
    for row in map(json_object, real_lines("duee/dev.json")):
        of_span: dict[tuple[int, str], set[tuple[str, str]]] = {}
        for event in row["event_list"]:
            for found in event["arguments"]:
                at = (found["argument_start_index"], found["argument"])
                of_span.setdefault(at, set()).add((event["event_type"], found["role"]))
        shared += sum(len(labels) > 1 for labels in of_span.values())
    assert shared > 0


@needs_data
def test_every_real_row_makes_a_record_that_says_the_same() -> None:
    task, wordpiece = real_task(EventExtraction, schema="duee/event_schema.json")
    assert {name: len(labels) for name, labels in task.labels.items()} == {"event_types": 65, "argument_roles": 217}
    lines = real_lines("duee/dev.json")
    records, bad = made(task, *lines, wordpiece=wordpiece)
    assert (len(records), bad) == (250, [])
    for record, row in zip(records, map(json_object, lines), strict=True):
        events = row["event_list"]
        spans = [(event["trigger_start_index"], event["trigger"]) for event in events]
        found = zip(record["trigger_begins"].tolist(), said(record, "trigger"), strict=True)
        assert [(begin, text.lower()) for begin, text in found] == [(begin, text.lower()) for begin, text in spans]
        arguments = [(number, argument) for number, event in enumerate(events) for argument in event["arguments"]]
        assert record["argument_events"].tolist() == [number for number, _ in arguments]
        assert record["argument_begins"].tolist() == [argument["argument_start_index"] for _, argument in arguments]
        assert [text.lower() for text in said(record, "argument")] == [
            argument["argument"].lower() for _, argument in arguments
        ]
