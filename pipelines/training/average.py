"""Averages of weights along a run, which are often better than the last ones (Polyak and Juditsky, 1992)."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops


class Average:
    """The exponential moving average of a model's trainable weights, one of each step.

    At step t its decay is (1 + t) / (10 + t), at most `decay`: it soon forgets the first weights. Keras' `use_ema` has
    one decay for all steps, and moves with each batch whose gradients are only added up.
    """

    def __init__(self, model: keras.Model, *, decay: float) -> None:
        self._model, self._decay = model, decay
        self._mix = _compiled(_mix)
        self.assign(_arrays(model))

    def assign(self, values: Sequence[npt.NDArray[Any]]) -> None:
        """Goes on from what `arrays` gave."""
        self._values = [ops.convert_to_tensor(value) for value in values]

    def arrays(self) -> list[npt.NDArray[Any]]:
        """A copy."""
        return [np.array(ops.convert_to_numpy(value)) for value in self._values]

    def update(self, step: int) -> None:
        """Takes in the weights after a step, counted from 1."""
        kept = min(self._decay, (1 + step) / (10 + step))
        new = [variable.value for variable in self._model.trainable_variables]
        self._values = self._mix(self._values, new, ops.convert_to_tensor(1 - kept, dtype="float32"))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The model has the averages within the block, and its own weights again behind it."""
        own = _arrays(self._model)
        try:
            _assign(self._model, self.arrays())
            yield
        finally:
            _assign(self._model, own)


def _arrays(model: keras.Model) -> list[npt.NDArray[Any]]:
    return [np.array(variable.numpy()) for variable in model.trainable_variables]


def _assign(model: keras.Model, values: Sequence[npt.NDArray[Any]]) -> None:
    for variable, value in zip(model.trainable_variables, values, strict=True):
        variable.assign(value)


def _mix(old: Sequence[Any], new: Sequence[Any], share: Any) -> list[Any]:
    new = [ops.stop_gradient(ops.convert_to_tensor(value)) for value in new]
    return [before + (now - before) * ops.cast(share, before.dtype) for before, now in zip(old, new, strict=True)]


def _compiled(function: Any) -> Any:
    """Hundreds of small operations at once, where the backend can."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        return tensorflow.function(function)
    return function
