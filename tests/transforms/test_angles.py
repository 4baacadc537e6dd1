"""The law of angles: closed forms, decimals without rounding, quadrature, and every figure that is known of it."""

import functools
import itertools
import math
from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import integrate, special

from transforms import angles

DIMENSIONS = (2, 3, 4, 5, 10, 20, 50, 100, 200, 768, 1000)
LARGE = (10**4, 10**6)
# n: variance, 1/(n-2) to six digits, kurtosis
FIGURES = {
    2: (0.822467033, None, 1.80000),
    3: (0.4674011, 1.0, 2.19375),
    4: (0.322467033, 0.5, 2.40624),
    5: (0.245178878, 0.333333, 2.53440),
    10: (0.110661478, 0.125, 2.78128),
    20: (0.0525831678, 0.0555556, 2.89512),
    50: (0.0204053316, 0.0208333, 2.95921),
    100: (0.0101006666, 0.0102041, 2.97980),
    200: (0.00502508333, 0.00505051, 2.98995),
    768: (0.00130378023, 0.00130548, 2.99739),
    1000: (0.00100100067, 0.001002, 2.99800),
}
# As kexue.fm, post 7076 has them.
VARIANCES = {3: 0.467401, 10: 0.110661, 20: 0.0525832, 50: 0.0204053, 100: 0.0101007, 200: 0.00502508, 1000: 0.001001}
TAILS = {
    768: {0.05: 0.16601, 0.1: 0.0055111, 0.2: 2.222e-8},
    100: {0.05: 0.61951, 0.1: 0.31975, 0.2: 0.044935},
}
NORMAL_TAILS = {0.05: 0.16586, 0.1: 0.0055836, 0.2: 2.981e-8}
CLOSED: dict[int, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]] = {
    2: lambda theta: theta / np.pi,
    3: lambda theta: np.sin(theta / 2) ** 2,
    4: lambda theta: (theta - np.sin(theta) * np.cos(theta)) / np.pi,
    5: lambda theta: np.sin(theta / 2) ** 4 * (2 + np.cos(theta)),
}

dimensions = st.one_of(st.integers(2, 50), st.integers(2, 10**6))
probabilities = st.floats(1e-15, 1 - 2**-53)


def moment_by_quadrature(n: int, order: int) -> float:
    """E δ^order; the integral is cut where the density is narrow."""
    deviation = math.sqrt(angles.variance(n))
    cuts = [cut for cut in (-8 * deviation, -deviation, 0.0, deviation, 8 * deviation) if abs(cut) < np.pi / 2]
    bounds = [-np.pi / 2, *cuts, np.pi / 2]
    pieces = (
        integrate.quad(
            lambda delta: delta**order * angles.density(np.pi / 2 + delta, n=n), *piece, epsabs=0, epsrel=1e-11
        )
        for piece in itertools.pairwise(bounds)
    )
    return math.fsum(value for value, _ in pieces)


def exact_cosine_cdf(eta: float, n: int) -> Decimal:
    """For odd n the density of the cosine is a polynomial: its integral from -1, in 600 digits."""
    power = (n - 3) // 2
    with localcontext(prec=600):
        terms = [Decimal((-1) ** k * math.comb(power, k)) / (2 * k + 1) for k in range(power + 1)]
        square, half = Decimal(eta) ** 2, sum(terms)
        value = functools.reduce(lambda value, term: value * square + term, reversed(terms), Decimal(0))
        return (value * Decimal(eta) + half) / (2 * half)


# Figures


@pytest.mark.parametrize("n", FIGURES)
def test_moments_are_the_known_ones(n: int) -> None:
    variance, laplace, kurtosis = FIGURES[n]
    assert angles.variance(n) == pytest.approx(variance, rel=5e-9 if n != 3 else 5e-8)
    assert angles.kurtosis(n) == pytest.approx(kurtosis, abs=5e-6)
    assert laplace is None or 1 / (n - 2) == pytest.approx(laplace, rel=5e-6)


