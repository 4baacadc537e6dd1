"""The angle θ in [0, π] between two random directions in n dimensions, and its cosine: their law, limits and bounds.

θ has the density sin^(n-2) θ / B(1/2, (n-1)/2), and cos θ the density (1-η²)^((n-3)/2) / B(1/2, (n-1)/2) (kexue.fm,
post 7076). Everything is evaluated so that nothing cancels, for n from 2 to 10^6: near the poles by the sine, near π/2
by the cosine, constants in logarithms. Moments are in closed form, from the characteristic function of δ = θ - π/2,
Γ(n/2)² / (Γ((n+t)/2) Γ((n-t)/2)).
"""

import math

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]

LARGEST_DIMENSION = 10**6
MEAN = math.pi / 2
_NORMAL_GRID = 1 << 14


def density(theta: npt.ArrayLike, *, n: int) -> Floats:
    """The density of θ, per radian; 0 outside [0, π].

    >>> density([0.0, np.pi / 2], n=3)
    array([0. , 0.5])
    """
    return np.exp(log_density(theta, n=n))


def log_density(theta: npt.ArrayLike, *, n: int) -> Floats:
    """The natural logarithm of the density of θ; -inf where that is 0."""
    theta = np.asarray(theta, np.float64)
    sine, cosine = np.sin(theta), np.cos(theta)
    by_sine = special.xlogy(n - 2, np.maximum(sine, 0.0))
    by_cosine = special.xlog1py((n - 2) / 2, -np.square(cosine))
    log_power = np.where(np.abs(cosine) < 0.5, by_cosine, by_sine)
    return np.where((theta < 0) | (theta > np.pi), -np.inf, _log_constant(n) + log_power)


def cdf(theta: npt.ArrayLike, *, n: int) -> Floats:
    """The probability of an angle of at most θ, with its relative accuracy kept as θ goes to 0.

    >>> cdf([0.0, np.pi / 3, np.pi / 2], n=3)
    array([0.  , 0.25, 0.5 ])
    """
    theta = np.clip(theta, 0.0, np.pi)
    sine, cosine = np.sin(theta), np.cos(theta)
    beyond = _one_tail(np.square(cosine), np.square(sine), n)
    return np.where(cosine > 0, beyond, 1 - beyond)


def quantile(probability: npt.ArrayLike, *, n: int) -> Floats:
    """The θ that angles exceed with 1 - `probability`; by symmetry π - quantile(q) is exceeded with q, however small.

    >>> quantile([0.0, 0.25, 0.5, 1.0], n=2) / np.pi
    array([0.  , 0.25, 0.5 , 1.  ])
    """
    probability = np.asarray(probability, np.float64)
    square, rest = _quantile_squares(probability, n)
    lesser = np.where(square < 0.5, np.arccos(np.sqrt(square)), np.arcsin(np.sqrt(rest)))
    return np.where(probability <= 0.5, lesser, np.pi - lesser)


def variance(n: int) -> float:
    """Var θ in square radians, ψ₁(n/2) / 2.

    >>> round(variance(3), 7)  # π²/4 - 2
    0.4674011
    """
    return cumulant(2, n=n)


def kurtosis(n: int) -> float:
    """E δ⁴ / (Var θ)², 3 for a normal law.

    >>> round(kurtosis(2), 7), round(kurtosis(768), 5)
    (1.8, 2.99739)
    """
    return moment(4, n=n) / variance(n) ** 2


