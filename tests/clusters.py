"""Dask clusters of separate processes, started by the scripts of `infra/dask`."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "infra/dask"
PATIENCE = 60.0


@dataclass
class Cluster:
    """A scheduler and its workers, each a process group; their logs are in `folder`."""

    folder: Path
    certificates: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def tls(self) -> list[str]:
        """The driver's options."""
        names = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
        options = (
            [[f"--tls-{name}", str(self.certificates / file)] for name, file in names.items()]
            if self.certificates
            else []
        )
        return [word for option in options for word in option]

    @property
    def scheduler(self) -> subprocess.Popen[bytes]:
        return self.processes[0]

    def start_scheduler(self) -> None:
        file = self.folder / f"scheduler-{len(self.processes)}.json"
        self._start(
            "scheduler.sh", "--scheduler-file", str(file), "--host", "127.0.0.1", PORT="0", DASHBOARD="127.0.0.1:0"
        )
        self.address, patience = "", time.monotonic() + PATIENCE
        while not self.address:
            assert time.monotonic() < patience, (self.folder / "log.txt").read_text()
            self._look()
            with contextlib.suppress(OSError, ValueError):  # not there, or half written
                self.address = json.loads(file.read_bytes())["address"]

    def add_worker(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        """Starts a worker process under a nanny."""
        return self._start("worker.sh", self.address, *options, **{"WORKERS": "1", **environment})

    def _start(self, script: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        variables = {
            **os.environ,
            "PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT),
            **({"CERTIFICATES": str(self.certificates)} if self.certificates else {}),
            **self.environment,
            **environment,
        }
        with (self.folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [SCRIPTS / script, *arguments],
                env=variables,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def _look(self) -> None:
        time.sleep(0.05)
        for process in self.processes:
            assert process.poll() is None, (self.folder / "log.txt").read_text()

    def close(self) -> None:
        for process in self.processes:
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """A process with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)
