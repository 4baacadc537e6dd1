"""How fast this machine multiplies matrices: what the use that a model makes of it is measured against."""

import functools
import time
from typing import Any

import numpy as np
from keras import ops

_LEAST_SECONDS, _LARGEST, _SECONDS = 0.02, 16384, 0.5


@functools.cache
def matmul_rate(dtype: str) -> float:
    """Floating-point operations a second of the product of two square matrices of `dtype`, the best in half a second.

    They grow until a product takes 20 ms, or has 16,384 rows, on the device that the backend computes on. Processes
    beside this one lower it.
    """
    size = 256
    while True:
        size *= 2
        matrix = np.random.default_rng(0).standard_normal((size, size), np.float32)
        multiplied = ops.cast(ops.convert_to_tensor(matrix), dtype)
        seconds = min(_seconds(multiplied), _seconds(multiplied))  # the first warms up
        if seconds >= _LEAST_SECONDS or size == _LARGEST:
            break
    begun = time.perf_counter()
    while time.perf_counter() - begun < _SECONDS:
        seconds = min(seconds, _seconds(multiplied))
    return 2.0 * size**3 / seconds


def _seconds(matrix: Any) -> float:
    begun = time.perf_counter()
    float(ops.convert_to_numpy(ops.cast(ops.matmul(matrix, matrix)[0, 0], "float32")))
    return time.perf_counter() - begun
