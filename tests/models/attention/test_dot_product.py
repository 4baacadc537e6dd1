"""Logits of dot products."""

import math

import numpy as np
from keras import ops

from models.attention.dot_product import DotProduct
from tests.models.reference import array, randomize
from tests.models.strategies import small


def test_logits_are_scaled_by_the_root_of_key_size() -> None:
    layer = DotProduct(small(key_size=9), dtype=None)
    layer.build((None, None, 12))
    randomize(layer)
    states = np.random.default_rng(1).normal(size=(2, 5, 12)).astype(np.float32)
    logits = array(layer(ops.convert_to_tensor(states)))
    queries, keys = (
        (states @ array(part.kernel) + array(part.bias)).reshape(2, 5, 3, 9) for part in (layer.query, layer.key)
    )
    assert np.allclose(logits, np.einsum("bqhk,bvhk->bhqv", queries, keys) / math.sqrt(9), atol=1e-4)
