"""Where annotations stand: occurrences, the first that is made of tokens, what stands at an offset."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.transforms.tasks.making import WORDPIECE
from transforms.tasks.record import BadRecord
from transforms.tasks.spans import at, columns, first, occurrences, placed
from transforms.wordpiece import Tokens

texts = st.text("aAb.*中国𠀀 《》\r\n", min_size=1, max_size=12)


def tokens(text: str) -> Tokens:
    return WORDPIECE.tokenize([text])[0]


@st.composite
def parts(draw: st.DrawFn) -> tuple[str, int, int]:
    """A text and a slice of it that is not blank."""
    text = draw(texts)
    begin = draw(st.integers(0, len(text) - 1))
    end = draw(st.integers(begin + 1, len(text)))
    assume(text[begin:end].strip())
    return text, begin, end


# --- occurrences ---


@given(texts, st.text("aAb.*中国𠀀", max_size=3))
def test_every_place_of_a_string(text: str, part: str) -> None:
    def places(text: str, part: str) -> list[tuple[int, int]]:
        every = range(len(text) - len(part) + 1) if part else ()
        return [(begin, begin + len(part)) for begin in every if text[begin : begin + len(part)] == part]

    assert occurrences(text, part) == (places(text, part) or places(text.lower(), part.lower()))


@pytest.mark.parametrize(
    ("text", "part", "found"),
    [
        ("甲甲甲", "甲甲", [(0, 2), (1, 3)]),  # overlapping ones
        ("ABab", "ab", [(2, 4)]),  # as it is written, where it is
        ("ABAb", "ab", [(0, 2), (2, 4)]),
        ("ÉÀ", "éà", [(0, 2)]),
        ("ΣΑΣ", "σας", [(0, 3)]),
        ("İab", "AB", [(1, 3)]),  # a letter that grows as it becomes small shifts nothing
        ("𠀀𠮷中", "中", [(2, 3)]),
        ("a.b", "A.", [(0, 2)]),
        ("《中》", "《中国》", []),
        ("中 国", "中国", []),
        ("ｱ", "ア", []),
        ("", "a", []),
        ("a", "", []),
    ],
)
def test_strings_and_their_places(text: str, part: str, found: list[tuple[int, int]]) -> None:
    assert occurrences(text, part) == found


# --- first ---


@given(parts())
def test_the_first_place_holds_the_string(drawn: tuple[str, int, int]) -> None:
    text, begin, end = drawn
    cut = tokens(text)
    found = first(text, text[begin:end], cut, name="subject")
    assert text[slice(*found)] == text[begin:end]
    fits = [
        span
        for span in occurrences(text, text[begin:end])
        if span[0] in cut.begins.tolist() and span[1] in cut.ends.tolist()
    ]
    assert found == (fits or occurrences(text, text[begin:end]))[0]


@pytest.mark.parametrize(
    ("text", "part", "found"),
    [
        ("1987年98人", "98", (5, 7)),
        ("1987年", "98", (1, 3)),  # only inside of a token
        ("1987年", "987", (1, 4)),
        ("abc，ab", "ab", (4, 6)),
        ("中国中国", "中国", (0, 2)),
        ("  中\r\n中", "中", (2, 3)),
        ("𠀀𠀀中", "中", (2, 3)),
        ("国《中》", "中", (2, 3)),
    ],
)
def test_a_string_stands_where_tokens_do_rather_than_inside(text: str, part: str, found: tuple[int, int]) -> None:
    assert first(text, part, tokens(text), name="subject") == found


def test_tokens_behind_the_end_of_a_record_count() -> None:
    text = "1987" * 30 + "中98"
    assert first(text, "98", tokens(text), name="subject") == (121, 123)


def test_a_string_that_stands_nowhere() -> None:
    with pytest.raises(BadRecord, match=r"^subject '国' does not stand in the text$"):
        first("中", "国", tokens("中"), name="subject")


# --- placed ---


@given(parts())
def test_a_right_offset_is_kept(drawn: tuple[str, int, int]) -> None:
    text, begin, end = drawn
    assert placed(text, text[begin:end], begin, tokens(text), name="trigger") == (begin, end)
    assert placed(text, text[begin:end].swapcase(), begin, tokens(text), name="trigger") == (begin, end)


@given(parts())
def test_without_an_offset_it_stands_where_it_does_first(drawn: tuple[str, int, int]) -> None:
    text, begin, end = drawn
    cut = tokens(text)
    assert placed(text, text[begin:end], -1, cut, name="trigger") == first(text, text[begin:end], cut, name="trigger")


@given(parts(), st.integers(0, 20), st.integers(0, 3))
def test_a_wrong_offset_gives_the_nearest_place_that_is_near_enough_or_none(
    drawn: tuple[str, int, int], offset: int, near: int
) -> None:
    text, begin, end = drawn
    part = text[begin:end]
    nearest = min(abs(found - offset) for found, _ in occurrences(text, part))
    if nearest > near and text[offset : offset + len(part)].lower() != part.lower():
        with pytest.raises(BadRecord, match=rf"does not stand at offset {offset}, .*but next at \d+: mend the offset$"):
            at(text, part, offset, name="answer", near=near)
        return
    found = at(text, part, offset, name="answer", near=near)
    assert text[slice(*found)].lower() == part.lower()
    assert abs(found[0] - offset) <= near
    assert all(abs(found[0] - offset) <= abs(other - offset) for other, _ in occurrences(text, part))


@pytest.mark.parametrize(
    ("part", "offset", "why"),
    [
        ("中国", 1, "where '国中' does, but next at 0: mend the offset"),
        ("中国", 3, "where '国，' does, but next at 2: mend the offset"),
        ("中国", 4, "where '，' does, but next at 2: mend the offset"),
        ("中国", 5, "behind the end of 5 characters, but next at 2: mend the offset"),
        ("人民", 0, "where '中国' does, nor elsewhere in the text"),
        ("人民", 1 << 40, "behind the end of 5 characters, nor elsewhere in the text"),
    ],
)
def test_a_wrong_offset_is_told_with_what_stands_there_and_where_the_string_does(
    part: str, offset: int, why: str
) -> None:
    text = "中国中国，"
    with pytest.raises(BadRecord) as caught:
        placed(text, part, offset, tokens(text), name="item 0: trigger")
    assert str(caught.value) == f"item 0: trigger {part!r} does not stand at offset {offset}, {why}"


# --- columns ---


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99))))
def test_columns(spans: list[tuple[int, int]]) -> None:
    begins, ends = columns(spans)
    assert begins.dtype == ends.dtype == np.int32
    assert list(zip(begins.tolist(), ends.tolist(), strict=True)) == spans
    assert begins.flags.c_contiguous
    assert ends.flags.c_contiguous
