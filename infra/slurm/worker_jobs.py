"""Slurm jobs that are the workers of a Dask cluster: submitted, waited for, replaced when they end."""

import subprocess
import sys
from collections.abc import Collection

from dask_jobqueue import SLURMCluster
from dask_jobqueue.slurm import SLURMJob
from distributed.core import Status


class JobsError(Exception):
    """There is no worker, and there will be none: says why, and how to mend it."""


class Job(SLURMJob):
    """A job that knows when Slurm has refused it: a cluster closes only if each of its jobs ran or failed."""

    async def start(self) -> None:
        try:
            await super().start()
        except RuntimeError:
            self.status = Status.failed
            raise


class WorkerJobs:
    """Keeps a number of jobs: one that ends, as its time is up or its node lost, is replaced.

    A job that no worker joined from is not replaced: another would fare no better.
    """

    def __init__(self, cluster: SLURMCluster, number: int) -> None:
        self._cluster, self._number = cluster, number
        self._joined: set[str] = set()
        self._absent: set[str] = set()

    def submit(self, ended: Collection[str] = ()) -> None:
        """Submits as many as are missing without those that have ended; raises JobsError if Slurm refuses."""
        names = self._cluster.worker_spec
        for _ in range(self._number - len(names) + len(ended)):
            names.update(self._cluster.new_worker_spec())
        try:
            self._cluster.sync(self._cluster.scale_down, ended)  # unlike `scale`, tells what Slurm said
        except RuntimeError as error:
            said = str(error).strip().rpartition("\n")[2]
            raise JobsError(f"{said}: mend jobqueue.slurm in Dask's configuration") from None

    def wait(self, seconds: float) -> None:
        """Waits for the first worker, as long as Slurm lets a job wait; looks for it every so many seconds.

        Raises JobsError if all jobs have ended before.
        """
        while not self._cluster.scheduler.workers:
            try:
                self._cluster.wait_for_workers(1, timeout=seconds)
            except TimeoutError:
                numbers = ",".join(sorted(job.job_id for job in list(self._cluster.workers.values())))
                if not _queued(numbers):
                    raise JobsError(f"no worker joined from the jobs {numbers}: their logs tell why") from None
        self.keep()

    def keep(self) -> None:
        """Replaces jobs whose workers are absent for the second time: one that died is started again in between."""
        workers = [f"{worker.name}-" for worker in list(self._cluster.scheduler.workers.values())]
        # The workers of a job are called like it; where there are more than one, with a number behind.
        present = {job for job in self._cluster.worker_spec if any(name.startswith(f"{job}-") for name in workers)}
        refused = {name for name, job in list(self._cluster.workers.items()) if job.status == Status.failed}
        absent = self._joined - present
        ended = (absent & self._absent) | refused
        self._joined = (self._joined | present) - ended
        self._absent = absent - ended
        if ended:
            print(f"with_cluster: {len(ended)} worker jobs have ended: as many are submitted", file=sys.stderr)
            try:
                self.submit(ended)
            except JobsError as error:
                print(f"with_cluster: {error}; trying again", file=sys.stderr)


def _queued(numbers: str) -> bool:
    """Whether any of the jobs waits or runs; a controller that does not answer says nothing about them."""
    command = ["squeue", "--noheader", "--format=%i", f"--jobs={numbers}"]
    asked = subprocess.run(command, capture_output=True, text=True)
    return bool(asked.stdout.strip()) or (asked.returncode != 0 and "Invalid job id" not in asked.stderr)
