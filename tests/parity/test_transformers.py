"""BERT and ALBERT of `transformers` compute what ours do: random weights and published ones, both forms of gelu."""

import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import ops

from models.checkpoints import load, open_checkpoint, save_huggingface
from models.encoder import Encoder
from models.heads.masked_language_model import MaskedLanguageModel
from tests.models.reference import array, randomize
from tests.models.strategies import small

INSTALL = "needs torch and transformers: pip install 'hanmill[parity]'"
CLASSES = {"bert": ("BertConfig", "BertForMaskedLM"), "albert": ("AlbertConfig", "AlbertForMaskedLM")}
SIZES: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 64,
}
M3E = Path(os.environ.get("HANMILL_DATA", "")) / "m3e-small"
SENTENCES = ["今天天气很好，我们去公园散步。", "北京大学的老师说：BERT 模型有 4 层。", "好"]


@pytest.fixture(scope="module")
def transformers() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("torch", reason=INSTALL)
        module = pytest.importorskip("transformers", reason=INSTALL)
    module.utils.logging.set_verbosity_error()
    module.utils.logging.disable_progress_bar()
    return module


def batch(length: int, *, vocabulary: int = 300) -> tuple[Any, Any, Any]:
    """Ids, segments and a mask: a whole text, half a one, and one token."""
    random = np.random.default_rng(length)
    mask = np.arange(length) < np.array([[length], [(length + 1) // 2], [1]])
    ids = np.where(mask, random.integers(1, vocabulary, (3, length)), 0).astype(np.int32)
    return ids, random.integers(0, 2, (3, length), np.int32), mask


def theirs(model: Any, inputs: tuple[Any, Any, Any]) -> Any:
    """What a model of `transformers` gives, with all hidden states."""
    import torch

    ids, segments, mask = (torch.from_numpy(part.astype(np.int64)) for part in inputs)
    with torch.no_grad():
        return model.eval()(input_ids=ids, token_type_ids=segments, attention_mask=mask, output_hidden_states=True)


def states_of(encoder: Encoder, inputs: tuple[Any, Any, Any]) -> Any:
    return array(encoder(*map(ops.convert_to_tensor, inputs)))


def logits_of(model: MaskedLanguageModel, inputs: tuple[Any, Any, Any]) -> Any:
    ids, segments, mask = map(ops.convert_to_tensor, inputs)
    places = np.broadcast_to(np.arange(inputs[0].shape[1], dtype=np.int32), inputs[0].shape)
    return array(
        model(
            {
                "token_ids": ids,
                "segment_ids": segments,
                "padding_mask": mask,
                "masked_positions": ops.convert_to_tensor(places),
            }
        )
    )


def assert_equal(found: Any, expected: Any) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


def with_random_weights(transformers: Any, family: str, activation: str) -> Any:
    """No weight near 0, or near 1: biases and normalizations count too."""
    import torch

    config, model = (getattr(transformers, name) for name in CLASSES[family])
    made = model(config(**SIZES, hidden_act=activation, **({"embedding_size": 16} if family == "albert" else {})))
    torch.manual_seed(5)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            center = 1.0 if "LayerNorm.weight" in name or "layer_norm.weight" in name else 0.0
            weight.normal_(center, 0.15)
    return made


@pytest.mark.parametrize("family", CLASSES)
@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "gelu_pytorch_tanh"])
@pytest.mark.parametrize("length", [1, 17, 64])
def test_random_weights(transformers: Any, tmp_path: Path, family: str, activation: str, length: int) -> None:
    model = with_random_weights(transformers, family, activation)
    model.save_pretrained(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    ours = MaskedLanguageModel(Encoder(checkpoint.config))
    load(ours, checkpoint)
    inputs = batch(length)
    expected = theirs(model, inputs)
    assert_equal(states_of(ours.encoder, inputs), expected.hidden_states[-1].numpy())
    assert_equal(logits_of(ours, inputs), expected.logits.numpy())


def test_the_forms_of_gelu_can_be_told_apart(transformers: Any, tmp_path: Path) -> None:
    """That the comparison can fail."""
    model = with_random_weights(transformers, "bert", "gelu")
    model.save_pretrained(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    checkpoint = replace(checkpoint, config=replace(checkpoint.config, activation="gelu-tanh"))
    ours = Encoder(checkpoint.config)
    load(ours, checkpoint)
    inputs = batch(17)
    difference = np.abs(states_of(ours, inputs) - theirs(model, inputs).hidden_states[-1].numpy()).max()
    assert difference > 1e-4


@pytest.mark.parametrize("family", CLASSES)
@pytest.mark.parametrize("head", [False, True])
def test_what_is_saved_is_loaded_there(transformers: Any, tmp_path: Path, family: str, head: bool) -> None:
    sharing = {"share_layers": True, "embedding_size": 5} if family == "albert" else {}
    encoder = Encoder(small(activation="gelu-erf", **sharing))
    ours = MaskedLanguageModel(encoder) if head else encoder
    randomize(ours, scale=0.2)
    save_huggingface(ours, tmp_path)
    name = {"bert": "Bert", "albert": "Albert"}[family] + ("ForMaskedLM" if head else "Model")
    loading = {} if head else {"add_pooling_layer": False}
    model, told = getattr(transformers, name).from_pretrained(tmp_path, output_loading_info=True, **loading)
    assert not any(told.values()), told
    inputs = batch(9, vocabulary=40)
    expected = theirs(model, inputs)
    assert_equal(states_of(encoder, inputs), expected.hidden_states[-1].numpy())
    if head:
        assert_equal(logits_of(ours, inputs), expected.logits.numpy())


@pytest.mark.skipif(not M3E.is_dir(), reason="HANMILL_DATA has no m3e-small")
@pytest.mark.parametrize(("activation", "ours"), [("gelu", "gelu-erf"), ("gelu_new", "gelu-tanh")])
def test_published_weights(transformers: Any, activation: str, ours: str) -> None:
    """m3e-small, half precision in the file, over sentences and over whole inputs of any token."""
    import torch
    from tokenizers import Tokenizer

    model = transformers.BertModel.from_pretrained(
        M3E, variant="fp16", dtype=torch.float32, hidden_act=activation, add_pooling_layer=False
    )
    checkpoint = open_checkpoint(M3E)
    checkpoint = replace(checkpoint, config=replace(checkpoint.config, activation=ours))
    encoder = Encoder(checkpoint.config)
    load(encoder, checkpoint)
    tokenizer = Tokenizer.from_file(str(M3E / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.enable_padding()
    encodings = tokenizer.encode_batch(SENTENCES)
    ids = np.array([encoding.ids for encoding in encodings], np.int32)
    for inputs in ((ids, np.zeros_like(ids), ids != 0), batch(512, vocabulary=21128)):
        assert_equal(states_of(encoder, inputs), theirs(model, inputs).last_hidden_state.numpy())
