"""Embeddings: what is known of made ones is measured, and a finished output is kept while they are as they were."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipelines import isotropy
from pipelines.engines.local import Local
from pipelines.errors import InputError, UsageError
from pipelines.isotropy import AS_THEY_ARE, CENTERED, DRAWN_BINS, Isotropy, code_version
from pipelines.run import Outcome, run
from transforms.angles import variance

pytestmark = pytest.mark.usefixtures("unsynced")

N = 20


def run_here(job: Isotropy, workers: int = 1) -> Outcome:
    return run(job, engine=Local(workers))


def saved(path: Path, vectors: np.ndarray) -> str:
    np.save(path, vectors)
    return str(path)


def measured(directory: Path) -> dict[str, dict[str, Any]]:
    rows = pq.read_table(directory / "isotropy.parquet").to_pylist()
    return {row["vectors"]: row for row in rows}


@pytest.fixture
def isotropic(tmp_path: Path) -> str:
    vectors = np.random.default_rng(1).standard_normal((3000, N))
    return saved(tmp_path / "vectors.npy", vectors.astype(np.float32))


def test_random_vectors_are_isotropic(tmp_path: Path, isotropic: str) -> None:
    outcome = run_here(Isotropy(isotropic, tmp_path / "out", pairs=50_000))
    found = measured(tmp_path / "out")
    assert list(found) == [AS_THEY_ARE, CENTERED]
    for row in found.values():
        assert (row["count"], row["left_out"], row["n"], row["pairs"]) == (3000, 0, N, 50_000)
        assert row["cosine_deviation_theory"] == 1 / np.sqrt(N)
        assert row["variance_theory"] == variance(N)
        # The pairs share vectors, so ten standard errors of independent ones are left to chance.
        assert abs(row["mean_cosine"]) < 10 / np.sqrt(N * 50_000)
        assert row["cosine_deviation"] == pytest.approx(1 / np.sqrt(N), rel=0.03)
        assert row["mean"] == pytest.approx(np.pi / 2, abs=0.01)
        assert row["variance"] == pytest.approx(variance(N), rel=0.06)
        assert row["ks_distance"] < 0.01
        assert row["effective_dimension"] == pytest.approx(1 / (1 / N + 1 / 3000), rel=0.02)
    assert outcome.manifest["totals"] == {"pairs": 100_000, "bytes": os.path.getsize(isotropic)}
    assert outcome.manifest["inputs"]["file"] == f"{tmp_path.name}/vectors.npy"
    assert str(tmp_path).encode() not in (tmp_path / "out/manifest.json").read_bytes()


def test_a_common_direction_is_found_and_removed(tmp_path: Path) -> None:
    """Unit noise about a mean of length m: the cosine is about m² / (1 + m²)."""
    vectors = np.random.default_rng(2).standard_normal((2000, 400)) / 20
    vectors[:, 0] += 1.5
    run_here(Isotropy(saved(tmp_path / "v.npy", vectors), tmp_path / "out", pairs=20_000))
    found = measured(tmp_path / "out")
    assert found[AS_THEY_ARE]["mean_cosine"] == pytest.approx(1.5**2 / (1 + 1.5**2), abs=0.01)
    assert found[AS_THEY_ARE]["ks_distance"] > 0.999
    assert found[AS_THEY_ARE]["effective_dimension"] < 3
    assert abs(found[CENTERED]["mean_cosine"]) < 0.01
    assert found[CENTERED]["ks_distance"] < 0.02
    assert found[CENTERED]["effective_dimension"] == pytest.approx(1 / (1 / 400 + 1 / 2000), rel=0.02)


def test_all_pairs_of_few_vectors(tmp_path: Path) -> None:
    """The corners of a square, and a vector of length 0, which has no angle to others."""
    vectors = np.array([[1, 0], [0, 0], [0, 2], [-3, 0], [0, -4]], np.float16)
    run_here(Isotropy(saved(tmp_path / "v.npy", vectors), tmp_path / "out"))
    row = measured(tmp_path / "out")[AS_THEY_ARE]
    assert (row["count"], row["left_out"], row["pairs"]) == (4, 1, 6)
    assert row["mean_cosine"] == pytest.approx(-2 / 6)
    assert row["mean"] == pytest.approx((4 * np.pi / 2 + 2 * np.pi) / 6)
    assert row["cosine_deviation"] == pytest.approx(np.sqrt(2 / 6 - 1 / 9))
    drawn = pq.read_table(tmp_path / "out/histograms.parquet")
    right, half = (drawn.filter(pc.field("vectors") == name) for name in (AS_THEY_ARE, CENTERED))
    assert len(right) == len(half) == DRAWN_BINS
    assert sum(right["count"].to_pylist()) == 6
    assert sum(half["count"].to_pylist()) == measured(tmp_path / "out")[CENTERED]["pairs"] == 10
    assert right["low"][0].as_py() == 0
    assert right["high"].to_pylist()[:-1] == right["low"].to_pylist()[1:]
    assert right["count"].to_pylist()[-1] == 2


def test_a_finished_output_is_kept_while_the_vectors_are(tmp_path: Path, isotropic: str) -> None:
    job = Isotropy(isotropic, tmp_path / "out", pairs=1000)
    first = run_here(job)
    assert run_here(job, workers=2).repeated
    vectors = np.load(isotropic)
    vectors[0] += 1
    saved(Path(isotropic), vectors)
    os.utime(isotropic, ns=(1, 1))
    again = run_here(job)
    assert not again.repeated
    assert again.manifest["parts"] != first.manifest["parts"]
    with pytest.raises(InputError, match=r"holds a run with other options \(seed: 0, now 1\)"):
        run_here(replace(job, seed=1))
    with pytest.raises(InputError, match=r"holds a run with other options \(pairs: 1000, now 999\)"):
        run_here(replace(job, pairs=999))


def test_workers_do_what_the_driver_does(tmp_path: Path, isotropic: str) -> None:
    outcomes = [run_here(Isotropy(isotropic, tmp_path / f"{n}", pairs=3000), workers=n) for n in (1, 2)]
    assert outcomes[0].manifest == outcomes[1].manifest


def test_results_of_other_code_are_not_kept(tmp_path: Path, isotropic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Isotropy(isotropic, tmp_path / "out", pairs=1000)
    run_here(job)
    assert len(code_version()) == 64
    monkeypatch.setattr(isotropy, "code_version", lambda: "another")
    assert not run_here(job).repeated


def test_vectors_that_cannot_be_measured(tmp_path: Path) -> None:
    vectors = np.ones((5, 3))
    with pytest.raises(InputError, match=r"same\.npy: fewer than two vectors have a direction"):
        run_here(Isotropy(saved(tmp_path / "same.npy", vectors), tmp_path / "a"))
    vectors[3, 1] = np.nan
    with pytest.raises(InputError, match=r"nan\.npy: row 3 is not finite"):
        run_here(Isotropy(saved(tmp_path / "nan.npy", vectors), tmp_path / "b"))
    with pytest.raises(InputError, match=r"none\.npy: no such file"):
        run_here(Isotropy(str(tmp_path / "none.npy"), tmp_path / "c"))


def test_what_cannot_be_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--pairs 1: two or more are needed"):
        Isotropy("x", tmp_path, pairs=1)
    with pytest.raises(UsageError, match="--seed -1: between"):
        Isotropy("x", tmp_path, seed=-1)
