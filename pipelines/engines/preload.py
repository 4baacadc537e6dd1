"""What workers import before their first task: modules and kernels (the fork server's, and `dask worker --preload`)."""

import pyarrow as pa
import pyarrow.acero

import pipelines.word_count  # noqa: F401
from pipelines.installation import identity
from transforms import decoding, word_counts
from transforms.compiled import kernels_of
from transforms.segmentation import count_kernels, cut_kernels

identity()  # of the code as it is imported now: what is installed may change while a worker lives
pa.array([0])  # Arrow looks for pandas when it makes its first array: better here than in every worker
for module in (decoding, cut_kernels, count_kernels, word_counts):
    for kernel in kernels_of(module):
        if kernel.compiled:
            kernel.load()
