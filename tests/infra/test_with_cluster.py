"""The script beside a real Slurm: exit codes, jobs that end, and what it says when it cannot run."""

import sys

import pytest

from pipelines.errors import DONE, ENGINE, USAGE
from tests.infra.slurm import Slurm
from tests.pipelines.command import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_jobs_left")]

WITH_CLUSTER = ROOT / "infra/slurm/with_cluster.py"
# Sees two workers of one job, cancels it, and sees both come again from another.
SEES_A_JOB_REPLACED = """
import os, subprocess, time, distributed
def jobs():
    return subprocess.check_output(["squeue", "--noheader", "--format=%i", "--states=RUNNING"], text=True).split()
client = distributed.Client(os.environ["DASK_SCHEDULER_ADDRESS"])
client.wait_for_workers(2, timeout=60)
workers, first = set(client.nthreads()), jobs()
subprocess.run(["scancel", *first], check=True)
while len(set(client.nthreads()) - workers) < 2:
    time.sleep(0.1)
print(len(first), len(jobs()), first != jobs())
"""


def with_cluster(slurm: Slurm, *arguments: object, **settings: str) -> tuple[int, str]:
    """Runs a command beside a cluster, with settings of `jobqueue.slurm`."""
    environment = {f"DASK_JOBQUEUE__SLURM__{name.upper()}": value for name, value in settings.items()}
    return slurm.run(sys.executable, WITH_CLUSTER, "--look", 0.5, *arguments, environment=environment)


def test_ended_job_is_replaced(slurm: Slurm) -> None:
    command = ("--jobs", 1, "--", sys.executable, "-c", SEES_A_JOB_REPLACED)
    code, printed = with_cluster(slurm, *command, cores="2")
    assert code == DONE, printed
    assert printed.endswith("1 1 True")


def test_exit_code_is_the_commands(slurm: Slurm) -> None:
    assert with_cluster(slurm, "--", "bash", "-c", "exit 3")[0] == 3
    assert with_cluster(slurm, "--", "bash", "-c", "kill -9 $$")[0] == 128 + 9


@pytest.mark.parametrize(
    ("arguments", "settings", "code", "message"),
    [
        (("--", "nosuch"), {}, USAGE, "nosuch: no such command: activate the environment"),
        (("--jobs", 0, "--", "true"), {}, USAGE, "--jobs and --look: more than zero"),
        (("--", "true"), {"memory": "None"}, USAGE, "jobqueue.slurm.memory is not set: copy infra/slurm/jobqueue.yaml"),
        (("--", "true"), {"queue": "nosuch"}, ENGINE, "Invalid partition name specified: mend jobqueue.slurm"),
        (("--", "true"), {"python": "/nosuch/python"}, ENGINE, "no worker joined from the jobs"),
    ],
)
def test_errors(slurm: Slurm, arguments: tuple[object, ...], settings: dict[str, str], code: int, message: str) -> None:
    ended, printed = with_cluster(slurm, *arguments, **settings)
    assert ended == code
    assert message in printed
    assert "Traceback" not in printed
