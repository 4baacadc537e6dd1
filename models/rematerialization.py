"""Dropout whose mask is the same when a block is computed a second time, in the backward pass.

A generator of seeds inside a rematerialized function advances again when the function is run again: on TensorFlow the
gradients are then those of another mask, silently. So seeds are drawn outside and go in as tensors.
"""

from collections.abc import Callable

import keras
from keras import ops

from models.projection import Tensor


class DrawnSeed(keras.random.SeedGenerator):
    """A seed that is drawn already, in the form that `keras.random` asks for."""

    _initial_seed = 0  # not None, with which PyTorch would draw from its global state

    def __init__(self, seed: Tensor) -> None:
        self._seed = seed

    def next(self, ordered: bool = True) -> Tensor:
        return self._seed


def draw_seeds(generator: keras.random.SeedGenerator, *, count: int) -> list[Tensor]:
    """Draws so many seeds, each different from all others of the generator."""
    return [generator.next() for _ in range(count)]


def dropout(features: Tensor, rate: float, *, seed: Tensor | None) -> Tensor:
    """Sets a share `rate` of the features to 0 and scales up the others; without a seed, nothing."""
    if seed is None or rate == 0:
        return features
    return keras.random.dropout(features, rate, seed=DrawnSeed(seed))


def rematerialized(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function of states and seeds, all positional, but its inner states are computed again in the backward pass.

    What else it needs it holds itself, and none of it is differentiated but the weights of layers.
    """
    if keras.backend.backend() != "tensorflow":
        return keras.remat(function)  # type: ignore[no-any-return]

    # TensorFlow watches all arguments and warns of each integer; float64 holds a seed exactly.
    def of_floats(states: Tensor, *seeds: Tensor) -> Tensor:
        return function(states, *(ops.cast(seed, "int64") for seed in seeds))

    again = keras.remat(of_floats)
    return lambda states, *seeds: again(states, *(ops.cast(seed, "float64") for seed in seeds))
