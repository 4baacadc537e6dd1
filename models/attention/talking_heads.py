"""The mixing of heads in talking-heads attention (arXiv:2003.02436, kexue.fm 7325)."""

from typing import Any

import keras
from keras import ops

from models.projection import Tensor


class HeadMix(keras.layers.Layer):
    """Linear combinations over the head axis, without bias; as many as came in, it starts by changing nothing.

    It stands before mask and softmax, never between: a mixed mask would be a large number of either sign.
    """

    def __init__(self, heads_in: int, heads_out: int, *, name: str, dtype: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        self.heads_in, self.heads_out = heads_in, heads_out

    def build(self, _: object = None) -> None:
        square = self.heads_in == self.heads_out
        initial = keras.initializers.Identity() if square else keras.initializers.GlorotUniform()
        self.kernel = self.add_weight(name="kernel", shape=(self.heads_in, self.heads_out), initializer=initial)

    def call(self, attention: Tensor) -> Tensor:
        """(batch, heads_in, length, length) to (batch, heads_out, length, length)."""
        return ops.einsum("bhqk,hg->bgqk", attention, self.kernel)
