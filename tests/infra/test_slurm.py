"""The batch job on a real Slurm: the bytes of one machine, whatever happens to the jobs."""

import re
import sys
from pathlib import Path

import pytest

from pipelines.errors import DONE, INTERRUPTED
from pipelines.storage.commit import LOCK
from pipelines.storage.manifest import RUN, read_json
from tests.chaos.outputs import entries, finished, left_over, results, verify
from tests.infra.slurm import Slurm, until
from tests.pipelines.command import ROOT, process

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_jobs_left")]

OPTIONS = ("--by-label", "--no-report", "--shard-bytes", "8kB")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made corpus with bad documents in it."""
    folder = tmp_path_factory.mktemp("corpus")
    assert process("sample", "--out", folder, "--documents", 600).code == DONE
    for number in range(6):
        (next(folder.iterdir()) / f"bad{number}.txt").write_bytes(b"\xff\xfe\xfd" * number * 9 + b"\xff")
    return folder


@pytest.fixture(scope="module")
def undisturbed(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("local")
    ended = process("count", corpus, "--out", out, "--engine", "local", "--workers", 2, *OPTIONS)
    assert ended.code == DONE, ended.err
    found = results(out)
    assert {"manifest.json", "dead_letters.jsonl"} < set(found)
    return found


def submit(slurm: Slurm, corpus: Path, out: Path) -> str:
    """Submits the count with two worker jobs; returns its number."""
    variables = {
        "INPUT": str(corpus),
        "OUT": str(out),
        "JOBS": "2",
        "HANMILL": f"{sys.executable} -m pipelines.cli",
        "PYTHON": sys.executable,
        "WITH_CLUSTER": str(ROOT / "infra/slurm/with_cluster.py"),
    }
    log = f"--output={slurm.folder}/count-%j.log"
    command = ("sbatch", "--parsable", log, ROOT / "infra/slurm/count.sbatch", *OPTIONS)
    code, number = slurm.run(*command, environment=variables)
    assert code == 0, number
    return number


def end(slurm: Slurm, number: str) -> tuple[int, str]:
    """Waits for a job; returns its exit code and its log."""
    until(lambda: number not in slurm.jobs(), f"job {number} has ended", slurm)
    told = re.search(r"ExitCode=(\d+):", slurm.run("scontrol", "show", "job", number)[1])
    assert told is not None
    return int(told[1]), (slurm.folder / f"count-{number}.log").read_text(encoding="utf-8")


def begun(slurm: Slurm, out: Path) -> int:
    """Waits until some shards are counted; returns how many."""
    until(lambda: len(entries(out)) > 2, "some shards are counted", slurm)
    return len(entries(out))


def shards(out: Path) -> dict[str, int]:
    return dict(read_json(out / RUN)["shards"])


def test_same_bytes(slurm: Slurm, corpus: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    code, log = end(slurm, submit(slurm, corpus, tmp_path))
    assert code == DONE, log
    assert results(tmp_path) == undisturbed
    assert verify(tmp_path) == left_over(tmp_path) == []
    assert read_json(tmp_path / RUN)["engine"] == "dask"


def test_cancelled_worker(slurm: Slurm, corpus: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    number = submit(slurm, corpus, tmp_path)
    counted = begun(slurm, tmp_path)
    workers = slurm.jobs("--name=dask-worker")
    assert len(workers) == 2
    assert slurm.run("scancel", workers[0]) == (0, "")
    assert not finished(tmp_path)
    code, log = end(slurm, number)
    assert code == DONE, log
    assert counted < shards(tmp_path)["counted"]
    assert results(tmp_path) == undisturbed
    assert verify(tmp_path) == left_over(tmp_path) == []


def test_time_is_up(slurm: Slurm, corpus: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    """What Slurm sends before the limit ends the count in good order; the next job goes on from there."""
    number = submit(slurm, corpus, tmp_path)
    counted = begun(slurm, tmp_path)
    assert slurm.run("scancel", "--batch", "--signal=TERM", number) == (0, "")
    code, log = end(slurm, number)
    assert code == INTERRUPTED, log
    assert "the same command goes on from here" in log
    assert not finished(tmp_path)
    assert not (tmp_path / LOCK).exists()
    until(lambda: not slurm.jobs(), "the worker jobs have ended", slurm)
    code, log = end(slurm, submit(slurm, corpus, tmp_path))
    assert code == DONE, log
    assert shards(tmp_path)["kept"] >= counted
    assert results(tmp_path) == undisturbed


def test_cancelled_count(slurm: Slurm, corpus: Path, tmp_path: Path) -> None:
    """`scancel` signals every process of the job; the worker jobs end all the same."""
    number = submit(slurm, corpus, tmp_path)
    begun(slurm, tmp_path)
    assert slurm.run("scancel", number) == (0, "")
    until(lambda: not slurm.jobs(), "all jobs have ended", slurm)
    assert not finished(tmp_path)
    assert not (tmp_path / LOCK).exists()


def test_begun_again(slurm: Slurm, corpus: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    """What Slurm does when a node fails or a job of more weight needs it: the same job, once more."""
    number = submit(slurm, corpus, tmp_path)
    counted = begun(slurm, tmp_path)
    assert slurm.run("scontrol", "requeue", number) == (0, "")
    until(lambda: number in slurm.jobs("--states=PENDING"), "the job waits", slurm)
    # It need not wait the two minutes that Slurm lets pass.
    slurm.run("scontrol", "update", f"jobid={number}", "starttime=now")
    code, log = end(slurm, number)
    assert code == DONE, log
    assert shards(tmp_path)["kept"] >= counted
    assert results(tmp_path) == undisturbed
    assert left_over(tmp_path) == []
