"""Where an annotation stands in its text, for data that gives its string and no good offset."""

import re

import numpy as np
import numpy.typing as npt

from transforms.tasks.record import BadRecord
from transforms.wordpiece import Tokens

Spans = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]


def occurrences(text: str, part: str) -> list[tuple[int, int]]:
    """Every place where a string stands, overlapping ones too; if nowhere, where it does but for case.

    >>> occurrences("aBab", "ab"), occurrences("aaa", "aa")
    ([(2, 4)], [(0, 2), (1, 3)])
    >>> occurrences("《Abc》", "ABC")
    [(1, 4)]
    """
    if not part:
        return []
    found, begin = [], text.find(part)
    while begin >= 0:
        found.append((begin, begin + len(part)))
        begin = text.find(part, begin + 1)
    pattern = f"(?=({re.escape(part)}))"
    return found or [match.span(1) for match in re.finditer(pattern, text, re.IGNORECASE)]


def first(text: str, part: str, tokens: Tokens, *, name: str) -> tuple[int, int]:
    """Where a string stands first, rather where tokens begin and end than inside of them (`98` in `1987`).

    Raises BadRecord if it stands nowhere.
    """
    found = occurrences(text, part)
    if not found:
        raise BadRecord(f"{name} {part!r} does not stand in the text")
    begins, ends = set(tokens.begins.tolist()), set(tokens.ends.tolist())
    return next((span for span in found if span[0] in begins and span[1] in ends), found[0])


def placed(text: str, part: str, begin: int, tokens: Tokens, *, name: str) -> tuple[int, int]:
    """The span of a string at its offset, or where it stands first for -1, unknown; raises BadRecord."""
    return first(text, part, tokens, name=name) if begin < 0 else at(text, part, begin, name=name)


def at(text: str, part: str, begin: int, *, name: str, near: int = 0) -> tuple[int, int]:
    """The span of a string at an offset that is given, or at most `near` characters off.

    Raises BadRecord that tells what stands there, and where the string does.

    >>> at(" 中国中国", "中国", 0, name="answer", near=2)
    (1, 3)
    """
    end = begin + len(part)
    if part and text[begin:end].lower() == part.lower():
        return begin, end
    found = min(occurrences(text, part), key=lambda span: abs(span[0] - begin), default=None)
    if found is not None and abs(found[0] - begin) <= near:
        return found
    there = f"where {text[begin:end]!r} does" if begin < len(text) else f"behind the end of {len(text)} characters"
    where = "nor elsewhere in the text" if found is None else f"but next at {found[0]}: mend the offset"
    raise BadRecord(f"{name} {part!r} does not stand at offset {begin}, {there}, {where}")


def columns(spans: list[tuple[int, int]]) -> Spans:
    """Begins and ends as int32 [n] each."""
    table = np.array(spans, np.int32).reshape(-1, 2)
    return table[:, 0].copy(), table[:, 1].copy()
