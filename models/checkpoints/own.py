"""Our own checkpoints: weights under their own names in safetensors, and an encoder's config as JSON beside them."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from models.checkpoints.checkpoint import Checkpoint
from models.checkpoints.errors import CheckpointError
from models.checkpoints.safetensors_files import open_files, write_file
from models.encoder import config_of
from models.encoder_config import EncoderConfig

CONFIG, WEIGHTS = "encoder.json", "weights.safetensors"


def save(model: keras.layers.Layer, directory: Path) -> None:
    """Writes the weights of a model into a directory, and the config of its encoder, if it is one or has one."""
    directory.mkdir(parents=True, exist_ok=True)
    arrays = {weight.path: np.asarray(weight) for weight in model.weights}
    write_file(directory / WEIGHTS, arrays, metadata={"format": "hanmill"})
    if (config := config_of(model)) is not None:
        (directory / CONFIG).write_text(config.to_json(), encoding="utf-8")


def load_own(model: keras.layers.Layer, directory: Path) -> None:
    """Assigns all weights that `save` wrote, of a model without an encoder.

    Raises CheckpointError for a file that is missing or damaged, and for one of another model.
    """
    files = open_files([directory / WEIGHTS])
    shapes = {name: tuple(file.get_slice(name).get_shape()) for name, file in files.items()}
    if shapes != (wanted := {weight.path: tuple(weight.shape) for weight in model.weights}):
        different = sorted(name for name in {*shapes, *wanted} if shapes.get(name) != wanted.get(name))
        raise CheckpointError(f"{directory / WEIGHTS}: not of this model: it differs in {', '.join(different[:8])}")
    for weight in model.weights:
        weight.assign(files[weight.path].get_tensor(weight.path))


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
