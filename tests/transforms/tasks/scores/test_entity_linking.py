"""Both rules of entity linking, worked out on paper; bounds, gold, symmetry; files that are refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.tasks.record import BadRecord
from transforms.tasks.scores.entity_linking import Link, parts, read_gold, read_predictions, score

KEY = ("7", "晨星号几点发车")
GOLD = {KEY: [("晨星号", "0", "90001"), ("几点", "3", "3"), ("发车", "5", "NIL")]}
LINKS = st.lists(
    st.tuples(st.sampled_from("甲乙"), st.sampled_from("01"), st.sampled_from(["1", "2", "NIL"])), max_size=6
)
FILES = st.dictionaries(st.tuples(st.sampled_from("ab"), st.just("t")), LINKS, max_size=2)


def rates(links: list[Link], *, rules: Any) -> tuple[float, float, float]:
    found = score({KEY: links}, GOLD, rules=rules)
    return found["precision"], found["recall"], found["f1"]


@pytest.mark.parametrize(
    ("links", "ccks", "duel"),
    [
        ([], (0, 0, 0), (0, 0, 0)),
        ([("晨星号", "0", "90001")], (1, 1 / 2, 2 / 3), (1, 1 / 3, 1 / 2)),
        ([("晨星号", "0", "3")], (0, 0, 0), (0, 0, 0)),
        ([("晨星号", "1", "90001")], (0, 0, 0), (0, 0, 0)),
        ([("晨星号", "0", "90001"), ("晨星", "0", "90001")], (1 / 2, 1 / 2, 1 / 2), (1 / 2, 1 / 3, 2 / 5)),
        # What gold calls NIL and a prediction does not is wrong; NIL is passed over.
        ([("晨星号", "0", "90001"), ("发车", "5", "4")], (1 / 2, 1 / 2, 1 / 2), (1 / 2, 1 / 3, 2 / 5)),
        ([("晨星号", "0", "90001"), ("发车", "5", "NIL")], (1, 1 / 2, 2 / 3), (1, 1 / 3, 1 / 2)),
        # NIL where gold has no mention: by one rule nothing, by the other wrong.
        ([("晨星号", "0", "90001"), ("星", "1", "NIL")], (1, 1 / 2, 2 / 3), (1 / 2, 1 / 3, 2 / 5)),
        # Said twice.
        ([("晨星号", "0", "90001")] * 2, (1, 1 / 2, 2 / 3), (1 / 2, 1 / 3, 2 / 5)),
        ([("晨星号", "0", "4"), ("晨星号", "0", "90001")], (1 / 2, 1 / 2, 1 / 2), (0, 0, 0)),
        # NIL, or what else is no number, before or behind a number: as if it were not there.
        ([("晨星号", "0", "NIL"), ("晨星号", "0", "90001")], (1, 1 / 2, 2 / 3), (1, 1 / 3, 1 / 2)),
        ([("晨星号", "0", "90001"), ("晨星号", "0", "NIL_人物")], (1, 1 / 2, 2 / 3), (1, 1 / 3, 1 / 2)),
        ([("晨星号", "0", "90001"), ("晨星号", "0", "a3")], (1 / 2, 1 / 2, 1 / 2), (1, 1 / 3, 1 / 2)),
        # NIL that is said twice where gold has no mention is wrong twice.
        ([("晨星号", "0", "90001"), *[("星", "1", "NIL")] * 2], (1, 1 / 2, 2 / 3), (1 / 3, 1 / 3, 1 / 3)),
    ],
)
def test_worked_out_on_paper(links: list[Link], ccks: tuple[float, ...], duel: tuple[float, ...]) -> None:
    assert rates(links, rules="ccks2019") == pytest.approx(ccks)
    assert rates(links, rules="duel2020") == pytest.approx(duel)


def test_texts_are_added_up() -> None:
    """Not averaged: one text of three links and one of one."""
    gold = {**GOLD, ("8", "甲"): [("甲", "0", "1")]}
    predictions = {KEY: [("晨星号", "0", "90001")], ("8", "甲"): [("甲", "0", "2")]}
    assert score(predictions, gold) == pytest.approx({"precision": 1 / 2, "recall": 1 / 3, "f1": 2 / 5})
    assert score(predictions, gold, rules="duel2020") == pytest.approx(
        {"precision": 1 / 2, "recall": 1 / 4, "f1": 1 / 3}
    )


def test_texts_that_gold_does_not_have() -> None:
    predictions = {KEY: [("晨星号", "0", "90001")], ("9", "乙"): [("乙", "0", "2")]}
    assert score(predictions, GOLD)["precision"] == 1
    assert score(predictions, GOLD, rules="duel2020")["precision"] == 1 / 2


@given(FILES, FILES)
def test_bounds_and_symmetry(first: dict[Any, Any], second: dict[Any, Any]) -> None:
    for rules in ("ccks2019", "duel2020"):
        assert all(0 <= value <= 1 for value in score(first, second, rules=rules).values())  # type: ignore[arg-type]
    same = dict.fromkeys({*first, *second}, ())
    there, back = score({**same, **first}, {**same, **second}), score({**same, **second}, {**same, **first})
    assert (there["precision"], there["recall"]) == (back["recall"], back["precision"])


@given(FILES, FILES)
def test_the_rule_of_2020_is_that_of_its_organisers(predictions: dict[Any, Any], gold: dict[Any, Any]) -> None:
    """A port that goes mention by mention, as their script: each of gold's carries a mark, set by the first number."""
    marks: dict[Any, list[Any]] = {}
    for key, links in gold.items():
        for mention, offset, identifier in links:
            marks[key, mention, offset] = [identifier, False]
    outcomes = list[bool]()
    for key, links in predictions.items():
        for mention, offset, identifier in links:
            mark = marks.get((key, mention, offset))
            if mark is None:
                outcomes.append(False)
            elif not identifier.startswith("NIL"):
                outcomes.append(mark == [identifier, False])
                mark[1] = True
    total = sum(len(links) for links in gold.values())
    precision = sum(outcomes) / len(outcomes) if outcomes else 0
    recall = sum(outcomes) / total if total else 0
    found = score(predictions, gold, rules="duel2020")
    assert (found["precision"], found["recall"]) == (precision, recall)
    assert found["f1"] == pytest.approx(2 * precision * recall / (precision + recall) if any(outcomes) else 0)


