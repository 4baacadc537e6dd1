"""Everything that a training run needs to go on as if it had not stopped, in one committed file."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np

from pipelines.errors import InputError
from pipelines.storage.commit import attempt
from pipelines.training.average import Average

STATE = "state.npz"
_PROGRESS = "progress"


def save_state(directory: Path, model: keras.Model, progress: dict[str, Any], average: Average | None = None) -> None:
    """Commits weights, random state, optimizer and averages of a model, and what JSON tells of the run's progress."""
    values = [*(value.numpy() for value in _variables(model)), *(average.arrays() if average else ())]
    arrays = {f"{number}": value for number, value in enumerate(values)}
    arrays |= {name: state.numpy() for name, (state, _) in _generators().items()}
    arrays[_PROGRESS] = np.frombuffer(json.dumps(progress).encode(), np.uint8)
    with attempt(directory / STATE) as file:
        np.savez(file, **arrays)


def load_state(directory: Path, model: keras.Model, average: Average | None = None) -> dict[str, Any] | None:
    """Puts a model and its averages where they were saved and returns the progress; None where nothing was.

    Raises InputError for a state of another model, and for a file that is damaged.
    """
    path = directory / STATE
    if not path.exists():
        return None
    try:
        with np.load(path) as file:
            arrays = dict(file)
        progress: dict[str, Any] = json.loads(arrays.pop(_PROGRESS).tobytes())
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise InputError(f"{path}: damaged ({error}): begin anew with --fresh") from error
    generators = [(arrays.pop(name), put) for name, (_, put) in _generators().items() if name in arrays]
    variables, averages = _variables(model), average.arrays() if average else []
    shapes = [tuple(value.shape) for value in (*variables, *averages)]
    if [value.shape for value in arrays.values()] != shapes:
        raise InputError(f"{path}: the state of another model or optimizer: name another --out, or add --fresh")
    values = list(arrays.values())
    for value, variable in zip(values, variables, strict=False):
        variable.assign(value)
    if average:
        average.assign(values[len(variables) :])
    for state, put in generators:
        put(state)
    return progress


def _variables(model: keras.Model) -> Sequence[Any]:
    """All that changes while a model is trained, seeds of its dropout included."""
    return [*model.variables, *model.optimizer.variables]


def _generators() -> dict[str, tuple[Any, Callable[[Any], None]]]:
    """PyTorch's own random states, and what sets them: Keras' layers draw from those where they have no seed."""
    if keras.backend.backend() != "torch":
        return {}
    import torch

    def of(module: Any) -> tuple[Any, Callable[[Any], None]]:
        return module.get_rng_state(), lambda state: module.set_rng_state(torch.from_numpy(state))

    return {"torch": of(torch), **({"cuda": of(torch.cuda)} if torch.cuda.is_available() else {})}
