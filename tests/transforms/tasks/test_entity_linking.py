"""Entity linking: where mentions stand, what they stand for, bad rows."""

from typing import Any

import numpy as np
import pytest

from tests.transforms.tasks.making import (
    a_task,
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
from transforms.tasks.entity_linking import EntityLinking
from transforms.tasks.json_input import json_object
from transforms.tasks.record import content_id

TASK = a_task(EntityLinking)
TEXT = "晨星号几点发车"


def mention(said: Any, offset: Any, entity: Any = "90001") -> dict[str, Any]:
    return {"kb_id": entity, "mention": said, "offset": offset}


def test_mentions_and_their_entities() -> None:
    gold = [mention("晨星号", "0"), mention("发车", "5", "NIL"), mention("晨星", "0", "7")]
    record = record_of(TASK, line(text_id="7", text=TEXT, mention_data=gold))
    assert (record["id"], record["text"]) == ("7", TEXT)
    assert tokens_said(record) == ["", *TEXT, ""]
    assert said(record, "mention") == ["晨星号", "发车", "晨星"]
    assert record["entities"] == ["90001", "NIL", "7"]
    assert list(TASK.marks(record)) == [(0, 3, "90001"), (5, 7, "NIL"), (0, 2, "7")]


@pytest.mark.parametrize(
    ("text", "part", "offset", "span"),
    [
        ("晨星，晨星，晨星", "晨星", "3", (3, 5)),
        ("晨星，晨星，晨星", "晨星", 3, (3, 5)),
        ("晨星，晨星，晨星", "晨星", "4", (3, 5)),
        ("晨星，晨星，晨星", "晨星", "-1", (0, 2)),
        ("晨星，晨星，晨星", "晨星", None, (0, 2)),
        ("ABC号《ab》", "AB", "5", (5, 7)),
        ("ABC号《ab》", "《AB》", "2", (4, 8)),
        ("𠀀𠮷晨星", "晨星", "2", (2, 4)),
        (" \u3000晨\r\n晨星", "晨星", "5", (5, 7)),
    ],
)
def test_offsets_are_checked_and_mended(text: str, part: str, offset: Any, span: tuple[int, int]) -> None:
    record = record_of(TASK, line(text=text, mention_data=[mention(part, offset)]))
    assert (record["mention_begins"].tolist(), record["mention_ends"].tolist()) == ([span[0]], [span[1]])
    assert record["text"] == text


@pytest.mark.parametrize("max_length", [8, 30])
def test_mentions_behind_the_last_token_are_kept(max_length: int) -> None:
    record = record_of(
        a_task(EntityLinking, max_length=max_length), line(text=TEXT, mention_data=[mention("发车", "5")])
    )
    assert len(record["ids"]) == min(max_length, 9)
    assert said(record, "mention") == ["发车"]


@pytest.mark.parametrize("given_", [{}, {"mention_data": []}, {"mention_data": None}])
def test_a_row_without_gold(given_: dict[str, Any]) -> None:
    record = record_of(TASK, line(text=TEXT, **given_))
    assert (record["id"], record["entities"], list(TASK.marks(record))) == (content_id(TEXT), [], [])
    assert record["mention_begins"].dtype == record["mention_ends"].dtype == np.int32


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "\u3000"}, "field 'text' is empty"),
        ({"text": None}, "field 'text' is missing or no str"),
        ({"text_id": 1.5}, "field 'text_id' is missing or no str"),
        ({"mention_data": {}}, "field 'mention_data' is missing or no list"),
        ({"mention_data": [None]}, "mention_data, item 0: field 'mention' is missing or no str"),
        ({"mention_data": [mention("", "0")]}, "mention_data, item 0: field 'mention' is empty"),
        (
            {"mention_data": [mention("晨星", "0"), mention("晨星", "首")]},
            "mention_data, item 1: field 'offset' is no whole number but '首'",
        ),
        ({"mention_data": [mention("晨星", 1.5)]}, "mention_data, item 0: field 'offset' is no whole number but 1.5"),
        (
            {"mention_data": [mention("晨星", float("inf"))]},
            "mention_data, item 0: field 'offset' is no whole number but inf",
        ),
        ({"mention_data": [mention("晨星", "0", None)]}, "mention_data, item 0: field 'kb_id' is missing or no str"),
        ({"mention_data": [mention("晨星", "0", "")]}, "mention_data, item 0: field 'kb_id' is empty"),
        (
            {"mention_data": [mention(TEXT[5:], "2")]},
            f"mention {TEXT[5:]!r} does not stand at offset 2, but next at 5: mend the offset, or give -1",
        ),
        (
            {"mention_data": [mention("海雾", "0")]},
            "mention '海雾' does not stand in the text, at offset 0 or elsewhere",
        ),
    ],
)
def test_bad_rows_are_named(row: dict[str, Any], message: str) -> None:
    assert reason(TASK, line(**{"text": TEXT, **row})) == message


@needs_data
def test_every_real_row_makes_a_record_that_says_the_same() -> None:
    task, wordpiece = real_task(EntityLinking)
    lines = real_lines("ccks2019/dev.json")
    records, bad = made(task, *lines, wordpiece=wordpiece)
    assert (len(records), bad) == (200, [])
    for record, row in zip(records, map(json_object, lines), strict=True):
        gold = row["mention_data"]
        assert record["id"] == row["text_id"]
        assert record["mention_begins"].tolist() == [int(item["offset"]) for item in gold]
        assert [text.lower() for text in said(record, "mention")] == [item["mention"].lower() for item in gold]
        assert record["entities"] == [item["kb_id"] for item in gold]
