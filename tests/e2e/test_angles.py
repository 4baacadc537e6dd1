"""`hanmill angles`: its flags, what it prints and leaves, and what a user reads when something is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.pipelines.command import ROOT, Result, data_of, hanmill, manifest, process, run_json

pytestmark = pytest.mark.usefixtures("unsynced")


def angles(*arguments: object) -> Result:
    return hanmill("angles", "--workers", 1, *arguments)


def done(result: Result) -> Result:
    assert result.code == 0, result.err
    return result


def test_a_simulation(tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = done(angles("--dimensions", "10,3,3", "--pairs", "2e4", "--seed", 5, "--out", out))
    assert sorted(path.name for path in out.iterdir()) == [
        "_SUCCESS",
        "_shards",
        "angles.parquet",
        "histograms.parquet",
        "manifest.json",
        "report.html",
        "run.json",
    ]
    assert manifest(out)["configuration"] == {"job": "angles", "method": "vectors", "seed": 5, "bins": 1 << 20}
    found = pq.read_table(out / "angles.parquet")
    assert found["n"].to_pylist() == [3, 10]
    assert found["pairs"].to_pylist() == [20_000, 20_000]
    assert "20,000 pairs each" in told.out
    assert f"report: {out}/report.html" in told.out
    assert told.err.startswith("hanmill: 4 shards to draw, 4.2 MB\n")
    assert "40,000 pairs" in told.err
    assert run_json(out)["pairs_per_second"] > 0
    again = done(angles("--dimensions", "3,10", "--pairs", 20_000, "--seed", 5, "--out", out))
    assert again.out.startswith(f"{out}: up to date, nothing to do\n")
    table = told.out.partition("report")[0]
    assert table in again.out
    assert done(hanmill("show", out)).out == table
    status = done(hanmill("status", out)).out
    assert "4 shards done: 40,000 pairs\n" in status
    assert "\n2 parts, " in status
    assert done(hanmill("verify", out)).out == f"{out}: every file is as it was written\n"


def test_embeddings(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.random.default_rng(0).standard_normal((60, 4)))
    out = tmp_path / "out"
    told = done(angles("--embeddings", tmp_path / "v.npy", "--out", out))
    assert "1,770 pairs of 60 vectors" in told.out
    assert "effective dimension" in told.out
    assert (out / "report.html").exists()
    assert pq.read_table(out / "isotropy.parquet")["pairs"].to_pylist() == [1770, 1770]
    assert "effective dimension" in done(hanmill("show", out)).out
    assert "1 shards done: 3,540 pairs" in done(hanmill("status", out)).out
    told = done(angles("--embeddings", tmp_path / "v.npy", "--out", out, "--no-report"))
    assert told.out.startswith(f"{out}: up to date")


def test_texts_may_be_a_url_and_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    told = angles("--embeddings", tmp_path / "checkpoint", "--texts", "memory://no/where.txt", "--out", tmp_path / "o")
    assert told.code == 3
    assert "no checkpoint" in told.err


def test_flags_that_change_nothing_but_how_it_runs(tmp_path: Path) -> None:
    common = ("--dimensions", "2,20", "--pairs", "5e4")
    done(angles(*common, "--out", tmp_path / "a", "--no-report"))
    assert not (tmp_path / "a/report.html").exists()
    done(process("angles", *common, "--out", tmp_path / "b", "--workers", 2, "--shard-bytes", "1MiB", "--no-report"))
    assert data_of(tmp_path / "a") == data_of(tmp_path / "b")
    assert run_json(tmp_path / "b")["shards"]["total"] > run_json(tmp_path / "a")["shards"]["total"]
    done(angles(*common, "--out", tmp_path / "c", "--no-report", "--method", "reduced"))
    assert data_of(tmp_path / "a") != data_of(tmp_path / "c")
    changed = angles(*common, "--out", tmp_path / "c")
    assert changed.code == 3
    assert "holds a run with other options (method: 'reduced', now 'vectors')" in changed.err
    done(angles(*common, "--out", tmp_path / "c", "--no-report", "--fresh"))
    assert data_of(tmp_path / "a") == data_of(tmp_path / "c")


@pytest.mark.parametrize("engine", ["dask", "beam"])
def test_other_engines(tmp_path: Path, engine: str) -> None:
    common = ("--dimensions", "5", "--pairs", "1e4", "--no-report")
    done(angles(*common, "--out", tmp_path / "local"))
    options = ("--", "--runner=FnApiRunner") if engine == "beam" else ()
    done(process("angles", *common, "--workers", 1, "--out", tmp_path / engine, "--engine", engine, *options))
    assert data_of(tmp_path / "local") == data_of(tmp_path / engine)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "give either --dimensions, such as 2,3,10,100,768, or --embeddings"),
        (("--dimensions", "3", "--embeddings", "x.npy"), 2, "give either --dimensions"),
        (("--dimensions", "3,x"), 2, "--dimensions x: not a whole number; write 1000, or 1e3"),
        (("--dimensions", "1"), 2, "--dimensions: between 2 and 1,000,000, such as 2,3,10,100,768"),
        (("--dimensions", "3", "--pairs", "1.5"), 2, "--pairs 1.5: not a whole number"),
        (("--dimensions", "3", "--pairs", "inf"), 2, "--pairs inf: not a whole number"),
        (("--dimensions", "3", "--pairs", "1"), 2, "--pairs 1: between 2 and 1,000,000,000,000"),
        (("--dimensions", "3", "--seed", str(2**64)), 2, f"--seed {2**64}: between 0 and 2^64 - 1"),
        (("--embeddings", "x.npy", "--method", "reduced"), 2, "--method is for --dimensions"),
        (("--embeddings", "x.npy", "--shard-bytes", "1MiB"), 2, "--shard-bytes is for --dimensions"),
        (("--embeddings", "x.npy", "--layer", "1"), 2, "--layer is for --texts"),
        (("--embeddings", "x.npy", "--texts", "y.txt"), 2, "--texts needs --embeddings with the folder of a checkp"),
        (("--embeddings", "x.npy"), 3, "x.npy: no such file or directory"),
        (("--embeddings", "x.bin"), 3, "x.bin: a folder with .safetensors files"),
        (("--dimensions", "3", "--shard-bytes", "x"), 2, "--shard-bytes x: not a size"),
        (("--dimensions", "3", "--scheduler", "tcp://x:1"), 2, "--scheduler is for --engine dask"),
    ],
)
def test_what_a_user_reads(tmp_path: Path, arguments: tuple[str, ...], code: int, told: str) -> None:
    result = angles("--out", tmp_path / "out", *arguments)
    assert result.code == code
    assert told in result.err


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    program = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "scipy":
            raise ModuleNotFoundError(f"No module named {name!r}", name="scipy")
sys.meta_path.insert(0, Blocked())
from pipelines.cli import main
main()
"""
    arguments = ["angles", "--dimensions", "3", "--out", str(tmp_path / "out")]
    ended = subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr == "hanmill: hanmill angles needs the package scipy: pip install 'hanmill[angles]'\n"


def test_options_after_the_dashes_are_for_jobs(tmp_path: Path) -> None:
    result = hanmill("status", tmp_path, "--", "--runner=x")
    assert result.code == 2
    assert "--runner=x: only a job with `--engine beam` takes options after --" in result.err


def test_an_interrupted_simulation_goes_on(tmp_path: Path) -> None:
    """What is committed before the driver dies is kept."""
    out = tmp_path / "out"
    arguments = ("--dimensions", "10", "--pairs", "3e5", "--shard-bytes", "1MiB", "--no-report")
    done(angles(*arguments, "--out", out))
    entries = sorted((out / "_shards").glob("?" * 64 + ".json"))
    before = data_of(out)
    for path in [*entries[::2], out / "_SUCCESS"]:
        path.unlink()
    done(angles(*arguments, "--out", out))
    assert run_json(out)["shards"]["kept"] == len(entries[1::2])
    assert data_of(out) == before
    assert json.loads((out / "manifest.json").read_bytes())["job"] == "angles"
