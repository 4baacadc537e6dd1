"""Directories as `transformers` writes them, read and written; pickles and other models refused."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from models.checkpoints import CheckpointError, load, open_checkpoint, save_huggingface
from models.encoder import Encoder
from models.heads.masked_language_model import MaskedLanguageModel
from models.heads.text_classification import TextClassification
from tests.models.checkpoints.written import (
    ALBERT,
    CONFIG,
    expected,
    google_arrays,
    huggingface_arrays,
    write_huggingface,
)
from tests.models.reference import array, randomize
from tests.models.strategies import small

CONFIGS: dict[str, Any] = {"bert": {**CONFIG, "model_type": "bert"}, "albert": {**ALBERT, "model_type": "albert"}}


def written(directory: Path, family: str = "bert", **changes: Any) -> Path:
    arrays = huggingface_arrays(google_arrays(family), family)
    return write_huggingface(directory, arrays, {**CONFIGS[family], **changes})


@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("prefix", [True, False])
def test_every_variable_comes_to_its_place(tmp_path: Path, family: str, dtype: str, prefix: bool) -> None:
    google = google_arrays(family)
    arrays = {name: values.astype(dtype) for name, values in huggingface_arrays(google, family, prefix=prefix).items()}
    checkpoint = open_checkpoint(write_huggingface(tmp_path, arrays, CONFIGS[family]))
    assert (checkpoint.owner, checkpoint.family) == ("huggingface", family)
    assert (checkpoint.config.activation, checkpoint.config.layer_norm_epsilon) == ("gelu-erf", 1e-12)
    model = MaskedLanguageModel(Encoder(checkpoint.config))
    told = load(model, checkpoint)
    values = expected(google, family)
    assert set(told.loaded) == set(values) == {weight.path for weight in model.weights}
    for weight in model.weights:
        assert weight.dtype == "float32"
        assert np.array_equal(array(weight), values[weight.path].astype(dtype).astype(np.float32)), weight.path
    assert {name.partition("pooler")[1] for name in told.unused} == {"pooler"}


def test_bfloat16_is_read(tmp_path: Path) -> None:
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    google = google_arrays("bert")
    arrays = {name: values.astype(bfloat16) for name, values in huggingface_arrays(google, "bert").items()}
    checkpoint = open_checkpoint(write_huggingface(tmp_path, arrays, CONFIGS["bert"]))
    encoder = Encoder(checkpoint.config)
    load(encoder, checkpoint)
    table = expected(google, "bert")["encoder/embeddings/token"]
    assert np.array_equal(array(encoder.embeddings.token), table.astype(bfloat16).astype(np.float32))


def test_names_that_tensorflow_left_behind(tmp_path: Path) -> None:
    """Checkpoints of the first years have LayerNorm.gamma and .beta, and number their positions."""
    google = google_arrays("bert")
    arrays: dict[str, Any] = {}
    for name, values in huggingface_arrays(google, "bert").items():
        for old, new in (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")):
            name = name.replace(old, new)
        arrays[name] = values
    arrays["bert.embeddings.position_ids"] = np.arange(16)[None]
    checkpoint = open_checkpoint(write_huggingface(tmp_path, arrays, CONFIGS["bert"]))
    model = MaskedLanguageModel(Encoder(checkpoint.config))
    load(model, checkpoint)
    values = expected(google, "bert")
    assert all(np.array_equal(array(weight), values[weight.path]) for weight in model.weights)


def test_weights_in_several_files(tmp_path: Path) -> None:
    arrays = huggingface_arrays(google_arrays("bert"), "bert")
    names = sorted(arrays)
    write_huggingface(tmp_path, {}, CONFIGS["bert"])
    (tmp_path / "model.safetensors").unlink()
    places = {}
    for number, part in enumerate((names[:7], names[7:]), 1):
        file = f"model-0000{number}-of-00002.safetensors"
        save_file({name: arrays[name] for name in part}, tmp_path / file)
        places |= dict.fromkeys(part, file)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    checkpoint = open_checkpoint(tmp_path)
    load(MaskedLanguageModel(Encoder(checkpoint.config)), checkpoint)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model-00002-of-00002.safetensors: cannot be read"):
        open_checkpoint(tmp_path)


def test_a_single_file_of_another_name(tmp_path: Path) -> None:
    """m3e-small comes as model.fp16.safetensors."""
    written(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "model.fp16.safetensors")
    assert open_checkpoint(tmp_path).config.hidden == 12
    (tmp_path / "other.safetensors").write_bytes((tmp_path / "model.fp16.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match=r"holds model.fp16.safetensors, other.safetensors: name one model.safe"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt"])
def test_pickles_are_refused_unread(tmp_path: Path, name: str) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return Path.write_text, (tmp_path / "sprung", "")

    written(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError, match=rf"{name} is a pickle, which can run any code .* save_pretrained\(\)"):
        open_checkpoint(tmp_path)
    assert not (tmp_path / "sprung").exists()
    (tmp_path / name).unlink()
    with pytest.raises(CheckpointError, match=r"has no model.safetensors"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(("family", "other"), [("bert", "albert"), ("albert", "bert")])
def test_the_wrong_family_is_named(tmp_path: Path, family: str, other: str) -> None:
    written(tmp_path, family, model_type=other)
    with pytest.raises(CheckpointError, match=f"model_type is {other}, and the variables beside it are {family}: mend"):
        open_checkpoint(tmp_path)


def test_other_models_are_named(tmp_path: Path) -> None:
    written(tmp_path, model_type="gpt2")
    with pytest.raises(CheckpointError, match="model_type is 'gpt2', and bert and albert alone can be loaded"):
        open_checkpoint(tmp_path)
    write_huggingface(tmp_path, {"wte.weight": np.zeros((2, 2), np.float32)}, CONFIGS["bert"])
    with pytest.raises(CheckpointError, match=r"the variables beside it are neither model's, but wte.weight"):
        open_checkpoint(tmp_path)


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    file = written(tmp_path) / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(CheckpointError, match=r"model.safetensors: cannot be read as safetensors"):
        open_checkpoint(tmp_path)


# --- written ---

SAVED = {"bert": small(activation="gelu-erf"), "albert": small(share_layers=True, embedding_size=5)}


@pytest.mark.parametrize("family", SAVED)
@pytest.mark.parametrize("head", [False, True])
def test_what_is_saved_is_loaded(tmp_path: Path, family: str, head: bool) -> None:
    encoder = Encoder(SAVED[family])
    model = MaskedLanguageModel(encoder) if head else encoder
    randomize(model)
    save_huggingface(model, tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.config == SAVED[family]
    other = MaskedLanguageModel(Encoder(checkpoint.config)) if head else Encoder(checkpoint.config)
    told = load(other, checkpoint)
    assert told.fresh == told.unused == ()
    for first, second in zip(model.weights, other.weights, strict=True):
        assert np.array_equal(array(first), array(second)), first.path


@pytest.mark.parametrize("family", SAVED)
def test_names_and_shapes_are_those_of_transformers(tmp_path: Path, family: str) -> None:
    google = google_arrays(family)
    theirs = huggingface_arrays(google, family)
    checkpoint = open_checkpoint(write_huggingface(tmp_path / "theirs", theirs, CONFIGS[family]))
    model = MaskedLanguageModel(Encoder(checkpoint.config))
    load(model, checkpoint)
    save_huggingface(model, tmp_path / "ours")
    ours = load_file(tmp_path / "ours/model.safetensors")
    assert ours.keys() == {name for name in theirs if "pooler" not in name}
    assert all(np.array_equal(values, theirs[name]) for name, values in ours.items())
    config = json.loads((tmp_path / "ours/config.json").read_text())
    assert CONFIGS[family].items() <= config.items()
    assert config["architectures"] == [{"bert": "BertForMaskedLM", "albert": "AlbertForMaskedLM"}[family]]


@pytest.mark.parametrize(
    ("fields", "lacking"),
    [
        ({"attention": "talking-heads"}, "attention talking-heads"),
        ({"attention": "synthesizer-random+dot-product"}, "attention synthesizer-random"),
        ({"key_size": 7}, "key_size 7"),
        ({"head_size": 5}, "key_size 5, head_size 5"),
        ({"embedding_size": 5}, "a block for each layer behind small embeddings"),
        ({"share_layers": True}, "one block for all layers behind embeddings as wide"),
    ],
)
def test_what_transformers_does_not_have_is_not_saved(tmp_path: Path, fields: dict[str, Any], lacking: str) -> None:
    with pytest.raises(CheckpointError, match=f"do not have {lacking}.*: save it as our own"):
        save_huggingface(Encoder(small(**fields)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_head_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="text_classification/classes/kernel: Hugging Face's BERT has no such"):
        save_huggingface(TextClassification(Encoder(small()), classes=2), tmp_path / "out")
    assert not (tmp_path / "out").exists()
