"""Tallies: sums that do not depend on the order, bins of equal probability, tests that know a wrong law."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from transforms import angles
from transforms.angle_counts import (
    BINS,
    POWERS,
    AngleTally,
    Counts,
    ks_distance,
    ks_distance_between,
    ks_pvalue,
    moments,
)

cosines = arrays.arrays(np.float64, st.integers(0, 50), elements=st.floats(-1, 1))
dimensions = st.sampled_from([2, 3, 4, 10, 768, 10**6])
counts = arrays.arrays(np.int64, 64, elements=st.integers(0, 1000)).filter(lambda found: found.sum() > 0)


def tallied(n: int, *pieces: np.ndarray, bins: int = 256) -> AngleTally:
    tally = AngleTally(n, bins=bins)
    for piece in pieces:
        tally.add(piece)
    return tally


@given(dimensions, st.lists(cosines, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_calls_does_not_matter(n: int, pieces: list[np.ndarray], order: object) -> None:
    before = tallied(n, *pieces)
    order.shuffle(pieces)  # type: ignore[attr-defined]
    after = tallied(n, *pieces)
    assert (before.sums, before.counts.tolist()) == (after.sums, after.counts.tolist())
    assert before.sums["pairs"] == before.counts.sum() == sum(map(len, pieces))


@given(dimensions, cosines.filter(lambda found: len(found) > 1))
def test_moments_are_those_of_the_angles(n: int, found: np.ndarray) -> None:
    theta = [Fraction(value) for value in np.pi / 2 - np.arcsin(found)]
    mean = sum(theta) / len(theta)
    second, fourth = (sum((value - mean) ** order for value in theta) / len(theta) for order in (2, 4))
    got = moments(tallied(n, found).sums)
    assert got[0] == pytest.approx(float(mean), abs=1e-14)
    assert got[1] == pytest.approx(float(second) * len(theta) / (len(theta) - 1), rel=1e-12, abs=1e-14)
    if second > 1e-4:
        assert got[2] == pytest.approx(float(fourth / second**2), rel=1e-8)


def test_moments_of_too_few() -> None:
    assert all(map(math.isnan, moments(tallied(3, np.array([0.5])).sums)))
    assert math.isnan(moments(tallied(3, np.zeros(2)).sums)[2])


def test_sums_of_small_angles_lose_nothing() -> None:
    """In 10^6 dimensions δ⁴ is about 10^-12: each call's sum is kept to the last digit."""
    found = np.random.default_rng(1).standard_normal(1000) / 1000
    delta = -np.arcsin(found)
    powers = (delta, delta * delta, delta * delta * delta, (delta * delta) * (delta * delta))
    expected = [float(power.sum()) for power in powers]
    assert [tallied(10**6, found).sums[name] / 2**128 for name in POWERS] == expected


# Bins


@pytest.mark.parametrize("n", [2, 3, 4, 5, 10, 100, 768, 10**4, 10**6])
def test_bins_have_equal_probability(n: int) -> None:
    """Angles in the middle of bins, and a hundred-thousandth of a bin beside every edge, all go where they belong."""
    edges = np.concatenate(
        [np.arange(1, 3000), np.linspace(3000, BINS - 3000, 5000).round(), np.arange(BINS - 2999, BINS)]
    )
    for beside in (1e-5, 0.5, 1 - 1e-5):
        # Measured from the nearer pole, where probabilities have their digits.
        lower = angles.quantile((edges - 1 + beside) / BINS, n=n)
        upper = np.pi - angles.quantile((BINS - edges + 1 - beside) / BINS, n=n)
        theta = np.where(edges < BINS / 2, lower, upper)
        assert AngleTally(n).bins(theta - np.pi / 2).tolist() == (edges - 1).astype(int).tolist()


@pytest.mark.parametrize("n", [2, 3, 768])
def test_the_poles_are_in_the_outer_bins(n: int) -> None:
    tally = tallied(n, np.array([1.0, 1.0, 0.0, -1.0]), bins=5)
    assert tally.counts.tolist() == [2, 0, 1, 0, 1]


def test_bins_of_two_dimensions_are_equal_arcs() -> None:
    theta = (np.arange(360) + 0.5) * np.pi / 360
    assert tallied(2, np.cos(theta), bins=360).counts.tolist() == [1] * 360


@pytest.mark.parametrize("n", [2, 3, 50])
def test_random_angles_fill_all_bins_alike(n: int) -> None:
    generator = np.random.default_rng(n)
    x, y = generator.standard_normal((2, 20_000, n))
    found = (x * y).sum(axis=1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    assert stats.chisquare(tallied(n, np.clip(found, -1, 1), bins=100).counts).pvalue > 1e-4


# Kolmogorov's distance


@given(counts)
def test_the_distance_is_that_of_the_edges(found: Counts) -> None:
    expected = np.abs(np.cumsum(found) / found.sum() - np.arange(1, 65) / 64).max()
    assert ks_distance(found) == pytest.approx(expected, abs=1e-14)


def test_the_distance_of_bins_is_close_to_that_of_angles() -> None:
    """Never larger, and smaller by one bin at most."""
    found = np.random.default_rng(2).uniform(-1, 1, 5000)
    exact = stats.kstest(found, lambda eta: angles.cosine_cdf(eta, n=3)).statistic
    for bins in (10, 100, 4096, BINS):
        binned = ks_distance(tallied(3, found, bins=bins).counts)
        assert exact - 1 / bins - 1e-12 <= binned <= exact + 1e-12


@given(counts, counts)
def test_the_distance_between_two_is_that_of_their_shares(first: Counts, second: Counts) -> None:
    expected = np.abs(np.cumsum(first) / first.sum() - np.cumsum(second) / second.sum()).max()
    assert ks_distance_between(first, second) == ks_distance_between(second, first) == expected
    assert ks_distance_between(first, 7 * first) == pytest.approx(0, abs=1e-15)


def test_large_counts_do_not_overflow() -> None:
    found = np.full(BINS, 10**6, np.int64)
    assert ks_distance(found) == 0
    found[0] += 10**9
    assert ks_distance(found) == pytest.approx(10**9 / (BINS * 10**6 + 10**9), rel=1e-5)


def test_probabilities_are_scipy_s() -> None:
    found = np.random.default_rng(3).uniform(-1, 1, 400)
    theta = np.arccos(found)
    exact = stats.kstest(theta, lambda value: angles.cdf(value, n=3))
    assert ks_pvalue(exact.statistic, 400) == pytest.approx(exact.pvalue, rel=1e-9)
    both = stats.ks_2samp(found, found[:300] + 0.05, method="asymp")
    assert ks_pvalue(both.statistic, 400, 300) == pytest.approx(both.pvalue, rel=1e-6)


def test_a_wrong_law_is_found_out() -> None:
    """Angles of eleven dimensions counted as of ten."""
    theta = angles.quantile((np.arange(100_000) + 0.5) / 100_000, n=11)
    distance = ks_distance(tallied(10, np.cos(theta), bins=4096).counts)
    assert ks_pvalue(distance, 100_000) < 1e-6