@pytest.mark.parametrize(("n", "variance"), VARIANCES.items())
def test_variances_are_those_of_the_post(n: int, variance: float) -> None:
    digits = 7 if n < 20 else 8
    assert angles.variance(n) == pytest.approx(variance, rel=0.5 * 10.0 ** (1 - min(6, digits)), abs=1e-12)


@pytest.mark.parametrize("n", DIMENSIONS)
def test_moments_are_those_of_the_density(n: int) -> None:
    """The integral of the density is 1, its mean π/2, variance and kurtosis those of the closed forms."""
    assert moment_by_quadrature(n, 0) == pytest.approx(1, abs=1e-12)
    assert moment_by_quadrature(n, 1) == pytest.approx(0, abs=1e-12)
    for order in (2, 4, 6, 8):
        assert moment_by_quadrature(n, order) == pytest.approx(angles.moment(order, n=n), rel=1e-10)
    assert angles.moment(4, n=n) / angles.variance(n) ** 2 == pytest.approx(angles.kurtosis(n), rel=1e-14)
    assert angles.moment(1, n=n) == angles.moment(3, n=n) == angles.cumulant(3, n=n) == 0
    assert (angles.moment(0, n=n), angles.cumulant(1, n=n)) == (1, np.pi / 2)


def test_variances_of_closed_form() -> None:
    assert angles.variance(2) == pytest.approx(np.pi**2 / 12, rel=1e-15)
    assert angles.variance(3) == pytest.approx(np.pi**2 / 4 - 2, rel=1e-15)
    for n in (*range(4, 200), *LARGE):
        assert angles.variance(n) == pytest.approx(angles.variance(n - 2) - 2 / (n - 2) ** 2, rel=1e-9)
        series = 1 / n + 1 / n**2 + 2 / (3 * n**3)
        assert angles.variance(n) == pytest.approx(series, rel=2 / n**4 + 1e-14)


@pytest.mark.parametrize("n", [*DIMENSIONS, *LARGE])
def test_moments_of_the_cosine(n: int) -> None:
    assert n * angles.cosine_moment(2, n=n) == pytest.approx(1, rel=1e-14)
    assert n * (n + 2) / 3 * angles.cosine_moment(4, n=n) == pytest.approx(1, rel=1e-14)
    assert angles.cosine_moment(3, n=n) == 0
    exponent = special.gammaln(n / 2) - special.gammaln((n + 1) / 2)
    assert angles.mean_absolute_cosine(n) == pytest.approx(math.exp(exponent) / math.sqrt(math.pi), rel=1e-8)


@pytest.mark.parametrize(("n", "expected"), [(3, 0.5), (10, 0.25868994), (100, 0.07998817), (768, 0.02880055)])
def test_mean_absolute_cosines(n: int, expected: float) -> None:
    assert angles.mean_absolute_cosine(n) == pytest.approx(expected, abs=5e-9)


@pytest.mark.parametrize(("n", "epsilon"), [(n, epsilon) for n in TAILS for epsilon in TAILS[n]])
def test_tails_are_the_known_ones(n: int, epsilon: float) -> None:
    digits = len(f"{TAILS[n][epsilon]:e}".rstrip("0").partition("e")[0].replace(".", "").rstrip("0"))
    assert float(angles.tail(epsilon, n=n)) == pytest.approx(TAILS[n][epsilon], rel=0.51 * 10.0 ** (1 - digits))


@pytest.mark.parametrize(("epsilon", "expected"), NORMAL_TAILS.items())
def test_the_normal_limit_of_tails(epsilon: float, expected: float) -> None:
    assert 2 * special.ndtr(-epsilon * math.sqrt(768)) == pytest.approx(expected, rel=5e-4)


def test_the_bound_of_the_tail() -> None:
    assert float(angles.tail_bound(0.1, n=768)) == pytest.approx(0.04299, abs=5e-6)


# Distribution functions


