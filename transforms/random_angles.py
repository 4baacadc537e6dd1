"""Cosines of the angles between pairs of random vectors, from random numbers that a counter gives.

Pairs are numbered and drawn in blocks. A block has a range of Philox counters to itself (Salmon et al., Parallel
Random Numbers: As Easy as 1, 2, 3, 2011) and is always drawn whole, as the number of words that a normal number takes
varies: so a pair's cosine depends on seed, dimension, method and its own number, whoever draws it, and beside what.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np

from transforms.angles import Floats

Method = Literal["vectors", "reduced"]
_STREAMS: dict[Method, int] = {"vectors": 0, "reduced": 1}
_PAIRS, _NUMBERS = 1 << 14, 1 << 18  # of a block at most, so that it stays in the cache


def numbers_a_pair(n: int, *, method: Method) -> int:
    """How many random numbers make a pair: both vectors in full, or a normal and a chi-squared number."""
    return 2 * n if method == "vectors" else 2


def pairs_a_block(n: int, *, method: Method) -> int:
    """How many pairs are drawn at once.

    >>> [pairs_a_block(n, method="vectors") for n in (2, 100, 10**6)]
    [16384, 1310, 1]
    """
    return max(1, min(_PAIRS, _NUMBERS // numbers_a_pair(n, method=method)))


def draw_cosines(blocks: Iterable[int], *, n: int, method: Method, seed: int) -> Iterator[Floats]:
    """The cosines of each block, float64 [pairs_a_block]; 0 ≤ seed < 2^64.

    `vectors` draws two vectors of n normal numbers each. `reduced` turns one of them into the first axis, which leaves
    z / √(z² + χ²) of a normal and a chi-squared number with n - 1 degrees of freedom.

    >>> [len(block) for block in draw_cosines([7, 8], n=768, method="vectors", seed=0)]
    [170, 170]
    """
    pairs = pairs_a_block(n, method=method)
    numbers = np.empty((2, n, pairs) if method == "vectors" else pairs)  # fresh memory for each would cost as much
    key = np.array([seed, n], np.uint64)
    for block in blocks:
        counter = np.array([0, block, 0, _STREAMS[method]], np.uint64)
        generator = np.random.Generator(np.random.Philox(key=key, counter=counter))
        generator.standard_normal(out=numbers)
        if method == "vectors":
            x, y = numbers
            dots = np.einsum("np,np->p", x, y)
            squares = np.einsum("np,np->p", x, x) * np.einsum("np,np->p", y, y)
        else:
            dots = numbers
            squares = np.square(numbers) + generator.chisquare(n - 1, pairs)
        yield np.clip(dots / np.sqrt(squares), -1.0, 1.0)
