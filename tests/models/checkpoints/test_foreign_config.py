"""Configs of Google and Hugging Face: what is read, what is refused, what is written."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from models.checkpoints import CheckpointError
from models.checkpoints.foreign_config import read_json, to_encoder_config, to_huggingface
from models.encoder_config import EncoderConfig
from tests.models.checkpoints.written import CONFIG
from tests.models.strategies import small


def read(
    path: Path, layout: Literal["google", "huggingface"] = "google", *, albert: bool = False, **fields: Any
) -> EncoderConfig:
    (path / "config.json").write_text(json.dumps({**CONFIG, **fields}))
    return to_encoder_config(path / "config.json", layout=layout, family="albert" if albert else "bert")


@pytest.mark.parametrize(
    ("layout", "name", "activation"),
    [
        ("google", "gelu", "gelu-tanh"),
        ("huggingface", "gelu", "gelu-erf"),
        ("huggingface", "gelu_python", "gelu-erf"),
        ("huggingface", "gelu_new", "gelu-tanh"),
        ("huggingface", "gelu_fast", "gelu-tanh"),
        ("huggingface", "gelu_pytorch_tanh", "gelu-tanh"),
    ],
)
def test_gelu_means_what_its_owner_computes(tmp_path: Path, layout: Any, name: str, activation: str) -> None:
    assert read(tmp_path, layout, hidden_act=name).activation == activation


def test_another_activation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config.json: hidden_act 'relu' is not known"):
        read(tmp_path, hidden_act="relu")


def test_sizes_that_bert4keras_adds(tmp_path: Path) -> None:
    config = read(tmp_path, attention_head_size=6, attention_key_size=7, embedding_size=5, layer_norm_eps=1e-5)
    assert (config.head_size, config.key_size, config.embedding_size) == (6, 7, 5)
    assert config.layer_norm_epsilon == 1e-5


def test_the_family_decides_whether_blocks_are_shared(tmp_path: Path) -> None:
    assert read(tmp_path, albert=True).share_layers
    assert not read(tmp_path).share_layers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_hidden_groups", 2),
        ("inner_group_num", 2),
        ("net_structure_type", 1),
        ("position_embedding_type", "relative_key"),
        ("is_decoder", True),
        ("add_cross_attention", True),
    ],
)
def test_what_would_be_computed_otherwise_is_refused(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(CheckpointError, match=rf"config.json: {name} is {value!r}, and encoders here have"):
        read(tmp_path, **{name: value})


def test_what_is_missing_or_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": 3, "hidden_size": 4}))
    with pytest.raises(CheckpointError, match="has no num_hidden_layers, num_attention_heads"):
        to_encoder_config(tmp_path / "config.json", layout="google", family="bert")
    with pytest.raises(CheckpointError, match=r"config.json: layers: 0 is less than 1"):
        read(tmp_path, num_hidden_layers=0)


@pytest.mark.parametrize(("content", "message"), [("{", "cannot be read as JSON"), ("[]", "holds no JSON object")])
def test_what_is_no_config_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=f"config.json: {message}"):
        read_json(tmp_path / "config.json")
    with pytest.raises(CheckpointError, match=r"none.json: cannot be read"):
        read_json(tmp_path / "none.json")


@pytest.mark.parametrize("config", [small(activation="gelu-erf"), small(share_layers=True, embedding_size=5)])
def test_what_is_written_is_read(tmp_path: Path, config: EncoderConfig) -> None:
    config = replace(config, dropout=0.3, attention_dropout=0.0, layer_norm_epsilon=1e-6)
    (tmp_path / "config.json").write_text(json.dumps(to_huggingface(config)))
    family: Literal["albert", "bert"] = "albert" if config.share_layers else "bert"
    assert to_encoder_config(tmp_path / "config.json", layout="huggingface", family=family) == config