@given(FILES)
def test_gold_is_right(gold: dict[Any, Any]) -> None:
    linked = any(link[2] != "NIL" for links in gold.values() for link in links)
    assert score(gold, gold)["f1"] == (1 if linked else 0)


def test_files() -> None:
    item = {"mention": "晨星号", "offset": "0", "kb_id": "90001"}
    rows = [{"text_id": "7", "text": "晨星号", "mention_data": [item]}, {"text": "甲", "mention_data": []}]
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    found = read_gold(content)
    assert found[("7", "晨星号")] == [("晨星号", "0", "90001")]
    assert [text for _, text in found] == ["晨星号", "甲"]
    assert read_predictions(b"\xef\xbb\xbf" + content) == found


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "line 2: field 'mention_data' is missing"),
        (
            {"mention_data": [{"mention": "甲", "offset": 0, "kb_id": "1"}]},
            "line 2: mention_data, item 0: field 'offset'",
        ),
        (
            {"mention_data": [{"mention": "甲", "offset": "0", "kb_id": 1}]},
            "line 2: mention_data, item 0: field 'kb_id'",
        ),
        ({"mention_data": [{"offset": "0", "kb_id": "1"}]}, "line 2: mention_data, item 0: field 'mention' is missing"),
        ({"text_id": "1", "mention_data": []}, "line 2: text_id 1 stands there twice"),
    ],
)
def test_files_that_the_organisers_refuse(row: dict[str, Any], message: str) -> None:
    good = {"text_id": "1", "text": "甲", "mention_data": []}
    content = "".join(json.dumps(one) + "\n" for one in (good, {"text_id": "2", "text": "甲", **row})).encode()
    with pytest.raises(BadRecord) as told:
        read_predictions(content)
    assert str(told.value).startswith(message)


PLACES = st.dictionaries(st.tuples(st.sampled_from("甲乙"), st.sampled_from("01")), st.sampled_from(["1", "2", "NIL"]))


@given(PLACES, PLACES)
def test_a_score_is_that_of_mentions_times_that_of_links(said: dict[Any, str], true: dict[Any, str]) -> None:
    predictions, gold = ({KEY: [(*at, one) for at, one in links.items()]} for links in (said, true))
    found = parts(predictions, gold, frequent={})
    assert score(predictions, gold)["f1"] == pytest.approx(found["mention_f1"] * found["link_accuracy"])
    assert 0 <= found["link_accuracy"] <= 1


def test_the_most_frequent_id() -> None:
    """Of each mention of gold that is no NIL, whatever was predicted; names as they are looked up."""
    gold = {KEY: [("《ABC》", "0", "1"), ("甲", "1", "2"), ("乙", "2", "NIL"), ("丙", "3", "3")]}
    assert parts({}, gold, frequent={"abc": "1", "甲": "1", "乙": "2"})["most_frequent_id"] == 1 / 3