@pytest.mark.parametrize("n", CLOSED)
def test_distribution_functions_of_closed_form(n: int) -> None:
    theta = np.concatenate([np.geomspace(1e-8, 0.1, 50), np.linspace(0.1, 3.1, 301)])
    if n == 4:  # whose closed form cancels
        theta = theta[theta > 0.05]
    assert angles.cdf(theta, n=n) == pytest.approx(CLOSED[n](theta), rel=1e-12 if n == 4 else 4e-15, abs=0)
    near = np.pi / 2 + np.linspace(-1e-7, 1e-7, 41)
    assert angles.cdf(near, n=n) == pytest.approx(CLOSED[n](near), rel=4e-16)


@pytest.mark.parametrize("n", [3, 5, 7, 51, 301, 1001])
def test_odd_dimensions_are_exact(n: int) -> None:
    """Into the tails and around 0, to a relative 10^-12."""
    deviations = np.array([-25, -8, -5, -2, -0.5, -1e-3, -1e-9, 0, 1e-9, 0.3, 1, 3, 8]) / math.sqrt(n)
    for eta in deviations[np.abs(deviations) < 1].tolist():
        exact = float(exact_cosine_cdf(eta, n))
        assert float(angles.cosine_cdf(eta, n=n)) == pytest.approx(exact, rel=2e-12)
        assert float(angles.tail(abs(eta), n=n)) == pytest.approx(
            2 * min(exact, float(exact_cosine_cdf(-eta, n))), rel=2e-12
        )


@pytest.mark.parametrize("n", [2, 3, 10, 100, 768, *LARGE])
def test_the_distribution_function_is_the_integral_of_the_density(n: int) -> None:
    deviation = math.sqrt(angles.variance(n))
    for low, high in itertools.pairwise((-1.6, -1.2, -0.5, 0.0, 0.1, 1.0, 1.7)):
        bounds = np.pi / 2 + low * deviation, np.pi / 2 + high * deviation
        expected, _ = integrate.quad(lambda theta: angles.density(theta, n=n), *bounds, epsabs=0, epsrel=1e-12)
        assert float(np.diff(angles.cdf(bounds, n=n))[0]) == pytest.approx(expected, rel=1e-11)


