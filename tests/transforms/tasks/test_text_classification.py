"""Text classification: a text and its label."""

import numpy as np
import pytest

from tests.transforms.tasks.making import VOCABULARY, a_task, as_read, made, reason, record_of, tokens_said
from transforms.tasks.record import content_id
from transforms.tasks.text_classification import TextClassification

SCHEMA = "体育\n财经\n".encode()


def test_a_text_and_its_label() -> None:
    task = a_task(TextClassification, labels=SCHEMA)
    record = record_of(task, "《海雾》1987年", label="财经")
    assert record["label"] == "财经"
    assert record["text"] == "《海雾》1987年"
    assert record["id"] == content_id("《海雾》1987年")
    assert tokens_said(record) == ["", "《", "海", "雾", "》", "1987", "年", ""]
    assert [VOCABULARY.tokens[token] for token in record["ids"]] == [
        *("[CLS]", "《", "海", "雾", "》", "1987", "年", "[SEP]")
    ]
    assert list(task.marks(as_read(task, record))) == [(0, 9, "财经")]


@pytest.mark.parametrize(
    ("text", "tokens"), [("  \u3000甲\r\n乙\n", "甲乙"), ("𠀀𠮷甲", "𠀀𠮷甲"), ("\ufeff甲\x00乙", "甲乙")]
)
def test_the_text_is_kept_and_offsets_are_into_it(text: str, tokens: str) -> None:
    record = record_of(a_task(TextClassification), text, label="体育")
    assert record["text"] == text
    assert tokens_said(record) == ["", *tokens, ""]


def test_copies_have_one_id_whatever_their_label() -> None:
    task = a_task(TextClassification)
    assert record_of(task, "甲", label="体育")["id"] == record_of(task, "甲", label="财经")["id"]
    assert record_of(task, "甲", label="体育")["id"] != record_of(task, "甲 ", label="体育")["id"]


@pytest.mark.parametrize("max_length", [8, 9, 10, 11])
def test_a_long_text_is_cut_at_the_end(max_length: int) -> None:
    record = record_of(a_task(TextClassification, max_length=max_length), "甲乙丙丁公司林远", label="体育")
    kept = min(8, max_length - 2)
    assert tokens_said(record) == ["", *"甲乙丙丁公司林远"[:kept], ""]
    assert (record["ids"][0], record["ids"][-1]) == (VOCABULARY.cls, VOCABULARY.sep)
    assert record["text"] == "甲乙丙丁公司林远"


@pytest.mark.parametrize("text", ["", " ", "\r\n\u3000"])
def test_an_empty_text_is_bad(text: str) -> None:
    assert reason(a_task(TextClassification), text, label="体育") == "the text is empty"


def test_labels_are_those_of_the_schema_where_there_is_one() -> None:
    assert reason(a_task(TextClassification, labels=SCHEMA), "甲", label="教育") == "label: '教育' is not in the schema"
    assert len(made(a_task(TextClassification), "甲", label="教育")[0]) == 1


def test_labels_of_a_file() -> None:
    assert TextClassification.read_labels(b"\xef\xbb\xbf" + "财经\r\n\n 体育 \nthe end".encode()) == {
        "label": ("财经", "体育", "the end")
    }
    assert TextClassification.read_labels(b"\n") == {"label": ()}
    with pytest.raises(ValueError, match=r"^label '体育' stands there twice$"):
        TextClassification.read_labels("体育\n财经\n体育".encode())


def test_targets() -> None:
    task = a_task(TextClassification, labels=SCHEMA)
    record = as_read(task, record_of(task, "甲乙", label="财经"))
    targets = task.targets(record, np.random.default_rng(0))
    assert {name: (value.dtype, value.shape) for name, value in targets.items()} == {
        "ids": (np.int32, task.shapes(4)["ids"]),
        "label": (np.int32, task.shapes(4)["label"]),
    }
    assert targets["ids"].tolist() == [VOCABULARY.ids[token] for token in ("[CLS]", "甲", "乙", "[SEP]")]
    assert targets["label"] == 1
