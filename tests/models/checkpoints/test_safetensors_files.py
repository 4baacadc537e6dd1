"""Files of weights are whole, or not there."""

from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from models.checkpoints import CheckpointError, safetensors_files
from models.checkpoints.safetensors_files import open_files, write_file


def test_what_is_written_is_read(tmp_path: Path) -> None:
    values = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float32(2) * np.ones(4, np.float32)}
    for name, array in values.items():
        write_file(tmp_path / name, {name: array}, metadata={"format": "pt"})
    files = open_files([tmp_path / "a", tmp_path / "b"])
    assert files.keys() == values.keys()
    assert all(np.array_equal(file.get_tensor(name), values[name]) for name, file in files.items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    write_file(tmp_path / "a", {"a": np.ones(3, np.float32)}, metadata={})
    before = (tmp_path / "a").read_bytes()

    def half(arrays: object, path: Path, **_: object) -> None:
        path.write_bytes(before[:10])
        raise OSError(28, "No space left on device")

    with mock.patch.object(safetensors_files, "save_file", half), pytest.raises(OSError, match="No space"):
        write_file(tmp_path / "a", {"a": np.zeros(3, np.float32)}, metadata={})
    assert (tmp_path / "a").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_that_is_no_safetensors_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\0" * 20)
    with pytest.raises(CheckpointError, match="/a: cannot be read as safetensors"):
        open_files([tmp_path / "a"])


def test_what_cannot_be_written_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"none/a: cannot be written: .*No such file"):
        write_file(tmp_path / "none" / "a", {"a": np.zeros(3, np.float32)}, metadata={})
