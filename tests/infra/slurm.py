"""A real Slurm of one node on this machine: its own folder, keys, ports and processes, on loopback only."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from getpass import getuser
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "squeue", "sinfo")
PATH = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
PATIENCE = 60  # seconds until a test that hangs fails

# More cores than there may be, as the batch job and its workers hold one each: `config_overrides` lets that stand.
CONFIGURATION = """
ClusterName=hanmill
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0
SlurmdParameters=config_overrides
KillWait=10
ReturnToService=2
SwitchType=switch/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=8000 State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> list[str]:
    """The programs that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]


class Slurm:
    """A running one; `environment` is for whoever talks to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PATH": PATH, "SLURM_CONF": str(folder / "slurm.conf")}

    def run(self, *command: object, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Runs a command to its end; returns its exit code and what it printed."""
        ended = subprocess.run(
            list(map(str, command)),
            env={**self.environment, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=4 * PATIENCE,
        )
        return ended.returncode, ended.stdout.strip()

    def jobs(self, *options: str) -> list[str]:
        """The numbers of the jobs that wait or run; `options` are squeue's."""
        code, printed = self.run("squeue", "--noheader", "--format=%i", *options)
        assert code == 0, printed
        return printed.split()

    def processes(self) -> list[int]:
        """What runs here and belongs to this Slurm: daemons, steps, jobs."""
        found, mark = [], f"SLURM_CONF={self.folder}/slurm.conf".encode()
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found


@contextmanager
def running(folder: Path) -> Iterator[Slurm]:
    """Starts munge, the controller and the node, and leaves no process."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    ports = [_free_port() for _ in range(2)]
    host = socket.gethostname().partition(".")[0]
    content = CONFIGURATION.format(
        host=host, user=getuser(), folder=folder, controller_port=ports[0], node_port=ports[1]
    )
    (folder / "slurm.conf").write_text(content)
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    slurm = Slurm(folder)
    with ExitStack() as daemons:
        munge = {name: f"{folder}/munge.{name}" for name in ("socket", "key-file", "pid-file", "log-file", "seed-file")}
        munge["key-file"] = f"{folder}/munge.key"
        # --force: the folder of the socket need not be open to other users.
        options = [f"--{name}={path}" for name, path in munge.items()]
        daemons.enter_context(_daemon(slurm, "munged", "--foreground", "--force", *options))
        until((folder / "munge.socket").exists, "munged listens", slurm)
        daemons.enter_context(_daemon(slurm, "slurmctld", "-D"))
        daemons.enter_context(_daemon(slurm, "slurmd", "-D"))
        until(lambda: slurm.run("sinfo", "--noheader", "--format=%T") == (0, "idle"), "the node is idle", slurm)
        try:
            yield slurm
        finally:
            slurm.run("scancel", f"--user={getuser()}")
            until(lambda: not slurm.jobs(), "all jobs have ended", slurm)
    until(lambda: not slurm.processes(), "no process is left", slurm)


@contextmanager
def _daemon(slurm: Slurm, program: str, *options: str) -> Iterator[None]:
    with open(slurm.folder / f"{program}.log", "ab") as log:
        process = subprocess.Popen([program, *options], env=slurm.environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def until(happened: Callable[[], bool], what: str, slurm: Slurm) -> None:
    """Waits for what Slurm tells nobody; fails with the ends of the logs."""
    end = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > end:
            logs = "\n".join(f"{path.name}: {path.read_text()[-2000:]}" for path in slurm.folder.glob("*.log"))
            raise AssertionError(f"not within {PATIENCE} s: {what}\n{logs}")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
