"""Fixtures of the tests of storage."""

from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that the examples of a property write in turn."""
    return tmp_path_factory.mktemp("file") / "file"


@pytest.fixture
def memory() -> Callable[[str, bytes], str]:
    """Puts a file into an empty file system of its own, which `memory://` names, and returns its URL."""
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    filesystem.pseudo_dirs[:] = [""]

    def put(path: str, content: bytes) -> str:
        filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
        filesystem.pipe_file(path, content)
        return f"memory:/{path}"

    return put
