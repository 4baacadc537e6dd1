"""Checkpoints that are written as Google's are: every variable at its place, and what cannot be read."""

import sys
from pathlib import Path

import numpy as np
import pytest

from models.checkpoints import CheckpointError, load, open_checkpoint
from models.encoder import Encoder
from models.heads.masked_language_model import MaskedLanguageModel
from tests.models.checkpoints.written import ALBERT, CONFIG, expected, google_arrays, write_google
from tests.models.reference import array

pytest.importorskip("tensorflow", reason="TensorFlow alone reads Google's checkpoints")
CONFIGS = {"bert": CONFIG, "albert": ALBERT}


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("whole", [True, False])
def test_every_variable_comes_to_its_place(tmp_path: Path, family: str, whole: bool) -> None:
    arrays = google_arrays(family, optimizer=whole)
    checkpoint = open_checkpoint(write_google(tmp_path, arrays, config=CONFIGS[family]))
    assert (checkpoint.owner, checkpoint.family) == ("google", family)
    model = MaskedLanguageModel(Encoder(checkpoint.config))
    told = load(model, checkpoint)
    values = expected(arrays, family)
    assert set(told.loaded) == set(values) == {weight.path for weight in model.weights}
    for weight in model.weights:
        assert np.array_equal(array(weight), values[weight.path]), weight.path
    assert told.fresh == ()
    left = {"bert/pooler/dense/kernel", "bert/pooler/dense/bias"}
    left |= {"cls/seq_relationship/output_weights", "cls/seq_relationship/output_bias"}
    slots = {name for name in arrays if "/adam_" in name or name == "global_step"}
    assert set(told.unused) == left | slots


def test_the_config_is_googles(tmp_path: Path) -> None:
    config = open_checkpoint(write_google(tmp_path, google_arrays("bert"))).config
    assert (config.activation, config.layer_norm_epsilon) == ("gelu-tanh", 1e-12)
    assert (config.vocabulary_size, config.hidden, config.layers, config.heads) == (40, 12, 2, 3)
    assert (config.intermediate, config.positions, config.segment_types) == (20, 16, 2)
    assert (config.dropout, config.attention_dropout) == (0.1, 0.2)
    assert (config.embedding_size, config.share_layers) == (12, False)
    albert = open_checkpoint(write_google(tmp_path / "albert", google_arrays("albert"), config=ALBERT)).config
    assert (albert.embedding_size, albert.share_layers) == (5, True)


def test_key_size_is_read_as_bert4keras_writes_it(tmp_path: Path) -> None:
    arrays = google_arrays("bert", head=False, optimizer=False)
    for layer in range(2):
        for name in ("query", "key"):
            place = f"bert/encoder/layer_{layer}/attention/self/{name}"
            arrays[f"{place}/kernel"] = np.full((12, 21), 0.1, np.float32)
            arrays[f"{place}/bias"] = np.full(21, 0.2, np.float32)
    checkpoint = open_checkpoint(write_google(tmp_path, arrays, config={**CONFIG, "attention_key_size": 7}))
    assert (checkpoint.config.key_size, checkpoint.config.head_size) == (7, 4)
    encoder = Encoder(checkpoint.config)
    load(encoder, checkpoint)
    assert np.array_equal(
        array(encoder.blocks[1].attention.logits.key.kernel),
        arrays["bert/encoder/layer_1/attention/self/key/kernel"],
    )


def test_the_config_must_be_known(tmp_path: Path) -> None:
    prefix = write_google(tmp_path, google_arrays("bert"))
    (tmp_path / "albert_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"has albert_config.json, bert_config.json: name the right one"):
        open_checkpoint(prefix)
    assert open_checkpoint(prefix, config=tmp_path / "bert_config.json").config.hidden == 12
    for name in ("albert_config.json", "bert_config.json"):
        (tmp_path / name).unlink()
    with pytest.raises(CheckpointError, match=r"needs one \*config\*.json and has none"):
        open_checkpoint(prefix)


def test_other_variables_are_named(tmp_path: Path) -> None:
    prefix = write_google(tmp_path, {"generator/dense/kernel": np.zeros((2, 2), np.float32)})
    with pytest.raises(CheckpointError, match="not those of Google's BERT or ALBERT, but generator/dense/kernel"):
        open_checkpoint(prefix)


def test_a_damaged_index_is_named(tmp_path: Path) -> None:
    prefix = write_google(tmp_path, google_arrays("bert"))
    prefix.with_name("bert_model.ckpt.index").write_bytes(b"no index")
    with pytest.raises(CheckpointError, match=f"{prefix}: TensorFlow cannot read it"):
        open_checkpoint(prefix)


@pytest.mark.parametrize("damage", ["cut", "gone", "changed"])
def test_damaged_values_are_named(tmp_path: Path, damage: str) -> None:
    prefix = write_google(tmp_path, google_arrays("bert"))
    data = prefix.with_name("bert_model.ckpt.data-00000-of-00001")
    content = data.read_bytes()
    if damage == "gone":
        data.unlink()
    else:
        data.write_bytes(content[:100] if damage == "cut" else bytes(len(content)))
    checkpoint = open_checkpoint(prefix)
    with pytest.raises(CheckpointError, match=f"{prefix}: TensorFlow cannot read bert/.*: "):
        load(Encoder(checkpoint.config), checkpoint)


def test_without_tensorflow_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = write_google(tmp_path, google_arrays("bert"))
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(CheckpointError, match="reading it needs TensorFlow: pip install tensorflow-cpu"):
        open_checkpoint(prefix)
