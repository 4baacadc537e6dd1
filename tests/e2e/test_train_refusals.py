"""What a user reads who trains from what does not fit: before anything is trained, and with nothing left behind."""

import json
from pathlib import Path

import pytest

from tests.pipelines.command import Result, hanmill
from tests.pipelines.keras_modules import with_keras
from tests.pipelines.made_models import write_checkpoint
from tests.pipelines.made_records import make_records, numbered, write_labelled

pytestmark = pytest.mark.usefixtures("unsynced")
USAGE, INPUT = 2, 3


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Records of up to 64 tokens, and a checkpoint that fits them."""
    with_keras("models.encoder")
    folder = tmp_path_factory.mktemp("place")
    source = write_labelled(folder / "a.tsv", numbered(12))
    make_records(folder, str(source))
    write_checkpoint(folder / "fits", folder / "vocab.txt")
    return folder


@pytest.fixture(autouse=True)
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)


def train(*arguments: object, task: str = "text-classification", records: str = "records") -> Result:
    return hanmill("train", task, "--records", records, "--out", "run", *arguments)


def refused(result: Result, code: int, *words: str) -> None:
    """One line on standard error, without a traceback; no folder of a run."""
    assert (result.code, result.out) == (code, "")
    *_, message = result.err.strip().splitlines()
    for word in words:
        assert word in message
    assert not Path("run").exists()


def test_records_of_another_task() -> None:
    refused(train(task="masked-language-model"), INPUT, "holds records for text-classification, not for masked")


def test_records_that_are_not_there_or_not_finished(tmp_path: Path) -> None:
    refused(train(records=str(tmp_path)), INPUT, f"{tmp_path}: no finished output there", "run hanmill records again")


def test_an_attention_that_is_not_known() -> None:
    told = train("--attention", "talking-head")
    refused(told, USAGE, "attention: 'talking-head' is not known: did you mean 'talking-heads'?")
    refused(train("--attention", "dot-product+dot-product"), USAGE, "names a kind twice")


def test_an_encoder_that_is_not_known() -> None:
    refused(train("--encoder", "bert-huge"), USAGE, "--encoder bert-huge: one of bert-base")


def test_a_vocabulary_of_another_length(place: Path, tmp_path: Path) -> None:
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text((place / "vocab.txt").read_text("utf-8") + "龘\n", "utf-8")
    init = write_checkpoint(tmp_path / "other", vocabulary)
    refused(train("--init", init), INPUT, f"--init: {init}", "make the records with")


def test_a_vocabulary_of_other_tokens(place: Path, tmp_path: Path) -> None:
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text((place / "vocab.txt").read_text("utf-8").replace("甲", "龘"), "utf-8")
    init = write_checkpoint(tmp_path / "other", vocabulary)
    refused(train("--init", init), INPUT, f"{init}/vocab.txt: as long as the vocabulary of the records", "not the same")


def test_a_checkpoint_without_some_variables(place: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    init = write_checkpoint(tmp_path / "partial", place / "vocab.txt")
    weights = load_file(init / "weights.safetensors")
    lost = [name for name in weights if name.startswith("encoder/block_1/intermediate")]
    save_file({name: weights[name] for name in weights if name not in lost}, init / "weights.safetensors")
    assert lost
    refused(train("--init", init), INPUT, f"--init: {init}: has nothing for ", *lost)


def test_a_checkpoint_of_another_shape(place: Path, tmp_path: Path) -> None:
    init = write_checkpoint(tmp_path / "shapes", place / "vocab.txt")
    config = json.loads((init / "encoder.json").read_text())
    (init / "encoder.json").write_text(json.dumps({**config, "intermediate": 64}))
    refused(train("--init", init), INPUT, "shapes are not those of its config")
    refused(train("--init", "fits", "--key-size", "4"), INPUT, "key_size 8, not 4")


def test_a_checkpoint_that_is_none(tmp_path: Path) -> None:
    refused(train("--init", tmp_path / "x"), INPUT, f"--init: {tmp_path / 'x'}: there is no such directory")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    refused(train("--init", tmp_path), INPUT, f"--init: {tmp_path}: no checkpoint")


def test_records_that_are_too_long_for_the_encoder(place: Path, tmp_path: Path) -> None:
    init = write_checkpoint(tmp_path / "short", place / "vocab.txt", positions=32)
    refused(train("--init", init), INPUT, "records of up to 64 tokens, the encoder takes 32", "--max-length 32")


def test_an_option_that_is_none() -> None:
    for arguments in (
        ("--schedule", "exponential"),
        ("--ema", "1.5"),
        ("--precision", "float16"),
        ("--accumulate", "0"),
    ):
        result = train(*arguments)
        assert (result.code, Path("run").exists()) == (USAGE, False)
        assert arguments[0] in result.err


def test_a_folder_that_cannot_be_written(place: Path) -> None:
    (place / "file").write_text("")
    result = hanmill("train", "text-classification", "--records", "records", "--init", "fits", "--out", "file/run")
    assert result.code == INPUT
    assert "file/run: " in result.err
    assert "the output cannot be written there" in result.err


def test_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is the backend's own, of a tensor that no machine can hold.

    Where memory fills up little by little TensorFlow may end the process, or wait for ever: no test can rely on it.
    """
    import tensorflow as tf

    monkeypatch.setattr("pipelines.train.train_step", lambda *_, **__: tf.zeros((1 << 45,)))
    told = train("--init", "fits", "--batch-size", "4")
    assert (told.code, told.out) == (5, "")
    *_, message = told.err.strip().splitlines()
    assert message.startswith("hanmill: step 1: out of memory on tensorflow: 4 records of ")
    assert "--batch-size 2 --accumulate 2 (about " in message
    assert "Traceback" not in told.err
