"""Heads are split as in checkpoints; initial values are BERT's, and no two weights have the same."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from models.projection import initializer, join_heads, projection, split_heads
from tests.models.reference import array

sizes = st.integers(1, 4)


@given(sizes, sizes, sizes, sizes)
def test_joining_is_the_inverse_of_splitting(batch: int, length: int, heads: int, size: int) -> None:
    features = np.arange(batch * length * heads * size, dtype=np.float32).reshape(batch, length, heads * size)
    split = array(split_heads(ops.convert_to_tensor(features), heads=heads))
    for head in range(heads):
        assert np.array_equal(split[:, :, head], features[:, :, head * size : (head + 1) * size])
    assert np.array_equal(array(join_heads(ops.convert_to_tensor(split))), features)


def test_initial_values_are_those_of_bert() -> None:
    values = array(initializer()(shape=(300, 300)))
    assert abs(values.mean()) < 1e-3
    assert np.abs(values).max() <= 0.04 + 1e-6  # two standard deviations
    assert 0.015 < values.std() < 0.02


def test_two_projections_start_differently() -> None:
    first, second = projection(8, name="first", dtype=None), projection(8, name="second", dtype=None)
    first.build((None, 8))
    second.build((None, 8))
    assert not np.array_equal(array(first.kernel), array(second.kernel))
    assert not array(first.bias).any()
