"""What the model of entity linking reads beside the text: matches of names, and an entity's description against it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from transforms.knowledge_base import Matches, lowered
from transforms.tasks.pointers import Floats, Numbers, token_spans
from transforms.tasks.record import Record

HITS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A mention and one entity. `mention`: float32 [n], 1 at its tokens.

    `hits`: float32 [n, 3], 1 at tokens whose first character stands in the description, at names whose whole does, and
    at short objects of the entity.
    """

    mention: Floats
    hits: Floats


def match_features(record: Record, matches: Matches) -> Floats:
    """1 where a maximum match of the record's text begins, and where one ends, float32 [tokens, 2]."""
    table = np.zeros((len(record["ids"]), 2), np.float32)
    spans, whole = token_spans(record, matches.begins, matches.ends)
    for edge in (0, 1):
        table[spans[whole, edge], edge] = 1
    return table


def pair_features(
    record: Record,
    matches: Matches,
    span: Sequence[int],
    description: str,
    objects: Sequence[str],
) -> Pair:
    """The features of a pair. `span`: first and last token of the mention."""
    text = lowered(record["text"])
    table = np.zeros((len(record["ids"]), HITS), np.float32)
    inside = record["begins"] < record["ends"]
    points = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    known = np.unique(np.frombuffer(description.encode("utf-32-le"), np.uint32))
    table[inside, 0] = np.isin(points[record["begins"][inside]], known)
    spans = zip(matches.begins.tolist(), matches.ends.tolist(), strict=True)
    _mark(record, table[:, 1], [(begin, end) for begin, end in spans if text[begin:end] in description])
    places = (
        (begin, begin + len(said)) for said in objects for begin in range(len(text)) if text.startswith(said, begin)
    )
    _mark(record, table[:, 2], list(places))
    mention = np.zeros(len(table), np.float32)
    mention[span[0] : span[1] + 1] = 1
    return Pair(mention, table)


def _mark(record: Record, column: Floats, places: Sequence[tuple[int, int]]) -> None:
    if places:
        begins, ends = np.array(places, np.int64).T
        spans, whole = token_spans(record, begins, ends)
        for first, last in spans[whole].tolist():
            column[first : last + 1] = 1


def gold_spans(record: Record) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """First and last token of each mention, int64 [mentions, 2], and which lie wholly inside of the record."""
    return token_spans(record, record["mention_begins"], record["mention_ends"])
