"""What a checkpoint is, whoever wrote it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt

from models.checkpoints.names import NAMES, Family, Layout
from models.encoder_config import EncoderConfig

Owner = Layout | Literal["hanmill"]
OWNERS: Mapping[Owner, str] = {
    "google": "a Google TensorFlow checkpoint",
    "huggingface": "a Hugging Face directory",
    "hanmill": "a checkpoint of hanmill",
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Variables in a file, and the config of the encoder that they belong to.

    shapes: by name as the file has it, without the name of the model that Hugging Face puts first. read: the values of
    a variable in the file's own dtype. path: the directory, or the file's path without its suffix.
    """

    path: Path
    owner: Owner
    config: EncoderConfig
    shapes: Mapping[str, tuple[int, ...]]
    read: Callable[[str], npt.NDArray[Any]]

    @property
    def family(self) -> Family:
        """ALBERT has one block for all layers."""
        return "albert" if self.config.share_layers else "bert"

    def name_of(self, weight: str) -> str | None:
        """What the file calls one of our weights; None if files of its kind have no such weight."""
        if self.owner == "hanmill":
            return weight
        return NAMES[self.owner, self.family].name_of(weight)

    def is_encoder(self, name: str) -> bool:
        """Whether a variable belongs to the encoder, and not to a head or an optimizer."""
        if self.owner == "hanmill":
            return name.startswith("encoder/")
        return NAMES[self.owner, self.family].is_encoder(name)

    def transposes(self, weight: str) -> bool:
        """Whether the file has one of our weights with its axes the other way round."""
        return self.owner == "huggingface" and weight.endswith("/kernel")

    def __str__(self) -> str:
        config = self.config
        sizes = f"{config.layers} layers of {config.hidden}, {config.heads} heads, vocabulary {config.vocabulary_size}"
        attention = "" if config.attention == "dot-product" else f", {config.attention}"
        return f"{self.path}: {OWNERS[self.owner]}, {self.family.upper()}, {sizes}{attention}"
