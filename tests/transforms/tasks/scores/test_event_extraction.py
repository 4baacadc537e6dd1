"""DuEE's scores of arguments, worked out by hand."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.tasks.record import BadRecord, content_id
from transforms.tasks.scores.event_extraction import read_gold, read_predictions, score


def argument(text: Any, role: Any = "时间", *aliases: Any) -> dict[str, Any]:
    return {"argument": text, "role": role, "alias": list(aliases)}


def row(*arguments: Any, kind: Any = "建成", **fields: Any) -> bytes:
    events = [{"event_type": kind, "arguments": list(arguments)}]
    return json.dumps({"id": "e", "event_list": events, **fields}).encode()


def of(said: list[Any], right: list[Any]) -> tuple[float, float, float]:
    found = score(read_predictions(row(*said)), read_gold(row(*right)))
    return found["precision"], found["recall"], found["f1"]


@pytest.mark.parametrize(
    ("said", "right", "total"),  # the sum of the scores
    [
        (["1987年"], ["1987年"], 1),
        (["1987"], ["1987年"], 2 * 4 / (4 + 5)),
        (["年1987"], ["1987年"], 1),  # characters, in whatever order
        (["甲甲"], ["甲"], 2 / 3),  # as often as they stand
        (["甲"], ["乙"], 0),
        (["ABC"], ["abc"], 1),
        (["甲", "甲"], ["甲"], 1),  # one of gold goes to one prediction
        (["甲"], ["甲", "甲"], 1),
        (["甲", "甲"], ["甲", "甲"], 2),
        (["甲乙", "甲"], ["甲乙丙丁", "甲乙"], 1 + 2 / 5),  # and not 4/6 + 2/3
        ([], ["甲"], 0),
        (["甲"], [], 0),
        ([""], ["甲"], 0),
    ],
)
def test_by_hand(said: list[str], right: list[str], total: float) -> None:
    precision, recall, _ = of([argument(text) for text in said], [argument(text) for text in right])
    assert precision == pytest.approx(total / len(said) if said else 0)
    assert recall == pytest.approx(total / len(right) if right else 0)


def test_the_assignment_is_the_best_one() -> None:
    """First come, first served would give 甲乙 and 甲乙丙 to one another, and leave nothing for 丙."""
    said, right = [argument("甲乙"), argument("丙")], [argument("甲乙丙"), argument("甲乙")]
    assert of(said, right) == pytest.approx(((1 + 2 / 4) / 2,) * 3)


def test_types_and_roles_must_be_right() -> None:
    assert of([argument("甲", "时间")], [argument("甲", "地点")]) == (0, 0, 0)
    assert score(read_predictions(row(argument("甲"), kind="合并")), read_gold(row(argument("甲"))))["f1"] == 0
    assert of([argument("甲", "时间"), argument("甲", "地点")], [argument("甲", "地点")]) == (1 / 2, 1, 2 / 3)


def test_the_best_alias_counts() -> None:
    right = [argument("1987年", "时间", "八七年", "87年")]
    assert of([argument("87年")], right) == (1, 1, 1)
    assert of([argument("八七")], right) == pytest.approx((2 * 2 / 5,) * 3)
    assert of([argument("甲", "时间", "87年")], right) == (0, 0, 0)  # of gold only


def test_places_do_not_count() -> None:
    """Predictions have them, as gold of the organisers has."""
    assert of([{**argument("甲"), "argument_start_index": 3}], [{**argument("甲"), "argument_start_index": 0}]) == (
        1,
        1,
        1,
    )


def test_ids() -> None:
    gold = read_gold(row(argument("甲"), id="a") + b"\n" + row(argument("乙"), id=5))
    said = read_predictions(row(argument("甲"), id="a") + b"\n" + row(argument("丙"), id="other"))
    assert score(said, gold) == {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3)}
    assert set(gold) == {"a", "5"}
    assert set(read_gold(row(argument("甲"), id="", text="甲年"))) == {content_id("甲年")}


arguments = st.lists(
    st.builds(argument, st.text("甲乙丙A", min_size=1, max_size=4), st.sampled_from(["时间", "地点"])), max_size=6
)


@given(arguments, arguments)
def test_bounds_and_symmetry(first: list[Any], second: list[Any]) -> None:
    precision, recall, f1 = of(first, second)
    assert 0 <= f1 <= 1 + 1e-12
    assert of(second, first) == pytest.approx((recall, precision, f1))


@given(arguments, st.data())
def test_gold_against_itself_in_any_order(rows: list[Any], data: st.DataObject) -> None:
    right = 1.0 if rows else 0.0
    assert of(data.draw(st.permutations(rows)), rows) == pytest.approx((right, right, right))


@given(arguments, arguments, arguments)
def test_what_is_said_more_never_lowers_recall(said: list[Any], right: list[Any], more: list[Any]) -> None:
    assert of([*said, *more], right)[1] >= of(said, right)[1] - 1e-12


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[]", "line 2: not a JSON object but a list"),
        (b'{"event_list": []}', "line 2: field 'text' is missing"),
        (b'{"id": "f"}', "line 2: field 'event_list' is missing"),
        (b'{"id": "f", "event_list": [{}]}', "line 2: event_list, item 0: field 'event_type' is missing"),
        (row(argument("甲"), "乙", id="f"), "line 2: event_list, item 0: arguments, item 1: text, not an"),
        (row({"argument": "甲"}, id="f"), "line 2: event_list, item 0: arguments, item 0: field 'role' "),
        (row(argument("甲", "时间", 5), id="f"), "line 2: event_list, item 0: arguments, item 0: field 'alias' "),
        (row(id="e"), "line 2: id e stands there twice"),
    ],
)
def test_a_bad_line_is_named(content: bytes, message: str) -> None:
    with pytest.raises(BadRecord, match=f"^{re.escape(message)}"):
        read_predictions(row() + b"\n" + content)
