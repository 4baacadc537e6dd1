"""Training: it learns, keeps the best, goes on exactly where it stopped, and refuses what does not fit."""

import json
import math
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
import pytest

from pipelines.datasets import DataSet
from pipelines.errors import EngineError, InputError, UsageError
from pipelines.storage.manifest import verify
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


@pytest.mark.parametrize(("least", "epochs", "steps"), [(0, 0.1, 2), (5, 0.1, 5), (5, 0.5, 8)])
def test_few_records_are_gone_through_more_often(
    train: Any, records: str, tmp_path: Path, least: int, epochs: float, steps: int
) -> None:
    given = options(train, records, tmp_path, steps=0, epochs=epochs, least_steps=least)
    assert train.train(given, task="text-classification")["steps"] == steps


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


def whole(out: Path) -> dict[str, bytes]:
    """All that a run commits."""
    parts = json.loads((out / "manifest.json").read_text())["parts"]
    return {name: (out / name).read_bytes() for name in ("manifest.json", *(part["name"] for part in parts))}


def test_what_a_finished_run_lost_is_restored(
    train: Any, records: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a split `dev` the best weights are the last ones, which the state has, averages included."""
    given = options(train, records, tmp_path, ema=0.9)
    told = train.train(given, task="text-classification")
    before = whole(tmp_path)
    assert verify(tmp_path) == []
    for name in ("best/weights.safetensors", "best/labels.json", "records/vocab.txt"):
        (tmp_path / name).write_bytes(b"x" + before[name][1:])
        assert train.train(given, task="text-classification") == told
        assert f"{name} was missing or damaged, and is restored" in capsys.readouterr().err
        assert whole(tmp_path) == before
    rmtree(tmp_path / "best")
    train.train(given, task="text-classification")
    assert whole(tmp_path) == before
    assert verify(tmp_path) == []
    capsys.readouterr()
    train.train(given, task="text-classification")
    assert "up to date, nothing to do" in capsys.readouterr().err


def test_best_weights_that_the_state_has_not_are_trained_anew(train: Any, records: str, tmp_path: Path) -> None:
    given = options(train, records, tmp_path)
    train.train(given, task="text-classification")
    before = whole(tmp_path)
    (tmp_path / "state.npz").unlink()
    rmtree(tmp_path / "best")
    for _ in range(2):
        with pytest.raises(InputError, match=r"best/encoder.json: missing or damaged, .*: train anew with --fresh$"):
            train.train(given, task="text-classification")
    assert (tmp_path / "_SUCCESS").exists()
    train.train(given, task="text-classification", fresh=True)
    assert whole(tmp_path).keys() == before.keys()
    assert verify(tmp_path) == []


def test_a_stopped_run_without_its_best_weights(train: Any, records: str, tmp_path: Path) -> None:
    """They are those of an earlier step than the state: a run that went on would keep others."""
    given = options(train, records, tmp_path, steps=20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train._Run, "_finish", lambda run, begun: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train.train(given, task="text-classification")
    assert not (tmp_path / "_SUCCESS").exists()
    rmtree(tmp_path / "best")
    train.train(given, task="text-classification")
    assert verify(tmp_path) == []
    (tmp_path / "_SUCCESS").unlink()
    with np.load(tmp_path / "state.npz") as state:
        arrays = dict(state)
    progress = json.loads(arrays["progress"].tobytes())
    arrays["progress"] = np.frombuffer(json.dumps({**progress, "best": {"step": 15}}).encode(), np.uint8)
    np.savez(tmp_path / "state.npz", **arrays)
    rmtree(tmp_path / "best")
    with pytest.raises(InputError, match=r"/best: missing or damaged, and state.npz has not the weights of the best"):
        train.train(given, task="text-classification")


def test_a_run_that_begins_again_is_not_finished(train: Any, records: str, tmp_path: Path) -> None:
    train.train(options(train, records, tmp_path), task="text-classification")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "train_step", lambda *given, **more: math.inf)
        with pytest.raises(EngineError):
            train.train(options(train, records, tmp_path), task="text-classification", fresh=True)
    assert not (tmp_path / "_SUCCESS").exists()
    assert not (tmp_path / "manifest.json").exists()


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
