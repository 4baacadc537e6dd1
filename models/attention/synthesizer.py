"""Attention logits without dot products: the Synthesizer (arXiv:2005.00743, kexue.fm 7430).

Each layer holds logits for the longest input and cuts them to the length at hand.
"""

from typing import Any

import keras
from keras import ops

from models.encoder_config import EncoderConfig
from models.projection import Tensor, initializer, projection, split_heads


class Dense(keras.layers.Layer):
    """relu(x · W₁ + b₁) · W₂ + b₂, where W₂ is (heads, k, positions): a token alone decides how it attends.

    factorized: two narrower W₂ for a · b = positions; position p · b + q gets the product of their outputs p and q.
    """

    def __init__(self, config: EncoderConfig, *, factorized: bool, dtype: Any) -> None:
        super().__init__(name="factorized_dense" if factorized else "dense", dtype=dtype)
        self.config = config
        self.widths = (
            dict(zip(("slow", "fast"), config.factors, strict=True)) if factorized else {"outer": config.positions}
        )
        self.inner = projection(config.heads * config.key_size, name="inner", dtype=dtype)

    def build(self, states_shape: tuple[int | None, ...]) -> None:
        self.inner.build(states_shape)
        heads, width = self.config.heads, self.config.key_size
        self.kernels, self.biases = [], []
        for name, size in self.widths.items():
            kernel = self.add_weight(name=f"{name}_kernel", shape=(heads, width, size), initializer=initializer())
            self.kernels.append(kernel)
            self.biases.append(self.add_weight(name=f"{name}_bias", shape=(heads, 1, size), initializer="zeros"))

    def call(self, states: Tensor) -> Tensor:
        """Logits (batch, heads, length, length)."""
        length = ops.shape(states)[1]
        cut = slice(None if len(self.kernels) > 1 else length)
        inner = ops.relu(split_heads(self.inner(states), heads=self.config.heads))
        # Not `matmul`, which TensorFlow 2.21 broadcasts over the batch into foreign memory where there is one head.
        outer = [
            ops.einsum("bqhk,hkp->bhqp", inner, kernel[..., cut]) + bias[..., cut]
            for kernel, bias in zip(self.kernels, self.biases, strict=True)
        ]
        if len(outer) == 1:
            return outer[0]
        slow, fast = outer
        logits = slow[..., :, None] * fast[..., None, :]
        return ops.reshape(logits, (-1, self.config.heads, length, self.config.positions))[..., :length]


class Random(keras.layers.Layer):
    """Logits (heads, positions, positions) that no input changes, trained or left as they are drawn."""

    def __init__(self, config: EncoderConfig, *, fixed: bool, dtype: Any) -> None:
        super().__init__(name="fixed_random" if fixed else "random", dtype=dtype)
        self.config, self.fixed = config, fixed

    def build(self, _: object = None) -> None:
        shape = (self.config.heads, self.config.positions, self.config.positions)
        drawn = keras.initializers.RandomNormal(stddev=1.0)
        self.logits = self.add_weight(name="logits", shape=shape, initializer=drawn, trainable=not self.fixed)

    def call(self, states: Tensor) -> Tensor:
        """Logits (1, heads, length, length)."""
        length = ops.shape(states)[1]
        return self.logits[None, :, :length, :length]


class FactorizedRandom(keras.layers.Layer):
    """Random logits of low rank: R₁ · R₂ᵀ, both (heads, positions, rank)."""

    def __init__(self, config: EncoderConfig, *, dtype: Any) -> None:
        super().__init__(name="factorized_random", dtype=dtype)
        self.config = config

    def build(self, _: object = None) -> None:
        rank = self.config.synthesizer_rank
        shape = (self.config.heads, self.config.positions, rank)
        # The product then has standard deviation 1, as the logits of `Random` have.
        self.left = self.add_weight(
            name="left", shape=shape, initializer=keras.initializers.RandomNormal(stddev=rank**-0.25)
        )
        self.right = self.add_weight(
            name="right", shape=shape, initializer=keras.initializers.RandomNormal(stddev=rank**-0.25)
        )

    def call(self, states: Tensor) -> Tensor:
        """Logits (1, heads, length, length)."""
        length = ops.shape(states)[1]
        left, right = self.left[:, :length], self.right[:, :length]
        return ops.matmul(left, ops.transpose(right, (0, 2, 1)))[None]
