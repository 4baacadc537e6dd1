"""How fast this machine multiplies matrices: what the use that a model makes of it is measured against."""

import functools
import time

import numpy as np
from keras import ops

_LEAST_SECONDS, _LARGEST, _TRIES = 0.02, 16384, 4


@functools.cache
def matmul_rate(dtype: str) -> float:
    """Floating-point operations a second of the product of two square matrices of `dtype`, the best of a few.

    They grow until a product takes 20 ms, or has 16,384 rows: on the device that the backend computes on, less than
    a second in all. Processes beside this one lower it.
    """
    size = 512
    while True:
        seconds = _seconds(size, dtype)
        if seconds >= _LEAST_SECONDS or size == _LARGEST:
            return 2.0 * size**3 / seconds
        size *= 2


def _seconds(size: int, dtype: str) -> float:
    matrix = ops.cast(ops.convert_to_tensor(np.random.default_rng(0).standard_normal((size, size), np.float32)), dtype)
    took = []
    for _ in range(1 + _TRIES):  # the first one warms up
        begun = time.perf_counter()
        float(ops.convert_to_numpy(ops.cast(ops.matmul(matrix, matrix)[0, 0], "float32")))
        took.append(time.perf_counter() - begun)
        if took[-1] > 20 * _LEAST_SECONDS:
            break
    return min(took)
