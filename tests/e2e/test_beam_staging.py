"""`setup.py` as Beam stages it: built, installed in an environment without the checkout, and run there.

Workers that runners start from containers get the same archive; here a worker pool stands for them, as no runner on one
machine installs what is staged.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.stager import Stager

from pipelines.installation import identity
from tests.pipelines.command import ROOT, data_of, process, run_json

pytestmark = pytest.mark.slow
PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextlib.contextmanager
def serving(folder: Path, port: int, *command: object, environment: Mapping[str, str]) -> Iterator[None]:
    """A service that listens on a port; its process group ends with the block."""
    with (folder / f"{port}.log").open("wb") as log:
        server = subprocess.Popen(
            [*map(str, command)], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        for _ in range(int(PATIENCE / 0.1)):
            assert server.poll() is None, (folder / f"{port}.log").read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Beam would stage in a fresh environment, which finds the dependencies of this one, but not its hanmill."""
    folder = tmp_path_factory.mktemp("staging")
    options = PipelineOptions([f"--setup_file={ROOT / 'setup.py'}", "--runner=PortableRunner"])
    built = folder / "built"
    built.mkdir()
    Stager.create_job_resources(options, str(built), log_submission_env_dependencies=False)
    archives = list(built.glob("*.tar.gz"))
    assert len(archives) == 1, list(built.iterdir())
    environment = folder / "environment"
    venv.create(environment, symlinks=True)
    packages = next(environment.glob("lib/python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--ignore-installed"]
    target = ["--target", str(packages), str(archives[0])]
    subprocess.run([sys.executable, *install, *target], check=True, env=without_checkout())
    return environment


def without_checkout() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def test_the_archive_holds_all_that_runs(staged: Path, tmp_path: Path) -> None:
    code = (
        "import pipelines; from pipelines.installation import identity; print(pipelines.__file__, identity(), sep='|')"
    )
    told = subprocess.check_output([staged / "bin/python", "-c", code], cwd=tmp_path, env=without_checkout(), text=True)
    place, found = told.strip().split("|")
    assert place.startswith(str(staged))
    assert found.partition("(")[2] == identity().partition("(")[2]


def test_a_pipeline_runs_on_workers_that_have_only_what_was_staged(staged: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    assert process("sample", "--out", corpus, "--documents", 300).code == 0
    (corpus / "bad.txt").write_bytes(b"\xff")
    assert process("count", corpus, "--out", tmp_path / "local", "--by-label", "--no-report").code == 0
    jobs, pool = free_port(), free_port()
    there = {**without_checkout(), "PATH": f"{staged / 'bin'}:{os.environ['PATH']}"}
    workers = ("-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={pool}")
    service = ("-m", "apache_beam.runners.portability.local_job_service_main", f"--port={jobs}")
    with (
        serving(tmp_path, pool, staged / "bin/python", *workers, environment=there),
        serving(tmp_path, jobs, sys.executable, *service, environment=dict(os.environ)),
    ):
        options = ["--runner=PortableRunner", f"--job_endpoint=localhost:{jobs}", "--environment_type=EXTERNAL"]
        line = ["count", corpus, "--out", tmp_path / "out", "--by-label", "--no-report", "--engine", "beam"]
        ended = process(*line, "--shard-bytes", "20kB", "--", *options, f"--environment_config=localhost:{pool}")
    assert ended.code == 0, ended.err
    assert data_of(tmp_path / "out") == data_of(tmp_path / "local")
    assert run_json(tmp_path / "out")["counters"]["documents"] == 300