@given(dimensions, st.floats(0, np.pi))
def test_angles_and_their_cosines_have_the_same_law(n: int, theta: float) -> None:
    eta = math.cos(theta)
    assert float(angles.cdf(theta, n=n)) == pytest.approx(1 - float(angles.cosine_cdf(eta, n=n)), abs=1e-7)
    assert float(angles.cdf(theta, n=n) + angles.cdf(np.pi - theta, n=n)) == pytest.approx(1, abs=2e-13)
    assume(1e-3 < theta < np.pi - 1e-3)
    logarithms = float(angles.cosine_log_density(eta, n=n)) + math.log(math.sin(theta))
    assert float(angles.log_density(theta, n=n)) == pytest.approx(logarithms, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("n", [3, 10, 10**6])
def test_densities_keep_their_digits(n: int) -> None:
    """At the pole, where the cosine has none of them, and at π/2, where the sine has none."""
    constant = float(angles.log_density(np.pi / 2, n=n))
    for theta in (1e-7, 1e-5):
        expected = constant + (n - 2) * (math.log(theta) - theta**2 / 6)
        assert float(angles.log_density(theta, n=n)) == pytest.approx(expected, rel=1e-13)
    for delta in (1e-5, 1e-3):
        expected = (n - 2) * (-(delta**2) / 2 - delta**4 / 12 - delta**6 / 45)
        assert float(angles.log_density(np.pi / 2 + delta, n=n)) - constant == pytest.approx(
            expected, rel=1e-9, abs=1e-12
        )


@given(dimensions, probabilities)
def test_quantiles_are_the_inverse(n: int, probability: float) -> None:
    """As far as an angle in double precision can tell: its last digit is a larger part of a tail's probability."""
    theta, eta = angles.quantile(probability, n=n), angles.cosine_quantile(probability, n=n)
    lesser = min(probability, 1 - probability)
    for value, density in ((theta, angles.density(theta, n=n)), (eta, angles.cosine_density(eta, n=n))):
        digit = float(abs(np.spacing(value)) * density) if np.isfinite(density) else 1e-8
        found = angles.cdf(value, n=n) if value is theta else angles.cosine_cdf(value, n=n)
        assert abs(float(found) - probability) <= 4 * digit + 1e-11 * lesser + 2**-52 * (probability > 0.5)


@given(dimensions, st.floats(0, 0.5))
def test_quantiles_are_symmetrical(n: int, probability: float) -> None:
    assume(1 - (1 - probability) == probability)
    lower, upper = angles.quantile([probability, 1 - probability], n=n)
    assert lower <= np.pi / 2 <= upper
    assert np.pi - upper == pytest.approx(lower, abs=1e-15)
    assert angles.cosine_quantile(probability, n=n) == -angles.cosine_quantile(1 - probability, n=n)


@pytest.mark.parametrize("n", [2, 3, 4, 10, 768, 10**6])
def test_far_tails(n: int) -> None:
    p = 10.0 ** -np.arange(1, 150, 10) if n > 3 else 10.0 ** -np.arange(1, 100, 10)
    assert angles.cdf(angles.quantile(p, n=n), n=n) == pytest.approx(p, rel=1e-10)


def test_quantiles_of_two_and_three_dimensions() -> None:
    p = np.linspace(0, 1, 1001)
    assert angles.quantile(p, n=2) == pytest.approx(np.pi * p, abs=1e-15)
    assert angles.cosine_quantile(p, n=3) == pytest.approx(2 * p - 1, abs=1e-15)


@pytest.mark.parametrize("n", [2, 3, 4, 768, 10**6])
def test_the_ends(n: int) -> None:
    assert angles.cdf([-1, 0, np.pi, 4], n=n).tolist() == [0, 0, 1, 1]
    # In double precision π/2 is 6·10⁻¹⁷ too small.
    assert float(angles.cdf(np.pi / 2, n=n)) == pytest.approx(0.5, abs=3e-16 * float(angles.density(np.pi / 2, n=n)))
    assert angles.cosine_cdf([-2, -1, 0, 1, 2], n=n).tolist() == [0, 0, 0.5, 1, 1]
    assert angles.quantile([0, 0.5, 1], n=n).tolist() == [0, np.pi / 2, np.pi]
    assert angles.cosine_quantile([0, 0.5, 1], n=n).tolist() == [-1, 0, 1]
    assert angles.density([-0.1, 3.2], n=n).tolist() == [0, 0]
    assert angles.cosine_density([-1.1, 1.1], n=n).tolist() == [0, 0]
    assert angles.tail([0, 1], n=n).tolist() == [1, 0]
    at_pole, at_one = float(angles.density(0, n=n)), float(angles.cosine_density(1, n=n))
    assert at_pole == (pytest.approx(1 / np.pi) if n == 2 else 0)
    assert at_one == (math.inf if n == 2 else pytest.approx(0.5) if n == 3 else 0)
    assert bool(np.isfinite(angles.log_density(np.pi / 2, n=n)))


# Limits and bounds


def test_the_normal_limits() -> None:
    n = 10**5
    assert n * angles.normal_error(n, variance=angles.variance(n)) == pytest.approx(0.0459, abs=5e-5)
    assert n * angles.normal_error(n, variance=1 / (n - 2)) == pytest.approx(0.0871, abs=5e-5)
    assert n * angles.cosine_normal_error(n) == pytest.approx(0.138, abs=5e-4)
    # One term of Edgeworth's expansion: the excess kurtosis is -2/n of the angle, -6/n of the cosine.
    peak = max(abs(x**3 - 3 * x) * math.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) for x in np.linspace(0, 5, 10_001))
    assert n * angles.normal_error(n, variance=angles.variance(n)) == pytest.approx(2 / 24 * peak, rel=1e-4)
    assert n * angles.cosine_normal_error(n) == pytest.approx(6 / 24 * peak, rel=1e-4)


