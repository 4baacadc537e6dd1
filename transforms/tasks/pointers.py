"""Spans of characters as pointers at their first and last token, and spans again from what a model points at."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from transforms.tasks.record import Record

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
Pointed = npt.NDArray[np.int64]  # [spans, 4]: row, label, first token, last token


def inside(record: Record) -> slice:
    """The tokens of a record that stand in its text, or in its context where there is a question before it."""
    begin = int(np.argmax(record["segments"])) if "segments" in record else 1
    return slice(begin, len(record["ids"]) - 1)


def text_tokens(records: Sequence[Record]) -> Bools:
    """Which tokens of a batch stand in the texts, [records, longest]: no special ones, no question, no padding."""
    found = np.zeros((len(records), max(len(record["ids"]) for record in records)), np.bool_)
    for number, record in enumerate(records):
        found[number, inside(record)] = True
    return found


def token_spans(record: Record, begins: Numbers, ends: Numbers) -> tuple[Numbers, Bools]:
    """The first and the last token of spans of characters, int64 [..., 2], and which lie wholly inside of the record.

    A span that begins or ends inside of a token has all of it.

    >>> record = {name: np.array(value) for name, value in
    ...     {"ids": [2, 7, 8, 9, 3], "begins": [0, 0, 4, 5, 0], "ends": [0, 4, 5, 6, 0]}.items()}
    >>> token_spans(record, np.array([1, 4, 5]), np.array([3, 6, 8]))
    (array([[1, 1],
           [2, 3],
           [3, 3]]), array([ True,  True, False]))
    """
    place = inside(record)
    starts, stops = record["begins"][place], record["ends"][place]
    if not len(starts):
        return np.zeros((*begins.shape, 2), np.int64), np.zeros(begins.shape, np.bool_)
    firsts = np.searchsorted(stops, begins, "right")
    lasts = np.searchsorted(starts, ends, "left") - 1
    # What is cut off by the edges of a record stands before its first token or behind its last.
    from_here, to_here = (firsts > 0) | (starts[0] <= begins), (lasts < len(starts) - 1) | (stops[-1] >= ends)
    return np.stack([firsts, lasts], axis=-1) + place.start, (firsts <= lasts) & from_here & to_here


def text_of(record: Record, first: int, last: int) -> str:
    """What the text, or the context, of a record says from one token to another."""
    text: str = record["context" if "context" in record else "text"]
    return text[record["begins"][first] : record["ends"][last]]


def pointers(spans: Numbers, labels: Numbers, *, tokens: int, kinds: int) -> Floats:
    """1 where a span of a label begins or ends, float32 [tokens, kinds, 2]; `spans` [n, 2], `labels` [n].

    >>> pointers(np.array([[0, 1]]), np.array([1]), tokens=2, kinds=2).tolist()
    [[[0.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]]
    """
    table = np.zeros((tokens, kinds, 2), np.float32)
    for edge in (0, 1):
        table[spans[:, edge], labels, edge] = 1
    return table


def pointed(logits: Floats, *, allowed: Bools, threshold: float) -> Pointed:
    """The spans that logits [rows, tokens, labels, 2] point at, by row, label, and first token.

    A span begins where the probability that it does is over the threshold, and ends with the nearest token from there
    on at which one of its label ends (half pointers, kexue.fm 6671). `allowed` [rows, tokens]: where it may.

    >>> logits = np.full((1, 5, 1, 2), -9.0)
    >>> logits[0, [1, 2], 0, 0] = logits[0, [2, 4], 0, 1] = 9
    >>> pointed(logits, allowed=np.ones((1, 5), bool), threshold=0.5).tolist()
    [[0, 0, 1, 2], [0, 0, 2, 2]]
    """
    _, tokens, labels, _ = logits.shape
    over = (logits > math.log(threshold / (1 - threshold))) & allowed[:, :, None, None]
    begins, ends = (_keys(over[..., edge]) for edge in (0, 1))
    nearest = np.searchsorted(ends, begins)
    begins, nearest = begins[nearest < len(ends)], nearest[nearest < len(ends)]
    ends = ends[nearest]
    same = begins // tokens == ends // tokens
    begins, ends = begins[same], ends[same]
    return np.stack([begins // tokens // labels, begins // tokens % labels, begins % tokens, ends % tokens], axis=-1)


def _keys(over: Bools) -> Numbers:
    """Where [rows, tokens, labels] is true, as one number each, ascending: by row, label, token."""
    _, tokens, labels = over.shape
    rows, places, kinds = np.nonzero(over)
    return np.sort((rows * labels + kinds) * tokens + places)
