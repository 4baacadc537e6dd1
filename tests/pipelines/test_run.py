"""A run: lock, plan, engine, finish, what is told meanwhile, and what is left when something fails."""

import errno
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines import run as runs
from pipelines.engines.job import Progress, Report
from pipelines.engines.local import Local
from pipelines.errors import EngineError, InputError
from pipelines.run import Outcome, Watch, run
from pipelines.storage.commit import LOCK, lock
from pipelines.storage.manifest import MANIFEST, PARTS, RUN, SHARDS, SUCCESS, Entry
from pipelines.storage.resume import Plan
from tests.pipelines.jobs import Sums


class Recorder(Watch):
    def __init__(self) -> None:
        self.told: list[str] = []

    def planned(self, plan: Plan) -> None:
        self.told.append(f"{len(plan.shards)} shards")

    def progressed(self, progress: Progress) -> None:
        self.told.append(progress.stage)

    def stage(self, name: str) -> None:
        self.told.append(name)

    def close(self) -> None:
        self.told.append("closed")


def run_here(job: Sums, **options: Any) -> Outcome:
    return run(job, **{"engine": Local(1), **options})


@dataclass(frozen=True)
class Stub:
    """An engine of so many workers that calls a function."""

    function: Callable[..., tuple[list[Entry], list[Entry]]]
    workers: int = 1
    name: str = "stub"

    def run(self, job: Sums, plan: Plan, *, report: Report) -> tuple[list[Entry], list[Entry]]:
        return self.function(job, plan, report)

    def describe(self) -> dict[str, Any]:
        return {"dashboard": "there"}


def test_a_run_makes_its_folder_and_tells_what_it_did(tmp_path: Path) -> None:
    job = Sums(tmp_path / "deep/er/out", sizes=(3, 1), kept=(7,))
    watch = Recorder()
    outcome = run_here(job, watch=watch, started=1_000_000_000.0)
    assert not outcome.repeated
    assert outcome.manifest["sums"] == [11, 11]
    assert watch.told == ["2 shards", "map", "map", "reduce", "reduce", "finish", "closed"]
    told = outcome.run
    assert told["shards"] == {"total": 3, "counted": 2, "kept": 1}
    assert (told["engine"], told["workers"]) == ("local", 1)
    assert told["started"] == "2001-09-09T01:46:40.000+00:00"
    assert datetime.fromisoformat(told["finished"]) > datetime.fromisoformat(told["started"])
    assert list(told["stages"]) == ["list", "map", "reduce", "finish"]
    assert told["seconds"] == pytest.approx(sum(told["stages"].values()), abs=0.01)
    assert {"hanmill", "python", "platform", "processor", "cores", "packages"} == told["environment"].keys()
    assert {"numpy", "pyarrow", "jieba"} <= told["environment"]["packages"].keys()
    assert json.loads(json.dumps(told)) == told
    assert sorted(path.name for path in job.directory.iterdir()) == [SHARDS, "shard 0", "shard 1"]


def test_speed_is_of_what_was_counted_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(job: Any, plan: Plan, report: Report) -> tuple[list[Entry], list[Entry]]:
        return [*plan.kept, Entry("new", (), {"documents": 30, "bytes": 600, "size": 1})], [Entry("p", (), {"sum": 1})]

    times = iter([110.0, 115.0, 120.0])
    monkeypatch.setattr(runs.time, "time", lambda: next(times, 120.0))
    told = run_here(Sums(tmp_path, kept=(7,)), engine=Stub(work), started=100.0).run
    assert (told["documents_per_second"], told["bytes_per_second"], told["seconds"]) == (1.5, 30.0, 20.0)


