"""Everything that a training run needs to go on as if it had not stopped, in one committed file."""

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
    with attempt(directory / STATE) as file:
        np.savez(file, **arrays)


def load_state(directory: Path, model: keras.Model) -> dict[str, Any] | None:
    """Puts a model where it was saved and returns the progress; None where nothing was.

    Raises InputError for a state of another model.
    """
    path = directory / STATE
    if not path.exists():
        return None
    with np.load(path) as file:
        arrays = dict(file)
    progress: dict[str, Any] = json.loads(arrays.pop(_PROGRESS).tobytes())
    variables = _variables(model)
    if [value.shape for value in arrays.values()] != [tuple(variable.shape) for variable in variables]:
        raise InputError(f"{path}: the state of another model or optimizer: name another --out, or add --fresh")
    for value, variable in zip(arrays.values(), variables, strict=True):
        variable.assign(value)
    return progress


def _variables(model: keras.Model) -> Sequence[Any]:
    """All that changes while a model is trained, seeds of its dropout included."""
    return [*model.variables, *model.optimizer.variables]
