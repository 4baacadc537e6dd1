"""Dot-product attention (arXiv:1706.03762), with a width of queries and keys of its own (kexue.fm 7325)."""

from typing import Any

import keras
from keras import ops

from models.encoder_config import EncoderConfig
from models.projection import Tensor, projection, split_heads


class DotProduct(keras.layers.Layer):
    """Queries and keys: h heads of width k, from H features."""

    def __init__(self, config: EncoderConfig, *, dtype: Any) -> None:
        super().__init__(name="dot_product", dtype=dtype)
        self.config = config
        self.query = projection(config.key_heads * config.key_size, name="query", dtype=dtype)
        self.key = projection(config.key_heads * config.key_size, name="key", dtype=dtype)

    def build(self, states_shape: tuple[int | None, ...]) -> None:
        self.query.build(states_shape)
        self.key.build(states_shape)

    def queries_and_keys(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Both as (batch, length, heads, key_size)."""
        heads = self.config.key_heads
        return split_heads(self.query(states), heads=heads), split_heads(self.key(states), heads=heads)

    def call(self, states: Tensor) -> Tensor:
        """Logits (batch, heads, length, length): query · key / √key_size."""
        queries, keys = self.queries_and_keys(states)
        queries = ops.transpose(queries * self.config.key_size**-0.5, (0, 2, 1, 3))
        return ops.matmul(queries, ops.transpose(keys, (0, 2, 3, 1)))
