"""The token behind each mask: BERT's prediction head, whose last matrix is the embedding table."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from models.encoder import Encoder
from models.projection import Tensor, projection


class MaskedLanguageModel(keras.Model):
    """Logits (batch, masks, vocabulary_size), float32, of the masked positions only.

    Inputs by name: token_ids, int (batch, length); masked_positions, int (batch, masks), where unused places hold any
    position and get no weight in the loss; segment_ids and padding_mask as `Encoder` takes them, where given.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(name="masked_language_model", dtype=encoder.dtype_policy)
        self.encoder = encoder
        self.head = PredictionHead(encoder, dtype=encoder.dtype_policy)
        self.built = True

    def call(self, inputs: Mapping[str, Tensor], training: bool = False) -> Tensor:
        states = self.encoder(
            inputs["token_ids"], inputs.get("segment_ids"), inputs.get("padding_mask"), training=training
        )
        masked = ops.take_along_axis(states, inputs["masked_positions"][:, :, None], axis=1)
        return self.head(masked, self.encoder.embeddings.token)


class PredictionHead(keras.layers.Layer):
    """States to logits: dense, gelu, normalization, then the product with the embeddings of all tokens, plus a bias."""

    def __init__(self, encoder: Encoder, *, dtype: Any) -> None:
        super().__init__(name="masked_language_model", dtype=dtype)
        self.config = encoder.config
        self.transform = projection(self.config.embedding_size, name="transform", dtype=dtype)
        self.normalization = keras.layers.LayerNormalization(
            epsilon=self.config.layer_norm_epsilon, name="normalization", dtype=dtype
        )
        self.build()

    def build(self, _: object = None) -> None:
        self.transform.build((None, None, self.config.hidden))
        self.normalization.build((None, None, self.config.embedding_size))
        self.bias = self.add_weight(name="bias", shape=(self.config.vocabulary_size,), initializer="zeros")

    def call(self, states: Tensor, table: Tensor) -> Tensor:
        """(batch, masks, hidden) states and the (vocabulary_size, embedding_size) table to logits."""
        features = ops.gelu(self.transform(states), approximate=self.config.activation == "gelu-tanh")
        logits = ops.matmul(self.normalization(features), ops.transpose(ops.cast(table, self.compute_dtype)))
        return ops.cast(logits + self.bias, "float32")
