"""A command as one task of a Dask cluster, in a process of its own beside the worker: how a recipe trains."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence

from distributed import Client, get_worker

from pipelines import installation
from pipelines.engines.cluster import address_of, connected, started
from pipelines.engines.options import EngineOptions
from pipelines.errors import EngineError, HanmillError

RESOURCES = ("GPU", "CPU")  # the first that any worker has is asked for
_LAST = 1 << 14  # bytes of what the command told
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
    another, and the command goes on from what it saved. Raises EngineError for a cluster that is not there, or lost.
    """
    address = address_of(options)
    opened = started(options, workers=1) if address is None else connected(address, options)
    with opened as client:
        resources = _resources(client)
        asked = " and ".join(f"{name} {amount}" for name, amount in resources.items()) or "no resource"
        tell(f"{key}: one task of the cluster, which asks for {asked}")
        work = (tuple(arguments), os.getcwd(), installation.identity())
        try:
            code, printed, said = client.submit(_run, *work, key=f"{key}-{os.getpid()}", resources=resources).result()
        except HanmillError:
            raise
        except Exception as error:
            raise EngineError(f"{key}: the cluster lost it ({error}): run the same recipe again") from error
    sys.stderr.write(said)
    return code, printed


def _resources(client: Client) -> dict[str, int]:
    """What the task asks for, of the things that workers declare."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    for name in RESOURCES:
        if any(worker["resources"].get(name, 0) >= 1 for worker in workers):
            return {name: 1}
    return {}


def _run(arguments: Sequence[str], folder: str, expected: str) -> tuple[int, bytes, str]:
    worker = get_worker()
    installation.check(expected, where=f"worker {worker.address}")
    if not os.path.isdir(folder):
        raise EngineError(f"worker {worker.address} does not see {folder}: driver and workers must share it")
    # Files, as pipes that nobody reads fill up, and `communicate` closes the standard input.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        command = [sys.executable, "-c", _WATCHED, *arguments]
        with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=out, stderr=err) as ran:
            code = ran.wait()
        for file in (out, err):
            file.seek(0)
        return code, out.read(), err.read()[-_LAST:].decode(errors="backslashreplace")
