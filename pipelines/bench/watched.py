"""A module run in a process of its own, and the largest resident set of all the processes that come from it."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

from pipelines.errors import EngineError
from pipelines.installation import ROOT

_CHILD_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of prctl(2): orphans come here, and are counted
SECONDS_TO_END = 10.0


def run_watched(module: str, *arguments: str) -> int:
    """Runs `python -m module` and returns the bytes that its largest process had resident.

    A process between this one and the module does the watching: what a process has resident before it turns into
    another program would count for that one. Raises EngineError with what the module said last if it fails.
    """
    command = [sys.executable, "-m", __name__, module, *arguments]
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, errors="backslashreplace")
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or [f"it ended with {ended.returncode}"]
        raise EngineError(f"{module} {arguments[0]}: {said[-1]}")
    return int(ended.stdout.splitlines()[-1])


def main() -> None:
    """Prints the bytes behind whatever the module prints; ends as the module ends."""
    if ctypes.CDLL(None, use_errno=True).prctl(_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    command = [sys.executable, "-m", *sys.argv[1:]]
    child = os.posix_spawn(sys.executable, command, os.environ, setpgroup=0)
    peak, code, deadline = 0, None, None
    while True:
        try:
            ended, status, usage = os.wait4(-1, 0 if deadline is None else os.WNOHANG)
        except ChildProcessError:
            break
        peak = max(peak, usage.ru_maxrss)
        if ended == child:
            code, deadline = os.waitstatus_to_exitcode(status), time.monotonic() + SECONDS_TO_END
        elif ended == 0:
            time.sleep(0.01)
            if deadline is not None and time.monotonic() > deadline:  # what the module left running
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGKILL)
    print(1024 * peak)
    sys.exit(code)


if __name__ == "__main__":
    main()
