"""What happens in folders, told by the kernel as it happens: moments to kill at that need no clock."""

import ctypes
import os
import select
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path

_EVENT = struct.Struct("iIII")  # inotify(7): watch, mask, cookie, bytes of the name that follows


class Kind(IntFlag):
    """What can happen to a name."""

    NAMED = 0x80  # IN_MOVED_TO
    BEGUN = 0x100  # IN_CREATE
    GONE = 0x200  # IN_DELETE


_KINDS = Kind.NAMED | Kind.BEGUN | Kind.GONE


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a name, relative to the watched top folder."""

    kind: Kind
    name: str


class Watch:
    """Events of folders, from the moment of its making."""

    def __init__(self, top: Path, folders: Sequence[str]) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self.descriptor = library.inotify_init1(os.O_CLOEXEC)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._folders: dict[int, str] = {}
        for folder in folders:
            (top / folder).mkdir(parents=True, exist_ok=True)
            watch = library.inotify_add_watch(self.descriptor, os.fsencode(top / folder), ctypes.c_uint32(_KINDS))
            if watch < 0:
                raise OSError(ctypes.get_errno(), f"inotify_add_watch {top / folder}")
            self._folders[watch] = folder

    def events(self, pid: int) -> Iterator[Event]:
        """Waits for each event, until the process ends."""
        process = os.pidfd_open(pid)
        try:
            poll = select.poll()
            for descriptor in (self.descriptor, process):
                poll.register(descriptor, select.POLLIN)
            while self.descriptor in dict(poll.poll()):
                yield from self._read()
        finally:
            os.close(process)

    def _read(self) -> Iterator[Event]:
        content = os.read(self.descriptor, 1 << 16)
        while content:
            watch, mask, _, size = _EVENT.unpack_from(content)
            name = os.fsdecode(content[_EVENT.size : _EVENT.size + size].rstrip(b"\0"))
            if mask & _KINDS:
                yield Event(Kind(mask & _KINDS), os.path.normpath(f"{self._folders[watch]}/{name}"))
            content = content[_EVENT.size + size :]


@contextmanager
def watching(top: Path, folders: Sequence[str]) -> Iterator[Watch]:
    """Watches `top` and folders below it, which are made if they are not there."""
    watch = Watch(top, folders)
    try:
        yield watch
    finally:
        os.close(watch.descriptor)
