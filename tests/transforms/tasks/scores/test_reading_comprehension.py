"""DuReader-robust's F1 and exact match, worked out by hand."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.tasks.record import BadRecord
from transforms.tasks.scores.reading_comprehension import read_gold, read_predictions, score

answers = st.text("小城年19aB=，。《 .", max_size=12)


def document(*questions: Any) -> bytes:
    rows = [{"id": id, "question": "哪", "answers": [{"text": text} for text in texts]} for id, *texts in questions]
    return json.dumps({"data": [{"paragraphs": [{"context": "海", "qas": rows}]}]}).encode()


def of(said: str, *right: str) -> tuple[float, float]:
    found = score({"q": said}, {"q": list(right)})
    return found["f1"], found["exact_match"]


@pytest.mark.parametrize(
    ("said", "right", "f1", "exact"),
    [
        ("1987年", ["1987年"], 1, 1),
        ("1987年。", ["《1987》年"], 1, 1),  # punctuation goes
        ("ABC", ["abc"], 1, 1),  # as do capitals
        ("小城", ["小城图书"], 2 * 2 / (2 + 4), 0),  # units: 小 城 | 小 城 图 书
        ("1987年", ["1987"], 2 * 1 / (2 + 1), 0),  # 1987 年 | 1987: a run is one unit
        ("1987年", ["198年"], 2 * 1 / (2 + 2), 0),  # 1987 年 | 198 年
        ("小城图书馆", ["小城，书馆"], 2 * 2 / (5 + 4), 0),  # a common run, not 小城 and 书馆 together
        ("小图城", ["小书城"], 2 * 1 / (3 + 3), 0),
        ("甲", ["乙"], 0, 0),
        ("小城", ["城", "小城", "小"], 1, 1),  # the best of all
        ("小城", ["城市", "小"], 2 / 3, 0),
        ("a.b", ["a.b"], 1, 1),
        ("a.b", ["ab"], 0, 0),  # a full stop, a hyphen and blanks stay
        ("a-b", ["a b"], 0, 0),
        ("……", ["…"], 0, 0),  # no character of the organisers' list, which is compared by characters
        ("a=b", ["=b"], 2 * 2 / (3 + 2), 0),  # a = b | = b
        ("。", ["，"], 0, 1),  # alike, but nothing is common
        ("", ["小城"], 0, 0),
        ("𠀀𠀁", ["𠀀"], 2 / 3, 0),
        ("カナ", ["カ"], 0, 0),  # kana make runs
    ],
)
def test_by_hand(said: str, right: list[str], f1: float, exact: float) -> None:
    assert of(said, *right) == (pytest.approx(f1), exact)


def test_the_mean_is_over_all_questions_of_gold() -> None:
    gold = {"a": ["小城"], "b": ["海"], "c": ["年"]}
    assert score({"a": "小", "b": "海", "d": "年"}, gold) == {
        "f1": pytest.approx((2 / 3 + 1 + 0) / 3),
        "exact_match": pytest.approx(1 / 3),
    }
    assert score({"a": "小"}, {}) == {"f1": 0.0, "exact_match": 0.0}


@given(answers, st.lists(answers, min_size=1, max_size=3))
def test_bounds_and_more_answers(said: str, right: list[str]) -> None:
    f1, exact = of(said, *right)
    assert 0 <= f1 <= 1
    assert exact in (0, 1)
    assert f1 == max(of(said, answer)[0] for answer in right)
    assert exact == max(of(said, answer)[1] for answer in right)


@given(answers, answers)
def test_symmetry(first: str, second: str) -> None:
    assert of(first, second) == pytest.approx(of(second, first))


@given(answers, answers)
def test_the_common_run_is_the_longest(first: str, second: str) -> None:
    """Of characters alone: as slow as it is plain."""
    left, right = (re.sub(r"[^小城年]", "", text) for text in (first, second))
    runs = [left[begin:end] for begin in range(len(left)) for end in range(begin + 1, len(left) + 1)]
    common = max((len(run) for run in runs if run in right), default=0)
    assert of(left, right)[0] == pytest.approx(2 * common / max(1, len(left) + len(right)))


@given(st.dictionaries(st.text("ab", min_size=1), st.lists(st.text("小城1a", min_size=1), min_size=1, max_size=3)))
def test_gold_against_itself(gold: dict[str, list[str]]) -> None:
    read = read_gold(document(*((id, *texts) for id, texts in gold.items())))
    assert read == gold
    said = read_predictions(json.dumps({id: texts[-1] for id, texts in gold.items()}).encode())
    assert set(score(said, read).values()) == {1.0 if gold else 0.0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not JSON: "),
        (b"[]", "not a JSON object but a list"),
        (b'{"q1": ["a"]}', "field 'q1' is a list, not text"),
        ("{}".encode("utf-16"), "line 1: not UTF-8"),
    ],
)
def test_bad_predictions(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        read_predictions(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", "field 'data' is missing"),
        (b'{"data": [{}]}', "data, item 0: field 'paragraphs' is missing"),
        (b'{"data": [{"paragraphs": [{}]}]}', "data, item 0, paragraph 0: field 'qas' is missing"),
        (
            b'{"data": [{"paragraphs": [{"qas": [{"id": "q1"}]}]}]}',
            "data, item 0, paragraph 0: question q1: field 'answers' is missing",
        ),
        (document(("q1",)), "data, item 0, paragraph 0: question q1 has no answer"),
        (document(("q1", "a"), ("q1", "a")), "data, item 0, paragraph 0: question q1 stands there twice"),
        (document(("q1", "甲", " ")), "data, item 0, paragraph 0: question q1: answers, item 1: field 'text' is empty"),
    ],
)
def test_bad_gold(content: bytes, message: str) -> None:
    with pytest.raises(BadRecord, match=f"^{re.escape(message)}"):
        read_gold(content)
