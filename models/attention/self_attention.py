"""Self-attention: logits of any kind, then mask, softmax, sum of values and projection, the same for all."""

from typing import Any

import keras
import numpy as np
from keras import ops

from models.attention.dot_product import DotProduct
from models.attention.mixture import Mixture
from models.attention.synthesizer import Dense, FactorizedRandom, Random
from models.attention.talking_heads import HeadMix
from models.encoder_config import EncoderConfig
from models.projection import Tensor, join_heads, projection, split_heads
from models.rematerialization import dropout


class SelfAttention(keras.layers.Layer):
    """Attention of `config.attention` over (batch, length, hidden)."""

    def __init__(self, config: EncoderConfig, *, dtype: Any) -> None:
        super().__init__(name="attention", dtype=dtype)
        self.config = config
        parts = [_logits(kind, config, dtype) for kind in config.mixed]
        self.logits = Mixture(parts, dtype=dtype) if len(parts) > 1 else parts[0]
        self.mix_before = self.mix_after = None
        if config.attention == "talking-heads":
            self.mix_before = HeadMix(config.key_heads, config.heads, name="mix_before", dtype=dtype)
        if config.mix_after_softmax:
            self.mix_after = HeadMix(config.heads, config.value_heads, name="mix_after", dtype=dtype)
        self.value = projection(config.value_heads * config.head_size, name="value", dtype=dtype)
        self.joined = projection(config.hidden, name="output", dtype=dtype)

    def build(self, states_shape: tuple[int | None, ...]) -> None:
        self.logits.build(states_shape)
        for mix in (self.mix_before, self.mix_after):
            if mix is not None:
                mix.build()
        self.value.build(states_shape)
        self.joined.build((*states_shape[:-1], self.config.value_heads * self.config.head_size))

    def call(self, states: Tensor, padding_mask: Tensor, *, seed: Tensor | None = None) -> Tensor:
        """New states (batch, length, hidden).

        padding_mask: (batch, length), true where there is a token. seed: of the dropout of attention weights, which
        there is none of without.
        """
        values = split_heads(self.value(states), heads=self.config.value_heads)
        mask = padding_mask[:, None, None, :]
        if self._fast(seed):
            queries, keys = self.logits.queries_and_keys(states)
            # cuDNN takes no mask that is broadcast over queries: JAX would fall back to its slow attention.
            batch, length = ops.shape(padding_mask)
            attended = ops.dot_product_attention(
                queries, keys, values, mask=ops.broadcast_to(mask, (batch, 1, length, length))
            )
        else:
            logits = self.logits(states)
            weights = softmax(logits if self.mix_before is None else self.mix_before(logits), mask)
            weights = weights if self.mix_after is None else self.mix_after(weights)
            weights = dropout(weights, self.config.attention_dropout, seed=seed)
            attended = ops.transpose(ops.matmul(weights, ops.transpose(values, (0, 2, 1, 3))), (0, 2, 1, 3))
        return self.joined(join_heads(attended))

    def _fast(self, seed: Tensor | None) -> bool:
        """Whether the backend's own attention applies: it has no dropout, and on JAX one width for keys and values."""
        if self.config.attention != "dot-product" or (seed is not None and self.config.attention_dropout):
            return False
        return self.config.key_size == self.config.head_size or keras.backend.backend() != "jax"


def _logits(kind: str, config: EncoderConfig, dtype: Any) -> keras.layers.Layer:
    """The layer that gives logits (batch or 1, heads, length, length) for states (batch, length, hidden)."""
    match kind:
        case "dot-product" | "talking-heads":
            return DotProduct(config, dtype=dtype)
        case "synthesizer-dense" | "synthesizer-factorized-dense":
            return Dense(config, factorized=kind == "synthesizer-factorized-dense", dtype=dtype)
        case "synthesizer-random" | "synthesizer-fixed-random":
            return Random(config, fixed=kind == "synthesizer-fixed-random", dtype=dtype)
        case "synthesizer-factorized-random":
            return FactorizedRandom(config, dtype=dtype)
    raise ValueError(f"attention: {kind!r} is not known")


def softmax(logits: Tensor, mask: Tensor) -> Tensor:
    """Over the last axis, 0 where the mask is false; computed in float32, in which no logit of half precision is large.

    A row of padding alone gets equal weights, not NaN.
    """
    if logits.shape[-1] == 1:  # where Keras warns that it means nothing
        return ops.ones_like(logits)
    masked = ops.where(mask, ops.cast(logits, "float32"), np.float32(0.7 * np.finfo(np.float32).min))
    return ops.cast(ops.softmax(masked), logits.dtype)
