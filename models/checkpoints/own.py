"""Our own checkpoints: weights under their own names in safetensors, and the encoder's config as JSON beside them."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from models.checkpoints.checkpoint import Checkpoint
from models.checkpoints.errors import CheckpointError
from models.checkpoints.safetensors_files import open_files, write_file
from models.encoder import encoder_of
from models.encoder_config import EncoderConfig

CONFIG, WEIGHTS = "encoder.json", "weights.safetensors"


def save(model: keras.layers.Layer, directory: Path) -> None:
    """Writes the weights of an `Encoder` or of a model with a head, and the encoder's config, into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    arrays = {weight.path: np.asarray(weight) for weight in model.weights}
    write_file(directory / WEIGHTS, arrays, metadata={"format": "hanmill"})
    (directory / CONFIG).write_text(encoder_of(model).config.to_json(), encoding="utf-8")


def read_own(directory: Path) -> Checkpoint:
    """Raises CheckpointError that names a file that is missing or damaged."""
    config = directory / CONFIG
    try:
        encoder = EncoderConfig.from_json(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{config}: {error}") from error
    files = open_files([directory / WEIGHTS])
    shapes = {name: tuple(file.get_slice(name).get_shape()) for name, file in files.items()}

    def read(name: str) -> npt.NDArray[Any]:
        values: npt.NDArray[Any] = files[name].get_tensor(name)
        return values

    return Checkpoint(directory, "hanmill", encoder, shapes, read)
