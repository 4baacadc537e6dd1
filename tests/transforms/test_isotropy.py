"""Measures of isotropy: known spectra, all pairs once, angles that do not depend on lengths."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms import isotropy
from transforms.isotropy import effective_dimension, mean_of, nonzero, pair_cosines, sample_pairs


@pytest.fixture(autouse=True, params=[1, 1 << 18])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row at a time, or all at once."""
    monkeypatch.setattr(isotropy, "_NUMBERS", request.param)


VECTORS = np.random.default_rng(0).standard_normal((40, 7)) * np.arange(1, 8) + 3


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_the_effective_dimension_is_that_of_the_spectrum(kind: type[np.floating]) -> None:
    vectors = VECTORS.astype(kind)
    exact = vectors.astype(np.float64)
    assert mean_of(vectors) == pytest.approx(exact.mean(axis=0), rel=1e-12)
    for origin in (np.zeros(7), exact.mean(axis=0)):
        spectrum = np.linalg.eigvalsh((exact - origin).T @ (exact - origin))
        expected = spectrum.sum() ** 2 / np.square(spectrum).sum()
        assert effective_dimension(vectors, origin=origin) == pytest.approx(expected, rel=1e-10)


@given(st.integers(1, 7), st.floats(0.01, 100))
def test_directions_that_share_the_variance_are_counted(used: int, scale: float) -> None:
    vectors = np.concatenate([np.eye(7)[:used], -np.eye(7)[:used]]) * scale
    assert effective_dimension(vectors, origin=np.zeros(7)) == pytest.approx(used)


def test_random_vectors_use_all_dimensions_that_their_number_allows() -> None:
    """1/n + 1/N of N normal vectors."""
    vectors = np.random.default_rng(3).standard_normal((500, 100))
    assert effective_dimension(vectors, origin=mean_of(vectors)) == pytest.approx(1 / (1 / 100 + 1 / 500), rel=0.03)


@pytest.mark.parametrize("vectors", [2, 3, 17])
def test_all_pairs_once_when_they_are_few(vectors: int) -> None:
    number = vectors * (vectors - 1) // 2
    found = [
        pair
        for first, second in sample_pairs(vectors, pairs=number, seed=0)
        for pair in zip(first.tolist(), second.tolist(), strict=True)
    ]
    assert found == list(itertools.combinations(range(vectors), 2))


def test_a_sample_of_pairs_is_fair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isotropy, "_PAIRS", 1000)
    pieces = list(sample_pairs(1000, pairs=4500, seed=3))
    assert [len(first) for first, _ in pieces] == [1000] * 4 + [500]
    first, second = (np.concatenate(side) for side in zip(*pieces, strict=True))
    assert (first != second).all()
    assert min(first.min(), second.min()) == 0
    assert max(first.max(), second.max()) == 999
    # Of 4,500 uniform draws: the mean has a standard error of 4.3.
    assert abs(first.mean() - 499.5) < 20
    assert abs(second.mean() - 499.5) < 20
    again = next(sample_pairs(1000, pairs=4500, seed=3))
    other = next(sample_pairs(1000, pairs=4500, seed=4))
    assert again[0].tolist() == pieces[0][0].tolist() != other[0].tolist()


def test_cosines_of_pairs() -> None:
    first, second = next(sample_pairs(40, pairs=100, seed=0))
    for origin in (np.zeros(7), VECTORS.mean(axis=0)):
        x, y = VECTORS[first] - origin, VECTORS[second] - origin
        expected = [row @ other / np.linalg.norm(row) / np.linalg.norm(other) for row, other in zip(x, y, strict=True)]
        assert pair_cosines(VECTORS, first, second, origin=origin) == pytest.approx(expected, abs=1e-14)


def test_cosines_do_not_leave_their_range_and_do_not_depend_on_lengths() -> None:
    vectors = np.array([[0.1, 0.7], [0.3, 2.1], [-0.2, -1.4]])
    both = pair_cosines(vectors, np.array([0, 0]), np.array([1, 2]), origin=np.zeros(2))
    assert both.tolist() == pytest.approx([1, -1])
    assert np.abs(both).max() <= 1


def test_rows_without_direction() -> None:
    vectors = np.array([[0, 0], [1, 2], [0, 1e-30]])
    assert nonzero(vectors, origin=np.zeros(2)).tolist() == [False, True, True]
    assert nonzero(vectors, origin=np.array([1.0, 2.0])).tolist() == [True, False, True]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rows_that_are_no_vectors(bad: float) -> None:
    vectors = VECTORS.copy()
    vectors[5, 2] = bad
    with pytest.raises(ValueError, match=r"^row 5 is not finite$"):
        nonzero(vectors, origin=np.zeros(7))
