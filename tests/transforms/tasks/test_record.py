"""What is checked of every record before it is written."""

from hashlib import blake2b
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from tests.strategies import any_text
from transforms.tasks.record import BadRecord, Kind, Record, Schema, check, content_id

SCHEMA: Schema = {
    "id": Kind.TEXT,
    "text": Kind.TEXT,
    "ids": Kind.INTEGERS,
    "begins": Kind.INTEGERS,
    "ends": Kind.INTEGERS,
    "subject_begins": Kind.INTEGERS,
    "subject_ends": Kind.INTEGERS,
    "predicates": Kind.LABELS,
}
PAIR: Schema = {
    "question": Kind.TEXT,
    "context": Kind.TEXT,
    "ids": Kind.INTEGERS,
    "segments": Kind.INTEGERS,
    "begins": Kind.INTEGERS,
    "ends": Kind.INTEGERS,
    "answer_begins": Kind.INTEGERS,
    "answer_ends": Kind.INTEGERS,
}


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def record(**changed: Any) -> Record:
    """One that is good but for what was changed."""
    good: Record = {
        "id": "7",
        "text": "林远饰周舟",
        "ids": ints(2, 9, 8, 3),
        "begins": ints(0, 0, 2, 0),
        "ends": ints(0, 2, 5, 0),
        "subject_begins": ints(0, 3),
        "subject_ends": ints(2, 5),
        "predicates": ["饰演", "配音"],
    }
    return good | changed


def pair(**changed: Any) -> Record:
    good: Record = {
        "question": "谁饰周舟",
        "context": "林远",
        "ids": ints(2, 9, 3, 8, 3),
        "segments": ints(0, 0, 0, 1, 1),
        "begins": ints(0, 3, 0, 0, 0),
        "ends": ints(0, 4, 0, 2, 0),
        "answer_begins": ints(0),
        "answer_ends": ints(2),
    }
    return good | changed


LABELS = {"predicates": ("饰演", "配音")}


def reason(changed: Record, *, schema: Schema = SCHEMA) -> str:
    with pytest.raises(BadRecord) as caught:
        check(changed, schema=schema, labels=LABELS if schema is SCHEMA else {})
    return str(caught.value)


def test_a_good_record() -> None:
    check(record(), schema=SCHEMA, labels=LABELS)
    check(record(), schema=SCHEMA, labels={})
    check(record(subject_begins=ints(), subject_ends=ints(), predicates=[]), schema=SCHEMA, labels=LABELS)
    check(pair(), schema=PAIR, labels={})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"predicates": ["饰演", "导演"]}, "predicates: '导演' is not in the schema"),
        ({"ends": ints(0, 2, 0)}, "ends: 3 for 4 tokens"),
        ({"begins": ints(0, 0, 2, 0, 0)}, "begins: 5 for 4 tokens"),
        ({"subject_begins": ints(0)}, "subject: 1 begins and 2 ends"),
        ({"subject_ends": ints(2, 6)}, "subject: a span is empty or lies outside of the text of 5 characters"),
        ({"subject_ends": ints(2, 3)}, "subject: a span is empty or lies outside of the text of 5 characters"),
        ({"subject_ends": ints(2, 2)}, "subject: a span is empty or lies outside of the text of 5 characters"),
        ({"subject_begins": ints(-1, 3)}, "subject: a span is empty or lies outside of the text of 5 characters"),
        ({"ends": ints(0, 2, 6, 0)}, "token: a span is empty or lies outside of the text of 5 characters"),
        ({"begins": ints(0, -1, 2, 0)}, "token: a span is empty or lies outside of the text of 5 characters"),
        ({"begins": ints(0, 3, 2, 0)}, "token: a span is empty or lies outside of the text of 5 characters"),
        ({"text": "林远饰周"}, "subject: a span is empty or lies outside of the text of 4 characters"),
        ({"more": 1}, "features ['more'] are missing or too many"),
    ],
)
def test_what_is_wrong_is_named(changed: Record, message: str) -> None:
    assert reason(record(**changed)) == message


@pytest.mark.parametrize("name", SCHEMA)
def test_a_missing_feature_is_named(name: str) -> None:
    without = record()
    del without[name]
    assert reason(without) == f"features ['{name}'] are missing or too many"


def test_a_label() -> None:
    schema: Schema = {"id": Kind.TEXT, "label": Kind.LABEL}
    check({"id": "7", "label": "体育"}, schema=schema, labels={"label": ("体育", "财经")})
    check({"id": "7", "label": "教育"}, schema=schema, labels={})
    with pytest.raises(BadRecord, match=r"^label: '教育' is not in the schema$"):
        check({"id": "7", "label": "教育"}, schema=schema, labels={"label": ("体育", "财经")})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"segments": ints(0, 0, 0, 1)}, "segments: 4 for 5 tokens"),
        # The question has four characters, its context two.
        ({"ends": ints(0, 5, 0, 2, 0)}, "token: a span is empty or lies outside of the text of 4 characters"),
        ({"ends": ints(0, 4, 0, 3, 0)}, "token: a span is empty or lies outside of the text of 2 characters"),
        ({"segments": ints(0, 0, 1, 0, 1)}, ""),
        ({"segments": ints(0, 1, 0, 1, 1)}, "token: a span is empty or lies outside of the text of 2 characters"),
        ({"answer_ends": ints(3)}, "answer: a span is empty or lies outside of the text of 2 characters"),
        ({"context": "林"}, "answer: a span is empty or lies outside of the text of 1 characters"),
    ],
)
def test_tokens_point_at_question_and_context(changed: Record, message: str) -> None:
    if message:
        assert reason(pair(**changed), schema=PAIR) == message
    else:
        check(pair(**changed), schema=PAIR, labels={})


def test_a_record_without_text_has_as_many_words_as_tokens() -> None:
    schema: Schema = {"ids": Kind.INTEGERS, "words": Kind.INTEGERS}
    check({"ids": ints(2, 9, 3), "words": ints(0, 1, 0)}, schema=schema, labels={})
    with pytest.raises(BadRecord, match=r"^words: 2 for 3 tokens$"):
        check({"ids": ints(2, 9, 3), "words": ints(0, 1)}, schema=schema, labels={})


@given(any_text())
def test_the_id_of_a_text_is_its_hash(text: str) -> None:
    assert content_id(text) == blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
