"""Layer normalization whose scale and shift depend on something else than its inputs (kexue.fm 7124, 7161)."""

from typing import Any

import keras

from models.projection import Tensor


class ConditionalNormalization(keras.layers.Layer):
    """Normalized states, times gamma + W · condition, plus beta + V · condition.

    W and V start at 0 and have no bias: at first it is a layer normalization like any other.
    """

    def __init__(self, *, epsilon: float, name: str, dtype: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        self.normalization = keras.layers.LayerNormalization(
            epsilon=epsilon, center=False, scale=False, name="normalization", dtype=dtype
        )

    def build(self, states_shape: tuple[int | None, ...], condition_shape: tuple[int | None, ...]) -> None:
        width, features = states_shape[-1], condition_shape[-1]
        self.normalization.build(states_shape)
        self.gamma = self.add_weight(name="gamma", shape=(width,), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(width,), initializer="zeros")
        self.scale = self.add_weight(name="scale_kernel", shape=(features, width), initializer="zeros")
        self.shift = self.add_weight(name="shift_kernel", shape=(features, width), initializer="zeros")

    def call(self, states: Tensor, condition: Tensor) -> Tensor:
        """States (batch, length, hidden) and a condition (batch, features) to states of the same shape."""
        scale = self.gamma + keras.ops.matmul(condition, self.scale)
        shift = self.beta + keras.ops.matmul(condition, self.shift)
        return self.normalization(states) * scale[:, None, :] + shift[:, None, :]
