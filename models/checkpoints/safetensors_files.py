"""Safetensors files: opened without reading their values, and written whole or not at all."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.checkpoints.errors import CheckpointError


def open_files(paths: Iterable[Path]) -> dict[str, Any]:
    """The opened file of each variable in them; raises CheckpointError that names a damaged file."""
    found: dict[str, Any] = {}
    for path in paths:
        try:
            file: Any = safe_open(path, "np")
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path}: cannot be read as safetensors: {error}") from error
        found |= dict.fromkeys(file.keys(), file)
    return found


def write_file(path: Path, arrays: Mapping[str, npt.NDArray[Any]], *, metadata: Mapping[str, str]) -> None:
    """Writes beside the path and renames, so that a file that was there stays whole until the new one is.

    Raises OSError, as on a full disk.
    """
    written = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file(dict(arrays), written, metadata=dict(metadata))
        written.replace(path)
    except SafetensorError as error:
        raise OSError(f"{path}: cannot be written: {error}") from error
    finally:
        written.unlink(missing_ok=True)