def cumulant(order: int, *, n: int) -> float:
    """The cumulant of θ of an order: π/2 for the first, 0 for other odd ones, else -(-1)^(k/2) 2^(1-k) ψ_(k-1)(n/2)."""
    _check(n)
    if order < 1:
        raise ValueError(f"order {order}: cumulants begin with 1")
    if order % 2:
        return MEAN if order == 1 else 0.0
    return float(-((-1) ** (order // 2)) * 2.0 ** (1 - order) * special.polygamma(order - 1, n / 2))


def moment(order: int, *, n: int) -> float:
    """The central moment E δ^order of θ, from its cumulants."""
    moments = [1.0]
    for k in range(1, order + 1):
        terms = (math.comb(k - 1, j - 1) * cumulant(j, n=n) * moments[k - j] for j in range(2, k + 1))
        moments.append(math.fsum(terms))
    return moments[order]


def standard_errors(n: int, *, samples: int) -> tuple[float, float, float]:
    """Standard errors of the mean, variance and kurtosis of a sample of angles, by the delta method.

    >>> [round(error, 6) for error in standard_errors(2, samples=10_000)]
    [0.009069, 0.007356, 0.011474]
    """
    second, fourth, sixth, eighth = (moment(order, n=n) for order in (2, 4, 6, 8))
    of_second, of_fourth, both = fourth - second**2, eighth - fourth**2, sixth - fourth * second
    ratio = fourth / second
    of_kurtosis = (of_fourth - 4 * ratio * both + 4 * ratio**2 * of_second) / second**4
    mean, variance, kurtosis = (math.sqrt(term / samples) for term in (second, of_second, of_kurtosis))
    return mean, variance, kurtosis


def cosine_density(eta: npt.ArrayLike, *, n: int) -> Floats:
    """The density of cos θ; 0 outside [-1, 1], infinite at both ends for n = 2.

    >>> cosine_density([-0.9, 0.4], n=3)
    array([0.5, 0.5])
    """
    return np.exp(cosine_log_density(eta, n=n))


def cosine_log_density(eta: npt.ArrayLike, *, n: int) -> Floats:
    """The natural logarithm of the density of cos θ; -inf where that is 0."""
    size = np.abs(np.asarray(eta, np.float64))
    inside = np.minimum(size, 1.0)
    power = (n - 3) / 2
    log_power = special.xlog1py(power, inside) + special.xlog1py(power, -inside)
    return np.where(size > 1, -np.inf, _log_constant(n) + log_power)


def cosine_cdf(eta: npt.ArrayLike, *, n: int) -> Floats:
    """The probability of a cosine of at most η, with its relative accuracy kept as η goes to -1.

    >>> cosine_cdf([-0.5, 0.0, 0.5], n=3)
    array([0.25, 0.5 , 0.75])
    """
    eta = np.clip(eta, -1.0, 1.0)
    beyond = _one_tail(np.square(eta), (1 - eta) * (1 + eta), n)
    return np.where(eta < 0, beyond, 1 - beyond)


def cosine_quantile(probability: npt.ArrayLike, *, n: int) -> Floats:
    """The η that cos θ exceeds with 1 - `probability`.

    >>> cosine_quantile([0.25, 0.5, 0.75], n=3)
    array([-0.5,  0. ,  0.5])
    """
    probability = np.asarray(probability, np.float64)
    square, rest = _quantile_squares(probability, n)
    size = np.where(square < 0.5, np.sqrt(square), np.sqrt(1 - rest))
    return np.where(probability < 0.5, -size, size)


def cosine_moment(order: int, *, n: int) -> float:
    """E cos^order θ: 0 for odd orders, else the product of (2j-1) / (n+2j-2) for j from 1 to order/2.

    >>> cosine_moment(2, n=10), cosine_moment(4, n=10)
    (0.1, 0.025)
    """
    _check(n)
    return 0.0 if order % 2 else math.prod((2 * j - 1) / (n + 2 * j - 2) for j in range(1, order // 2 + 1))


def mean_absolute_cosine(n: int) -> float:
    """E |cos θ| = Γ(n/2) / (√π Γ((n+1)/2)).

    >>> round(mean_absolute_cosine(768), 8)
    0.02880055
    """
    _check(n)
    return float(1 / (math.sqrt(math.pi) * special.poch(n / 2, 0.5)))


def tail(epsilon: npt.ArrayLike, *, n: int) -> Floats:
    """P(|cos θ| > ε) for ε in [0, 1].

    >>> round(float(tail(0.1, n=768)), 7)
    0.0055111
    """
    epsilon = np.asarray(epsilon, np.float64)
    return 2 * _one_tail(np.square(epsilon), (1 - epsilon) * (1 + epsilon), n)


def tail_bound(epsilon: npt.ArrayLike, *, n: int) -> Floats:
    """2 exp(-n ε² / 2), which P(|cos θ| > ε) never exceeds.

    K. Ball, An Elementary Introduction to Modern Convex Geometry, 1997, lemma 2.2: the measure of a cap.

    >>> round(float(tail_bound(0.1, n=768)), 5)
    0.04299
    """
    _check(n)
    return 2 * np.exp(-n * np.square(np.asarray(epsilon, np.float64)) / 2)


def normal_error(n: int, *, variance: float) -> float:
    """The greatest difference between the distribution functions of θ and of N(π/2, `variance`).

    With the exact variance it falls like 0.0459/n; with 1/(n-2), of Laplace's expansion, like 0.0871/n.

    >>> round(768 * normal_error(768, variance=variance(768)), 3)
    0.046
    """
    z = np.linspace(0.0, 10.0, _NORMAL_GRID)
    return float(np.abs(cdf(MEAN - math.sqrt(variance) * z, n=n) - special.ndtr(-z)).max())


def cosine_normal_error(n: int) -> float:
    """The greatest difference between the distribution functions of cos θ and of N(0, 1/n); it falls like 0.138/n.

    >>> round(768 * cosine_normal_error(768), 3)
    0.138
    """
    z = np.linspace(0.0, 10.0, _NORMAL_GRID)
    return float(np.abs(cosine_cdf(-z / math.sqrt(n), n=n) - special.ndtr(-z)).max())


def log_near_orthogonal(epsilon: float, *, n: int) -> float:
    """The natural logarithm of a number N of vectors that exist with |cos| ≤ ε between any two, 0 < ε < 1.

    Proved by the union bound: of N random vectors the expected number of pairs with a larger |cos| is less than
    N² P(|cos θ| > ε) / 2, so with N² ≤ 2 / P some N vectors have none. By `tail_bound` N ≥ exp(n ε² / 4). An
    orthogonal basis gives n in any case. The constant in the exponent is not the best that is known.

    >>> round(np.exp(log_near_orthogonal(0.2, n=768))), round(np.exp(768 * 0.2**2 / 4))
    (9487, 2165)
    """
    if not 0 < epsilon < 1:
        raise ValueError(f"epsilon {epsilon}: between 0 and 1")
    probability = float(tail(epsilon, n=n))
    # Beyond ε the density is at most η/ε times itself, which can be integrated: a bound that does not underflow.
    bound = math.log(2) + _log_constant(n) + (n - 1) / 2 * math.log1p(-(epsilon**2)) - math.log((n - 1) * epsilon)
    log_probability = math.log(probability) if probability > 1e-300 else bound
    return max((math.log(2) - log_probability) / 2, math.log(n))


def welch_bound(vectors: int, *, n: int) -> float:
    """The |cos| that some two of so many vectors reach at least, whatever they are: √((N-n) / (n (N-1))), 0 for N ≤ n.

    L. R. Welch, Lower bounds on the maximum cross correlation of signals, IEEE Trans. Inf. Theory 20 (1974). The other
    side of `log_near_orthogonal`.

    >>> welch_bound(3, n=2), welch_bound(768, n=768)
    (0.5, 0.0)
    """
    _check(n)
    return math.sqrt(max(0, vectors - n) / (n * max(1, vectors - 1)))


def _check(n: int) -> None:
    if not 2 <= n <= LARGEST_DIMENSION:
        raise ValueError(f"dimension {n}: between 2 and {LARGEST_DIMENSION:,}")


def _log_constant(n: int) -> float:
    """-log B(1/2, (n-1)/2); of a ratio of Gamma functions, as their difference would lose nine digits."""
    _check(n)
    return float(np.log(special.poch((n - 1) / 2, 0.5))) - math.log(math.pi) / 2


def _one_tail(cosine_square: Floats, sine_square: Floats, n: int) -> Floats:
    """P(cos θ > |η|) of η² and 1 - η², each exact where it is small."""
    _check(n)
    half = (n - 1) / 2
    within = special.betainc(0.5, half, cosine_square)
    by_cosine = np.where(within < 0.5, 1 - within, special.betaincc(0.5, half, cosine_square))
    one_tail: Floats = 0.5 * np.where(cosine_square < 0.5, by_cosine, special.betainc(half, 0.5, sine_square))
    return one_tail


def _quantile_squares(probability: Floats, n: int) -> tuple[Floats, Floats]:
    """η² and 1 - η², each exact where it is small, of the η that is exceeded with min(p, 1 - p) on its own side."""
    _check(n)
    if np.any(~((probability >= 0) & (probability <= 1))):
        raise ValueError("probabilities lie between 0 and 1")
    both = 2 * np.minimum(probability, 1 - probability)
    half = (n - 1) / 2
    return special.betainccinv(0.5, half, both), special.betaincinv(half, 0.5, both)
