"""What a record of a task holds: typed features, checked before they are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.wordpiece import Encoding, Tokens

Record = dict[str, Any]
TOKEN_FEATURES = ("segments", "begins", "ends", "words")


class BadRecord(ValueError):
    """An example that no record can be made of, and why."""


class Kind(Enum):
    """The type of a feature: what it is in memory while records are made, and in a TFRecord."""

    INTEGER = "integer"  # int; int64
    INTEGERS = "integers"  # int32 [n]; int64 [n]
    TEXT = "text"  # str; UTF-8
    TEXTS = "texts"  # list of str; UTF-8
    LABEL = "label"  # str; int64, its place in the list of labels
    LABELS = "labels"  # list of str; int64 [n]


Schema = Mapping[str, Kind]
# What a record of one text begins with, see `text_features`.
TEXT: Schema = {
    "id": Kind.TEXT,
    "text": Kind.TEXT,
    "ids": Kind.INTEGERS,
    "begins": Kind.INTEGERS,
    "ends": Kind.INTEGERS,
}


@dataclass(frozen=True, slots=True)
class Example:
    """One example of a task: the texts that are to be tokenized, and its gold, which only the task reads.

    `id` decides the place, `group` (if any) the split in its stead: examples of one group share texts, which no other
    split may have seen. Neither changes when the corpus grows. `missing`: the field in which gold is, where the input
    does not have it, as in a test set. `mended`: how many of its offsets were wrong and are not.
    """

    id: str
    texts: tuple[str, ...]
    gold: Any = None
    group: str = ""
    missing: str = ""
    mended: int = 0

    @property
    def named(self) -> bool:
        """Whether the id is one that the input gives, not a hash of the text."""
        return self.id != content_id(self.texts[0])


def content_id(text: str) -> str:
    """The id of an example that has none: 16 hexadecimal digits of its text's BLAKE2b.

    >>> content_id("中国")
    'a397a42c3b47c478'
    """
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def text_features(example: Example, encoding: Encoding) -> Record:
    """The features of `TEXT`: an example's one text, its tokens, and where they stand in it."""
    return {
        "id": example.id,
        "text": example.texts[0],
        "ids": encoding.ids,
        "begins": encoding.begins,
        "ends": encoding.ends,
    }


def marked(record: Record, part: str, place: int) -> str:
    """What the text of a record says at one of its spans, those of `<part>_begins` and `<part>_ends`.

    >>> marked({"text": "中国人", "mention_begins": [0, 2], "mention_ends": [2, 3]}, "mention", 1)
    '人'
    """
    return str(record["text"][record[f"{part}_begins"][place] : record[f"{part}_ends"][place]])


def is_cut(records: Sequence[Record], tokens: Sequence[Tokens]) -> bool:
    """Whether the records of an example leave out the end of one of its texts. `tokens`: all those of each text.

    >>> tokens = Tokens(*np.array([[7, 8], [0, 1], [1, 2]], np.int32))  # ids, begins, ends
    >>> [is_cut([{"ends": np.array([0, *ends, 0])}], [tokens]) for ends in ([1, 2], [1])]
    [False, True]
    """
    for number, of_text in enumerate(tokens):
        places = (
            record["ends"][record["segments"] == number] if "segments" in record else record["ends"]
            for record in records
        )
        if len(of_text) and max(ends.max(initial=0) for ends in places) < of_text.ends[-1]:
            return True
    return False


def check(
    record: Record, *, schema: Schema, labels: Mapping[str, Sequence[str]], max_length: int | None = None
) -> None:
    """Raises BadRecord for a record that is not as its schema says.

    Features must be those of the schema, those of tokens as many as tokens, and labels known, or such as a list of
    labels can hold. `*begins` and `*ends` are spans of the record's text (of its context, where it has one): as many of
    one as of the other, none of them empty or outside of the text; those of tokens are empty at special ones, and point
    at the question in segment 0.
    """
    if record.keys() != schema.keys():
        raise BadRecord(f"features {sorted(record.keys() ^ schema.keys())} are missing or too many")
    if max_length is not None and len(record["ids"]) > max_length:
        raise BadRecord(f"{len(record['ids'])} tokens, more than {max_length}")
    for name, kind in schema.items():
        if kind in (Kind.LABEL, Kind.LABELS):
            values = {record[name]} if kind is Kind.LABEL else set(record[name])
            if "" in values:
                raise BadRecord(f"{name}: there is none")
            if unknown := values.difference(labels.get(name, values)):
                raise BadRecord(f"{name}: {min(unknown)!r} is not in the schema")
            if kind is Kind.LABEL and name not in labels:
                check_label(record[name])
    for name in TOKEN_FEATURES:
        if name in schema and len(record[name]) != len(record["ids"]):
            raise BadRecord(f"{name}: {len(record[name])} for {len(record['ids'])} tokens")
    text = record.get("context", record.get("text"))
    if text is None:
        return
    for name in schema:
        if name.endswith("_begins"):
            _check_spans(record[name], record[name[:-6] + "ends"], size=len(text), name=name[:-7])
    inside = record["begins"] != record["ends"]
    if "segments" in schema:
        asked = inside & (record["segments"] == 0)
        _check_spans(record["begins"][asked], record["ends"][asked], size=len(record["question"]), name="token")
        inside &= record["segments"] == 1
    _check_spans(record["begins"][inside], record["ends"][inside], size=len(text), name="token")


def check_label(label: str) -> None:
    """Raises BadRecord for a label that cannot stand in a list of labels, one a line, and be read again.

    >>> check_label("体育"), check_label("a b")
    (None, None)
    """
    if label.strip() != label or len(label.splitlines()) != 1:
        raise BadRecord(f"label {label!r} is empty, or has white space around it or a line break in it")


def _check_spans(begins: npt.NDArray[np.int32], ends: npt.NDArray[np.int32], *, size: int, name: str) -> None:
    if len(begins) != len(ends):
        raise BadRecord(f"{name}: {len(begins)} begins and {len(ends)} ends")
    if len(begins) and (begins.min() < 0 or ends.max() > size or (ends - begins).min() < 1):
        raise BadRecord(f"{name}: a span is empty or lies outside of the text of {size} characters")
