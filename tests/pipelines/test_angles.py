"""The simulation: the counts of a plain loop over blocks, whatever the shards, and results that agree with the law."""

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines import angles as job_module
from pipelines.angles import HISTOGRAM, ROW, Angles, code_version
from pipelines.engines.local import Local
from pipelines.errors import EngineError, InputError, UsageError
from pipelines.run import Outcome, run
from pipelines.storage.manifest import PARTS, SHARDS, SUCCESS, Entry
from tests.pipelines.command import data_of
from transforms import angles
from transforms.angle_counts import AngleTally, ks_distance, ks_distance_between, ks_pvalue, moments
from transforms.random_angles import Method, draw_cosines, pairs_a_block

pytestmark = pytest.mark.usefixtures("unsynced")

METHODS: tuple[Method, ...] = ("vectors", "reduced")
BINS = 500
SETTINGS = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def run_here(job: Angles, workers: int = 1) -> Outcome:
    return run(job, engine=Local(workers))


def tallied(n: int, pairs: int, method: Method = "vectors", *, seed: int = 0, bins: int = BINS) -> AngleTally:
    """The oracle: all blocks one after the other."""
    tally, size = AngleTally(n, bins=bins), pairs_a_block(n, method=method)
    drawn = draw_cosines(range(-(-pairs // size)), n=n, method=method, seed=seed)
    tally.add(np.concatenate(list(drawn))[:pairs])
    return tally


def rows_of(directory: Path) -> list[dict[str, Any]]:
    return pq.read_table(directory / "angles.parquet").to_pylist()  # type: ignore[no-any-return]


def counts_of(directory: Path, n: int) -> np.ndarray:
    found = pq.read_table(directory / "histograms.parquet").filter(pc.field("n") == n)
    return found["count"].to_numpy()  # type: ignore[no-any-return]


@pytest.fixture
def small_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams of several sources, as large runs have them."""
    monkeypatch.setattr(job_module, "STRETCH_BYTES", 1 << 20)


@pytest.fixture(scope="module")
def tops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return (tmp_path_factory.mktemp("angles") for _ in iter(int, 1))


@given(
    method=st.sampled_from(METHODS),
    dimensions=st.lists(st.sampled_from([2, 3, 10, 300]), min_size=1, max_size=3),
    pairs=st.integers(2, 40_000),
    seed=st.sampled_from([0, 1, 2**64 - 1]),
    shard_bytes=st.integers(100_000, 3_000_000),
    stretch_bytes=st.sampled_from([1, 1 << 20, 1 << 30]),
)
@SETTINGS
def test_counts_are_those_of_the_plain_loop_whatever_the_shards(
    tops: Iterator[Path],
    method: Method,
    dimensions: list[int],
    pairs: int,
    seed: int,
    shard_bytes: int,
    stretch_bytes: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_module, "STRETCH_BYTES", stretch_bytes)
        job = Angles(tuple(dimensions), next(tops), pairs, method, seed, BINS, shard_bytes)
        outcome = run_here(job)
    assert [row["n"] for row in rows_of(job.directory)] == sorted(set(dimensions))
    for row in rows_of(job.directory):
        expected = tallied(row["n"], pairs, method, seed=seed)
        assert counts_of(job.directory, row["n"]).tolist() == expected.counts.tolist()
        found = [row[name] for name in ("mean", "variance", "kurtosis")]
        assert found == pytest.approx(moments(expected.sums), rel=1e-12, nan_ok=True)
        assert row["pairs"] == pairs
        assert row["ks_distance"] == ks_distance(expected.counts)
    assert outcome.manifest["totals"]["pairs"] == pairs * len(set(dimensions))
    assert outcome.manifest["inputs"] == {
        "dimensions": sorted(set(dimensions)),
        "pairs": pairs,
        "bytes": sum(8 * pairs * (2 * n if method == "vectors" else 2) for n in set(dimensions)),
    }


@pytest.mark.usefixtures("small_stretches")
def test_more_pairs_and_dimensions_cost_what_is_new(tmp_path: Path) -> None:
    job = Angles((3, 20), tmp_path / "grown", 50_000, bins=BINS, shard_bytes=1 << 20)
    run_here(job)
    larger = replace(job, dimensions=(2, 20, 3), pairs=120_000)
    outcome = run_here(larger)
    assert outcome.run["shards"]["kept"] > 5
    run_here(replace(larger, directory=tmp_path / "fresh", shard_bytes=1 << 30))
    assert data_of(tmp_path / "grown") == data_of(tmp_path / "fresh")
    again = run_here(job)  # and back
    assert again.run["shards"]["kept"] > 5
    assert not again.repeated
    run_here(replace(job, directory=tmp_path / "small"))
    assert data_of(tmp_path / "grown") == data_of(tmp_path / "small")
    assert run_here(job).repeated


def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    job = Angles((2, 50), tmp_path / "one", 30_000, bins=BINS, shard_bytes=1 << 20)
    run_here(job)
    run_here(replace(job, directory=tmp_path / "two"), workers=2)
    assert data_of(tmp_path / "one") == data_of(tmp_path / "two")


@pytest.mark.parametrize("method", METHODS)
def test_a_simulation_agrees_with_the_law(tmp_path: Path, method: Method) -> None:
    """Twenty tests at 3.5 standard errors, five at 10^-4: a fair program fails with a probability of 1 %."""
    run_here(Angles((2, 3, 10, 100, 768), tmp_path, 20_000 if method == "vectors" else 10**6, method, seed=2))
    for row in rows_of(tmp_path):
        for name, theory in zip(
            ("mean", "variance", "kurtosis"),
            (math.pi / 2, angles.variance(row["n"]), angles.kurtosis(row["n"])),
            strict=True,
        ):
            assert row[f"{name}_theory"] == theory
            assert abs(row[name] - theory) < 3.5 * row[f"{name}_standard_error"]
        assert row["ks_pvalue"] > 1e-4
        assert row["ks_error"] == 2**-20


def test_both_methods_agree(tmp_path: Path) -> None:
    """By the two-sample test of Kolmogorov and Smirnov, at 10^-4 each."""
    for method in METHODS:
        run_here(Angles((2, 3, 50), tmp_path / method, 100_000, method, seed=3, bins=10_000))
    for n in (2, 3, 50):
        distance = ks_distance_between(*(counts_of(tmp_path / method, n) for method in METHODS))
        assert ks_pvalue(distance, 100_000, 100_000) > 1e-4


def test_the_parquet_s_layout(tmp_path: Path) -> None:
    outcome = run_here(Angles((3, 2), tmp_path, 1000, bins=BINS))
    assert [part["name"] for part in outcome.manifest["parts"]] == ["angles.parquet", "histograms.parquet"]
    for part, schema in zip(outcome.manifest["parts"], (ROW, HISTOGRAM), strict=True):
        found = pq.read_schema(tmp_path / part["name"])
        assert found.equals(schema)
        assert found.metadata is None
    histograms = pq.read_table(tmp_path / "histograms.parquet")
    assert histograms["n"].to_pylist() == [2] * BINS + [3] * BINS
    for path in (tmp_path / "angles.parquet", tmp_path / "histograms.parquet", tmp_path / "manifest.json"):
        assert str(tmp_path).encode() not in path.read_bytes()


def test_what_decides_the_result_is_the_configuration(tmp_path: Path) -> None:
    job = Angles((3,), tmp_path, 1000, bins=BINS)
    differs: dict[str, dict[str, Any]] = {"method": {"method": "reduced"}, "seed": {"seed": 1}, "bins": {"bins": 7}}
    for name, change in differs.items():
        other = replace(job, **change).configuration
        assert {key for key in other if other[key] != job.configuration[key]} == {name}
    assert differs.keys() | {"job"} == job.configuration.keys()
    for change in ({"dimensions": (5,)}, {"pairs": 5}, {"shard_bytes": 5}):
        assert replace(job, **change).configuration == job.configuration
    run_here(job)
    with pytest.raises(InputError, match=r"holds a run with other options \(seed: 0, now 1\)"):
        run_here(replace(job, seed=1))
    assert not run(replace(job, seed=1), engine=Local(1), fresh=True).repeated


def test_results_of_other_code_or_numpy_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Angles((3,), tmp_path, 1000, bins=BINS)
    run_here(job)
    assert run_here(job).repeated
    assert len(code_version()) == 64
    with monkeypatch.context() as patch:
        patch.setattr(np, "__version__", "3.0.0")
        assert not run_here(job).repeated
        assert run_here(job).repeated
    monkeypatch.setattr(job_module, "code_version", lambda: "another")
    outcome = run_here(job)
    assert (outcome.repeated, outcome.run["shards"]["kept"]) == (False, 0)


def test_a_task_that_runs_twice_does_the_same(tmp_path: Path) -> None:
    job = Angles((2, 3), tmp_path, 1000, bins=BINS)
    (tmp_path / SHARDS).mkdir()
    shards = job.plan(workers=1).shards
    first = [job.map(shard) for shard in shards]
    files = {path: path.read_bytes() for path in (tmp_path / SHARDS).iterdir()}
    assert [job.map(shard) for shard in shards] == first
    assert {path: path.read_bytes() for path in (tmp_path / SHARDS).iterdir()} == files
    (job.directory / PARTS).mkdir()
    assert [job.reduce(part, first) for part in range(2)] == [job.reduce(part, first) for part in range(2)]
    assert {label for entry in first for label in entry.labels} == {"2", "3"}


def test_a_shard_in_which_no_block_begins_is_empty(tmp_path: Path) -> None:
    """Shards of a tenth of a block."""
    job = Angles((3,), tmp_path, 20_000, bins=BINS, shard_bytes=100_000)
    outcome = run_here(job)
    assert outcome.run["shards"]["total"] > 5
    assert counts_of(tmp_path, 3).tolist() == tallied(3, 20_000).counts.tolist()


def test_a_damaged_histogram_is_told(tmp_path: Path) -> None:
    job = Angles((3,), tmp_path, 1000, bins=BINS)
    run_here(job)
    (run_file,) = (tmp_path / SHARDS).glob("*.arrow")
    content = bytearray(run_file.read_bytes())
    content[len(content) // 2] ^= 1
    run_file.write_bytes(content)
    (tmp_path / SUCCESS).unlink()
    with pytest.raises(InputError, match=r"\.arrow: damaged between bytes 0 and \d+: remove it and run the same"):
        run_here(job)


def test_pairs_that_do_not_add_up_end_the_run(tmp_path: Path) -> None:
    job = Angles((3,), tmp_path, 1000, bins=BINS)
    sums = {"3": {**tallied(3, 999).sums}}
    with pytest.raises(EngineError, match=f"^{tmp_path}: histograms and pairs differ: start anew with --fresh$"):
        job.finish(None, [], [Entry("p", (), {"pairs": 999}, sums)], dict)  # type: ignore[arg-type]


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    for options, told in (
        ({"dimensions": ()}, r"--dimensions: between 2 and 1,000,000, such as 2,3,10,100,768"),
        ({"dimensions": (3, 1)}, "--dimensions: between 2 and"),
        ({"dimensions": (10**6 + 1,)}, "--dimensions: between 2 and"),
        ({"pairs": 1}, "--pairs 1: between 2 and 1,000,000,000,000"),
        ({"pairs": 10**12 + 1}, "--pairs 1000000000001: between"),
        ({"seed": -1}, "--seed -1: between"),
        ({"seed": 2**64}, rf"--seed {2**64}: between"),
    ):
        with pytest.raises(UsageError, match=told):
            Angles(**{"dimensions": (3,), "directory": tmp_path, **options})  # type: ignore[arg-type]


def test_the_configuration_is_json(tmp_path: Path) -> None:
    job = Angles((3,), tmp_path)
    assert json.loads(json.dumps(job.configuration)) == job.configuration
    assert job.partitions == 1
    assert replace(job, dimensions=(3, 2, 3)).partitions == 2
    assert isinstance(ROW, pa.Schema)
