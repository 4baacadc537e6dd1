"""What workers import before their first task: modules and kernels (the fork server's, and `dask worker --preload`)."""

import pyarrow as pa
import pyarrow.acero

import pipelines.word_count  # noqa: F401
from transforms import decoding, word_counts
from transforms.compiled import kernels_of
from transforms.segmentation import kernels

pa.array([0])  # Arrow looks for pandas when it makes its first array: better here than in every worker
for module in (decoding, kernels, word_counts):
    for kernel in kernels_of(module):
        if kernel.compiled:
            kernel.load()
