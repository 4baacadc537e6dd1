"""Whole-word masking: what is chosen, how often, and what stands there then."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.masking import mask_words

SIZE, MASK, SPECIAL = 40, 4, (0, 4, 3, 7, 39)  # special ids anywhere in the vocabulary
SIGMAS = 4.4  # two-sided significance 1e-5: what is asserted of a mean is wrong for one seed in 100,000

Integers = npt.NDArray[np.int32]


@st.composite
def sequences(draw: st.DrawFn) -> tuple[Integers, Integers]:
    """Ids, and numbers of words: they ascend with gaps, and special tokens stand anywhere."""
    ids, words, number = [], [], 0
    for length in draw(st.lists(st.integers(0, 4), max_size=20)):
        number += draw(st.integers(1, 3))
        ids += draw(st.lists(st.integers(5, 38), min_size=length, max_size=length)) or [3]
        words += [number] * length or [0]
    return np.array(ids, np.int32), np.array(words, np.int32)


def hide(ids: Integers, words: Integers, seed: int = 0, *, rate: float = 0.15) -> tuple[Integers, Integers, Integers]:
    return mask_words(ids, words, np.random.default_rng(seed), rate=rate, mask=MASK, size=SIZE, special=SPECIAL)


def near(found: int, *, of: int, share: float) -> bool:
    return abs(found - of * share) <= SIGMAS * math.sqrt(of * share * (1 - share))


@given(sequences(), st.floats(0, 1), st.integers(0, 1 << 64))
def test_whole_words_up_to_the_rate(sequence: tuple[Integers, Integers], rate: float, seed: int) -> None:
    ids, words = sequence
    given_ = ids.copy()
    hidden, places, before = hide(ids, words, seed, rate=rate)
    assert np.array_equal(ids, given_)
    assert hidden.dtype == places.dtype == before.dtype == np.int32
    assert hidden.shape == ids.shape
    assert np.array_equal(before, ids[places])
    chosen = set(words[places].tolist())
    assert 0 not in chosen
    assert places.tolist() == [place for place, word in enumerate(words.tolist()) if word in chosen]
    others = np.setdiff1d(np.arange(len(ids)), places)
    assert np.array_equal(hidden[others], ids[others])
    changed = hidden[places] != before
    assert {*hidden[places][changed].tolist()} <= {MASK, *range(SIZE)} - ({*SPECIAL} - {MASK})
    lengths = np.unique(words[words > 0], return_counts=True)[1]
    if not len(lengths):
        assert not len(places)
        return
    wanted = max(1, round(rate * lengths.sum()))
    assert len(chosen) == 1 or len(places) <= wanted
    assert len(chosen) >= 1
    assert len(places) > wanted - lengths.max()


@pytest.mark.parametrize(("ids", "words"), [([], []), ([2, 3], [0, 0]), ([2], [0])])
def test_where_nothing_can_be_guessed(ids: list[int], words: list[int]) -> None:
    hidden, places, before = hide(np.array(ids, np.int32), np.array(words, np.int32))
    assert (hidden.tolist(), places.tolist(), before.tolist()) == (ids, [], [])
    assert hidden.dtype == places.dtype == before.dtype == np.int32


@pytest.mark.parametrize("length", [1, 2, 30])
def test_at_least_one_word(length: int) -> None:
    words = np.array([0, *[1] * length, 0], np.int32)
    for seed in range(20):
        assert hide(np.full(length + 2, 9, np.int32), words, seed)[1].tolist() == list(range(1, length + 1))


@pytest.mark.parametrize("words_dtype", [np.int32, np.int64])
def test_words_as_records_are_made_and_read(words_dtype: type) -> None:
    words = np.array([0, 1, 1, 4, 9, 0], words_dtype)
    assert hide(np.full(6, 9, np.int32), words, rate=1)[1].tolist() == [1, 2, 3, 4]


def test_one_generator_gives_one_result() -> None:
    ids, words = np.full(200, 9, np.int32), np.arange(200, dtype=np.int32)
    once, again, other = hide(ids, words, 1), hide(ids, words, 1), hide(ids, words, 2)
    assert all(np.array_equal(left, right) for left, right in zip(once, again, strict=True))
    assert not np.array_equal(once[1], other[1])


def test_of_the_chosen_four_fifths_are_hidden_and_a_tenth_is_drawn_anew() -> None:
    count, outside = 200_000, 1000  # an id that cannot be drawn
    ids, words = np.full(count, outside, np.int32), np.arange(1, count + 1, dtype=np.int32)
    hidden, places, _ = hide(ids, words, 20261123)
    assert len(places) == round(0.15 * count)
    found = hidden[places]
    drawn = found[(found != MASK) & (found != outside)]
    assert near(int((found == MASK).sum()), of=len(places), share=0.8)
    assert near(len(drawn), of=len(places), share=0.1)
    assert near(int((found == outside).sum()), of=len(places), share=0.1)
    possible = sorted(set(range(SIZE)) - set(SPECIAL))
    numbers, times = np.unique(drawn, return_counts=True)
    assert numbers.tolist() == possible
    assert all(near(int(number), of=len(drawn), share=1 / len(possible)) for number in times)


def test_each_word_is_chosen_as_often_wherever_it_stands() -> None:
    words = np.repeat(np.arange(1, 51, dtype=np.int32), 2)
    ids, times, runs = np.full(100, 9, np.int32), np.zeros(50, np.int64), 4000
    rng = np.random.default_rng(20261123)
    for _ in range(runs):
        _, places, _ = mask_words(ids, words, rng, rate=0.15, mask=MASK, size=SIZE, special=SPECIAL)
        assert len(places) == 14  # seven words: an eighth would be more than 15 tokens
        times[words[places[::2]] - 1] += 1
    assert all(near(int(number), of=runs, share=7 / 50) for number in times)
