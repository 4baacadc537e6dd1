"""JSON that others wrote: what is taken, and what a person is told of the rest."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.tasks.json_input import (
    field,
    gold_field,
    id_field,
    json_lines,
    json_object,
    offset_field,
    one_text,
    text_field,
    write_lines,
)
from transforms.tasks.record import BadRecord, content_id

values = st.none() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.text(), max_size=3)


@given(st.dictionaries(st.text(), values))
def test_objects(value: dict[str, Any]) -> None:
    assert json_object(json.dumps(value)) == value
    assert json_object(json.dumps(value, ensure_ascii=False, indent=1) + "\r\n") == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON: Expecting value"),
        ("{", "not JSON: "),
        ("{}{}", "not JSON: Extra data"),
        ("[" * 100_000, "not JSON: "),
        ('{"a": ' + "9" * 5000 + "}", "not JSON: Exceeds the limit"),
        ("[]", "not a JSON object but a list"),
        ('"中"', "not a JSON object but text"),
        ("1", "not a JSON object but a number"),
        ("null", "not a JSON object but null"),
    ],
)
def test_what_is_no_object(text: str, message: str) -> None:
    with pytest.raises(BadRecord) as caught:
        json_object(text)
    assert str(caught.value).startswith(message)


@given(st.text())
def test_any_text_is_an_object_or_a_bad_record(text: str) -> None:
    with suppress(BadRecord):
        assert isinstance(json_object(text), dict)


def test_lines() -> None:
    content = b'\xef\xbb\xbf{"a": 1}\r\n\n  \n{"a": "\xe4\xb8\xad"}'
    assert list(json_lines(content)) == [("line 1: ", {"a": 1}), ("line 4: ", {"a": "中"})]
    assert list(json_lines(b"")) == []


def test_a_bad_line_is_named() -> None:
    with pytest.raises(BadRecord, match=r"^line 3: not a JSON object but a list$"):
        list(json_lines(b"{}\n\n[]\n{}"))
    with pytest.raises(ValueError, match=r"^line 2: not UTF-8 .*: save the file as UTF-8$"):
        list(json_lines("{}\n中".encode("gb18030")))


NO_ROWS: list[Any] = [None, [], "text", 5, True, {}]


@pytest.mark.parametrize("row", NO_ROWS)
def test_a_field_that_is_missing(row: Any) -> None:
    why = "field 'a' is missing" if row == {} else ".*, not an object with field 'a'"
    with pytest.raises(BadRecord, match=rf"^item 3: {why}$"):
        field(row, "a", list, of="item 3: ")
    with pytest.raises(BadRecord, match=rf"^{why}$"):
        text_field(row, "a")
    assert (id_field(row, "a"), gold_field(row, "a"), offset_field(row, "a")) == ("", None, -1)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "field 'a' is empty"),
        (" \r\n\u3000", "field 'a' is empty"),
        ("中\ud800", "field 'a': character 1 is half of a surrogate pair, no text"),
        ("\udc00", "field 'a': character 0 is half of a surrogate pair, no text"),
        (5, "field 'a' is a number, not text"),
        (None, "field 'a' is null, not text"),
        (["中"], "field 'a' is a list, not text"),
    ],
)
def test_text_that_is_none(value: Any, message: str) -> None:
    with pytest.raises(BadRecord) as caught:
        text_field(json_object(json.dumps({"a": value})), "a", of="item 1: ")
    assert str(caught.value) == f"item 1: {message}"
    str(caught.value).encode()


def test_text_is_kept_as_it_is() -> None:
    for text in (" 中\r\n", "\ufeff中", "𠀀", "\x00a"):
        assert text_field(json_object(json.dumps({"a": text})), "a") == text


@pytest.mark.parametrize(("value", "found"), [("7", "7"), (7, "7"), (0, "0"), ("", ""), (None, "")])
def test_ids(value: Any, found: str) -> None:
    assert id_field({"a": value}, "a") == found


@pytest.mark.parametrize("value", [1.5, True, False, ["7"], {"7": 7}, " ", "\ud800"])
def test_what_is_no_id(value: Any) -> None:
    with pytest.raises(BadRecord, match="field 'a'"):
        id_field({"a": value}, "a")


@pytest.mark.parametrize("value", [0, 5, True, "", "中", {}, {"text": ["中"]}])
def test_gold_that_is_no_list(value: Any) -> None:
    with pytest.raises(BadRecord, match=r"^field 'a' is .*, not a list$"):
        gold_field({"a": value}, "a")


def test_gold() -> None:
    assert gold_field({"a": [1]}, "a") == [1]
    assert gold_field({"a": []}, "a") == []
    assert gold_field({"a": None}, "a") is gold_field({}, "a") is None


def test_one_text() -> None:
    found = one_text({"text": "中国", "b": 7, "a": [1]}, id="b", gold="a")
    assert (found.id, found.texts, found.gold, found.missing) == ("7", ("中国",), [1], "")
    for row in ({"text": "中国"}, {"text": "中国", "a": None, "b": ""}):
        found = one_text(row, id="b", gold="a")
        assert (found.id, found.gold, found.missing) == (content_id("中国"), None, "a")


@given(st.lists(st.dictionaries(st.text(), values)))
def test_lines_that_are_written_are_read(rows: list[dict[str, Any]]) -> None:
    assert [row for _, row in json_lines(write_lines(rows))] == rows


@pytest.mark.parametrize(
    ("value", "found"), [(12, 12), ("12", 12), ("-1", -1), (-1, -1), (0, 0), ("007", 7), (None, -1)]
)
def test_offsets(value: Any, found: int) -> None:
    assert offset_field({"a": value}, "a") == found


NO_OFFSETS: list[Any] = [1.5, 3.0, float("inf"), float("nan"), True, False, -2, 3 - (1 << 40), [3], {"a": 3}]


@pytest.mark.parametrize(
    "value", [*NO_OFFSETS, "", "3.0", "三", "1_0", "１２", "²", "+1", " 1", "1\n", "-0", "-2", "true", "9" * 5000]
)
def test_what_is_no_offset(value: Any) -> None:
    with pytest.raises(BadRecord, match=r"^item 2: field 'a' is neither a whole number from 0 nor -1 but "):
        offset_field({"a": value}, "a", of="item 2: ")
