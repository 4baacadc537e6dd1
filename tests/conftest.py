"""Settings and fixtures that all tests share."""

import os
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from transforms.compiled import cache_directory
from transforms.segmentation import Dictionary

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # jieba's own escapes, whenever it is compiled to byte code
    import jieba  # noqa: F401

# A suite that a script runs in the background is born deaf to Ctrl-C, and so would be the commands that it interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("hanmill", deadline=None)  # a first example may compile a kernel
settings.load_profile("hanmill")


@contextmanager
def _fresh_cache() -> Iterator[Path]:
    kernels = cache_directory("kernels")
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        (Path(folder) / "kernels").symlink_to(kernels)
        patch.setenv("HANMILL_CACHE", folder)
        yield Path(folder)


@pytest.fixture(scope="session")
def fresh_cache() -> Callable[[], AbstractContextManager[Path]]:
    """Opens a cache without dictionaries; the compiled kernels stay where they are."""
    return _fresh_cache


@pytest.fixture
def private_cache() -> Iterator[Path]:
    """A cache without dictionaries for one test."""
    with _fresh_cache() as cache:
        yield cache


@pytest.fixture(scope="session")
def stock() -> Dictionary:
    """jieba's own dictionary."""
    return Dictionary.load()


@pytest.fixture(scope="module")
def unsynced() -> Iterator[None]:
    """Leaves out what only counts when the power fails: a disk that others use makes it slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield
