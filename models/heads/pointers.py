"""Half pointers (kexue.fm 6671): for each token and kind of span whether one begins there, and whether one ends."""

import math
from typing import Any

import keras
from keras import ops

from models.projection import Tensor, initializer

TOKENS = 64  # of a text, about


class Pointers(keras.layers.Dense):
    """States (batch, length, hidden) to float32 logits (batch, length, kinds, 2).

    Nearly all targets are 0, as there is about one span a text, of whatever kind: a bias has the logits begin there.
    From ½ on, or from ¼ and 1⁄16 as in kexue.fm 7161, all kinds pull all states one way until each says no and nothing
    else. What an encoder knew is lost in the first steps, and a small one hardly learns to tell tokens apart.
    """

    def __init__(self, kinds: int, *, name: str, dtype: Any) -> None:
        bias = keras.initializers.Constant(-math.log(TOKENS * kinds - 1))
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