@given(dimensions, st.floats(0, 1))
def test_no_tail_exceeds_its_bound(n: int, epsilon: float) -> None:
    assert float(angles.tail(epsilon, n=n)) <= float(angles.tail_bound(epsilon, n=n)) * (1 + 1e-12)


@given(dimensions, st.floats(1e-3, 0.999))
def test_vectors_that_are_proved_to_exist(n: int, epsilon: float) -> None:
    log_count = angles.log_near_orthogonal(epsilon, n=n)
    assert log_count >= max(math.log(n), n * epsilon**2 / 4) * (1 - 1e-12)
    probability = float(angles.tail(epsilon, n=n))
    if log_count > math.log(n) * (1 + 1e-12) and probability > 1e-290:
        assert 2 * log_count + math.log(probability) == pytest.approx(math.log(2), abs=1e-9)
    if log_count < 40:
        assert angles.welch_bound(math.floor(math.exp(log_count) * (1 - 1e-9)), n=n) <= epsilon


def test_the_bound_where_the_tail_underflows_joins_the_tail() -> None:
    """Just before and behind 10^-300, in logarithms."""
    n = 10**5
    epsilons = np.linspace(0.1165, 0.1185, 201)
    logs = np.array([angles.log_near_orthogonal(epsilon, n=n) for epsilon in epsilons])
    probabilities = angles.tail(epsilons, n=n)
    assert probabilities.min() < 1e-300 < probabilities.max()
    assert np.abs(np.diff(logs, 2)).max() < 1e-2
    assert logs[-1] > n * epsilons[-1] ** 2 / 4


def test_near_orthogonal_vectors_can_be_drawn() -> None:
    """As many as are proved, of which random ones have on average less than one pair beyond ε."""
    count = math.floor(math.exp(angles.log_near_orthogonal(0.5, n=50)))
    assert count > 100
    generator, most = np.random.default_rng(1), []
    for _ in range(8):
        unit = generator.standard_normal((count, 50))
        unit /= np.linalg.norm(unit, axis=1, keepdims=True)
        most.append(np.abs(unit @ unit.T - np.eye(count)).max())
    assert min(most) <= 0.5


def test_welch_s_bound_is_reached_by_a_simplex() -> None:
    for n in (2, 3, 10):
        corners = np.eye(n + 1) - 1 / (n + 1)
        corners /= np.linalg.norm(corners, axis=1, keepdims=True)
        most = np.abs(corners @ corners.T - np.eye(n + 1)).max()
        assert angles.welch_bound(n + 1, n=n) == pytest.approx(most)


def test_standard_errors_are_those_of_samples() -> None:
    """The spread of 4,000 samples: its own standard error is 1.1 %, so 5 % are more than four of them."""
    generator = np.random.default_rng(5)
    theta = np.arccos(generator.uniform(-1, 1, (4000, 1000)))
    delta = theta - np.pi / 2
    squares = np.mean(delta**2, axis=1)
    found = (delta.mean(axis=1).std(), squares.std(), (np.mean(delta**4, axis=1) / squares**2).std())
    assert found == pytest.approx(angles.standard_errors(3, samples=1000), rel=0.05)


@pytest.mark.parametrize("n", [1, 0, -3, 10**6 + 1])
def test_dimensions_that_have_no_law(n: int) -> None:
    for call in (angles.variance, angles.mean_absolute_cosine, lambda n: angles.cdf(1.0, n=n)):
        with pytest.raises(ValueError, match=rf"dimension {n}: between 2 and 1,000,000"):
            call(n)


def test_what_cannot_be_asked() -> None:
    for probability in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="probabilities lie between 0 and 1"):
            angles.quantile(probability, n=3)
    with pytest.raises(ValueError, match="order 0: cumulants begin with 1"):
        angles.cumulant(0, n=3)
    for epsilon in (0.0, 1.0):
        with pytest.raises(ValueError, match=f"epsilon {epsilon}: between 0 and 1"):
            angles.log_near_orthogonal(epsilon, n=3)
