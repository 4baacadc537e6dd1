"""What angles add up to: counts in bins of equal probability, sums of powers, and how far they are from the law."""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from transforms import angles
from transforms.angles import Floats

Counts = npt.NDArray[np.int64]

BINS = 1 << 20
POWERS = ("power_1", "power_2", "power_3", "power_4")
_CELLS = 1 << 13
_UNIT = 128  # sums of powers are in units of 2^-128


class AngleTally:
    """Counts angles in bins of equal probability under the law of random vectors, and adds up powers of δ = θ - π/2.

    `counts`: int64 [bins]. `sums`: pairs and the sums of δ, δ², δ³ and δ⁴, integers: what one call of `add` adds up to
    is rounded once, and from then on nothing is, so the order of calls is not left in it.
    """

    def __init__(self, n: int, *, bins: int = BINS) -> None:
        self.counts: Counts = np.zeros(bins, np.int64)
        self.sums = dict.fromkeys(("pairs", *POWERS), 0)
        self._table = _cdf_table(n, bins)

    def add(self, cosines: Floats) -> None:
        """Takes the cosines of angles, in [-1, 1]."""
        deviations = -np.arcsin(cosines)
        squares = np.square(deviations)
        self.sums["pairs"] += len(cosines)
        powers = (deviations, squares, squares * deviations, np.square(squares))
        for name, power in zip(POWERS, powers, strict=True):
            self.sums[name] += int(math.ldexp(float(power.sum()), _UNIT))
        np.add.at(self.counts, self.bins(deviations), 1)

    def bins(self, deviations: Floats) -> npt.NDArray[np.intp]:
        """The bin of each δ, counted from 0."""
        return self._table.bins(deviations)


@dataclass(frozen=True, slots=True)
class _CdfTable:
    """The distribution function of δ times the number of bins, in cells of equal width between -`reach` and `reach`.

    Cubic in each cell, with the law's values and slopes at its ends: 3·10⁻¹³ of probability beside the law at most.
    Beyond `reach` there is less than 10⁻²².
    """

    reach: float
    count: int
    coefficients: npt.NDArray[np.float64]

    def bins(self, deviations: Floats) -> npt.NDArray[np.intp]:
        position = np.clip((deviations + self.reach) * (_CELLS / (2 * self.reach)), 0, _CELLS)
        cell = np.minimum(position.astype(np.intp), _CELLS - 1)
        position -= cell
        value = np.take(self.coefficients[3], cell)
        for coefficient in self.coefficients[2::-1]:
            value *= position
            value += np.take(coefficient, cell)
        bins: npt.NDArray[np.intp] = np.clip(value, 0, self.count - 1).astype(np.intp)
        return bins


@functools.lru_cache(maxsize=64)
def _cdf_table(n: int, bins: int) -> _CdfTable:
    reach = min(np.pi / 2, 10 * math.sqrt(angles.variance(n)))
    theta = np.pi / 2 + np.linspace(-reach, reach, _CELLS + 1)
    value = bins * angles.cdf(theta, n=n)
    slope = bins * angles.density(theta, n=n) * (2 * reach / _CELLS)
    rise, left, right = np.diff(value), slope[:-1], slope[1:]
    return _CdfTable(reach, bins, np.stack([value[:-1], left, 3 * rise - 2 * left - right, left + right - 2 * rise]))


def moments(sums: Mapping[str, int]) -> tuple[float, float, float]:
    """Mean, variance (of a sample) and kurtosis of the angles behind the sums of a tally; nan where there are too few.

    >>> tally = AngleTally(3)
    >>> tally.add(np.array([0.0, 1.0, -1.0]))
    >>> [round(value / unit, 9) for value, unit in zip(moments(tally.sums), (np.pi, np.pi**2, 1))]
    [0.5, 0.25, 1.5]
    """
    pairs = sums["pairs"]
    if pairs < 2:
        return math.nan, math.nan, math.nan
    first, second, third, fourth = (Fraction(sums[name], pairs << _UNIT) for name in POWERS)
    about_mean = second - first**2
    about_mean_4 = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
    kurtosis = float(about_mean_4 / about_mean**2) if about_mean else math.nan
    return angles.MEAN + float(first), float(about_mean * Fraction(pairs, pairs - 1)), kurtosis


def ks_distance(counts: Counts) -> float:
    """Kolmogorov's distance between counted angles and the law.

    Within bins nothing is known: the distance of the angles themselves is up to 1 / bins larger.

    >>> ks_distance(np.array([4, 0]))
    0.5
    """
    bins, pairs = len(counts), int(counts.sum())
    return float(np.abs(bins * np.cumsum(counts) - pairs * np.arange(1, bins + 1)).max()) / (bins * pairs)


def ks_distance_between(first: Counts, second: Counts) -> float:
    """Kolmogorov's distance between two samples that are counted in the same bins, up to 2 / bins.

    >>> ks_distance_between(np.array([1, 1]), np.array([0, 2]))
    0.5
    """
    return float(np.abs(np.cumsum(first) / first.sum() - np.cumsum(second) / second.sum()).max())


def ks_pvalue(distance: float, *samples: int) -> float:
    """The probability of a larger Kolmogorov distance by chance, of one sample of so many, or between two.

    >>> round(ks_pvalue(0.02, 10_000, 10_000), 3)
    0.036
    """
    from scipy.stats import kstwo  # half a second that workers need not spend

    return float(kstwo.sf(distance, round(math.prod(samples) / sum(samples)) if len(samples) == 2 else samples[0]))
