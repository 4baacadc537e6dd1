"""One label a text: a dense layer over a single vector of the encoder's states."""

from collections.abc import Mapping
from typing import Literal

import keras
from keras import ops

from models.encoder import Encoder, padding_mask_of
from models.projection import Tensor, projection

Pooling = Literal["first", "mean"]


class TextClassification(keras.Model):
    """Logits (batch, classes), float32.

    Inputs by name: token_ids, int (batch, length); segment_ids and padding_mask as `Encoder` takes them, where given.
    pooling: the state of the first token, [CLS]; or the mean over all that are no padding.
    """

    def __init__(self, encoder: Encoder, *, classes: int, pooling: Pooling = "first") -> None:
        super().__init__(name="text_classification", dtype=encoder.dtype_policy)
        self.encoder, self.pooling = encoder, pooling
        self.dropout = keras.layers.Dropout(encoder.config.dropout, dtype=encoder.dtype_policy)
        self.classes = projection(classes, name="classes", dtype=encoder.dtype_policy)
        self.build()

    def build(self, _: object = None) -> None:
        self.classes.build((None, self.encoder.config.hidden))

    def call(self, inputs: Mapping[str, Tensor], training: bool = False) -> Tensor:
        token_ids, mask = inputs["token_ids"], inputs.get("padding_mask")
        states = self.encoder(token_ids, inputs.get("segment_ids"), mask, training=training)
        if self.pooling == "first":
            pooled = states[:, 0]
        else:
            weights = ops.cast(padding_mask_of(token_ids) if mask is None else mask, states.dtype)[:, :, None]
            pooled = ops.sum(states * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1)
        return ops.cast(self.classes(self.dropout(pooled, training=training)), "float32")
