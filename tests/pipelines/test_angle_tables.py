"""Tables of angles: what they say, and that a folder without them is named."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipelines import angles, isotropy
from pipelines.angle_tables import angle_table, read_angles
from pipelines.engines.local import Local
from pipelines.errors import InputError
from pipelines.run import run

pytestmark = pytest.mark.usefixtures("unsynced")


def test_a_simulation() -> None:
    row = {
        "n": 100_000,
        "pairs": 12_345_678,
        "mean": math.pi / 2 + 0.002,
        "mean_theory": math.pi / 2,
        "mean_standard_error": 0.001,
        "variance": 0.00123456,
        "variance_theory": 0.0012,
        "variance_standard_error": 0.0001,
        "kurtosis": 2.9,
        "kurtosis_theory": 3.0,
        "kurtosis_standard_error": 0.1,
        "ks_distance": 0.000123,
        "ks_error": 1e-6,
        "ks_pvalue": 0.0456,
    }
    table = angle_table(pa.Table.from_pylist([row], angles.ROW))
    shown = ["100,000", "0.0012346", "0.0012", "2.9000", "3.0000", "+2.00 +0.35 -1.00", "1.23e-04", "0.046"]
    assert [list(one) for one in table.rows] == [shown]
    assert len(table.columns) == len(shown)
    assert table.caption.startswith("12,345,678 pairs each; ")


def test_embeddings() -> None:
    rows = [
        {
            "vectors": name,
            "count": 21_000,
            "left_out": left_out,
            "n": 512,
            "pairs": 1_000_000,
            "mean_cosine": 0.31,
            "cosine_deviation": 0.2,
            "cosine_deviation_theory": 1 / math.sqrt(512),
            "mean": 1.25,
            "variance": 0.01,
            "variance_theory": 0.00196,
            "ks_distance": 0.75,
            "effective_dimension": 1072.4,
        }
        for name, left_out in (("as they are", 0), ("mean removed", 3))
    ]
    table = angle_table(pa.Table.from_pylist(rows, isotropy.ROW))
    assert table.columns == ("", "as they are", "mean removed", "random")
    assert table.rows[0] == ["mean cosine", "0.3100", "0.3100", "0"]
    assert table.rows[-1] == ["effective dimension", "1,072.4", "1,072.4", "512"]
    assert table.names == 1
    assert table.caption == "1,000,000 pairs of 21,000 vectors; 3 are left out, as they have no direction"


def test_only_finished_angles_are_read(tmp_path: Path) -> None:
    told = f"^{tmp_path}: no finished angles there: run hanmill angles ... --out {tmp_path}$"
    with pytest.raises(InputError, match=told):
        read_angles(tmp_path)
    run(angles.Angles((3,), tmp_path, 1000, bins=10), engine=Local(1))
    assert read_angles(tmp_path)["n"].to_pylist() == [3]
    assert np.sum(read_angles(tmp_path, "histograms.parquet")["count"]) == 1000
    (tmp_path / "angles.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"angles\.parquet: .+: run the same command again, it writes"):
        read_angles(tmp_path)
    (tmp_path / "_SUCCESS").unlink()
    with pytest.raises(InputError, match=told):
        read_angles(tmp_path)
