"""The real command with its worker processes: started, found, killed, waited for."""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.forks import ROOT

PATIENCE = 60_000  # milliseconds until a test that hangs fails


class Command:
    """A command in a process group of its own."""

    def __init__(self, *arguments: object) -> None:
        line = [sys.executable, "-m", "pipelines.cli", *map(str, arguments)]
        # Not a pipe, which a process that is left behind would hold open.
        descriptor, path = tempfile.mkstemp()
        self.output = Path(path)
        self.process = subprocess.Popen(
            line, cwd=ROOT, stdout=descriptor, stderr=subprocess.STDOUT, start_new_session=True
        )
        os.close(descriptor)

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self, *, workers: bool) -> None:
        """Kills the driver, and all others but the one that clears away named semaphores."""
        self.process.kill()
        for pid, _ in members(self.pid) if workers else ():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)

    def end(self) -> tuple[int, str]:
        """Waits until all processes have ended; returns the exit code, or minus the signal, and what was printed."""
        self.process.wait(PATIENCE / 1000)
        while left := [pid for pid, _ in members(self.pid)]:
            for pid in left:
                _wait(pid)
        if self.output.exists():
            self.printed = self.output.read_text(encoding="utf-8")
            self.output.unlink()
        return self.process.returncode, self.printed

    def workers(self) -> list[int]:
        """Those that the fork server made: neither the driver nor one of its own children."""
        return [pid for pid, parent in members(self.pid) if self.pid not in (pid, parent)]


def run(*arguments: object) -> tuple[int, str]:
    """Runs a command to its end."""
    return Command(*arguments).end()


@contextmanager
def running(*arguments: object) -> Iterator[Command]:
    """A command that does not outlive the test."""
    command = Command(*arguments)
    try:
        yield command
    finally:
        command.kill(workers=True)
        command.end()


def members(group: int) -> list[tuple[int, int]]:
    """The processes of a group that are alive, each with its parent."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = re.sub(r".*\) ", "", path.read_text()).split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent, belongs = fields[0], int(fields[1]), int(fields[2])
        if belongs == group and state not in "ZX":
            found.append((int(path.parent.name), parent))
    return found


def _wait(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert poll.poll(PATIENCE), f"process {pid} is still there"
    finally:
        os.close(descriptor)


def count(inputs: Sequence[object], out: Path, *options: object) -> list[object]:
    """The arguments of a count by label that allows for the bad documents of the corpora here."""
    return ["count", *inputs, "--out", out, "--by-label", "--max-bad-records", "50%", "--no-report", *options]