@pytest.mark.parametrize("stage", ["plan", "engine", "finish"])
def test_what_fails_is_told_and_frees_folder_and_watch(
    tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise EngineError("it fails")

    watch = Recorder()
    if stage != "engine":
        monkeypatch.setattr(Sums, stage, fail)
    with pytest.raises(EngineError, match="it fails"):
        run_here(Sums(tmp_path), watch=watch, **({"engine": Stub(fail)} if stage == "engine" else {}))
    assert watch.told[-1:] == ([] if stage == "plan" else ["closed"])
    assert not (tmp_path / LOCK).exists()


def test_a_folder_that_another_run_writes_to_is_refused(tmp_path: Path) -> None:
    with lock(tmp_path), pytest.raises(InputError, match="is being written by another run"):
        run_here(Sums(tmp_path))


@pytest.mark.parametrize("place", ["a file", "a file/below", "/proc/hanmill"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(InputError, match=rf"^.*{re.escape(place)}.*: .+: the output cannot be written there$"):
        run_here(Sums(tmp_path / place))


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(self: Sums, *_: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Sums, "finish", fill)
    with pytest.raises(InputError, match=f"^{tmp_path}: No space left on device: the output cannot be written there$"):
        run_here(Sums(tmp_path))


def test_an_input_that_cannot_be_read_is_not_called_an_output(tmp_path: Path) -> None:
    def fail(*_: Any) -> Any:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/elsewhere/article.txt")

    with pytest.raises(InputError, match=r"^/elsewhere/article\.txt: No such file or directory$"):
        run_here(Sums(tmp_path), engine=Stub(fail))


def output(directory: Path) -> None:
    """What a run leaves, as far as it is looked at before the next one."""
    part = {"name": "sums-00000-of-00001.parquet", "sha256": "", "bytes": 4, "records": 1, "offset": 0}
    dead = {**part, "name": "dead_letters.jsonl", "bytes": 2}
    (directory / SHARDS).mkdir(parents=True)
    (directory / PARTS).mkdir()
    (directory / SHARDS / "x.arrow").touch()
    (directory / part["name"]).write_bytes(b"rows")  # type: ignore[operator]
    (directory / "dead_letters.jsonl").write_bytes(b"{}")
    manifest = {"inputs": {"sizes": []}, "parts": [part], "dead_letters": dead}
    for name, content in ((MANIFEST, manifest), (RUN, {"seconds": 5})):
        (directory / name).write_text(json.dumps(content))
    for name in ("report.html", "mine.txt"):
        (directory / name).touch()
    sign(directory)


def sign(directory: Path) -> None:
    digest = hashlib.sha256((directory / MANIFEST).read_bytes()).hexdigest()
    (directory / SUCCESS).write_text(f"{digest}\n")


def have_other_inputs(directory: Path) -> None:
    manifest = (directory / MANIFEST).read_text()
    (directory / MANIFEST).write_text(manifest.replace('"sizes": []', '"sizes": [1]'))
    sign(directory)


def no_engine(*_: Any, **__: Any) -> Any:
    pytest.fail("there is nothing to do")


def test_a_finished_output_is_not_made_again(tmp_path: Path) -> None:
    """But what a killed run left beside it goes."""
    output(tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.is_file()}
    outcome = run_here(Sums(tmp_path / "out", sizes=()), engine=Stub(no_engine), watch=Recorder())
    assert outcome.repeated
    assert outcome.run == {"seconds": 5}
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before
    assert not (tmp_path / "out" / PARTS).exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda out: (out / SUCCESS).unlink(),
        lambda out: (out / MANIFEST).unlink(),
        lambda out: (out / RUN).write_text("{"),
        lambda out: (out / "sums-00000-of-00001.parquet").unlink(),
        lambda out: (out / "sums-00000-of-00001.parquet").write_bytes(b"row"),
        lambda out: (out / "dead_letters.jsonl").unlink(),
        lambda out: (out / SUCCESS).write_text("another manifest"),
        have_other_inputs,
    ],
)
def test_an_output_that_lacks_anything_is_made_again(tmp_path: Path, change: Callable[[Path], Any]) -> None:
    output(tmp_path / "out")
    change(tmp_path / "out")
    assert not run_here(Sums(tmp_path / "out", sizes=())).repeated


def test_an_output_of_other_options_or_with_shards_to_do_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output(tmp_path / "out")
    assert not run_here(Sums(tmp_path / "out", sizes=(1,))).repeated
    monkeypatch.setattr(Sums, "describes", lambda self, manifest: False)
    assert not run_here(Sums(tmp_path / "out", sizes=())).repeated


def test_fresh_forgets_what_runs_made_and_nothing_else(tmp_path: Path) -> None:
    output(tmp_path / "out")
    assert not run_here(Sums(tmp_path / "out", sizes=()), fresh=True).repeated
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [SHARDS, "mine.txt"]
    assert list((tmp_path / "out" / SHARDS).iterdir()) == []


def test_the_engine_gets_what_it_needs(tmp_path: Path) -> None:
    got: list[Any] = []

    def work(job: Sums, plan: Plan, report: Report) -> tuple[list[Entry], list[Entry]]:
        got.extend([job, [shard.size for shard in plan.shards]])
        return Local(1).run(job, plan, report=report)

    job = Sums(tmp_path)
    told = run_here(job, engine=Stub(work, workers=17)).run
    assert got == [job, [3, 1, 2]]
    assert (told["engine"], told["workers"], told["dashboard"]) == ("stub", 17, "there")


def test_what_an_engine_needs_to_begin_is_a_stage(tmp_path: Path) -> None:
    def work(job: Sums, plan: Plan, report: Report) -> tuple[list[Entry], list[Entry]]:
        report(Progress("start"))
        report(Progress("map"))
        return Local(1).run(job, plan, report=report)

    assert list(run_here(Sums(tmp_path), engine=Stub(work)).run["stages"]) == [
        "list",
        "start",
        "map",
        "reduce",
        "finish",
    ]


def test_a_fresh_run_without_inputs_takes_nothing_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output(tmp_path / "out")

    def plan(self: Sums, *, workers: int, fresh: bool = False) -> Plan:
        raise InputError("no such file")

    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    monkeypatch.setattr(Sums, "plan", plan)
    with pytest.raises(InputError, match="no such file"):
        run_here(Sums(tmp_path / "out"), fresh=True)
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("made", [False, True])
def test_a_run_without_inputs_leaves_no_folder_that_was_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    def plan(self: Sums, *, workers: int, fresh: bool = False) -> Plan:
        raise InputError("no such file")

    if made:
        (tmp_path / "out").mkdir()
    monkeypatch.setattr(Sums, "plan", plan)
    with pytest.raises(InputError, match="no such file"):
        run_here(Sums(tmp_path / "out"))
    assert list(tmp_path.rglob("*")) == ([tmp_path / "out"] if made else [])


def test_a_run_that_is_refused_takes_nothing_from_the_one_that_lists_its_inputs(tmp_path: Path) -> None:
    directory = tmp_path / "out"
    (directory / SHARDS).mkdir(parents=True)
    with lock(directory):
        with pytest.raises(InputError, match="is being written by another run"):
            run_here(Sums(directory))
        assert list((directory / SHARDS).iterdir()) == []


def test_folders_above_go_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(self: Sums, *, workers: int, fresh: bool = False) -> Plan:
        raise InputError("no such file")

    monkeypatch.setattr(Sums, "plan", plan)
    with pytest.raises(InputError, match="no such file"):
        run_here(Sums(tmp_path / "new/and/out"))
    assert list(tmp_path.iterdir()) == []
