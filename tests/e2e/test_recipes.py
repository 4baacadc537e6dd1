"""The recipes that come along, from end to end on made data: what they leave, and that a second run does nothing."""

import json
from pathlib import Path

import pytest

from pipelines.errors import DONE
from tests.pipelines.command import hanmill, process
from tests.pipelines.keras_modules import with_keras
from tests.pipelines.made_models import write_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unsynced")]
SCHEMAS = ("relation-extraction", "event-extraction")


def run_twice(recipe: str, out: Path, **values: object) -> None:
    """The second time every step is skipped."""
    values = {"out": out, "train.steps": 2, "train.batch-size": 4, **values}
    settings = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    for status in ("done", "skipped"):
        told = process("run", recipe, "--json", "--workers", 1, *settings)
        assert told.code == DONE, told.err
        assert {step["status"] for step in json.loads(told.out)["steps"]} == {status}
    for manifest in out.glob("*/manifest.json"):
        assert hanmill("verify", manifest.parent).code == DONE
    assert json.loads((out / "train/run.json").read_text())["steps"] == 2


@pytest.mark.parametrize("name", ["reading-comprehension", *SCHEMAS])
def test_from_the_organisers_files_to_a_score(tmp_path: Path, name: str) -> None:
    with_keras("models.encoder")
    from tests.pipelines.made_runs import records_of, rows_of

    records_of(tmp_path, name, train=rows_of(name, 24, seed=1), dev=rows_of(name, 8, seed=2))
    init = write_checkpoint(tmp_path / "init", tmp_path / "made_vocab.txt", positions=512)
    values = {"init": init, "train-data": tmp_path / "train.json", "dev-data": tmp_path / "dev.json"}
    if name in SCHEMAS:
        values["schema"] = tmp_path / "made_schema.json"
    run_twice(name, tmp_path / "run", **values)
    scores = json.loads((tmp_path / "run/score.json").read_text())
    assert scores
    assert all(0 <= value <= 1 for value in scores.values())
    assert len((tmp_path / "run/predict/predictions.jsonl").read_bytes().splitlines()) == 8


def test_from_a_corpus_to_an_encoder(tmp_path: Path) -> None:
    with_keras("models.encoder")
    assert hanmill("sample", "--out", tmp_path / "corpus", "--documents", 60).code == DONE
    values = {"corpus": tmp_path / "corpus", "vocab.size": 300, "records.max-length": 32}
    run_twice("pretrain", tmp_path / "run", **values)
    assert {"encoder.json", "weights.safetensors", "vocab.txt"} <= {
        path.name for path in (tmp_path / "run/train/best").iterdir()
    }
