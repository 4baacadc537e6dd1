"""Any number of rows through a model, in batches of few shapes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]
Predict = Callable[[Mapping[str, Any]], Any]  # inputs by name to a model's outputs in NumPy


@dataclass(frozen=True, slots=True)
class InBatches:
    """A model that takes rows of any number and length, `ids` [rows, tokens] among its inputs, as decoding gives them.

    `predict` gets `batch_size` rows of one of `lengths`, filled up with zeros, whatever comes: it is compiled for few
    shapes, and a row's answer does not depend on how many there are. Rows of like length go together. `shapes`: of
    inputs in a batch of a length, as of a task's targets; those that it does not name have the shape that they come in.
    """

    predict: Predict
    batch_size: int
    lengths: Sequence[int]
    shapes: Callable[[int], Mapping[str, tuple[int, ...]]]

    def __call__(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """Outputs by name: [rows], or [rows, tokens, ...], 0 where a row's batch was shorter than the longest row."""
        ids = inputs["ids"]
        tokens = ids.shape[1]
        sizes = tokens - np.argmax(ids[:, ::-1] != 0, axis=1)
        order = np.argsort(sizes, kind="stable")
        made: dict[str, npt.NDArray[Any]] = {}
        for begin in range(0, len(order), self.batch_size):
            rows = order[begin : begin + self.batch_size]
            longest = int(sizes[rows[-1]])
            length = next(length for length in self.lengths if length >= longest)
            shapes = self.shapes(length)
            batch = {
                name: self._filled(values[rows], shapes.get(name, values.shape[1:])) for name, values in inputs.items()
            }
            for name, values in self.predict(batch).items():
                if name not in made:
                    by_token = (tokens, *values.shape[2:]) if values.ndim > 1 else ()
                    made[name] = np.zeros((len(order), *by_token), values.dtype)
                if values.ndim > 1:
                    made[name][rows, : min(tokens, length)] = values[: len(rows), :tokens]
                else:
                    made[name][rows] = values[: len(rows)]
        return made

    def _filled(self, values: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """Values of as many rows as there are in a batch, each of a shape."""
        batch = np.zeros((self.batch_size, *shape), values.dtype)
        batch[: len(values), : values.shape[1]] = values[:, : shape[0]]
        return batch
