"""Tasks over a small vocabulary, and the checked records that they make of what an input says."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transforms.tasks.record import BadRecord, Example, Record, check
from transforms.vocabulary import SPECIAL_TOKENS, Vocabulary
from transforms.wordpiece import Tokenizer, WordPiece

HAN = "甲乙丙丁公司昨日宣布裁员人林远在海雾中饰演周舟小城年建成图书馆哪晨星号几点发车春夏秋冬"
PIECES = "1987 98 300 a b ab ##a ##b abc 0 1 2 3 。 ， ！ ？ 《 》 （ ） - · 𠀀"
VOCABULARY = Vocabulary((*SPECIAL_TOKENS, *dict.fromkeys([*HAN, *PIECES.split()])))
WORDPIECE = WordPiece(VOCABULARY)
DATA = os.environ.get("HANMILL_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="HANMILL_DATA names the folder of the corpora, and is not set")


def a_task(kind: type[Any], *, labels: Any = None, max_length: int = 64, **more: Any) -> Any:
    """A task; labels as strings, or as what a schema file holds."""
    if isinstance(labels, bytes):
        labels = kind.read_labels(labels)
    return kind(VOCABULARY, max_length, labels or {}, **more)


def line(**fields: Any) -> str:
    return json.dumps(fields, ensure_ascii=False)


def made(task: Any, *inputs: str, label: str = "", wordpiece: Tokenizer = WORDPIECE) -> tuple[list[Record], list[str]]:
    """The records of inputs, and why others are bad."""
    found = list[Example | BadRecord]()
    for text in inputs:
        try:
            found += task.examples(text, label)
        except BadRecord as error:
            found.append(error)
    records, bad = list[Record](), [str(item) for item in found if isinstance(item, BadRecord)]
    examples = [item for item in found if isinstance(item, Example)]
    tokens = iter(wordpiece.tokenize([text for example in examples for text in example.texts]))
    schema = getattr(task, "held", task.schema)
    for example in examples:
        of_example = [next(tokens) for _ in example.texts]
        try:
            of = list(task.records(example, of_example))
            for record in of:
                check(record, schema=schema, labels=task.labels)
            records += of
        except BadRecord as error:
            bad.append(str(error))
    return records, bad


def record_of(task: Any, text: str, *, label: str = "") -> Record:
    """The one record of an input."""
    (record,), bad = made(task, text, label=label)
    assert not bad
    return record


def reason(task: Any, text: str, *, label: str = "") -> str:
    """Why there is none."""
    records, (bad,) = made(task, text, label=label)
    assert not records
    return bad


def said(record: Record, name: str, *, text: str = "text") -> list[str]:
    """What the spans of a record point at."""
    spans = zip(record[f"{name}_begins"].tolist(), record[f"{name}_ends"].tolist(), strict=True)
    return [record[text][begin:end] for begin, end in spans]


def tokens_said(record: Record, *, text: str = "text") -> list[str]:
    """What the tokens of a record point at; nothing at special ones."""
    spans = zip(record["begins"].tolist(), record["ends"].tolist(), strict=True)
    return [record[text][begin:end] for begin, end in spans]


def as_read(task: Any, record: Record) -> Record:
    """A record as it is read again: integers int64, labels as their places."""
    read: Record = {}
    for name, value in record.items():
        known: Sequence[str] = task.labels.get(name, ())
        if known:
            read[name] = [known.index(item) for item in value] if isinstance(value, list) else known.index(value)
        else:
            read[name] = value.astype("int64") if hasattr(value, "astype") else value
    return read


def oracle(task: Any, records: Sequence[Record]) -> list[dict[str, Any]]:
    """What decoding makes of the answers of a perfect model."""
    read = [as_read(task, record) for record in records]
    predictions: list[dict[str, Any]] = task.decode(read, task.perfect(read))
    return predictions


def check_shapes(task: Any, targets: dict[str, Any]) -> None:
    """Targets are as large as they are said to be."""
    shapes = task.shapes(len(targets["ids"]))
    assert {name: np.shape(value) for name, value in targets.items()} == shapes


def real_task(kind: type[Any], *, schema: str = "", max_length: int = 0) -> tuple[Any, WordPiece]:
    """A task over a pretrained vocabulary and the labels of its organisers."""
    assert DATA is not None
    vocabulary = Vocabulary.read(Path(DATA) / "vocab/vocab.txt")
    labels = kind.read_labels((Path(DATA) / schema).read_bytes()) if schema else {}
    return kind(vocabulary, max_length or kind.default_length, labels), WordPiece(vocabulary)


def real_text(path: str) -> str:
    assert DATA is not None
    return (Path(DATA) / path).read_bytes().decode()


def real_lines(path: str) -> list[str]:
    return [row for row in real_text(path).split("\n") if row]
