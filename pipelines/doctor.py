"""What is installed, which engines can run here, and how to mend what is missing."""

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version

from pipelines.installation import ROOT, shadowed

EXTRAS = {
    "dask": ("distributed", "engine dask"),
    "slurm": ("dask_jobqueue", "workers that are Slurm jobs"),
    "beam": ("apache_beam", "engine beam"),
    "records": ("tokenizers", "vocabularies and records"),
    "angles": ("scipy", "angles between vectors"),
    "train": ("tensorflow", "training and prediction"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `mend`: what to do, empty where all is well. `needed`: counting does not run without it."""

    name: str
    found: str
    mend: str = ""
    needed: bool = True


def examine() -> Iterator[Finding]:
    """Looks at everything a run depends on, without running one."""
    yield _rooms()
    for name in ("numpy", "pyarrow", "numba", "llvmlite", "jieba", "bokeh", "fsspec"):
        try:
            yield Finding(name, version(name))
        except PackageNotFoundError:
            yield Finding(name, "missing", "pip install hanmill")
    yield Finding("engine local", f"{len(os.sched_getaffinity(0))} cores")
    for extra, (module, purpose) in EXTRAS.items():
        there = importlib.util.find_spec(module) is not None
        yield Finding(
            purpose, "ready" if there else "not installed", "" if there else f"pip install 'hanmill[{extra}]'", False
        )
    yield _kernels()
    yield _dictionary()
    yield _temporary()


def _rooms() -> Finding:
    """The three top-level packages have common names: each must be hanmill's own, of one version."""
    if (room := shadowed()) is not None:
        return Finding(
            "hanmill", f"{room[0]} comes from {room[1]}", f"rename that folder, or leave it: ours is in {ROOT}"
        )
    try:
        return Finding("hanmill", distribution("hanmill").version)
    except PackageNotFoundError:
        return Finding("hanmill", "runs from a checkout", f"pip install -e {ROOT}", False)


def _kernels() -> Finding:
    from transforms import decoding, double_array, word_counts
    from transforms.compiled import kernels_of
    from transforms.segmentation import count_kernels, cut_kernels

    modules = (decoding, double_array, word_counts, cut_kernels, count_kernels)
    all_kernels = [kernel for module in modules for kernel in kernels_of(module)]
    done = sum(kernel.compiled for kernel in all_kernels)
    found = f"{done} of {len(all_kernels)} compiled, in {all_kernels[0].object_file.parent}"
    return Finding("kernels", found, "" if done else "the first run compiles them, in some seconds", False)


def _dictionary() -> Finding:
    from transforms.segmentation import compiled_folder, dictionary_hash

    there = compiled_folder(dictionary_hash()).exists()
    return Finding(
        "dictionary", "compiled" if there else "not compiled", "" if there else "the first run compiles it", False
    )


def _temporary() -> Finding:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    return Finding(
        "free disk", f"{free / 1e9:,.1f} GB in {tempfile.gettempdir()}", "" if free > 1e9 else "make room", False
    )
