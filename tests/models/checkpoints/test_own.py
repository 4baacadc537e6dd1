"""Our own checkpoints: every encoder and head comes back as it was."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from models.checkpoints import CheckpointError, load, open_checkpoint, save
from models.encoder import Encoder
from models.encoder_config import EncoderConfig
from models.heads.masked_language_model import MaskedLanguageModel
from models.heads.text_classification import TextClassification
from tests.models.reference import array, randomize
from tests.models.strategies import VARIANTS, configs, small


def assert_comes_back(model: Any, other: Any, directory: Path) -> None:
    randomize(model)
    save(model, directory)
    checkpoint = open_checkpoint(directory)
    told = load(other, checkpoint)
    assert told.fresh == told.unused == ()
    assert len(told.loaded) == len(model.weights)
    for first, second in zip(model.weights, other.weights, strict=True):
        assert np.array_equal(array(first), array(second)), first.path


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_comes_back(tmp_path: Path, variant: str) -> None:
    config = small(**VARIANTS[variant])
    assert_comes_back(MaskedLanguageModel(Encoder(config)), MaskedLanguageModel(Encoder(config)), tmp_path)
    assert open_checkpoint(tmp_path).config == config


@settings(max_examples=20)
@given(configs())
def test_any_encoder_comes_back(tmp_path_factory: pytest.TempPathFactory, config: EncoderConfig) -> None:
    assert_comes_back(Encoder(config), Encoder(config), tmp_path_factory.mktemp("own"))


def test_a_head_comes_back(tmp_path: Path) -> None:
    model, other = (TextClassification(Encoder(small()), classes=3) for _ in range(2))
    assert_comes_back(model, other, tmp_path)


def test_equal_weights_are_equal_bytes(tmp_path: Path) -> None:
    encoder = Encoder(small())
    randomize(encoder)
    for name in ("first", "second"):
        save(encoder, tmp_path / name)
    assert (tmp_path / "first/weights.safetensors").read_bytes() == (
        tmp_path / "second/weights.safetensors"
    ).read_bytes()


def test_what_is_saved_is_what_was(tmp_path: Path) -> None:
    encoder = Encoder(small())
    randomize(encoder)
    save(encoder, tmp_path)
    before = array(encoder.embeddings.token)
    for weight in encoder.weights:
        weight.assign(np.zeros(weight.shape, np.float32))
    assert np.array_equal(open_checkpoint(tmp_path).read("encoder/embeddings/token"), before)
    assert before.any()


def test_a_config_that_is_wrong_is_named(tmp_path: Path) -> None:
    save(Encoder(small()), tmp_path)
    config = json.loads((tmp_path / "encoder.json").read_text())
    (tmp_path / "encoder.json").write_text(json.dumps({**config, "attention": "talking-head"}))
    with pytest.raises(CheckpointError, match=r"encoder.json: attention: .* did you mean 'talking-heads'"):
        open_checkpoint(tmp_path)
    (tmp_path / "encoder.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"encoder.json: Expecting"):
        open_checkpoint(tmp_path)


def test_weights_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    save(Encoder(small()), tmp_path)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:50])
    with pytest.raises(CheckpointError, match=r"weights.safetensors: cannot be read as safetensors"):
        open_checkpoint(tmp_path)
    weights.unlink()
    with pytest.raises(CheckpointError, match=r"weights.safetensors: cannot be read as safetensors"):
        open_checkpoint(tmp_path)
