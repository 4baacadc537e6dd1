"""The page of a run: its curves hold what was logged, in a page that stands alone."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.errors import InputError
from tests.pipelines.keras_modules import with_keras
from tests.pipelines.page import Page

RUN = {
    "task": "text-classification", "parameters": 1234, "steps": 1200, "backend": "jax", "matmul_gflops": 99.5,
    "inputs": {"records": "records<b>", "fingerprint": "0123"}, "encoder": {"hidden": 16, "layers": 1, "heads": 2},
    "best": {"step": 1200, "accuracy": 0.9}, "seconds": 75.0, "finished": "2026-02-03T04:05:06.000+00:00",
    "environment": {"python": "3.12"}, "command": ["hanmill", "train"],
}  # fmt: skip
CONFIG = {"schedule": "linear", "ema": 0.99, "learning_rate": 5e-5}


@pytest.fixture(autouse=True)
def no_complaints(caplog: pytest.LogCaptureFixture) -> Any:
    """Bokeh only logs what is wrong with a figure."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def write_run(folder: Path, *, steps: int, scores: int, **told: Any) -> None:
    rows: list[dict[str, Any]] = [
        {
            "step": step, "split": "train", "loss": 10 / step, "learning_rate": 1e-4 * step, "tokens": 50,
            "seconds": 0.5, "tokens_per_second": 100.0, "mfu": 0.25, "time": 1.7e9,
        }
        for step in range(1, steps + 1)
    ]  # fmt: skip
    for number in range(1, scores + 1):
        step = number * steps // scores
        rows.append({"step": step, "split": "dev", "loss": 1.5, "accuracy": step / 2000, "seconds": 1.0, "time": 1.7e9})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "run.json").write_text(json.dumps({**RUN, "steps": steps, **told}))
    (folder / "config.json").write_text(json.dumps(CONFIG))


def write_report(folder: Path) -> Page:
    return Page(with_keras("pipelines.training.report").write_report(folder))


def test_a_run_with_scores(tmp_path: Path) -> None:
    write_run(tmp_path, steps=1200, scores=30)
    made = write_report(tmp_path)
    for told in (
        "Training of text-classification", "1,234 parameters, 1,200 steps, finished 2026-02-03 04:05 after 1 min 15 s "
        "on jax", "Best accuracy 0.9000", "Tokens/s, median 100", "MFU, median 25.0 %", "means over 3 steps",
        "Of averaged weights", "Schedule linear", "The last 20 of 30 scores",
    ):  # fmt: skip
        assert told in made.text
    assert made.row("records") == ["records", "records<b>"]
    assert made.row("learning_rate") == ["learning_rate", "5e-05"]
    assert made.row("1,200") == ["1,200", "1.5000", "0.6000"]
    curves = {len(data["step"]): data for data in made.data("step", "value")}
    assert set(curves) == {400, 30}
    drawn = [data["value"] for data in made.data("step", "value") if len(data["step"]) == 400]
    losses = 10 / np.arange(1, 1201)
    assert any(np.allclose(values, losses.reshape(400, 3).mean(axis=1)) for values in drawn)
    assert any(np.allclose(values, 1e-4 * np.arange(2, 1200, 3)) for values in drawn)


def test_a_run_without_scores(tmp_path: Path) -> None:
    write_run(tmp_path, steps=7, scores=0, best={"step": 7})
    made = write_report(tmp_path)
    assert "No score" in made.text
    assert "Best step –" in made.text
    assert [data["step"] for data in made.data("step", "value")] == [list(range(1, 8))] * 3


def test_the_page_loads_nothing(tmp_path: Path) -> None:
    write_run(tmp_path, steps=7, scores=1)
    made = write_report(tmp_path)
    assert made.tags["link"] == made.tags["img"] == made.tags["iframe"] == made.tags["b"] == 0
    assert not [value for name, value in made.attributes if name == "src"]


@pytest.mark.parametrize("name", ["run.json", "config.json", "metrics.jsonl"])
def test_a_file_that_is_missing(tmp_path: Path, name: str) -> None:
    write_run(tmp_path, steps=7, scores=1)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"{tmp_path}: a report needs run.json, config.json, metrics.jsonl"):
        write_report(tmp_path)


def test_a_model_without_an_encoder(tmp_path: Path) -> None:
    write_run(tmp_path, steps=7, scores=1, encoder=None, matmul_gflops=None)
    path = tmp_path / "metrics.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({name: of for name, of in row.items() if name != "mfu"}) + "\n" for row in rows))
    made = write_report(tmp_path)
    assert "Tokens/s, median 100" in made.text
    assert "MFU" not in made.text
    assert "Encoder" not in made.text
