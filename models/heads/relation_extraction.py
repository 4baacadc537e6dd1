"""Subjects, then the objects of one of them for each predicate and slot (kexue.fm 7161, 7321)."""

from collections.abc import Mapping

import keras
from keras import ops

from models.conditional_normalization import ConditionalNormalization
from models.encoder import Encoder
from models.heads.pointers import Pointers
from models.projection import Tensor


class RelationExtraction(keras.Model):
    """`subjects`: float32 logits (batch, length, 2); `objects`: float32 logits (batch, length, labels, 2).

    Inputs by name: ids, int (batch, length), 0 where there is padding; subjects, int (batch, 2), the first and the last
    token of the subject whose objects are asked for. Without `subjects` there are no `objects`.
    """

    def __init__(self, encoder: Encoder, *, labels: int) -> None:
        super().__init__(name="relation_extraction", dtype=encoder.dtype_policy)
        config, dtype = encoder.config, encoder.dtype_policy
        self.encoder = encoder
        self.subjects = Pointers(1, name="subjects", dtype=dtype)
        self.normalization = ConditionalNormalization(
            epsilon=config.layer_norm_epsilon, name="normalization", dtype=dtype
        )
        self.objects = Pointers(labels, name="objects", dtype=dtype)
        self.build()

    def build(self, _: object = None) -> None:
        states = (None, None, self.encoder.config.hidden)
        self.subjects.build(states)
        self.normalization.build(states, (None, 2 * self.encoder.config.hidden))
        self.objects.build(states)

    def call(self, inputs: Mapping[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        states = self.encoder(inputs["ids"], training=training)
        logits = {"subjects": self.subjects(states)[:, :, 0]}
        if (subjects := inputs.get("subjects")) is None:
            return logits
        ends = ops.take_along_axis(states, subjects[:, :, None], axis=1)
        condition = ops.reshape(ends, (-1, 2 * self.encoder.config.hidden))
        return {**logits, "objects": self.objects(self.normalization(states, condition))}
