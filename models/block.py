"""One transformer block: self-attention and feed-forward, each added to its input and normalized."""

from typing import Any

import keras
from keras import ops

from models.attention import SelfAttention
from models.encoder_config import EncoderConfig
from models.projection import Tensor, projection
from models.rematerialization import dropout


class Block(keras.layers.Layer):
    """States to states, normalized after each sum, as in BERT (arXiv:1810.04805)."""

    def __init__(self, config: EncoderConfig, *, name: str, dtype: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        self.config = config
        self.attention = SelfAttention(config, dtype=dtype)
        self.attention_normalization = self._normalization("attention_normalization")
        self.intermediate = projection(config.intermediate, name="intermediate", dtype=dtype)
        self.joined = projection(config.hidden, name="output", dtype=dtype)
        self.output_normalization = self._normalization("output_normalization")

    def _normalization(self, name: str) -> keras.layers.Layer:
        epsilon = self.config.layer_norm_epsilon
        return keras.layers.LayerNormalization(epsilon=epsilon, name=name, dtype=self.dtype_policy)

    def build(self, states_shape: tuple[int | None, ...]) -> None:
        self.attention.build(states_shape)
        self.attention_normalization.build(states_shape)
        self.intermediate.build(states_shape)
        self.joined.build((*states_shape[:-1], self.config.intermediate))
        self.output_normalization.build(states_shape)

    def call(
        self,
        states: Tensor,
        padding_mask: Tensor,
        weights_seed: Tensor | None = None,
        attention_seed: Tensor | None = None,
        output_seed: Tensor | None = None,
    ) -> Tensor:
        """(batch, length, hidden) to the same; the seeds are of the three dropouts, which there are none of without."""
        rate = self.config.dropout
        attended = self.attention(states, padding_mask, seed=weights_seed)
        states = self.attention_normalization(states + dropout(attended, rate, seed=attention_seed))
        inner = ops.gelu(self.intermediate(states), approximate=self.config.activation == "gelu-tanh")
        return self.output_normalization(states + dropout(self.joined(inner), rate, seed=output_seed))
