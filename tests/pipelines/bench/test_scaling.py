"""The fit finds rates that made the points; the arithmetic is what the page says it is."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.bench.scaling import Cluster, Rates, binding_from, fit, least_squares, predict
from tests.pipelines.command import hanmill

RATES = Rates(
    start=0.5,
    list_file=1e-5,
    map_byte=2e-8,
    map_file=5e-6,
    shard=2e-3,
    merge_row=1e-7,
    order_word=2e-7,
    rows_a_shard=90_000,
    row_bytes=20.0,
    words=400_000,
    file_memory=800,
)
CLUSTER = Cluster(storage=1e9, network=1e8, cores=4)


def points(rates: Rates = RATES) -> list[dict[str, Any]]:
    """What would be measured of 2 workers if the rates were true."""
    made = []
    for size, files in ((1e7, 1_000), (1e8, 10_000), (2e9, 150_000), (2.2e9, 836_000)):
        shards = max(1, round(size / (32 << 20)))
        rows = shards * rates.rows_a_shard
        stages = {
            "list": rates.start + files * rates.list_file,
            "map": (size * rates.map_byte + files * rates.map_file) / 2,
            "reduce": rows * rates.merge_row / 2,
            "finish": rates.words * rates.order_word,
        }
        made.append({
            "bytes": size, "documents": files, "workers": 2, "stages": stages, "shards": shards, "run_rows": rows,
            "run_bytes": rows * rates.row_bytes, "words": rates.words,
            "driver_peak_bytes": (180 << 20) + files * rates.file_memory,
        })  # fmt: skip
    return made


def test_the_fit_finds_the_rates() -> None:
    found = fit(points(), shard=2e-3)
    for name in asdict(RATES):
        assert getattr(found, name) == pytest.approx(getattr(RATES, name), rel=1e-6), name


@given(st.lists(st.tuples(st.floats(0.01, 100), st.floats(1, 1000)), min_size=2, max_size=8))
def test_nothing_fitted_is_negative(measured: list[tuple[float, float]]) -> None:
    values, column = np.array(measured).T
    found = least_squares(values, np.ones(len(values)), column)
    assert min(found) >= 0
    assert max(found) > 0


def test_a_run_is_the_sum_of_its_parts() -> None:
    made = predict(RATES, size=1e12, files=1e6, workers=100, cluster=CLUSTER)
    shards = 1e12 / (32 << 20)
    assert made.parts == pytest.approx({
        "map": (2e4 + 5) / 100,
        "reduce": shards * 90_000 * 1e-7 / 8,  # there are 8 partitions
        "driver": 0.5 + 10 + shards * 2e-3 + 0.08,
        "storage": (1e12 + 2 * shards * 90_000 * 20) / 1e9,
        "network": (1e12 + 2 * shards * 90_000 * 20) / (25 * 1e8),
    })  # fmt: skip
    assert made.bottleneck == "storage"
    assert made.seconds == pytest.approx(made.parts["storage"] + made.parts["reduce"] + made.parts["driver"])
    assert made.driver_memory == 8e8


@pytest.mark.parametrize("part", ["driver", "reduce", "storage"])
def test_what_binds_binds_from_there_on(part: str) -> None:
    limit = binding_from(predict(RATES, size=1e13, files=0, workers=64, cluster=CLUSTER))[part]
    below, above = (
        predict(RATES, size=1e13, files=0, workers=workers, cluster=CLUSTER).parts
        for workers in (int(limit) - 1, int(limit) + 1)
    )
    assert below[part] < below["map"]
    assert above[part] > above["map"]


def test_one_worker_of_a_slow_network_waits_for_it() -> None:
    slow = Cluster(storage=1e12, network=1e6, cores=4)
    assert predict(RATES, size=1e12, files=0, workers=4096, cluster=slow).bottleneck == "network"


def test_tables_are_printed_of_what_growth_left(tmp_path: Path) -> None:
    path = tmp_path / "growth.json"
    path.write_text(json.dumps({"kind": "growth", "points": points(), "scheduling": {"seconds_a_shard": 2e-3}}))
    ended = hanmill("bench", "scaling", path, "--terabytes", "1", "--workers", "2,1000", "--storage", 1, "--cores", 4)
    assert ended.code == 0, ended.err
    lines = {line.split("  ")[0]: line.split() for line in ended.out.splitlines() if line}
    assert lines["map_byte"] == ["map_byte", "2e-08"]
    assert lines["1 TB, lines of large files"][-2:] == ["storage", "0.0"]  # the last table: no memory for files
    assert lines["1 TB, THUCNews' small files"][-2:] == ["driver", "304.0"]
    assert "storage 1 GB/s to all, network 1.25 GB/s a machine of 4 workers" in ended.out
    assert [line.split()[-1] for line in ended.out.splitlines() if "1,000" in line] == ["storage", "driver"]


@pytest.mark.parametrize("content", ["", "{}", '{"kind": "count"}'])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "other.json").write_text(content)
    ended = hanmill("bench", "scaling", tmp_path / "other.json")
    assert ended.code == 3
    assert "growth.json" in ended.err


def test_one_size_is_too_few() -> None:
    path = points()[:1]
    with pytest.raises(Exception, match="a fit needs two"):
        fit(path, shard=0.0)
