"""The embeddings of tokens, positions and segments."""

from typing import Any

import keras
from keras import ops

from models.encoder_config import EncoderConfig
from models.projection import Tensor, initializer, projection
from models.rematerialization import dropout


class Embeddings(keras.layers.Layer):
    """Token, position and segment added, normalized, and projected to the hidden width where theirs is another."""

    def __init__(self, config: EncoderConfig, *, dtype: Any) -> None:
        super().__init__(name="embeddings", dtype=dtype)
        self.config = config
        self.normalization = keras.layers.LayerNormalization(
            epsilon=config.layer_norm_epsilon, name="normalization", dtype=dtype
        )
        projected = config.embedding_size != config.hidden
        self.projection = projection(config.hidden, name="projection", dtype=dtype) if projected else None

    def build(self, _: object = None) -> None:
        size = self.config.embedding_size
        self.token = self._table("token", self.config.vocabulary_size)
        self.position = self._table("position", self.config.positions)
        self.segment = self._table("segment", self.config.segment_types)
        self.normalization.build((None, None, size))
        if self.projection is not None:
            self.projection.build((None, None, size))

    def _table(self, name: str, rows: int) -> keras.Variable:
        return self.add_weight(name=name, shape=(rows, self.config.embedding_size), initializer=initializer())

    def call(self, token_ids: Tensor, segment_ids: Tensor | None, *, seed: Tensor | None = None) -> Tensor:
        """(batch, length) ids to (batch, length, hidden) states; without `seed` there is no dropout."""
        states = ops.take(self.token, token_ids, axis=0) + self.position[: ops.shape(token_ids)[1]]
        if segment_ids is None:
            states = states + self.segment[0]
        else:  # a product: the backward pass of looking up a few rows adds in turn what falls on the same row
            rows = ops.one_hot(segment_ids, self.config.segment_types, dtype=self.compute_dtype)
            states = states + ops.matmul(rows, self.segment)
        states = dropout(self.normalization(states), self.config.dropout, seed=seed)
        return states if self.projection is None else self.projection(states)
