"""What `hanmill bench count` prints, saves and records, over figures that are made up."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.bench import headline
from tests.pipelines.bench.test_standings import row
from tests.pipelines.command import hanmill
from tests.pipelines.page import Page

TABLE = "# Measured\n\n| date | commit |\n|---|---|\n"


@pytest.fixture(autouse=True)
def figures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pipelines.bench.standings import with_ratios

    def compare(inputs: list[str], **options: Any) -> dict[str, Any]:
        rows = [row("loop", 1, 10.0), row("local", 1, 2.0, megabytes=100), row("local", 2, 1.25, 1.0, megabytes=100)]
        return {
            "corpus": {"inputs": inputs, "documents": 9, "bytes": options["size"]},
            "sample": {"documents": 3, "bytes": 10_000_000},
            "rounds": options["rounds"],
            "contenders": with_ratios(rows),
            "left_out": {"rjieba, a pool, 2 workers": "rjieba is not installed"},
        }

    monkeypatch.setattr(headline, "compare", compare)
    monkeypatch.setattr(headline, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "benchmarks.md").write_text(TABLE)


def test_figures_page_and_chart_are_saved(tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = hanmill("bench", "count", "--corpus", "news/", "--megabytes", 100, "--rounds", 5, "--out", out)
    assert ended.code == 0, ended.err
    result = json.loads((out / "bench.json").read_bytes())
    assert result.keys() == {
        "kind", "command", "commit", "finished", "environment", "corpus", "sample", "rounds", "contenders", "left_out",
    }  # fmt: skip
    assert result["command"].startswith("hanmill bench count --corpus news/ --megabytes 100")
    assert result["environment"]["packages"].keys() >= {"jieba", "numpy", "rjieba", "dask", "apache-beam"}
    assert {
        "name", "title", "workers", "ours", "documents", "bytes", "seconds", "mb_per_second", "slowest", "fastest",
        "startup", "peak_bytes", "sample", "ratio", "e_loop", "e_self",
    } == result["contenders"][0].keys()  # fmt: skip
    page = Page(out / "bench.html")
    shown = page.row("hanmill local, 2 workers")
    assert shown[3:7] == ["80.00 to 100.00", "88.89", "44.44", "0.89"]
    assert page.row("rjieba, a pool, 2 workers") == ["rjieba, a pool, 2 workers", "rjieba is not installed"]
    assert "https://" not in " ".join(value or "" for _, value in page.attributes)
    titles = [data["name"] for data in page.data("name", "right")]
    assert titles == [["hanmill local, 2 workers", "hanmill local, 1 worker", "jieba, the plain loop"]]
    with Image.open(out / "bench.png") as image:
        image.verify()
    for cell in shown:
        assert cell in ended.out


def test_a_row_is_recorded_and_the_chart_with_it(tmp_path: Path) -> None:
    for _ in range(2):
        ended = hanmill("bench", "count", "--out", tmp_path / "out", "--record")
        assert ended.code == 0, ended.err
    text = (tmp_path / "docs" / "benchmarks.md").read_text()
    assert text.startswith(TABLE)
    first, second = text.removeprefix(TABLE).splitlines()
    assert first.startswith("| 20")
    cells = [cell.strip() for cell in second.strip("|").split(" | ")]
    assert cells[2:9] == ["100.0, 10.0", "1.00", "88.9 (80.0 to 100.0)", "88.9", "44.44, 0.89", "yes", "2"]
    assert "jieba 0.42.1" in cells[10]
    assert cells[11].startswith("`hanmill bench count")
    assert (tmp_path / "docs" / "benchmark.png").read_bytes() == (tmp_path / "out" / "bench.png").read_bytes()


def test_nothing_is_measured_where_nothing_can_be_recorded(tmp_path: Path) -> None:
    (tmp_path / "docs" / "benchmarks.md").unlink()
    ended = hanmill("bench", "count", "--out", tmp_path / "out", "--record")
    assert ended.code == 2
    assert "--record adds to" in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("workers", ["0", "1,x", ""])
def test_workers_are_numbers(workers: str) -> None:
    ended = hanmill("bench", "count", "--workers", workers)
    assert ended.code == 2
    assert "--workers" in ended.err


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = hanmill("bench", "count", "--out", tmp_path / "file" / "out")
    assert ended.code == 3
    assert "--out" in ended.err
