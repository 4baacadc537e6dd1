"""Where a run runs: versions and machine."""

import contextlib
import functools
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "hanmill", "numpy", "scipy", "pyarrow", "numba", "llvmlite", "jieba", "tokenizers", "google-crc32c",
    "keras", "tensorflow", "tensorflow-cpu", "jax", "torch",
)  # fmt: skip


@functools.cache
def environment() -> dict[str, Any]:
    """Versions and machine, for `run.json` and `hanmill doctor`."""
    packages = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            packages[name] = version(name)
    return {
        "hanmill": packages.pop("hanmill", "not installed"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor_name(),
        "cores": len(os.sched_getaffinity(0)),
        "packages": packages,
    }


def _processor_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
