"""Event files that TensorBoard reads, without TensorFlow: `tensorflow/core/util/event.proto` in TFRecord framing."""

import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from transforms.tfrecord import frame, varint

FOLDER = "tensorboard"
_VERSION = b"brain.Event:2"


def encode_event(step: int, scalars: Mapping[str, float], *, seconds: float) -> bytes:
    """An `Event` with a scalar for each tag. `seconds`: since the epoch.

    >>> encode_event(300, {"loss": 0.5}, seconds=0.0).hex()
    '09000000000000000010ac022a0d0a0b0a046c6f7373150000003f'
    """
    values = b""
    for tag, number in scalars.items():
        name = tag.encode()
        value = b"\x0a" + varint(len(name)) + name + b"\x15" + struct.pack("<f", number)
        values += b"\x0a" + varint(len(value)) + value
    return b"\x09" + struct.pack("<d", seconds) + b"\x10" + varint(step) + b"\x2a" + varint(len(values)) + values


class EventFile:
    """One run of TensorBoard: a new file in a folder, written from its beginning."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        now = time.time()
        self._file: IO[bytes] = (folder / f"events.out.tfevents.{int(now)}.{socket.gethostname()}").open("wb")
        self._write(b"\x09" + struct.pack("<d", now) + b"\x1a" + varint(len(_VERSION)) + _VERSION)

    def write(self, step: int, scalars: Mapping[str, float], *, seconds: float) -> None:
        """Adds scalars at a step."""
        self._write(encode_event(step, scalars, seconds=seconds))

    def _write(self, event: bytes) -> None:
        self._file.write(b"".join(frame([event])))

    def flush(self) -> None:
        """Lets TensorBoard see what was written."""
        self._file.flush()

    def close(self) -> None:
        """Ends the file."""
        self._file.close()
