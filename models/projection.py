"""Dense layers and initial values as BERT has them."""

from typing import Any

import keras

Tensor = Any  # of whichever backend runs


def initializer() -> keras.initializers.Initializer:
    """Truncated normal, standard deviation 0.02; a new one for each weight, since one gives the same values again."""
    return keras.initializers.TruncatedNormal(stddev=0.02)


def projection(units: int, *, name: str, dtype: Any) -> keras.layers.Dense:
    """A dense layer onto `units` features with a bias that starts at 0."""
    return keras.layers.Dense(units, kernel_initializer=initializer(), name=name, dtype=dtype)


def split_heads(features: Tensor, *, heads: int) -> Tensor:
    """(batch, length, heads · size) to (batch, length, heads, size): the head is the slow axis, as in checkpoints."""
    batch, length, width = keras.ops.shape(features)
    return keras.ops.reshape(features, (batch, length, heads, width // heads))


def join_heads(features: Tensor) -> Tensor:
    """(batch, length, heads, size) to (batch, length, heads · size)."""
    batch, length, heads, size = keras.ops.shape(features)
    return keras.ops.reshape(features, (batch, length, heads * size))
