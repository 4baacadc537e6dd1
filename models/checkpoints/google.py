"""Google's TensorFlow checkpoints of BERT and ALBERT; TensorFlow is needed to read them, and for nothing else here."""

from pathlib import Path
from typing import Any

import numpy.typing as npt

from models.checkpoints.checkpoint import Checkpoint
from models.checkpoints.errors import CheckpointError
from models.checkpoints.foreign_config import to_encoder_config
from models.checkpoints.names import family_of


def read_google(prefix: Path, *, config: Path | None = None) -> Checkpoint:
    """The checkpoint whose index is `prefix` with `.index` behind it.

    config: its JSON file; the only one with `config` in its name beside the checkpoint, if not given. Raises
    CheckpointError for other variables than BERT's or ALBERT's, and where TensorFlow is not installed.
    """
    try:
        import tensorflow as tf
    except ImportError as error:
        raise CheckpointError(
            f"{prefix}: reading it needs TensorFlow: pip install tensorflow-cpu, or convert it where that is, with "
            f"models.checkpoints.save"
        ) from error
    damaged = (tf.errors.OpError, ValueError, IndexError)  # as its reader translates them
    try:
        reader = tf.train.load_checkpoint(str(prefix))
    except damaged as error:
        raise CheckpointError(f"{prefix}: TensorFlow cannot read it as a checkpoint: {error}") from error
    shapes = {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}
    family = family_of(shapes, layout="google")
    if family is None:
        found = ", ".join(sorted(shapes)[:3])
        raise CheckpointError(f"{prefix}: its variables are not those of Google's BERT or ALBERT, but {found} …")

    def read(name: str) -> npt.NDArray[Any]:
        try:
            values: npt.NDArray[Any] = reader.get_tensor(name)
        except damaged as error:
            raise CheckpointError(f"{prefix}: TensorFlow cannot read {name}: {error}") from error
        return values

    encoder = to_encoder_config(config or _config_beside(prefix), layout="google", family=family)
    return Checkpoint(prefix, "google", encoder, shapes, read)


def _config_beside(prefix: Path) -> Path:
    found = sorted(prefix.parent.glob("*config*.json"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise CheckpointError(f"{prefix.parent}: needs one *config*.json and has {names}: name the right one")
    return found[0]
