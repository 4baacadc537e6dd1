"""Values into models: what may differ, what must not, and that nothing is changed before all is known to fit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from models.checkpoints import Checkpoint, CheckpointError, load, open_checkpoint, save
from models.encoder import Encoder
from models.heads.masked_language_model import MaskedLanguageModel
from models.heads.text_classification import TextClassification
from tests.models.reference import array, randomize
from tests.models.strategies import small


def saved(directory: Path, *, head: bool = True, **fields: Any) -> Checkpoint:
    encoder = Encoder(small(**fields))
    model = MaskedLanguageModel(encoder) if head else encoder
    randomize(model)
    save(model, directory)
    return open_checkpoint(directory)


def changed(directory: Path, **changes: Any) -> Checkpoint:
    """The checkpoint with variables added or replaced; None removes one."""
    arrays = load_file(directory / "weights.safetensors") | changes
    save_file({name: value for name, value in arrays.items() if value is not None}, directory / "weights.safetensors")
    return open_checkpoint(directory)


def values(model: Any) -> dict[str, Any]:
    return {weight.path: array(weight) for weight in model.weights}


# --- tokens ---


def test_kept_tokens_are_rows_of_table_and_bias(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path)
    keep = np.array([7, 0, 39, 7])
    model = MaskedLanguageModel(Encoder(replace(checkpoint.config, vocabulary_size=4)))
    load(model, checkpoint, keep_tokens=keep)
    for path, value in values(model).items():
        whole = checkpoint.read(path)
        cut = path in ("encoder/embeddings/token", "masked_language_model/bias")
        assert np.array_equal(value, whole[keep] if cut else whole), path


@pytest.mark.parametrize(
    ("keep", "message"),
    [([1, 2], "2 ids for an encoder of vocabulary_size 3"), ([1, 2, 40], "from 0 to 39"), ([-1, 2, 3], "from 0 to 39")],
)
def test_tokens_that_cannot_be_kept_are_refused(tmp_path: Path, keep: list[int], message: str) -> None:
    checkpoint = saved(tmp_path)
    with pytest.raises(CheckpointError, match=f"keep_tokens: .*{message}"):
        load(Encoder(replace(checkpoint.config, vocabulary_size=3)), checkpoint, keep_tokens=keep)


# --- encoders that differ ---


def test_an_unshared_albert_takes_the_one_block_for_each(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path, share_layers=True, embedding_size=5, layers=3)
    model = MaskedLanguageModel(Encoder(replace(checkpoint.config, share_layers=False)))
    assert load(model, checkpoint).unused == ()
    for path, value in values(model).items():
        for block in ("block_1", "block_2"):
            path = path.replace(block, "block_0")
        assert np.array_equal(value, checkpoint.read(path)), path


def test_a_shared_block_does_not_take_many(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path)
    with pytest.raises(CheckpointError, match="it has share_layers False, not True"):
        load(Encoder(replace(checkpoint.config, share_layers=True)), checkpoint)


def test_talking_heads_take_plain_attention(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path, head=False)
    talking = Encoder(replace(checkpoint.config, attention="talking-heads", mix_after_softmax=True))
    told = load(talking, checkpoint)
    assert told.fresh == tuple(
        f"encoder/block_{block}/attention/mix_{place}/kernel" for block in range(2) for place in ("before", "after")
    )
    plain = Encoder(checkpoint.config)
    load(plain, checkpoint)
    token_ids = np.array([[3, 9, 4, 0]], np.int32)
    assert np.allclose(array(talking(token_ids)), array(plain(token_ids)), atol=1e-5)


def test_mixes_that_were_trained_are_not_made_afresh(tmp_path: Path) -> None:
    saved(tmp_path, attention="talking-heads")
    path = "encoder/block_0/attention/mix_before/kernel"
    checkpoint = changed(tmp_path, **{path: None})
    with pytest.raises(CheckpointError, match=f"has nothing for {path}"):
        load(Encoder(checkpoint.config), checkpoint)


@pytest.mark.parametrize(
    "fields", [{"dropout": 0.5}, {"attention_dropout": 0.0}, {"rematerialize": True}, {"synthesizer_rank": 3}]
)
def test_what_no_weight_depends_on_may_differ(tmp_path: Path, fields: dict[str, Any]) -> None:
    checkpoint = saved(tmp_path)
    model = MaskedLanguageModel(Encoder(replace(checkpoint.config, **fields)))
    assert len(load(model, checkpoint).loaded) == len(model.weights)


@pytest.mark.parametrize(
    "fields",
    [
        {"hidden": 24, "head_size": 4},
        {"layers": 3},
        {"key_size": 7},
        {"positions": 8},
        {"vocabulary_size": 39},
        {"activation": "gelu-erf"},
        {"layer_norm_epsilon": 1e-5},
        {"attention": "synthesizer-random"},
    ],
)
def test_what_weights_depend_on_must_be_the_same(tmp_path: Path, fields: dict[str, Any]) -> None:
    checkpoint = saved(tmp_path)
    name, value = next(iter(fields.items()))
    held = getattr(checkpoint.config, name)
    with pytest.raises(CheckpointError, match=f"BERT, 2 layers of 12.* it has .*{name} {held}, not {value}"):
        load(Encoder(small(**fields)), checkpoint)


# --- variables ---


def test_a_head_that_is_to_be_trained_is_left_as_it_is(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path)
    model = TextClassification(Encoder(checkpoint.config), classes=2)
    before = values(model)
    with pytest.raises(CheckpointError, match=r"nothing for text_classification/classes/kernel.*: pass fresh_head"):
        load(model, checkpoint)
    told = load(model, checkpoint, fresh_head=True)
    own = {"text_classification/classes/kernel", "text_classification/classes/bias"}
    assert set(told.fresh) == own
    assert {name.partition("/")[0] for name in told.unused} == {"masked_language_model"}
    assert all(np.array_equal(value, before[path]) == (path in own) for path, value in values(model).items())


def test_half_a_head_is_refused(tmp_path: Path) -> None:
    saved(tmp_path)
    checkpoint = changed(tmp_path, **{"masked_language_model/bias": None})
    with pytest.raises(CheckpointError, match=r"has nothing for masked_language_model/bias$"):
        load(MaskedLanguageModel(Encoder(checkpoint.config)), checkpoint, fresh_head=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder/block_1/output/bias": None}, "has nothing for encoder/block_1/output/bias$"),
        ({"encoder/pooler/bias": np.zeros(3, np.float32)}, "the encoder has no place for encoder/pooler/bias"),
        (
            {"encoder/block_1/output/bias": np.zeros(3, np.float32)},
            r"encoder/block_1/output/bias \(3,\) for encoder/block_1/output/bias \(12,\)",
        ),
    ],
)
def test_variables_that_do_not_fit_change_nothing(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    saved(tmp_path)
    checkpoint = changed(tmp_path, **changes)
    model = MaskedLanguageModel(Encoder(checkpoint.config))
    before = values(model)
    with pytest.raises(CheckpointError, match=message):
        load(model, checkpoint, fresh_head=True)
    assert all(np.array_equal(value, before[path]) for path, value in values(model).items())


def test_many_missing_variables_are_counted(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path)
    changes = {name: None for name in checkpoint.shapes if name.startswith("encoder/block_1/")}
    checkpoint = changed(tmp_path, **changes)
    with pytest.raises(CheckpointError, match=r"and 8 more$"):
        load(Encoder(checkpoint.config), checkpoint)
