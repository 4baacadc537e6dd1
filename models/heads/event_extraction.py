"""Arguments of events: for each role of each event type, where a span begins and where it ends."""

from collections.abc import Mapping

import keras

from models.encoder import Encoder
from models.heads.pointers import Pointers
from models.projection import Tensor


class EventExtraction(keras.Model):
    """`roles`: float32 logits (batch, length, labels, 2).

    Inputs by name: ids, int (batch, length), 0 where there is padding.
    """

    def __init__(self, encoder: Encoder, *, labels: int) -> None:
        super().__init__(name="event_extraction", dtype=encoder.dtype_policy)
        self.encoder = encoder
        self.roles = Pointers(labels, name="roles", dtype=encoder.dtype_policy)
        self.build()

    def build(self, _: object = None) -> None:
        self.roles.build((None, None, self.encoder.config.hidden))

    def call(self, inputs: Mapping[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        return {"roles": self.roles(self.encoder(inputs["ids"], training=training))}
