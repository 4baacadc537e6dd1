"""Whole-word masking: all tokens of a word are chosen, or none of them (arXiv:1906.08101)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int32]
MASKED, RANDOM = 0.8, 0.1  # of the chosen tokens; the others stay as they are


def mask_words(
    ids: Integers,
    words: npt.NDArray[np.integer],
    rng: np.random.Generator,
    *,
    rate: float,
    mask: int,
    size: int,
    special: Sequence[int],
) -> tuple[Integers, Integers, Integers]:
    """Chooses words at random until `rate` of the tokens are chosen, and hides them.

    `ids`, `words` [n]: tokens and the number of the word of each, ascending, 0 where there is nothing to guess.
    `mask`: the id that hides a token. `size`: of the vocabulary, from which a tenth of the chosen tokens are drawn
    anew, `special` ids left out. At least one word is chosen where there is one.

    Returns the ids with words hidden, int32 [n]; the places of the chosen tokens, ascending, and what stood there,
    int32 [m] each (BERT, arXiv:1810.04805, section 3.1).

    >>> ids, words = np.arange(10, 18, dtype=np.int32), np.array([0, 1, 1, 2, 3, 3, 3, 0])
    >>> rng = np.random.default_rng(1)
    >>> hidden, places, before = mask_words(ids, words, rng, rate=0.3, mask=4, size=100, special=(4,))
    >>> places, before, hidden[places]
    (array([1, 2], dtype=int32), array([11, 12], dtype=int32), array([ 4, 12], dtype=int32))
    """
    inside = np.flatnonzero(words > 0)
    if not len(inside):
        return ids.copy(), np.empty(0, np.int32), np.empty(0, np.int32)
    starts = np.flatnonzero(np.diff(words[inside], prepend=0))
    lengths = np.diff(starts, append=len(inside))
    order = rng.permutation(len(starts))
    fits = np.cumsum(lengths[order]) <= max(1, round(rate * len(inside)))
    fits[0] = True
    chosen = np.zeros(len(starts), bool)
    chosen[order[fits]] = True
    places = inside[np.repeat(chosen, lengths)].astype(np.int32)
    fate = rng.random(len(places))
    drawn = rng.integers(0, size - len(special), len(places), dtype=np.int32)
    for one in sorted(special):
        drawn += drawn >= one
    hidden = ids.copy()
    hidden[places[fate < MASKED]] = mask
    redrawn = (fate >= MASKED) & (fate < MASKED + RANDOM)
    hidden[places[redrawn]] = drawn[redrawn]
    return hidden, places, ids[places]
