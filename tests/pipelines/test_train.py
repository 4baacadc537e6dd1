"""Training: it learns, keeps the best, goes on exactly where it stopped, and refuses what does not fit."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from pipelines.datasets import DataSet
from pipelines.errors import EngineError, InputError, UsageError
from tests.pipelines.made_records import classification, made, write_labelled

TINY = tuple(
    {
        "hidden": 16, "layers": 1, "heads": 2, "head_size": 8, "key_size": 8, "key_heads": 2, "value_heads": 2,
        "intermediate": 32, "embedding_size": 8, "positions": 512,
    }.items()
)  # fmt: skip


@pytest.fixture(scope="module")
def train() -> Any:
    """The module, with TensorFlow, which takes seconds to import and warns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        return pytest.importorskip("pipelines.train")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("records")
    rows = [("甲乙丙"[number % 3], ("北京", "上海", "大学")[number % 3] * (1 + number % 5)) for number in range(60)]
    made(classification(folder, folder / "out", write_labelled(folder / "a.tsv", rows)))
    return str(folder / "out")


def options(train: Any, records: str, out: Path, **more: Any) -> Any:
    given = {"changes": TINY, "steps": 6, "batch_size": 4, "learning_rate": 1e-2, **more}
    return train.TrainOptions(records=records, out=out, **given)


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def losses(out: Path) -> list[float]:
    return [row["loss"] for row in rows(out) if row["split"] == "train"]


def test_a_run_learns_and_leaves_what_it_learned(train: Any, records: str, tmp_path: Path) -> None:
    told = train.train(options(train, records, tmp_path, steps=60), task="text-classification")
    found = losses(tmp_path)
    assert len(found) == told["steps"] == 60
    assert sum(found[-10:]) < 0.8 * sum(found[:10])
    assert {path.name for path in (tmp_path / "best").iterdir()} == {
        "encoder.json", "weights.safetensors", "vocab.txt", "labels.json", "score.json",
    }  # fmt: skip
    assert json.loads((tmp_path / "best/labels.json").read_text()) == DataSet.open(records).manifest["labels"]
    assert json.loads((tmp_path / "run.json").read_text()) == told


def test_a_run_that_was_stopped_goes_on(
    train: Any, records: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights, optimizer, dropout and data: the losses are those of a run that was not."""
    train.train(options(train, records, tmp_path / "whole"), task="text-classification")
    batches, given = train.Batches.__next__, 0

    def stopped(self: Any) -> Any:
        nonlocal given
        given += 1
        if given == 4:
            raise KeyboardInterrupt
        return batches(self)

    with monkeypatch.context() as patch:
        patch.setattr(train.Batches, "__next__", stopped)
        with pytest.raises(KeyboardInterrupt):
            train.train(options(train, records, tmp_path / "cut"), task="text-classification")
    assert len(losses(tmp_path / "cut")) == 3
    train.train(options(train, records, tmp_path / "cut"), task="text-classification")
    assert losses(tmp_path / "cut") == pytest.approx(losses(tmp_path / "whole"), rel=1e-5)
    before = losses(tmp_path / "cut")
    train.train(options(train, records, tmp_path / "cut"), task="text-classification")  # nothing is left to do
    assert losses(tmp_path / "cut") == before


def test_another_seed_trains_another_way(train: Any, records: str, tmp_path: Path) -> None:
    for seed in (0, 1):
        train.train(options(train, records, tmp_path / str(seed), seed=seed), task="text-classification")
    assert losses(tmp_path / "0") != losses(tmp_path / "1")


def test_a_folder_holds_one_run(train: Any, records: str, tmp_path: Path) -> None:
    train.train(options(train, records, tmp_path), task="text-classification")
    with pytest.raises(InputError, match=r"other options \(batch_size: 4, now 5\): name another --out, or add --fresh"):
        train.train(options(train, records, tmp_path, batch_size=5), task="text-classification")
    train.train(options(train, records, tmp_path, batch_size=5), task="text-classification", fresh=True)
    assert len(losses(tmp_path)) == 6


def test_a_loss_that_is_no_number_names_its_step(train: Any, records: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"^step \d+: the loss is (nan|inf): lower --learning-rate"):
        train.train(options(train, records, tmp_path, learning_rate=math.inf, steps=20), task="text-classification")
    assert not (tmp_path / "state.npz").exists()


@pytest.mark.parametrize(
    ("task", "more", "error", "message"),
    [
        ("masked-language-model", {}, InputError, "holds records for text-classification, not for masked-language"),
        ("text-classification", {"encoder": "bert-huge"}, UsageError, "--encoder bert-huge: one of bert-base"),
        ("text-classification", {"changes": (("attention", "talking"),)}, UsageError, "did you mean 'talking-heads'"),
        (
            "text-classification",
            {"changes": (("positions", 64),)},
            InputError,
            "up to 512 tokens, the encoder takes 64",
        ),
        ("text-classification", {"init": Path("/nowhere")}, InputError, "--init: /nowhere: there is no such directory"),
    ],
)
def test_what_does_not_fit(
    train: Any, records: str, tmp_path: Path, task: str, more: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train.train(options(train, records, tmp_path, **more), task=task)
