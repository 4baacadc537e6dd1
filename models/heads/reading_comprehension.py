"""The answer in a context: where it begins and where it ends, as a softmax over tokens each."""

from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from models.encoder import Encoder, padding_mask_of
from models.projection import Tensor, projection

_NEVER = np.float32(0.7 * np.finfo(np.float32).min)  # finite, so that 0 times it is 0


class ReadingComprehension(keras.Model):
    """`begins`, `ends`: float32 logits (batch, length), about -2e38 but at tokens of the context and at [CLS].

    Inputs by name: ids and segments, int (batch, length), 0 where there is padding; segment 1 is the context with the
    [SEP] behind it. [CLS], the first token, stands for no answer.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(name="reading_comprehension", dtype=encoder.dtype_policy)
        self.encoder = encoder
        self.edges = projection(2, name="edges", dtype=encoder.dtype_policy)
        self.build()

    def build(self, _: object = None) -> None:
        self.edges.build((None, None, self.encoder.config.hidden))

    def call(self, inputs: Mapping[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        ids, segments = inputs["ids"], inputs["segments"]
        logits = ops.cast(self.edges(self.encoder(ids, segments, training=training)), "float32")
        allowed = _allowed(ids, segments)
        begins, ends = (ops.where(allowed, logits[:, :, edge], _NEVER) for edge in (0, 1))
        return {"begins": begins, "ends": ends}


class EdgeLoss(keras.losses.Loss):
    """Half the cross-entropy of places (batch,) and logits (batch, length): of two edges the sum is their mean."""

    def __init__(self) -> None:
        super().__init__(name="edge", reduction="sum")

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return ops.sparse_categorical_crossentropy(ops.cast(y_true, "int32"), y_pred, from_logits=True) / 2


def _allowed(ids: Tensor, segments: Tensor) -> Tensor:
    """Whether a token is of the context, or [CLS]: (batch, length)."""
    positions = ops.arange(ops.shape(ids)[1], dtype="int32")[None]
    last = ops.sum(ops.cast(padding_mask_of(ids), "int32"), axis=1, keepdims=True) - 1
    return ops.logical_or(ops.logical_and(ops.equal(segments, 1), positions < last), ops.equal(positions, 0))
