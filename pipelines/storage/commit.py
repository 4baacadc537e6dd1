"""Files that appear whole or not at all, and the lock that keeps a second driver out.

A file is written under a name of its own for each attempt, synced, renamed, and its folder synced: whoever finds the
final name finds all the bytes, whatever was killed or lost its power meanwhile.
"""

import contextlib
import fcntl
import hashlib
import io
import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import InputError

ATTEMPT = ".attempt"
LOCK = "_lock"


class AttemptFile(io.RawIOBase):
    """A file under construction: hashes and counts what is written to it."""

    def __init__(self, final: Path) -> None:
        self.final = final
        self.path = final.with_name(f".{final.name}.{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}{ATTEMPT}")
        self.size = 0
        self.records = 0
        self._digest = hashlib.sha256()
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._digest.update(view)
        self.size += len(view)
        left = view
        while len(left):
            left = left[os.write(self._descriptor, left) :]
        return len(view)

    def tell(self) -> int:
        return self.size

    @property
    def sha256(self) -> str:
        """Hexadecimal, of all that was written so far."""
        return self._digest.hexdigest()

    def sync(self) -> None:
        """Brings the content to the disk and closes the file; it still bears the attempt's name."""
        os.fsync(self._descriptor)
        self.close()

    def commit(self) -> None:
        """Gives the file its final name; the folder is synced by `sync_folder`."""
        os.replace(self.path, self.final)

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()

    def discard(self) -> None:
        """Removes an attempt that came to nothing."""
        self.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


@dataclass(frozen=True, slots=True)
class Whole:
    """A file that a task committed under a name of its own and that gets its final name at the end of the run."""

    path: Path
    final: Path

    def commit(self) -> None:
        """Gives the file its final name."""
        os.replace(self.path, self.final)


@contextlib.contextmanager
def attempt(path: Path) -> Iterator[AttemptFile]:
    """Opens `path` for writing; it appears, synced, when the block ends without an exception."""
    file = AttemptFile(path)
    try:
        yield file
        file.sync()
        file.commit()
    except BaseException:
        file.discard()
        raise
    sync_folder(path.parent)


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=True, sort_keys=True).encode()).hexdigest()


def write_bytes(path: Path, content: bytes) -> str:
    """Commits a small file; returns its SHA-256."""
    with attempt(path) as file:
        file.write(content)
    return file.sha256


def write_json(path: Path, value: Any, *, indent: int | None = 1) -> str:
    """Commits a JSON file; returns its SHA-256."""
    return write_bytes(path, json_bytes(value, indent=indent))


def json_bytes(value: Any, *, indent: int | None = 1) -> bytes:
    """The content of a JSON file, keys in order, so that equal values are equal bytes."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, sort_keys=True) + "\n"
    # Paths need not be text: what Python writes for half of a surrogate pair is JSON's escape.
    return text.encode("utf-8", "backslashreplace")


def sync_folder(folder: Path) -> None:
    """Makes renames and removals in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Removes a file that may be gone already."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


@contextlib.contextmanager
def plain_errors(directory: Path) -> Iterator[None]:
    """Around what writes an output folder: an OSError, as of a full disk, becomes an InputError that says where."""
    try:
        yield
    except OSError as error:
        place = Path(str(error.filename or directory))
        why = ": the output cannot be written there" if place.is_relative_to(directory) else ""
        # mkdir(exist_ok=True) raises FileExistsError where a file is in the way of the folder.
        what = "Not a directory" if isinstance(error, FileExistsError) else error.strerror or error
        raise InputError(f"{place}: {what}{why}") from error


@contextlib.contextmanager
def lock(directory: Path) -> Iterator[None]:
    """Keeps a second driver out of an output folder, and removes what killed attempts left there.

    The system frees the lock of a dead process. A lock of another host cannot be tested: it is refused, and the
    message says what to remove. Raises InputError.
    """
    path = directory / LOCK
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            who = holder(path)
            os.close(descriptor)
            raise InputError(f"{directory} is being written by another run ({who}): wait for it, or stop it") from None
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                break
        os.close(descriptor)  # the holder removed the file between our two calls
    try:
        who = holder(path)
        if who and not who.startswith(f"host {socket.gethostname()},"):
            raise InputError(f"{directory} is locked by a run on another host ({who}): if it is dead, remove {path}")
        os.ftruncate(descriptor, 0)
        content = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.time()}
        os.pwrite(descriptor, json.dumps(content).encode(), 0)
        for left in directory.rglob(f".*{ATTEMPT}"):
            remove(left)
        try:
            yield
        finally:
            remove(path)
    finally:
        os.close(descriptor)


def holder(path: Path) -> str:
    """Who holds a lock file, in words; empty if nobody does, as when the process was killed."""
    try:
        content = json.loads(path.read_bytes())
        host, pid = content["host"], content["pid"]
        if host == socket.gethostname():
            with contextlib.suppress(PermissionError):  # another user's, and alive
                os.kill(pid, 0)
        return f"host {host}, process {pid}, for {time.time() - content['since']:.0f} s"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
