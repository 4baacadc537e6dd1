"""The pages: histograms that hold every pair, next to the law, in a page that stands alone."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.angles import Angles
from pipelines.engines.local import Local
from pipelines.errors import InputError
from pipelines.isotropy import Isotropy
from pipelines.reports.angles import write_report
from pipelines.run import run
from tests.pipelines.page import Page

pytestmark = pytest.mark.usefixtures("unsynced")

PAIRS = 50_000


@pytest.fixture(autouse=True)
def no_complaints(caplog: pytest.LogCaptureFixture) -> Any:
    """Bokeh only logs what is wrong with a figure."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("simulated")
    run(Angles((2, 100), directory, PAIRS, "reduced", seed=7), engine=Local(1))
    return directory


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("model<b>")
    np.save(directory / "vectors.npy", 1 + np.random.default_rng(1).standard_normal((100, 8)))
    run(Isotropy(str(directory / "vectors.npy"), directory / "out", 10**6), engine=Local(1))
    return directory / "out"


def test_a_simulation(simulated: Path) -> None:
    made = Page(write_report(simulated))
    assert "Angles between random vectors" in made.text
    assert "50,000 pairs of each of 2 dimensions, finished" in made.text
    for told in ("Dimensions 2", "Million pairs 0.1", "Million numbers 0.2", "Method reduced", "Seed 7", "n = 100"):
        assert told in made.text
    assert made.row("n")[:3] == ["n", "variance", "law"]
    assert made.row("100")[2] == "0.010101"
    assert made.row("pairs per second")
    drawn = sorted(made.data("left", "right", "top", "count", "expected"), key=lambda data: data["left"][0])
    for n, data in zip((2, 100), drawn, strict=True):
        counts = np.array(data["count"])
        assert 0.999 * PAIRS < counts.sum() <= PAIRS
        assert data["left"][1:] == data["right"][:-1]
        widths = np.array(data["right"]) - np.array(data["left"])
        assert np.array(data["top"]) == pytest.approx(100 * counts / PAIRS / widths)
        # Of 90 bars of a fair sample.
        assert np.sum((counts - np.array(data["expected"])) ** 2 / np.array(data["expected"])) < 160
        assert (data["left"][0] < 1e-6) == (n == 2)


def test_embeddings(measured: Path) -> None:
    made = Page(write_report(measured))
    assert f"Angles between the vectors of {measured.parent.name}/vectors.npy" in made.text
    assert made.tags["b"] == 0
    assert "4,950 pairs of 100 vectors of 8 dimensions" in made.text
    assert made.row("effective dimension")[-1] == "8"
    drawn = made.data("left", "right", "top", "count", "expected")
    assert [sum(data["count"]) for data in drawn] == [4950, 4950]
    assert [len(data["count"]) for data in drawn] == [180, 180]
    assert "Mean removed" in made.text


def test_pages_load_nothing(simulated: Path, measured: Path) -> None:
    for directory in (simulated, measured):
        made = Page(write_report(directory))
        assert made.tags["link"] == made.tags["img"] == made.tags["iframe"] == 0
        assert not [value for name, value in made.attributes if name == "src"]
        assert "default-src 'none'" in made.source


def test_many_dimensions_are_not_all_drawn(tmp_path: Path) -> None:
    run(Angles(tuple(range(2, 20)), tmp_path, 100, "reduced", bins=64), engine=Local(1))
    made = Page(write_report(tmp_path))
    assert "Drawn are the first 12 dimensions." in made.text
    assert len(made.data("left")) == 12
    assert made.row("19")


@pytest.mark.parametrize("name", ["angles.parquet", "histograms.parquet", "manifest.json", "run.json"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    run(Angles((3,), tmp_path, 100, bins=10), engine=Local(1))
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"{tmp_path}(/{name})?.*: run .*"):
        write_report(tmp_path)
