"""The forking process, and a folder in memory, where hundreds of runs need not wait for a disk."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.forks import Forks, forking


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with forking() as started:
        yield started


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A kill leaves the same files on every file system: what only a loss of power tells is for `test_order`."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path_factory.mktemp("memory")
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)
