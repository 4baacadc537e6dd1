"""Attention logits without dot products: the Synthesizer (arXiv:2005.00743, kexue.fm 7430).

Each layer holds logits for the longest input and cuts them to the length at hand.
"""

from typing import Any

import keras
from keras import ops

from models.encoder_config import EncoderConfig
from models.projection import Tensor, initializer, projection, split_heads


class Dense(keras.layers.Layer):
    """relu(x · W₁ + b₁) · W₂ + b₂, where W₂ is (heads, k, positions): a token alone decides how it attends."""

    def __init__(self, config: EncoderConfig, *, dtype: Any) -> None:
        super().__init__(name="dense", dtype=dtype)
        self.config = config
        self.inner = projection(config.heads * config.key_size, name="inner", dtype=dtype)

    def build(self, states_shape: tuple[int | None, ...]) -> None:
        self.inner.build(states_shape)
        self._add_outer(("outer", self.config.positions))

    def _add_outer(self, *outer: tuple[str, int]) -> None:
        heads, width = self.config.heads, self.config.key_size
        self.kernels, self.biases = [], []
        for name, size in outer:
            kernel = self.add_weight(name=f"{name}_kernel", shape=(heads, width, size), initializer=initializer())
            bias = self.add_weight(name=f"{name}_bias", shape=(heads, 1, size), initializer="zeros")
            self.kernels.append(kernel)
            self.biases.append(bias)

    def _inner(self, states: Tensor) -> Tensor:
        """(batch, heads, length, key_size)."""
        return ops.transpose(ops.relu(split_heads(self.inner(states), heads=self.config.heads)), (0, 2, 1, 3))

    def call(self, states: Tensor) -> Tensor:
        """Logits (batch, heads, length, length)."""
        length = ops.shape(states)[1]
        return ops.matmul(self._inner(states), self.kernels[0][..., :length]) + self.biases[0][..., :length]


class FactorizedDense(Dense):
    """Logits over a · b = positions as outer products: position p · b + q gets the product of logit p and logit q."""

    def build(self, states_shape: tuple[int | None, ...]) -> None:
        self.inner.build(states_shape)
        slow, fast = self.config.factors
        self._add_outer(("slow", slow), ("fast", fast))

    def call(self, states: Tensor) -> Tensor:
        """Logits (batch, heads, length, length)."""
        inner = self._inner(states)
        slow, fast = [ops.matmul(inner, kernel) + bias for kernel, bias in zip(self.kernels, self.biases, strict=True)]
        length = ops.shape(states)[1]
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
