"""Runs a command beside a Dask cluster whose workers are Slurm jobs, and ends the jobs with it.

    python infra/slurm/with_cluster.py --jobs 8 -- hanmill count corpus/ --out counts/ --engine dask

The command begins when the first worker is there, finds the cluster by `DASK_SCHEDULER_ADDRESS`, and its exit code is
ours. What a job is (partition, cores, memory, time) stands in Dask's configuration below `jobqueue.slurm`:
`jobqueue.yaml` beside this file is an example.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from typing import Any, NoReturn

try:
    import dask.config
    from dask_jobqueue import SLURMCluster
    from worker_jobs import Job, JobsError, WorkerJobs

    from pipelines.engines.cluster import PRELOAD
    from pipelines.errors import ENGINE, INTERRUPTED, USAGE
except ModuleNotFoundError as error:
    sys.exit(f"{sys.executable} has no {error.name}: pip install 'hanmill[slurm]' for it, here and on the nodes")

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SECONDS_TO_NOTICE = 5
SECONDS_TO_END = 60


def main() -> int:
    """Returns the exit code of the command, or hanmill's for what kept it from running."""
    options = _options()
    settings = _settings()
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    try:
        with SLURMCluster(job_cls=Job, **settings) as cluster:
            try:
                jobs = WorkerJobs(cluster, options.jobs)
                jobs.submit()
                jobs.wait(options.look)
                return _run(options.command, cluster.scheduler_address, jobs, options.look)
            finally:
                _ignore_signals()  # nothing comes between the jobs and their end
    except JobsError as error:
        print(f"with_cluster: {error}", file=sys.stderr)
        return ENGINE
    except KeyboardInterrupt:
        return INTERRUPTED


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="with_cluster", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="worker jobs (default: %(default)s)")
    parser.add_argument(
        "--look", type=float, default=10.0, metavar="SECONDS", help="between looks at them (default: %(default)s)"
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="what to run, after --")
    options = parser.parse_args()
    if options.jobs < 1 or options.look <= 0:
        parser.error("--jobs and --look: more than zero")
    if shutil.which(options.command[0]) is None:
        parser.error(f"{options.command[0]}: no such command: activate the environment that has it, or give its path")
    if shutil.which("sbatch") is None:
        parser.error("sbatch is not on the PATH: run this where Slurm's commands are, as on a login node")
    return options


def _settings() -> dict[str, Any]:
    """What hanmill adds to Dask's configuration: one thread a process, and its modules loaded in advance."""
    settings = dask.config.get("jobqueue.slurm")
    for name in ("cores", "memory"):
        if settings[name] is None:
            print(
                f"with_cluster: jobqueue.slurm.{name} is not set: copy infra/slurm/jobqueue.yaml to ~/.config/dask/ "
                f"and adapt it, or set DASK_JOBQUEUE__SLURM__{name.upper()}",
                file=sys.stderr,
            )
            sys.exit(USAGE)
    preload = [word for module in PRELOAD for word in ("--preload", module)]
    return {
        "processes": settings["processes"] or settings["cores"],
        "worker_extra_args": [*settings["worker-extra-args"], *preload],
    }


def _run(command: list[str], address: str, jobs: WorkerJobs, look: float) -> int:
    with subprocess.Popen(command, env={**os.environ, "DASK_SCHEDULER_ADDRESS": address}) as process:
        try:
            while True:
                try:
                    code = process.wait(look)
                    return code if code >= 0 else 128 - code
                except subprocess.TimeoutExpired:
                    jobs.keep()
        except KeyboardInterrupt:
            _end(process)
            raise
        except BaseException:
            process.kill()
            raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """Slurm and terminals signal all processes at once, so one that ends by itself gets no second signal."""
    for seconds, signal_it in ((SECONDS_TO_NOTICE, process.terminate), (SECONDS_TO_END, process.kill)):
        try:
            process.wait(seconds)
            return
        except subprocess.TimeoutExpired:
            signal_it()


def _interrupt(number: int, frame: Any) -> NoReturn:
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
