"""Every flag of `hanmill train`, and what lies in the folder of a run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pipelines.command import Result, hanmill
from tests.pipelines.keras_modules import with_keras
from tests.pipelines.made_models import write_checkpoint
from tests.pipelines.made_records import make_records, write_labelled
from tests.pipelines.page import Page

pytestmark = pytest.mark.usefixtures("unsynced")
TEXTS = ("北京", "上海", "大学")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records with a split `dev`, and a small checkpoint that fits them."""
    with_keras("models.encoder")
    folder = tmp_path_factory.mktemp("place")
    rows = [("甲乙丙"[number % 3], TEXTS[number % 3] * (1 + number % 5)) for number in range(40)]
    train, dev = write_labelled(folder / "train.tsv", rows), write_labelled(folder / "dev.tsv", rows[:12])
    make_records(folder, f"train={train}", f"dev={dev}")
    write_checkpoint(folder / "init", folder / "vocab.txt")
    return folder


@pytest.fixture(autouse=True)
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


def train(out: Path, *arguments: object, init: bool = True) -> Result:
    start = ("--init", "init") if init else ()
    result = hanmill("train", "text-classification", "--records", "records", "--out", out, *start, *arguments)
    assert result.code == 0, result.err
    return result


def rows(out: Path, split: str = "train") -> list[dict[str, Any]]:
    lines = (out / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["split"] == split]


def read(out: Path, name: str) -> Any:
    return json.loads((out / name).read_text("utf-8"))


@pytest.mark.parametrize(
    ("arguments", "init", "least"),
    [((), True, 300), (("--epochs", 2), True, 0), (("--steps", 2), True, 0), ((), False, 0)],
)
def test_a_new_head_has_some_steps_unless_it_is_told_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...], init: bool, least: int
) -> None:
    given: list[Any] = []

    def noted(options: Any, **_: Any) -> Any:
        given.append(options)
        return {"steps": 0, "seconds": 0.0, "backend": "", "best": {}}

    monkeypatch.setattr("pipelines.train.train", noted)
    train(tmp_path, *arguments, "--no-report", init=init)
    assert given[0].least_steps == least


def test_a_run_and_all_that_it_leaves(tmp_path: Path, place: Path) -> None:
    result = train(tmp_path, "--epochs", "2", "--batch-size", "8", "--learning-rate", "0.01")
    assert result.out.startswith("10 steps, ")
    assert f"on tensorflow; best step {read(tmp_path, 'best/score.json')['step']}, accuracy " in result.out
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "_SUCCESS", "best", "config.json", "manifest.json", "metrics.jsonl", "records", "report.html", "run.json",
        "state.npz", "tensorboard",
    ]  # fmt: skip
    assert [row["step"] for row in rows(tmp_path)] == list(range(1, 11))
    assert rows(tmp_path)[0].keys() == {
        "step", "split", "loss", "learning_rate", "tokens", "seconds", "tokens_per_second", "mfu", "time",
    }  # fmt: skip
    scores = rows(tmp_path, "dev")
    assert [row["step"] for row in scores] == [5, 10]
    assert read(tmp_path, "config.json")["head_rate"] == 20
    assert read(tmp_path, "run.json")["best"]["accuracy"] == max(row["accuracy"] for row in scores)
    assert (tmp_path / "records/vocab.txt").read_bytes() == (place / "records/vocab.txt").read_bytes()
    told = read(tmp_path, "run.json")
    assert told["inputs"] == {"records": "records", "fingerprint": read(tmp_path, "config.json")["records"]}
    assert told["environment"]["packages"]["keras"]
    assert "Training of text-classification" in Page(tmp_path / "report.html").text
    again = train(tmp_path, "--epochs", "2", "--batch-size", "8", "--learning-rate", "0.01")
    assert "up to date, nothing to do" in again.err
    assert read(tmp_path, "run.json") == told


def test_a_run_is_committed_as_other_outputs_are(tmp_path: Path) -> None:
    given = ("--epochs", "1", "--batch-size", "8", "--no-report")  # the only score is that of the last step
    train(tmp_path, *given)
    assert hanmill("verify", tmp_path) == (0, f"{tmp_path}: every file is as it was written\n", "")
    assert hanmill("show", tmp_path).out.startswith("text-classification, 5 steps; best step 5, accuracy ")
    finished = hanmill("status", tmp_path).out.splitlines()
    assert finished[0].startswith(f"{tmp_path}: finished 20")
    assert finished[1].startswith("step 5: loss ")
    best = (tmp_path / "best/labels.json").read_bytes()
    (tmp_path / "best/labels.json").unlink()
    assert f"{tmp_path}/best/labels.json: missing" in hanmill("verify", tmp_path).err
    assert "best/labels.json was missing or damaged, and is restored" in train(tmp_path, *given).err
    assert (tmp_path / "best/labels.json").read_bytes() == best
    assert hanmill("verify", tmp_path).code == 0
    (tmp_path / "_SUCCESS").unlink()
    assert "stopped before the end" in hanmill("status", tmp_path).out
    assert (hanmill("show", tmp_path).code, hanmill("show", tmp_path).out) == (3, "")


def test_the_encoder(tmp_path: Path) -> None:
    train(
        tmp_path, "--encoder", "albert-tiny", "--unshared", "--attention", "talking-heads", "--key-size", "5",
        "--remat", "--dropout", "0.25", "--steps", "1", "--batch-size", "2", "--no-report", init=False,
    )  # fmt: skip
    config = read(tmp_path, "best/encoder.json")
    expected = {"share_layers": False, "attention": "talking-heads", "key_size": 5, "rematerialize": True}
    expected |= {"dropout": 0.25, "attention_dropout": 0.25, "hidden": 312}
    assert expected.items() <= config.items()
    assert read(tmp_path, "config.json")["head_rate"] == 1
    assert not (tmp_path / "report.html").exists()
    assert len(rows(tmp_path)) == 1


