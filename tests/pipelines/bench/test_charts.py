"""Bars as they are drawn: lengths in proportion, in a file and in a page."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.bench.charts import OTHERS, PARTS, Bar, Chart, bokeh_figure, write_png
from pipelines.reports.figures import ACCENT


def lengths(path: Path, colour: str) -> list[int]:
    """Pixels of each run of rows that hold a colour, the longest row of each."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    wanted = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    rows = (pixels == wanted).all(axis=2).sum(axis=1)
    found: list[int] = []
    before = 0
    for length in rows.tolist():
        if length > 20 and before <= 20:
            found.append(0)
        if length > 20:
            found[-1] = max(found[-1], length)
        before = length
    return found


def test_bars_are_as_long_as_their_values(tmp_path: Path) -> None:
    bars = [Bar("ours", [80.0], "80", low=70.0, high=90.0), Bar("a peer", [20.0], "20", ours=False)]
    write_png(Chart("Speeds", "of two", bars), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 2000
    [ours], [peer] = lengths(tmp_path / "a.png", ACCENT), lengths(tmp_path / "a.png", OTHERS)
    assert ours / peer == pytest.approx(4, rel=0.01)


def test_parts_stand_behind_each_other(tmp_path: Path) -> None:
    chart = Chart("Steps", "of one", [Bar("a", [30.0, 60.0], "")], ("first", "second"))
    write_png(chart, tmp_path / "a.png")
    *_, first = lengths(tmp_path / "a.png", PARTS[0])
    *_, second = lengths(tmp_path / "a.png", PARTS[1])
    assert second / first == pytest.approx(2, rel=0.01)
    data = [renderer.data_source.data for renderer in bokeh_figure(chart).renderers[:2]]
    assert [(one["left"], one["right"]) for one in data] == [([0.0], [30.0]), ([30.0], [90.0])]


def test_bars_of_nothing_can_be_drawn(tmp_path: Path) -> None:
    chart = Chart("Nothing", "at all", [Bar("a", [0.0], "0")])
    write_png(chart, tmp_path / "a.png")
    assert bokeh_figure(chart).renderers
