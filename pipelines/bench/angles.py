"""How fast angles are drawn and counted, on one core, and whether two simulations agree."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from pipelines.angle_tables import HISTOGRAMS, read_angles
from pipelines.bench.counting import interleave, print_timings
from transforms import angles
from transforms.angle_counts import BINS, AngleTally, ks_distance_between, ks_pvalue, moments
from transforms.angles import Floats
from transforms.random_angles import Method, draw_cosines, pairs_a_block

COSINES = 1 << 16


def plain_program(n: int, pairs: int) -> tuple[float, float]:
    """Mean and variance of angles, as one writes it down."""
    generator = np.random.default_rng()
    x, y = generator.standard_normal((pairs, n)), generator.standard_normal((pairs, n))
    cosines = (x * y).sum(axis=1) / (np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1))
    theta = np.arccos(cosines)
    return float(theta.mean()), float(theta.var())


def counted(n: int, pairs: int, method: Method) -> tuple[float, float, float]:
    """Moments of at least so many angles, and their histogram, as a worker makes them."""
    tally = AngleTally(n)
    blocks = range(-(-pairs // pairs_a_block(n, method=method)))
    for cosines in draw_cosines(blocks, n=n, method=method, seed=0):
        tally.add(cosines)
    return moments(tally.sums)


def bench_methods(*, n: int, pairs: int, rounds: int) -> None:
    """NumPy's plain program, and both methods with their histograms."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    contenders: dict[str, Callable[[], object]] = {
        "NumPy, plain program": lambda: plain_program(n, pairs),
        "hanmill, vectors": lambda: counted(n, pairs, "vectors"),
        "hanmill, reduced": lambda: counted(n, pairs, "reduced"),
    }
    counted(n, 1, "reduced")
    title = f"{pairs:,} pairs of {n:,} dimensions, one core"
    print_timings(interleave(contenders, rounds=rounds), pairs, title, unit="kpairs", unit_size=1e3)


def bench_bins(*, n: int, rounds: int) -> None:
    """From a cosine to its bin of equal probability, in three ways, and how often they differ."""
    cosines = np.concatenate(list(draw_cosines(range(8), n=n, method="reduced", seed=0)))[:COSINES]
    edges = angles.quantile(np.arange(1, BINS) / BINS, n=n)
    tally = AngleTally(n)
    ways: dict[str, Callable[[Floats], object]] = {
        "search among the edges": lambda theta: np.searchsorted(edges, theta, side="right"),
        "SciPy's distribution function": lambda theta: (BINS * angles.cdf(theta, n=n)).astype(np.intp),
        "the same in cubic cells": lambda theta: tally.bins(theta - np.pi / 2),
    }
    theta = np.arccos(cosines)
    timings = interleave({name: partial(way, theta) for name, way in ways.items()}, rounds=rounds)
    print_timings(timings, len(theta), f"{len(theta):,} angles to {BINS:,} bins", unit="kpairs", unit_size=1e3)
    searched, cells = ways["search among the edges"](theta), ways["the same in cubic cells"](theta)
    print(f"in another bin by cells than by search: {int(np.sum(searched != cells))}")


def print_agreement(first: Path, second: Path) -> None:
    """A line for each dimension that both have. Raises InputError for a folder without a finished simulation."""
    histograms = [read_angles(directory, HISTOGRAMS) for directory in (first, second)]
    for n in sorted(set.intersection(*(set(table["n"].unique().to_pylist()) for table in histograms))):
        counts = [table.filter(pc.field("n") == n)["count"].to_numpy() for table in histograms]
        distance = ks_distance_between(*counts)
        pairs = [int(one.sum()) for one in counts]
        print(
            f"n = {n:<8,} {pairs[0]:,} and {pairs[1]:,} pairs  KS {distance:.2e}  p {ks_pvalue(distance, *pairs):.3f}"
        )
