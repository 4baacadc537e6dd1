"""Pointers begin with about one span a text, and their loss is the mean over edges, the sum over kinds."""

import keras
import numpy as np
import pytest

from models.heads.pointers import PointerLoss, Pointers
from tests.models.heads.reference import cross_entropy


def numpy(tensor: object) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_shape_dtype_and_the_first_probability(dtype: str) -> None:
    layer = Pointers(5, name="objects", dtype=keras.dtype_policies.get(dtype))
    logits = layer(np.random.default_rng(0).normal(size=(2, 7, 16)).astype(np.float32))
    assert logits.shape == (2, 7, 5, 2)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert (1 / (1 + np.exp(-numpy(logits)))).mean() == pytest.approx(1 / (5 * 64), rel=0.1)


def test_the_two_logits_of_a_kind_stand_together() -> None:
    layer = Pointers(3, name="objects", dtype=None)
    layer.build((None, None, 4))
    bias = np.arange(6, dtype=np.float32)
    layer.set_weights([np.zeros((4, 6), np.float32), bias])
    assert numpy(layer(np.ones((1, 2, 4), np.float32)))[0, 1].tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("kinds", [(), (3,)])
def test_loss(kinds: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    shape = (2, 4, *kinds, 2)
    logits, weights = random.normal(size=shape).astype(np.float32), random.random((2, 4)).astype(np.float32)
    targets = random.integers(0, 2, shape).astype(np.float32)
    wanted = 0.0
    for place in np.ndindex(*shape):
        wanted += weights[place[:2]] * cross_entropy(float(logits[place]), float(targets[place])) / 2
    loss = PointerLoss()(targets, logits, sample_weight=weights)
    assert float(numpy(loss)) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(("logit", "target", "wanted"), [(200, 1, 0), (-200, 0, 0), (200, 0, 200), (-200, 1, 200)])
def test_loss_of_what_is_certain_is_a_number(logit: float, target: float, wanted: float) -> None:
    """A power of a rounded sigmoid would be 0, and its logarithm none."""
    one = np.ones((1, 1, 2), np.float32)
    assert float(numpy(PointerLoss()(target * one, logit * one))) == pytest.approx(wanted, abs=1e-6)
