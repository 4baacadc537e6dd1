"""Everything that a training run needs to go on as if it had not stopped, in one committed file."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipelines.errors import InputError
from pipelines.storage.commit import attempt

STATE = "state.npz"
_PROGRESS = "progress"


def save_state(directory: Path, model: keras.Model, progress: dict[str, Any]) -> None:
    """Commits weights, random state and optimizer of a model, and what JSON tells of the run's progress."""
    arrays = {f"{number}": value.numpy() for number, value in enumerate(_variables(model))}
    arrays[_PROGRESS] = np.frombuffer(json.dumps(progress).encode(), np.uint8)
    content = io.BytesIO()
    np.savez(content, **arrays)
    with attempt(directory / STATE) as file:
        file.write(content.getbuffer())


def load_state(directory: Path, model: keras.Model) -> dict[str, Any] | None:
    """Puts a model where it was saved and returns the progress; None where nothing was.

    Raises InputError for a state of another model.
    """
    path = directory / STATE
    if not path.exists():
        return None
    variables = _variables(model)
    with np.load(path) as arrays:
        shapes = [tuple(arrays[f"{number}"].shape) for number in range(len(arrays.files) - 1)]
        if shapes != [tuple(variable.shape) for variable in variables]:
            raise InputError(f"{path}: the state of another model or optimizer: name another --out, or add --fresh")
        for number, variable in enumerate(variables):
            variable.assign(arrays[f"{number}"])
        progress: dict[str, Any] = json.loads(arrays[_PROGRESS].tobytes())
    return progress


def _variables(model: keras.Model) -> Sequence[Any]:
    """All that changes while a model is trained, seeds of its dropout included."""
    return [*model.variables, *model.optimizer.variables]
