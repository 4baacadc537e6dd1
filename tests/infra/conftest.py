"""One Slurm for all tests here that ask for it, and a look at its queue after each."""

from collections.abc import Iterator

import pytest

from tests.infra.slurm import Slurm, missing, running, until
from tests.pipelines.command import ROOT

JOBQUEUE = """
jobqueue:
  slurm:
    cores: 1
    memory: 1GB
    walltime: "00:10:00"
    interface: lo
    log-directory: {folder}
    scheduler-options: {{dashboard_address: "127.0.0.1:0"}}
"""


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    if missing():
        pytest.skip(f"needs Slurm and munge: {', '.join(missing())} not installed")
    folder = tmp_path_factory.mktemp("slurm")
    with running(folder) as started:
        (folder / "jobqueue.yaml").write_text(JOBQUEUE.format(folder=folder))
        started.environment.update(DASK_CONFIG=str(folder / "jobqueue.yaml"), PYTHONPATH=str(ROOT))
        yield started


@pytest.fixture
def no_jobs_left(slurm: Slurm) -> Iterator[None]:
    """After a test no job is in the queue, but for those whose end Slurm still writes down."""
    yield
    until(lambda: not slurm.jobs(), "the queue is empty", slurm)
