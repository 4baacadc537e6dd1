"""A command as one task of a Dask cluster, in a process of its own beside the worker: how a recipe trains."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence

from distributed import Client, Future, Reschedule, Worker, get_worker
from distributed.client import ClosedClientError
from distributed.core import Status

from pipelines import installation
from pipelines.engines.cluster import address_of, connected, started
from pipelines.engines.options import EngineOptions
from pipelines.errors import EngineError, HanmillError

RESOURCES = ("GPU", "CPU")  # the first that any worker has is asked for
SECONDS_TO_END = 60.0  # that a command has to save its state, until it is killed
_BETWEEN_LOOKS = 0.2  # seconds
_LAST = 1 << 14  # bytes of what the command told
_STAYING = (Status.running, Status.paused)
_running = set[str]()  # keys of the tasks whose commands run beside this worker
# The command ends with the worker, which holds the other end of its standard input.
_WATCHED = """
import os, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(1)), daemon=True).start()
from pipelines.cli import main
main()
"""


def run_on_cluster(
    arguments: Sequence[str], options: EngineOptions, *, key: str, tell: Callable[[str], None]
) -> tuple[int, bytes]:
    """Runs `hanmill ARGUMENTS` on one worker, in the folder that this process is in; its exit code and output.

    A worker that has the resource GPU is taken, else one with CPU, else any. A task whose worker is lost goes to
    another, and the command goes on from what it saved. A command whose driver was interrupted, or is lost to the
    scheduler, is told to end, as by SIGTERM, and is waited for. Raises EngineError for a cluster that is not there, or
    lost.
    """
    address = address_of(options)
    opened = started(options, workers=1) if address is None else connected(address, options)
    with opened as client:
        if address is None:
            client.run(_ignore_interrupts)
        resources = _resources(client)
        asked = " and ".join(f"{name} {amount}" for name, amount in resources.items()) or "no resource"
        tell(f"{key}: one task of the cluster, which asks for {asked}")
        name = f"{key}-{uuid.uuid4().hex}"
        work = (tuple(arguments), os.getcwd(), installation.identity(), name)
        future = client.submit(_run, *work, key=name, resources=resources)
        try:
            code, printed, said = future.result()
        except KeyboardInterrupt:
            tell(f"{key}: interrupted; waits for its end on the cluster")
            _end(client, future)
            raise
        except HanmillError:
            raise
        except Exception as error:
            raise EngineError(f"the cluster lost it ({error}): run the same recipe again") from error
    sys.stderr.write(said)
    return code, printed


def _resources(client: Client) -> dict[str, int]:
    """What the task asks for, of the things that workers declare."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    for name in RESOURCES:
        if any(worker["resources"].get(name, 0) >= 1 for worker in workers):
            return {name: 1}
    return {}


def _end(client: Client, future: Future) -> None:
    """Takes the task back, and waits until no worker runs its command."""
    patience = time.monotonic() + SECONDS_TO_END + 10 * _BETWEEN_LOOKS
    with contextlib.suppress(OSError, ClosedClientError):  # no scheduler, no task
        future.cancel()
        while time.monotonic() < patience and any(client.run(_has, future.key, on_error="ignore").values()):
            time.sleep(_BETWEEN_LOOKS)


def _ignore_interrupts() -> None:
    """In a worker that the driver started: a terminal's Ctrl-C reaches it too, and it would take the command along."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _has(key: str) -> bool:
    return key in _running


@contextlib.contextmanager
def _noted(key: str) -> Iterator[None]:
    _running.add(key)
    try:
        yield
    finally:
        _running.discard(key)


def _run(arguments: Sequence[str], folder: str, expected: str, key: str) -> tuple[int, bytes, str]:
    worker = get_worker()
    installation.check(expected, where=f"worker {worker.address}")
    if not os.path.isdir(folder):
        raise EngineError(f"worker {worker.address} does not see {folder}: driver and workers must share it")
    # Files, as pipes that nobody reads fill up, and `communicate` closes the standard input.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        command = [sys.executable, "-c", _WATCHED, *arguments]
        with (
            _noted(key),
            subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=out, stderr=err) as ran,
        ):
            code = _wait(ran, worker, key)
        for file in (out, err):
            file.seek(0)
        return code, out.read(), err.read()[-_LAST:].decode(errors="backslashreplace")


def _wait(ran: subprocess.Popen[bytes], worker: Worker, key: str) -> int:
    """Until the command ends. Ends it when nobody wants it here any more, and raises Reschedule."""
    while _is_wanted(worker, key):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return ran.wait(_BETWEEN_LOOKS)
    ran.terminate()
    try:
        ran.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        ran.kill()
    raise Reschedule  # elsewhere, if it was only the worker that is leaving


def _is_wanted(worker: Worker, key: str) -> bool:
    """Whether a driver waits for a task that is running here, and the worker stays.

    The scheduler takes back the tasks of a driver that is lost.
    """
    task = worker.state.tasks.get(key)
    wanted = task is not None and task.state in ("executing", "long-running")
    return wanted and worker.status in _STAYING
