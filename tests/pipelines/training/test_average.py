"""Averaged weights: as NumPy has them, and out of the way of training."""

from typing import Any

import numpy as np
import pytest

from tests.pipelines.keras_modules import with_keras


@pytest.fixture(scope="module")
def average() -> Any:
    return with_keras("pipelines.training.average")


@pytest.fixture
def model(average: Any) -> Any:
    keras = average.keras
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, kernel_initializer="zeros")])


def test_it_warms_up_and_follows_the_weights(average: Any, model: Any) -> None:
    averaged, expected = average.Average(model, decay=0.5), np.zeros((2, 3))
    for step in range(1, 12):
        value = np.full((2, 3), float(step**2))
        model.layers[0].kernel.assign(value)
        averaged.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    kernel, bias = averaged.arrays()
    assert kernel == pytest.approx(expected, rel=1e-5)
    assert (bias == 0).all()


def test_it_goes_on_from_its_arrays(average: Any, model: Any) -> None:
    first, second = (average.Average(model, decay=0.9) for _ in range(2))
    model.layers[0].kernel.assign(np.ones((2, 3)))
    first.update(1)
    second.assign(first.arrays())
    for averaged in (first, second):
        averaged.update(2)
    assert all(np.array_equal(a, b) for a, b in zip(first.arrays(), second.arrays(), strict=True))


def test_the_model_has_it_only_within_a_block(average: Any, model: Any) -> None:
    averaged = average.Average(model, decay=0.9)
    own = np.arange(6, dtype=np.float32).reshape(2, 3) / 7
    model.layers[0].kernel.assign(own)
    inside = []

    def stopped() -> None:
        with averaged.in_place():
            inside.append(model.layers[0].kernel.numpy())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert (inside[0] == 0).all()
    assert np.array_equal(model.layers[0].kernel.numpy(), own)
