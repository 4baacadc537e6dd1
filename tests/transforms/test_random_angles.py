"""Random pairs: numbers that depend on nothing but their place, and have the law of angles."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from transforms import angles
from transforms.random_angles import Method, draw_cosines, numbers_a_pair, pairs_a_block

METHODS: tuple[Method, ...] = ("vectors", "reduced")
SIGNIFICANCE = 1e-4  # of each test below; the seeds are fixed, so they pass for ever or not at all

every_method = pytest.mark.parametrize("method", METHODS)


def drawn(blocks: range, *, n: int, method: Method, seed: int = 0) -> list[bytes]:
    return [block.tobytes() for block in draw_cosines(blocks, n=n, method=method, seed=seed)]


@every_method
@given(n=st.integers(2, 200), begin=st.integers(0, 2**40), data=st.data())
@settings(max_examples=20)
def test_a_block_depends_on_its_number_alone(method: Method, n: int, begin: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 3))
    cut = data.draw(st.integers(0, size))
    whole = drawn(range(begin, begin + size), n=n, method=method)
    parts = (range(begin + cut, begin + size), range(begin, begin + cut))
    later, sooner = (drawn(part, n=n, method=method) for part in parts)
    assert sooner + later == whole
    assert len(set(whole)) == size


def test_seeds_dimensions_methods_and_blocks_are_independent() -> None:
    """The correlation of so many pairs has a standard error of 0.004."""
    chosen: list[tuple[int, int, Method, int]] = [
        (seed, n, method, block)
        for seed in (0, 1, 2**64 - 1)
        for n in (2, 3)
        for method in METHODS
        for block in (0, 1, 2**40)
    ]
    cosines = [next(draw_cosines([block], n=n, method=method, seed=seed)) for seed, n, method, block in chosen]
    correlations = np.corrcoef([cosine[:16384] for cosine in cosines]) - np.eye(len(chosen))
    assert np.abs(correlations).max() < 5 / np.sqrt(16384)


def test_no_two_share_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and counters of all that is drawn differ, and a block takes fewer than the 2^64 counters that it has."""
    made: list[tuple[list[int], list[int]]] = []
    philox = np.random.Philox

    def recorded(*, key: np.ndarray, counter: np.ndarray) -> np.random.Philox:
        made.append((key.tolist(), counter.tolist()))
        return philox(key=key, counter=counter)

    monkeypatch.setattr(np.random, "Philox", recorded)
    chosen = list(itertools.product((0, 1, 2**64 - 1), (2, 3), METHODS, (0, 1, 2**40)))
    for seed, n, method, block in chosen:
        next(draw_cosines([block], n=n, method=method, seed=seed))
    assert len({str(one) for one in made}) == len(made) == len(chosen)
    assert {counter[0] for _, counter in made} == {0}


@pytest.mark.parametrize("n", [2, 3, 10, 100, 768, 10**5])
@every_method
def test_blocks_are_whole_and_stay_in_the_cache(n: int, method: Method) -> None:
    pairs = pairs_a_block(n, method=method)
    (block,) = draw_cosines([3], n=n, method=method, seed=1)
    assert block.shape == (pairs,)
    assert np.abs(block).max() <= 1
    assert pairs == 1 or pairs * numbers_a_pair(n, method=method) <= 1 << 18
    assert pairs == 1 << 14 or 2 * pairs * numbers_a_pair(n, method=method) > 1 << 18 or pairs == 1


@pytest.mark.parametrize("n", [2, 3, 10, 100, 768])
@every_method
def test_cosines_have_the_law(n: int, method: Method) -> None:
    """Kolmogorov's test of up to 60,000 pairs."""
    blocks = -(-(60_000 if n < 100 else 10_000) // pairs_a_block(n, method=method))
    cosines = np.concatenate(list(draw_cosines(range(blocks), n=n, method=method, seed=4)))
    assert stats.kstest(cosines, lambda eta: angles.cosine_cdf(eta, n=n)).pvalue > SIGNIFICANCE


def test_both_methods_have_the_same_law() -> None:
    samples = (np.concatenate(list(draw_cosines(range(4), n=20, method=method, seed=6))) for method in METHODS)
    assert stats.ks_2samp(*samples).pvalue > SIGNIFICANCE


def test_large_dimensions() -> None:
    """√n cos is normal, as far as a few pairs can tell."""
    for method, blocks in (("vectors", 20), ("reduced", 1)):
        cosines = np.concatenate(list(draw_cosines(range(blocks), n=10**6, method=method, seed=7)))  # type: ignore[arg-type]
        assert stats.kstest(1000 * cosines, "norm").pvalue > SIGNIFICANCE


def test_vectors_are_what_the_generator_gives() -> None:
    """The words of a block begin where its counter says, so that another program can draw the same."""
    pairs = pairs_a_block(10, method="vectors")
    bits = np.random.Philox(key=np.array([5, 10], np.uint64), counter=np.array([0, 9, 0, 0], np.uint64))
    x, y = np.random.Generator(bits).standard_normal((2, 10, pairs))
    expected = (x * y).sum(axis=0) / np.linalg.norm(x, axis=0) / np.linalg.norm(y, axis=0)
    (block,) = draw_cosines([9], n=10, method="vectors", seed=5)
    assert block == pytest.approx(expected, abs=1e-15)