def test_how_it_learns(tmp_path: Path) -> None:
    learning = ("--learning-rate", "0.08", "--schedule", "linear", "--warmup", "0.5", "--weight-decay", "0.5")
    train(tmp_path / "a", *learning, "--accumulate", "3", "--batch-size", "8", "--epochs", "2", "--seed", "3")
    assert [row["learning_rate"] for row in rows(tmp_path / "a")] == pytest.approx([0.08 / 3, 0.16 / 3, 0.08, 0.04])
    assert [row["tokens"] > 0 for row in rows(tmp_path / "a")] == [True] * 4
    # Ten batches of eight make three steps of three and one of one.
    assert rows(tmp_path / "a")[3]["tokens"] < min(row["tokens"] for row in rows(tmp_path / "a")[:3]) / 2
    train(tmp_path / "b", *learning, "--accumulate", "3", "--batch-size", "8", "--epochs", "2", "--seed", "4")
    assert rows(tmp_path / "a")[0]["loss"] != rows(tmp_path / "b")[0]["loss"]
    train(tmp_path / "c", "--schedule", "constant", "--warmup", "0", "--steps", "2", "--learning-rate", "0.01")
    assert [row["learning_rate"] for row in rows(tmp_path / "c")] == pytest.approx([0.01, 0.01])


def test_weight_decay(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    norms = {}
    for decay in ("0", "5"):
        out = tmp_path / decay
        train(out, "--steps", "4", "--learning-rate", "0.02", "--schedule", "constant", "--weight-decay", decay)
        weights = load_file(out / "best/weights.safetensors")
        norms[decay] = {name: float(np.linalg.norm(weights[name])) for name in weights}
    kernel, gamma = "encoder/block_0/intermediate/kernel", "encoder/block_0/output_normalization/gamma"
    assert norms["5"][kernel] < 0.95 * norms["0"][kernel]
    assert norms["5"][gamma] == pytest.approx(norms["0"][gamma], rel=0.05)


def test_a_head_s_own_rate(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    moved = {}
    for rate in ("0", "1", "9"):
        found = []
        for steps in ("1", "2"):  # of one seed, so that the second goes on from the first
            learning = ("--learning-rate", "0.001", "--schedule", "constant", "--warmup", "0", "--weight-decay", "0")
            train(tmp_path / rate / steps, "--steps", steps, *learning, "--head-rate", rate, "--dropout", "0")
            found.append(load_file(tmp_path / rate / steps / "best/weights.safetensors"))
        moved[rate] = {name: float(np.abs(found[1][name] - found[0][name]).mean()) for name in found[0]}
    encoder = "encoder/block_0/intermediate/kernel"
    (head,) = (name for name in moved["1"] if not name.startswith("encoder/") and name.endswith("kernel"))
    assert moved["0"][head] == 0 < moved["0"][encoder]
    assert moved["9"][head] == pytest.approx(9 * moved["1"][head], rel=0.3)
    assert moved["9"][encoder] < 2 * moved["1"][encoder]


def test_averaged_weights_are_what_is_kept(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    found = {}
    for ema in ("0", "0.9"):
        train(tmp_path / ema, "--steps", "5", "--learning-rate", "0.02", "--ema", ema, "--dropout", "0")
        found[ema] = load_file(tmp_path / ema / "best/weights.safetensors")
    name = "encoder/block_0/intermediate/kernel"
    assert np.abs(found["0"][name] - found["0.9"][name]).max() > 1e-3
    losses = [[row["loss"] for row in rows(tmp_path / ema)] for ema in ("0", "0.9")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)  # which training does not see


def test_precision_and_saves(tmp_path: Path) -> None:
    train(tmp_path, "--precision", "mixed_bfloat16", "--steps", "2", "--checkpoint-minutes", "0")
    from safetensors.numpy import load_file

    assert {values.dtype.name for values in load_file(tmp_path / "best/weights.safetensors").values()} == {"float32"}
    assert read(tmp_path, "config.json")["precision"] == "mixed_bfloat16"
    assert "checkpoint_minutes" not in read(tmp_path, "config.json")


def test_another_run_in_the_same_folder(tmp_path: Path) -> None:
    train(tmp_path, "--steps", "2")
    given = ("--records", "records", "--out", tmp_path, "--init", "init", "--steps", "3")
    other = ("train", "text-classification", *given)
    refused = hanmill(*other)
    assert refused.code == 3
    assert "steps: 2, now 3" in refused.err
    assert hanmill(*other, "--fresh").code == 0
    assert len(rows(tmp_path)) == 3


def test_a_preset_and_a_run_that_is_predicted_by_its_masks(tmp_path: Path, place: Path) -> None:
    """The other task, on records of its own."""
    source = write_labelled(tmp_path / "a.tsv", [("甲", "中国人民大学生在北京。" * 3)] * 8)
    arguments = ("--vocab", place / "vocab.txt", "--max-length", "32", "--workers", "1")
    done = hanmill("records", "masked-language-model", source, *arguments, "--out", tmp_path / "mlm")
    assert done.code == 0, done.err
    result = hanmill(
        "train", "masked-language-model", "--records", tmp_path / "mlm", "--out", tmp_path / "run", "--init", "init",
        "--steps", "4", "--batch-size", "2", "--accumulate", "2",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert len(rows(tmp_path / "run")) == 4
    assert "No score" in Page(tmp_path / "run/report.html").text
