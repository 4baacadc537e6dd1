"""A small run of `hanmill bench growth`: its points, their parts, its page."""

import json
from pathlib import Path

import pytest
from PIL import Image

from pipelines.bench.growth import PARTS, bench_growth
from pipelines.sample import write_sample
from tests.pipelines.command import hanmill
from tests.pipelines.page import Page


@pytest.mark.slow
def test_growth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sample(tmp_path / "corpus", documents=100, seed=1)
    out = tmp_path / "out"
    inputs = [str(tmp_path / "corpus")]
    bench_growth(inputs, megabytes=[1, 2], thucnews=True, workers=2, rounds=2, out=out, small=(300, 500_000))
    result = json.loads((out / "growth.json").read_bytes())
    points = {point["title"]: point for point in result["points"]}
    assert points.keys() == {"1 MB", "2 MB", "THUCNews' shape"}
    assert [round(point["bytes"] / 1e5) for point in points.values()] == [10, 20, 5]
    for point in points.values():
        assert len(point["seconds"]) == 2
        assert point["steps"].keys() == PARTS.keys()
        assert min(point["steps"].values()) >= 0
        assert point["peak_bytes"] >= 50 << 20
        assert {"list", "map", "reduce", "finish"} <= point["stages"].keys()
        assert point["run_rows"] >= point["words"] > 0
    assert points["1 MB"]["words"] == points["2 MB"]["words"]  # the same documents again
    assert points["THUCNews' shape"]["documents"] == 300
    figures, steps = [row for row in Page(out / "growth.html").rows if row[0] == "THUCNews' shape"]
    assert (figures[2], len(steps)) == ("300", 1 + len(PARTS))
    with Image.open(out / "growth.png") as image:
        image.verify()
    assert "300 files cut from the same documents" in capsys.readouterr().out
    assert hanmill("bench", "scaling", out / "growth.json").code == 0
