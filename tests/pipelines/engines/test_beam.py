"""The Beam engine: runners by name, errors that come back, counters, and processes that die."""

import json
import os
from pathlib import Path

import pytest

from pipelines import installation
from pipelines.engines.beam import Beam
from pipelines.engines.job import Progress
from pipelines.engines.options import EngineOptions
from pipelines.errors import BadRecordsError, EngineError, InputError, UsageError
from pipelines.storage.manifest import Entry
from tests.pipelines.command import hanmill, run_json
from tests.pipelines.jobs import Sums

OURS = {error.__name__: error for error in (InputError, UsageError, BadRecordsError, EngineError)}


def run(job: Sums, *options: str, workers: int = 1) -> tuple[list[Entry], list[Entry], list[Progress]]:
    told: list[Progress] = []
    with Beam(EngineOptions("beam", workers, pipeline_options=options)) as engine:
        mapped, reduced = engine.run(job, job.plan(workers=engine.workers), report=told.append)
    return mapped, reduced, told


@pytest.mark.parametrize("workers", [1, 2])
def test_all_shards_are_mapped_and_all_partitions_reduced_in_order(tmp_path: Path, workers: int) -> None:
    job = Sums(tmp_path, sizes=(30, 10, 20, 50, 40), kept=(7,), partitions=4)
    mapped, reduced, told = run(job, workers=workers)
    assert [entry.fingerprint for entry in mapped] == ["kept 0", *(f"shard {number}" for number in range(5))]
    assert [entry.totals["partition"] for entry in reduced] == [0, 1, 2, 3]
    assert [entry.totals["sum"] for entry in reduced] == [157] * 4
    assert [progress.stage for progress in told] == ["map"] + ["map"] * 5 + ["reduce"] * 5
    assert {progress.shard.size for progress in told if progress.shard} == set(job.sizes)
    assert (os.getpid() in {entry.totals["pid"] for entry in mapped}) == (workers == 1)


def test_nothing_to_map_is_reduced_still(tmp_path: Path) -> None:
    _, reduced, _ = run(Sums(tmp_path, sizes=(), kept=(7, 8)))
    assert [entry.totals["sum"] for entry in reduced] == [15, 15]


def test_nothing_at_all_is_reduced_still(tmp_path: Path) -> None:
    _, reduced, _ = run(Sums(tmp_path, sizes=()))
    assert [entry.totals["sum"] for entry in reduced] == [0, 0]


FN_API = ["--runner=FnApiRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=2"]


@pytest.mark.parametrize(
    ("given", "before"),
    [
        ((), FN_API),
        (("--direct_num_workers=3",), FN_API),
        (("--runner=BundleBasedDirectRunner",), []),
        (("--runner", "FnApiRunner", "--job_name=x"), []),
    ],
)
def test_the_runner_is_always_named_and_what_is_given_comes_last(given: tuple[str, ...], before: list[str]) -> None:
    engine = Beam(EngineOptions("beam", 2, pipeline_options=given))
    assert engine.describe()["pipeline_options"] == ["--default_sdk_harness_log_level=ERROR", *before, *given]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--runer=FnApiRunner", "^--runer=FnApiRunner: Beam has no such pipeline option; did you mean --runner?"),
        ("--quite_another", "^--quite_another: Beam has no such pipeline option; "),
        ("word", "^word: Beam has no such pipeline option; see Beam's pipeline options"),
        ("--direct_num_workers=many", "^after --: argument --direct_num_workers: invalid int value: 'many'"),
    ],
)
def test_options_that_beam_does_not_know_are_refused(option: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Beam(EngineOptions("beam", pipeline_options=[option]))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("place", ["shard 0", "partition 0"])
@pytest.mark.parametrize("how", ["InputError", "BadRecordsError"])
def test_errors_of_ours_keep_type_and_text(tmp_path: Path, workers: int, place: str, how: str) -> None:
    with pytest.raises(OURS[how], match=f"^{how} of a task$") as told:
        run(Sums(tmp_path, failing=(place, how)), workers=workers)
    assert type(told.value) is OURS[how]


def test_other_errors_are_told_of_by_the_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"^the pipeline failed: .*ValueError of a task"):
        run(Sums(tmp_path, failing=("shard 0", "ValueError")))


def test_an_unknown_runner_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^after --: .*NoSuchRunner"):
        run(Sums(tmp_path), "--runner=NoSuchRunner")


def test_a_worker_with_another_hanmill_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "identity", lambda: "0.0.9 (code of yesterday)")
    with pytest.raises(EngineError, match=r"^a worker has hanmill .*, the driver 0\.0\.9 \(code of yesterday\)"):
        run(Sums(tmp_path), workers=2)


@pytest.mark.parametrize("workers", [1, 2])
def test_counters_are_those_of_the_manifest(tmp_path: Path, workers: int) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number in range(30):
        (corpus / f"{number}.txt").write_bytes("我来到北京清华大学".encode() if number else b"\xff")
    out = tmp_path / "out"
    line = [
        "count",
        corpus,
        "--out",
        out,
        "--engine",
        "beam",
        "--workers",
        workers,
        "--shard-bytes",
        200,
        "--no-report",
    ]
    ended = hanmill(*line, "--", "--job_name=words")
    assert ended.code == 0, ended.err
    told, totals = run_json(out), json.loads((out / "manifest.json").read_bytes())["totals"]
    assert totals["dead_letters"] == 1
    assert {name: told["counters"][name] for name in ("documents", "bytes", "dead_letters")} == {
        name: totals[name] for name in ("documents", "bytes", "dead_letters")
    }
    assert told["counters"]["map_milliseconds"] >= 0
    assert "--job_name=words" in told["pipeline_options"]
