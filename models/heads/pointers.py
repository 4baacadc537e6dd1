"""Half pointers (kexue.fm 6671): for each token and kind of span whether one begins there, and whether one ends."""

import math
from typing import Any

import keras
from keras import ops

from models.projection import Tensor, initializer


class Pointers(keras.layers.Dense):
    """States (batch, length, hidden) to float32 logits (batch, length, kinds, 2).

    probability: what all logits stand for at first. Nearly all targets are 0, and from ½ on the first steps would go
    into saying so. kexue.fm 7161 squares a sigmoid, and takes another to the fourth power, to begin at ¼ and 1⁄16; a
    bias begins there too, and unlike powers leaves logits of which a loss never takes the logarithm of a rounded 0.
    """

    def __init__(self, kinds: int, *, probability: float, name: str, dtype: Any) -> None:
        bias = keras.initializers.Constant(math.log(probability / (1 - probability)))
        super().__init__(2 * kinds, kernel_initializer=initializer(), bias_initializer=bias, name=name, dtype=dtype)

    def call(self, states: Tensor, training: bool | None = None) -> Tensor:
        logits = ops.cast(super().call(states), "float32")
        batch, length = ops.shape(logits)[:2]
        return ops.reshape(logits, (batch, length, self.units // 2, 2))


class PointerLoss(keras.losses.Loss):
    """Binary cross-entropy of logits and targets (batch, length, ..., 2): the mean over the two, the sum over kinds.

    One number a token: weights (batch, length) leave padding out.
    """

    def __init__(self) -> None:
        super().__init__(name="pointers", reduction="sum")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        each = ops.mean(ops.softplus(y_pred) - y_true * y_pred, axis=-1)
        return ops.sum(each, axis=tuple(range(2, len(each.shape))))
