"""The local engine: results that do not depend on workers, failures that keep their type, and nothing left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.engines import local
from pipelines.engines.job import Progress
from pipelines.engines.local import Local
from pipelines.errors import EngineError, InputError
from pipelines.storage.manifest import Entry
from tests.pipelines.jobs import ERRORS, Masks, Sums


def run(job: Sums, workers: int) -> tuple[list[Entry], list[Entry], list[Progress]]:
    told: list[Progress] = []
    mapped, reduced = Local(workers).run(job, job.plan(workers=workers), report=told.append)
    return mapped, reduced, told


@pytest.mark.parametrize("workers", [1, 2])
def test_all_shards_are_mapped_and_all_partitions_reduced_in_order(tmp_path: Path, workers: int) -> None:
    job = Sums(tmp_path, sizes=(30, 10, 20, 50, 40), kept=(7,), partitions=4)
    mapped, reduced, told = run(job, workers)
    assert [entry.fingerprint for entry in mapped] == ["kept 0", *(f"shard {number}" for number in range(5))]
    assert [entry.totals["partition"] for entry in reduced] == [0, 1, 2, 3]
    assert [entry.totals["sum"] for entry in reduced] == [157] * 4
    assert [progress.stage for progress in told] == ["map"] * 5 + ["reduce"] * 4
    assert {progress.shard.size for progress in told if progress.shard} == set(job.sizes)
    assert all(progress.shard is None or progress.shard.fingerprint == progress.entry.fingerprint for progress in told)


def test_one_worker_is_this_process_and_takes_the_largest_shard_first(tmp_path: Path) -> None:
    mapped, _, told = run(Sums(tmp_path, sizes=(30, 10, 20, 30)), 1)
    assert {entry.totals["pid"] for entry in mapped} == {os.getpid()}
    assert [progress.entry.fingerprint for progress in told[:4]] == ["shard 0", "shard 3", "shard 2", "shard 1"]


def test_more_workers_are_other_processes(tmp_path: Path) -> None:
    mapped, _, _ = run(Sums(tmp_path, sizes=tuple(range(1, 20))), 2)
    pids = {entry.totals["pid"] for entry in mapped}
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_to_map_is_reduced_still(tmp_path: Path, workers: int) -> None:
    mapped, reduced, _ = run(Sums(tmp_path, sizes=(), kept=(7, 8)), workers)
    assert [entry.fingerprint for entry in mapped] == ["kept 0", "kept 1"]
    assert [entry.totals["sum"] for entry in reduced] == [15, 15]


@pytest.mark.parametrize("place", ["shard 1", "partition 1"])
@pytest.mark.parametrize("how", ["killed", "exit"])
def test_a_worker_that_dies_ends_the_run_and_says_what_to_do(tmp_path: Path, place: str, how: str) -> None:
    with pytest.raises(
        EngineError, match=r"a worker process died .*: run the same command again, finished shards"
    ) as told:
        run(Sums(tmp_path, failing=(place, how)), 2)
    assert told.value.exit_code == 5
    assert "fewer --workers or smaller --shard-bytes" in str(told.value)
    assert run(Sums(tmp_path), 2)[1]  # the fork server is alive


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("place", ["shard 0", "partition 0"])
@pytest.mark.parametrize("how", sorted(ERRORS))
def test_what_a_task_raises_keeps_its_type_and_text(tmp_path: Path, workers: int, place: str, how: str) -> None:
    with pytest.raises(ERRORS[how], match=f"^{how} of a task$") as told:
        run(Sums(tmp_path, failing=(place, how)), workers)
    assert type(told.value) is ERRORS[how]


def test_a_failure_of_the_caller_ends_the_workers(tmp_path: Path) -> None:
    def report(progress: Progress) -> None:
        raise InputError("no more")

    job = Sums(tmp_path, sizes=tuple(range(1, 50)))
    with pytest.raises(InputError, match="no more"):
        Local(2).run(job, job.plan(workers=2), report=report)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_until_processes_are_started(number: signal.Signals) -> None:
    done = []

    def interrupted() -> None:
        with local._undisturbed():
            signal.raise_signal(number)
            signal.raise_signal(number)
            done.append("the block ends")
        done.append("but nothing behind it")

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGTERM, before)
    assert done == ["the block ends"]


def test_the_engine_runs_in_any_thread(tmp_path: Path) -> None:
    """Only the main thread may set handlers of signals."""
    found: list[list[Entry]] = []
    thread = threading.Thread(target=lambda: found.append(run(Sums(tmp_path), 2)[1]))
    thread.start()
    thread.join()
    assert [entry.totals["sum"] for entry in found[0]] == [6, 6]


def test_workers_leave_control_c_to_the_driver(tmp_path: Path) -> None:
    """From birth: what is typed while a worker starts must not show a traceback of it."""
    mapped, _, _ = run(Masks(tmp_path), 2)
    assert [entry.totals["blocked"] for entry in mapped] == [1, 1, 1]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


# A driver of its own, whose error stream all of its processes hold: it ends when the last of them has ended.

_DRIVER = """
import sys
from pathlib import Path
from pipelines.engines.local import Local
from tests.pipelines.jobs import Endless
if __name__ == "__main__":
    job = Endless(Path(sys.argv[1]))
    try:
        Local(2).run(job, job.plan(workers=2), report=print)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a driver with two workers that never end by themselves, and waits until both are at work."""
    (tmp_path / "driver.py").write_text(_DRIVER)
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, tmp_path / "driver.py", tmp_path],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )
        started.append(process)
        assert process.stderr is not None
        assert [process.stderr.readline() for _ in range(2)] == ["at work\n"] * 2
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with process:  # closes the stream and waits
            continue


@pytest.mark.parametrize("group", [True, False])
def test_control_c_ends_all_processes_and_is_told_by_none(
    driver: Callable[[], subprocess.Popen[str]], group: bool
) -> None:
    process = driver()
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")


def test_a_killed_driver_leaves_no_process(driver: Callable[[], subprocess.Popen[str]]) -> None:
    process = driver()
    process.kill()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert "Traceback" not in errors
