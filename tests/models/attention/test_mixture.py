"""Shares of a mixture."""

import keras
import numpy as np
from keras import ops

from models.attention.mixture import Mixture
from tests.models.reference import array


class Constant(keras.layers.Layer):
    """Logits that are all one number."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def call(self, states: object) -> object:
        return self.number * ops.ones((1, 2, 3, 3))


def test_logits_are_added_by_the_softmax_of_the_shares() -> None:
    mixture = Mixture([Constant(2.0), Constant(5.0)], dtype=None)
    mixture.build((None, None, 4))
    states = ops.zeros((1, 3, 4))
    assert np.allclose(array(mixture(states)), 3.5)
    mixture.shares.assign(np.log([1.0, 3.0]))
    assert np.allclose(array(mixture(states)), (2 + 3 * 5) / 4)
