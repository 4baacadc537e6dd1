"""What a path is found to be, and what is said of one that is nothing."""

from pathlib import Path

import pytest

from models.checkpoints import CheckpointError, open_checkpoint, save, save_huggingface
from models.encoder import Encoder
from tests.models.checkpoints.written import google_arrays, write_google
from tests.models.strategies import small


def test_directories_are_told_apart(tmp_path: Path) -> None:
    encoder = Encoder(small())
    save(encoder, tmp_path / "ours")
    save_huggingface(encoder, tmp_path / "theirs")
    assert open_checkpoint(tmp_path / "ours").owner == "hanmill"
    assert open_checkpoint(str(tmp_path / "theirs")).owner == "huggingface"


def test_googles_is_found_by_each_of_its_paths(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    prefix = write_google(tmp_path, google_arrays("bert"))
    for path in (tmp_path, prefix, prefix.with_name("bert_model.ckpt.index")):
        checkpoint = open_checkpoint(path)
        assert (checkpoint.owner, checkpoint.path) == ("google", prefix)
    write_google(tmp_path, google_arrays("bert"), name="other.ckpt")
    with pytest.raises(CheckpointError, match=r"several TensorFlow checkpoints, bert_model.ckpt, other.ckpt: pass"):
        open_checkpoint(tmp_path)
    assert open_checkpoint(prefix).path == prefix


def test_what_is_no_checkpoint_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"neither encoder.json \(ours\), nor config.json \(Hugging Face\)"):
        open_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="there is no such directory"):
        open_checkpoint(tmp_path / "nothing")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="a file: pass the directory that holds it"):
        open_checkpoint(tmp_path / "model.safetensors")


def test_weights_without_an_encoder_are_told(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"weights without encoder\.json: of a light model"):
        open_checkpoint(tmp_path)
