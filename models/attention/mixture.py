"""Mixtures of kinds of attention with learned weights (arXiv:2005.00743, section 3)."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from models.projection import Tensor


class Mixture(keras.layers.Layer):
    """Σ αᵢ · Bᵢ over the logits Bᵢ of its parts; α is the softmax of one learned number a part, at first all equal."""

    def __init__(self, parts: Sequence[keras.layers.Layer], *, dtype: Any) -> None:
        super().__init__(name="mixture", dtype=dtype)
        self.parts = list(parts)

    def build(self, states_shape: tuple[int | None, ...]) -> None:
        for part in self.parts:
            part.build(states_shape)
        self.shares = self.add_weight(name="shares", shape=(len(self.parts),), initializer="zeros")

    def call(self, states: Tensor) -> Tensor:
        """Logits (batch, heads, length, length)."""
        shares = ops.softmax(self.shares)
        return sum(shares[number] * part(states) for number, part in enumerate(self.parts))
