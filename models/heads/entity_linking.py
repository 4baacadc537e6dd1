"""The light model of entity linking (kexue.fm 6919): pointers at mentions, and a linker that reads a description."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from models.projection import Tensor, join_heads, projection, split_heads

_IMPOSSIBLE = -16.0  # the logit of what the post's product of probability and match, clipped at 1e-7, stands for


class EntityLinking(keras.Model):
    """`mentions`: float32 logits (batch, length, 2) of begins and ends; `link`: float32 logits (batch,).

    Inputs by name: ids, int (batch, length), 0 where there is padding; matches (batch, length, 2), 1 where maximum
    matches begin and end. Of a mention and a candidate also mention (batch, length), 1 at its tokens; description, int
    (batch, description length), 0 for padding; hits (batch, length, hits). Without `description` there is no `link`.

    Embeddings and the way of reading are trained from scratch, without word vectors. hits: how many a token has.
    size: of all states. gated: a mention begins and ends only where a match does.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        hits: int,
        size: int = 128,
        heads: int = 8,
        dropout: float = 0.2,
        gated: bool = True,
        dtype: Any = "float32",
    ) -> None:
        super().__init__(name="entity_linking", dtype=dtype)
        if size % 2 or size % heads:
            raise ValueError(f"size {size}: an even multiple of heads, {heads}")
        self.vocabulary_size, self.hits, self.size, self.gated = vocabulary_size, hits, size, gated
        self.embeddings = keras.layers.Embedding(vocabulary_size, size, name="embeddings", dtype=dtype)
        self.dropout = keras.layers.Dropout(dropout, name="dropout", dtype=dtype)
        self.text_reader = Reader(size, name="text_reader", dtype=dtype)
        self.convolution = keras.layers.Conv1D(
            size, 3, padding="same", activation="relu", name="convolution", dtype=dtype
        )
        self.pointers = projection(2, name="pointers", dtype=dtype)
        self.pair_reader = Reader(size, name="pair_reader", dtype=dtype)
        self.description_reader = Reader(size, name="description_reader", dtype=dtype)
        self.to_description = CrossAttention(size, heads=heads, name="to_description", dtype=dtype)
        self.to_text = CrossAttention(size, heads=heads, name="to_text", dtype=dtype)
        self.joined = keras.layers.Dense(size, activation="relu", name="joined", dtype=dtype)
        self.linker = projection(1, name="linker", dtype=dtype)
        self.build()

    def build(self, _: object = None) -> None:
        states = (None, None, self.size)
        self.embeddings.build((None, None))
        self.text_reader.build((None, None, self.size + 2))
        self.convolution.build(states)
        self.pointers.build(states)
        self.pair_reader.build((None, None, self.size + 1 + self.hits))
        self.description_reader.build(states)
        self.to_description.build(states)
        self.to_text.build(states)
        self.joined.build((None, 3 * self.size))
        self.linker.build((None, self.size))

    def call(self, inputs: Mapping[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        mask = mask_of(inputs["ids"])
        matches = ops.cast(inputs["matches"], self.compute_dtype)
        embedded = self.dropout(self.embeddings(inputs["ids"]), training=training)
        states = self.text_reader(ops.concatenate([embedded, matches], axis=-1), mask)
        logits = ops.cast(self.pointers(self.convolution(states)), "float32")
        if self.gated:
            logits = at_matches(logits, matches)
        if (description := inputs.get("description")) is None:
            return {"mentions": logits}
        read = mask_of(description)
        described = self.dropout(self.embeddings(description), training=training)
        described = self.description_reader(described, read)
        mention = ops.cast(inputs["mention"], self.compute_dtype)[:, :, None]
        hits = ops.cast(inputs["hits"], self.compute_dtype)
        states = self.pair_reader(ops.concatenate([states, mention, hits], axis=-1), mask)
        pooled = [
            masked_max(self.to_description(states, described, read), mask),
            masked_max(self.to_text(described, states, mask), read),
            ops.sum(states * mention, axis=1) / ops.maximum(ops.sum(mention, axis=1), 1),
        ]
        joined = self.joined(self.dropout(ops.concatenate(pooled, axis=-1), training=training))
        return {"mentions": logits, "link": ops.cast(self.linker(joined)[:, 0], "float32")}


def at_matches(logits: Tensor, matches: Tensor) -> Tensor:
    """Logits of edges where matches have theirs, and elsewhere of what is next to impossible, with no gradient."""
    return ops.where(matches > 0, logits, np.float32(_IMPOSSIBLE))


class BinaryLoss(keras.losses.Loss):
    """Binary cross-entropy of logits and targets: a number for each place of the first `axes` axes, a sum over others.

    By kexue.fm 6919 the loss is its mean over tokens, of begins and of ends, and that over links, added up.
    """

    def __init__(self, *, axes: int) -> None:
        super().__init__(name="binary", reduction="sum")
        self.axes = axes

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        each = ops.softplus(y_pred) - y_true * y_pred
        return ops.sum(each, axis=tuple(range(self.axes, len(each.shape)))) if len(each.shape) > self.axes else each


class Reader(keras.layers.Layer):
    """An LSTM in both directions, half of `size` each: (batch, length, features) to (batch, length, size).

    States of padding are 0.
    """

    def __init__(self, size: int, *, name: str, dtype: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        recurrent = keras.layers.LSTM(size // 2, return_sequences=True, name="lstm", dtype=dtype)
        self.recurrent = keras.layers.Bidirectional(recurrent, name="recurrent", dtype=dtype)

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.recurrent.build(shape)

    def call(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.recurrent(features, mask=mask) * ops.cast(mask, self.compute_dtype)[:, :, None]


class CrossAttention(keras.layers.Layer):
    """Each of (batch, length, size) states asks (batch, other length, size) others: no biases, no projection behind."""

    def __init__(self, size: int, *, heads: int, name: str, dtype: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        self.heads = heads

        def part(part_name: str) -> keras.layers.Dense:
            return keras.layers.Dense(
                size, use_bias=False, kernel_initializer="glorot_normal", name=part_name, dtype=dtype
            )

        self.query, self.key, self.value = part("query"), part("key"), part("value")

    def build(self, shape: tuple[int | None, ...]) -> None:
        for part in (self.query, self.key, self.value):
            part.build(shape)

    def call(self, states: Tensor, others: Tensor, mask: Tensor) -> Tensor:
        """(batch, length, size). mask: (batch, other length), true where there is a token."""
        queries = split_heads(self.query(states), heads=self.heads)
        keys = split_heads(self.key(others), heads=self.heads)
        values = split_heads(self.value(others), heads=self.heads)
        length, other = ops.shape(states)[1], ops.shape(others)[1]
        asked = ops.broadcast_to(mask[:, None, None, :], (ops.shape(states)[0], 1, length, other))
        return join_heads(ops.dot_product_attention(queries, keys, values, mask=asked))


def mask_of(ids: Tensor) -> Tensor:
    """True where there is a token, and at the first place, as nothing can be read of a row without any."""
    there = ops.not_equal(ids, 0)
    return ops.concatenate([ops.ones_like(there[:, :1]), there[:, 1:]], axis=1)


def masked_max(states: Tensor, mask: Tensor) -> Tensor:
    """The largest of each feature where the mask is true."""
    least = np.finfo("float16").min if states.dtype == "float16" else np.finfo("float32").min
    return ops.max(ops.where(mask[:, :, None], states, ops.cast(least, states.dtype)), axis=1)
