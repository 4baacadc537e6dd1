"""A trained model as tasks see it: a callable, arrays in, arrays out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.tasks.record import Record

Arrays = Mapping[str, npt.NDArray[Any]]
# Inputs int32, `ids` [rows, tokens] and what else the task names; outputs float32 logits, a row for each input row.
Model = Callable[[Arrays], Arrays]
CERTAIN = 20.0  # the logit of what a perfect model knows to be so, and minus that of all else


def padded(rows: Sequence[npt.NDArray[np.integer]]) -> npt.NDArray[np.int32]:
    """Rows of numbers as int32 [rows, longest], filled up with 0.

    >>> padded([np.array([1, 2]), np.array([3])]).tolist()
    [[1, 2], [3, 0]]
    """
    table = np.zeros((len(rows), max(map(len, rows), default=0)), np.int32)
    for number, row in enumerate(rows):
        table[number, : len(row)] = row
    return table


class ByIds:
    """Records by their ids, which are all that a model sees of them: what alike ids were made of cannot be told apart.

    >>> known = ByIds([{"ids": np.array([2, 7, 3]), "id": "a"}])
    >>> [record["id"] for record in known[np.array([2, 7, 3, 0, 0], np.int32)]]
    ['a']
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._records: dict[bytes, list[Record]] = {}
        for record in records:
            self._records.setdefault(_key(record["ids"]), []).append(record)

    def __getitem__(self, ids: npt.NDArray[np.integer]) -> list[Record]:
        """The records of a row of a batch; raises KeyError where there is none."""
        return self._records[_key(ids)]


def _key(ids: npt.NDArray[np.integer]) -> bytes:
    return np.trim_zeros(ids, "b").astype(np.int32).tobytes()
