"""Entity linking with an encoder: pointers at mentions, and a linker that reads text and description as a pair."""

from collections.abc import Mapping

import keras
from keras import ops

from models.encoder import Encoder
from models.heads.entity_linking import at_matches, mask_of, masked_max
from models.projection import Tensor, projection


class EntityLinkingWithEncoder(keras.Model):
    """`mentions`, `link`: as those of `EntityLinking`, whose inputs it takes.

    Matches stand beside the states that pointers are made of. For the link text and description are read as one input:
    first one segment, then the other, with no padding between. It follows from the state at [CLS], the mean over the
    mention, and the largest of what a layer makes of the text's states and hits. hits: how many a token has.
    """

    def __init__(self, encoder: Encoder, *, hits: int) -> None:
        super().__init__(name="entity_linking", dtype=encoder.dtype_policy)
        self.encoder, self.hits = encoder, hits
        dtype, hidden = encoder.dtype_policy, encoder.config.hidden
        self.pointers = projection(2, name="pointers", dtype=dtype)
        self.tokens = keras.layers.Dense(hidden, activation="relu", name="tokens", dtype=dtype)
        self.joined = keras.layers.Dense(hidden, activation="tanh", name="joined", dtype=dtype)
        self.linker = projection(1, name="linker", dtype=dtype)
        self.build()

    def build(self, _: object = None) -> None:
        hidden = self.encoder.config.hidden
        self.pointers.build((None, None, hidden + 2))
        self.tokens.build((None, None, hidden + self.hits))
        self.joined.build((None, 3 * hidden))
        self.linker.build((None, hidden))

    def call(self, inputs: Mapping[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        matches = ops.cast(inputs["matches"], self.compute_dtype)
        states = self.encoder(inputs["ids"], training=training)
        logits = ops.cast(self.pointers(ops.concatenate([states, matches], axis=-1)), "float32")
        logits = at_matches(logits, matches)
        if (description := inputs.get("description")) is None:
            return {"mentions": logits}
        ids, segments = _paired(inputs["ids"], description)
        states = self.encoder(ids, segments, training=training)[:, : ops.shape(matches)[1]]
        mention = ops.cast(inputs["mention"], self.compute_dtype)[:, :, None]
        mean = ops.sum(states * mention, axis=1) / ops.maximum(ops.sum(mention, axis=1), 1)
        hits = ops.cast(inputs["hits"], self.compute_dtype)
        heard = masked_max(self.tokens(ops.concatenate([states, hits], axis=-1)), mask_of(inputs["ids"]))
        joined = self.joined(ops.concatenate([states[:, 0], mean, heard], axis=-1))
        return {"mentions": logits, "link": ops.cast(self.linker(joined)[:, 0], "float32")}


def _paired(ids: Tensor, description: Tensor) -> tuple[Tensor, Tensor]:
    """Ids and segments (batch, length + description length): a description begins behind the last token of its text."""
    ids, description = ops.cast(ids, "int32"), ops.cast(description, "int32")
    length, more = ops.shape(ids)[1], ops.shape(description)[1]
    tokens = ops.sum(ops.cast(ops.not_equal(ids, 0), "int32"), axis=1, keepdims=True)
    places = ops.arange(length + more, dtype="int32")[None]
    sources = ops.where(places < tokens, places, ops.minimum(places - tokens + length, length + more - 1))
    paired = ops.take_along_axis(ops.concatenate([ids, description], axis=1), sources, axis=1)
    paired = ops.where(places < tokens + more, paired, 0)
    return paired, ops.cast(ops.logical_and(places >= tokens, paired != 0), "int32")
