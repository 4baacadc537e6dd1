"""How heads are mixed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from models.attention.talking_heads import HeadMix
from tests.models.reference import array


def built(heads_in: int, heads_out: int) -> HeadMix:
    mix = HeadMix(heads_in, heads_out, name="mix", dtype=None)
    mix.build()
    return mix


@given(st.integers(1, 4))
def test_as_many_heads_begin_unmixed(heads: int) -> None:
    attention = np.random.default_rng(heads).normal(size=(2, heads, 3, 3)).astype(np.float32)
    assert np.allclose(array(built(heads, heads)(ops.convert_to_tensor(attention))), attention)


@given(st.integers(1, 4), st.integers(1, 4))
def test_each_head_out_is_a_sum_over_heads_in(heads_in: int, heads_out: int) -> None:
    mix = built(heads_in, heads_out)
    assert np.abs(array(mix.kernel)).max() > 0
    kernel = np.random.default_rng(1).normal(size=(heads_in, heads_out)).astype(np.float32)
    mix.kernel.assign(kernel)
    attention = np.random.default_rng(2).normal(size=(2, heads_in, 3, 4)).astype(np.float32)
    mixed = array(mix(ops.convert_to_tensor(attention)))
    for head in range(heads_out):
        expected = sum(kernel[before, head] * attention[:, before] for before in range(heads_in))
        assert np.allclose(mixed[:, head], expected, atol=1e-5)
