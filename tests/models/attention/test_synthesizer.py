"""Sizes of the Synthesizer's logits, and how they are cut and factorized; values are compared in `test_encoder`."""

import math
from typing import Any

import numpy as np
import pytest
from keras import ops

from models.attention import SelfAttention
from models.attention.synthesizer import Dense, FactorizedRandom, Random
from models.encoder_config import EncoderConfig
from tests.models.reference import array, randomize
from tests.models.strategies import small


def logits_layer(kind: str, **fields: Any) -> Any:
    attention = SelfAttention(EncoderConfig(attention=kind, **fields), dtype=None)
    attention.build((None, None, attention.config.hidden))
    return attention.logits


@pytest.mark.parametrize(
    ("kind", "kernels"),
    [
        ("dot-product", 1_179_648),  # 2d²
        ("synthesizer-dense", 768 * 768 + 768 * 128),  # d² + d · length
        ("synthesizer-random", 196_608),  # heads · length²
        ("synthesizer-fixed-random", 196_608),
        ("synthesizer-factorized-dense", 768 * 768 + 768 * (8 + 16)),  # d² + d · (a + b)
        ("synthesizer-factorized-random", 24_576),  # heads · 2 · length · 8
    ],
)
def test_sizes_are_those_of_the_paper(kind: str, kernels: int) -> None:
    """d = 768, 12 heads, length 128, rank 8 (arXiv:2005.00743); biases are not counted there."""
    layer = logits_layer(kind, positions=128)
    assert sum(math.prod(weight.shape) for weight in layer.weights if not weight.path.endswith("bias")) == kernels


def test_only_random_logits_that_are_fixed_are_not_trained() -> None:
    assert Random(small(), fixed=True, dtype=None).fixed
    fixed, trained = logits_layer("synthesizer-fixed-random"), logits_layer("synthesizer-random")
    assert (len(fixed.trainable_weights), len(trained.trainable_weights)) == (0, 1)


def test_random_logits_begin_apart() -> None:
    """Of standard deviation about 1, factorized or not: fixed ones that were all alike would be no attention at all."""
    for kind in ("synthesizer-random", "synthesizer-factorized-random"):
        logits = array(logits_layer(kind, positions=64)(ops.zeros((1, 64, 768))))
        assert logits.shape == (1, 12, 64, 64)
        assert 0.7 < logits.std() < 1.3


def test_shorter_inputs_get_the_first_logits() -> None:
    for layer in (Random(small(), fixed=False, dtype=None), FactorizedRandom(small(), dtype=None)):
        layer.build((None, None, 12))
        full = array(layer(ops.zeros((1, 12, 12))))
        assert np.allclose(array(layer(ops.zeros((1, 5, 12)))), full[:, :, :5, :5], atol=1e-6)


@pytest.mark.parametrize("factorized", [False, True])
def test_a_token_alone_decides_how_it_attends(factorized: bool) -> None:
    layer = Dense(small(), factorized=factorized, dtype=None)
    layer.build((None, None, 12))
    randomize(layer)
    states = np.random.default_rng(1).normal(size=(1, 7, 12)).astype(np.float32)
    changed = states.copy()
    changed[0, 3] += 1
    first, second = (array(layer(ops.convert_to_tensor(value))) for value in (states, changed))
    rows = np.abs(first - second).max((0, 1, 3))
    assert rows[3] > 1e-3
    assert np.delete(rows, 3).max() < 1e-6


def test_factorized_logits_of_a_row_are_an_outer_product() -> None:
    layer = Dense(small(), factorized=True, dtype=None)  # 12 positions: 3 · 4
    layer.build((None, None, 12))
    randomize(layer)
    states = np.random.default_rng(1).normal(size=(1, 12, 12)).astype(np.float32)
    rows = array(layer(ops.convert_to_tensor(states))).reshape(-1, 3, 4)
    assert max(np.linalg.matrix_rank(row, tol=1e-4) for row in rows) == 1
    assert len(np.unique(np.round(rows[0], 5))) == 12


@pytest.mark.parametrize("factorized", [False, True])
def test_one_head_is_computed_for_each_text(factorized: bool) -> None:
    """A product that is broadcast over the batch gave values from elsewhere in memory, on TensorFlow 2.21."""
    layer = Dense(small(heads=1, key_size=4), factorized=factorized, dtype=None)
    layer.build((None, None, 12))
    randomize(layer)
    states = np.random.default_rng(1).normal(size=(3, 12, 12)).astype(np.float32)
    together = array(layer(ops.convert_to_tensor(states)))
    alone = [array(layer(ops.convert_to_tensor(states[text : text + 1]))) for text in range(3)]
    assert np.allclose(together, np.concatenate(alone), atol=1e-5)
