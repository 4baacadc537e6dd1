"""A block: where it drops, and that its inputs go around it; values are compared in `test_encoder`."""

from typing import Any

import numpy as np
import pytest
from keras import ops

from models.block import Block
from tests.models.reference import array, randomize
from tests.models.strategies import small

STATES = np.random.default_rng(3).normal(size=(2, 5, 12)).astype(np.float32)
MASK = np.ones((2, 5), bool)


def built(**fields: Any) -> Block:
    block = Block(small(**fields), name="block_0", dtype=None)
    block.build((None, None, 12))
    randomize(block)
    return block


def run(block: Block, *seeds: Any) -> Any:
    return array(block(ops.convert_to_tensor(STATES), ops.convert_to_tensor(MASK), *seeds))


def test_states_go_around_what_gives_nothing() -> None:
    """With output layers of zeros, a block only normalizes, twice."""
    block = built()
    for layer in (block.attention.joined, block.joined):
        layer.kernel.assign(np.zeros(layer.kernel.shape))
        layer.bias.assign(np.zeros(layer.bias.shape))
    states = block.output_normalization(block.attention_normalization(ops.convert_to_tensor(STATES)))
    assert np.allclose(run(block), array(states), atol=1e-5)


@pytest.mark.parametrize(("dropout", "attention_dropout"), [(0.5, 0.0), (0.0, 0.5)])
@pytest.mark.parametrize("place", range(3))
def test_each_seed_is_of_one_dropout(place: int, dropout: float, attention_dropout: float) -> None:
    block = built(dropout=dropout, attention_dropout=attention_dropout)
    seeds = [ops.convert_to_tensor(np.array([number, 7], np.uint32)) for number in range(3)]
    other = [*seeds]
    other[place] = ops.convert_to_tensor(np.array([9, 9], np.uint32))
    first = run(block, *seeds)
    assert np.array_equal(first, run(block, *seeds))
    used = (place == 0) == bool(attention_dropout)
    assert np.array_equal(first, run(block, *other)) != used


def test_without_seeds_nothing_is_dropped() -> None:
    assert np.array_equal(run(built(dropout=0.5, attention_dropout=0.5)), run(built(dropout=0.0)))
