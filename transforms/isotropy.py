"""How far vectors are from isotropic: the angles between pairs of them, and how many dimensions they use."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from transforms.angles import Floats

Rows = npt.NDArray[np.floating]
Numbers = npt.NDArray[np.int64]

_NUMBERS, _PAIRS = 1 << 18, 1 << 16  # at a time


def mean_of(vectors: Rows) -> Floats:
    """The mean of the rows, float64 [n]."""
    total = np.zeros(vectors.shape[1])
    for rows in _pieces(vectors):
        total += rows.sum(axis=0)
    return total / len(vectors)


def effective_dimension(vectors: Rows, *, origin: Floats) -> float:
    """The participation ratio (Σλ)² / Σλ² of the spectrum of the second moments about `origin`, between 1 and n.

    With the mean as the origin these are covariances. It is n where all directions have the same variance, k where k
    of them share it and the others have none. The ratio is tr(M)² / ‖M‖², so no eigenvalue is needed.

    >>> effective_dimension(np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]), origin=np.zeros(3))
    2.0
    """
    moments = np.zeros((vectors.shape[1],) * 2)
    for rows in _pieces(vectors):
        centered = rows - origin
        moments += centered.T @ centered
    return float(np.trace(moments) ** 2 / np.square(moments).sum())


def sample_pairs(vectors: int, *, pairs: int, seed: int) -> Iterator[tuple[Numbers, Numbers]]:
    """Numbers of the first and the second of pairs of different vectors: `pairs` drawn at random, or all when few.

    >>> [(first.tolist(), second.tolist()) for first, second in sample_pairs(3, pairs=10, seed=0)]
    [([0, 0], [1, 2]), ([1], [2])]
    """
    if pairs >= vectors * (vectors - 1) // 2:
        for number in range(vectors - 1):
            second = np.arange(number + 1, vectors)
            yield np.full_like(second, number), second
        return
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, vectors], np.uint64)))
    for begin in range(0, pairs, _PAIRS):
        size = min(_PAIRS, pairs - begin)
        first, second = generator.integers(vectors, size=size), generator.integers(vectors - 1, size=size)
        yield first, second + (second >= first)


def pair_cosines(vectors: Rows, first: Numbers, second: Numbers, *, origin: Floats) -> Floats:
    """The cosines of pairs of rows, seen from `origin`, where none of the rows may be."""
    cosines = np.empty(len(first))
    step = max(1, _NUMBERS // (2 * vectors.shape[1]))
    for begin in range(0, len(first), step):
        piece = slice(begin, begin + step)
        x, y = (vectors[numbers[piece]].astype(np.float64) - origin for numbers in (first, second))
        squares = np.einsum("pn,pn->p", x, x) * np.einsum("pn,pn->p", y, y)
        cosines[piece] = np.einsum("pn,pn->p", x, y) / np.sqrt(squares)
    return np.clip(cosines, -1.0, 1.0)


def nonzero(vectors: Rows, *, origin: Floats) -> npt.NDArray[np.bool_]:
    """Which rows are not at `origin`, where no angle is defined; raises ValueError naming a row that is not finite."""
    found = np.empty(len(vectors), bool)
    begin = 0
    for rows in _pieces(vectors):
        size = np.abs(rows - origin).max(axis=1)
        if not np.isfinite(size).all():
            raise ValueError(f"row {begin + int(np.argmin(np.isfinite(size)))} is not finite")
        found[begin : begin + len(rows)] = size > 0
        begin += len(rows)
    return found


def _pieces(vectors: Rows) -> Iterator[Floats]:
    step = max(1, _NUMBERS // vectors.shape[1])
    for begin in range(0, len(vectors), step):
        yield vectors[begin : begin + step].astype(np.float64)
