"""Any number of rows through a model, in batches of few shapes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.batching import lengths_of

Arrays = Mapping[str, npt.NDArray[Any]]
Predict = Callable[[Mapping[str, Any]], Any]  # inputs by name to a model's outputs in NumPy


@dataclass(frozen=True, slots=True)
class InBatches:
    """A model that takes rows of any number and length, `ids` [rows, tokens] among its inputs, as decoding gives them.

    `predict` gets `batch_size` rows of one of `lengths`, filled up with zeros, whatever comes: it is compiled for few
    shapes, and a row's answer does not depend on how many there are. Rows of like length go together. `shapes`: of
    inputs in a batch of a length, as of a task's targets. What is as long in batches of every length, as a description,
    comes in a few lengths of its own; what `shapes` does not name comes as it is.
    """

    predict: Predict
    batch_size: int
    lengths: Sequence[int]
    shapes: Callable[[int], Mapping[str, tuple[int, ...]]]

    def __call__(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """Outputs by name: [rows], or [rows, tokens, ...], 0 where a row's batch was shorter than the longest row."""
        tokens = inputs["ids"].shape[1]
        allowed = {name: lengths for name, lengths in self._allowed().items() if name in inputs}
        sizes = {name: _sizes(inputs[name]) for name in allowed}
        order = np.argsort(np.sum(list(sizes.values()), axis=0), kind="stable")
        made: dict[str, npt.NDArray[Any]] = {}
        for begin in range(0, len(order), self.batch_size):
            rows = order[begin : begin + self.batch_size]
            chosen = {name: _least(lengths, sizes[name][rows].max()) for name, lengths in allowed.items()}
            shapes = dict(self.shapes(chosen["ids"]))
            shapes |= {name: (length, *shapes[name][1:]) for name, length in chosen.items()}
            batch = {
                name: self._filled(values[rows], shapes.get(name, values.shape[1:])) for name, values in inputs.items()
            }
            for name, values in self.predict(batch).items():
                if name not in made:
                    by_token = (tokens, *values.shape[2:]) if values.ndim > 1 else ()
                    made[name] = np.zeros((len(order), *by_token), values.dtype)
                if values.ndim > 1:
                    made[name][rows, : min(tokens, chosen["ids"])] = values[: len(rows), :tokens]
                else:
                    made[name][rows] = values[: len(rows)]
        return made

    def _allowed(self) -> dict[str, Sequence[int]]:
        """The lengths of `ids`, and of what has lengths of its own."""
        short, long = self.shapes(self.lengths[0]), self.shapes(self.lengths[0] + 1)
        own = {name: shape[0] for name, shape in short.items() if shape and shape == long[name]}
        return {"ids": self.lengths} | {name: lengths_of(length) for name, length in own.items()}

    def _filled(self, values: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """Values of as many rows as there are in a batch, each of a shape."""
        batch = np.zeros((self.batch_size, *shape), values.dtype)
        batch[: len(values), : values.shape[1]] = values[:, : shape[0]]
        return batch


def _sizes(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """How long each row of [rows, length, ...] is without the zeros at its end."""
    used = np.any(values != 0, axis=tuple(range(2, values.ndim)))
    return np.where(used.any(axis=1), values.shape[1] - np.argmax(used[:, ::-1], axis=1), 0)


def _least(lengths: Sequence[int], size: int) -> int:
    return next(length for length in lengths if length >= size)
