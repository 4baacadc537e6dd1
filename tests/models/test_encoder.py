"""Encoders of every kind against the equations in NumPy; padding, lengths, sharing, precision."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from models.encoder import Encoder, encoder_of, padding_mask_of
from models.encoder_config import EncoderConfig
from models.heads.text_classification import TextClassification
from tests.models.gradients import MODES, loss_and_gradients
from tests.models.reference import array, encode, randomize, weights_of
from tests.models.strategies import VARIANTS, batches, configs, small


def states_of(encoder: Encoder, *inputs: Any, training: bool = False) -> Any:
    return array(encoder(*map(ops.convert_to_tensor, inputs), training=training))


def assert_close(found: Any, expected: Any, tolerance: float = 1e-5) -> None:
    assert np.abs(found - expected).max() <= tolerance * max(1, np.abs(expected).max())


@settings(max_examples=40)
@given(st.data())
def test_any_encoder_computes_its_equations(data: st.DataObject) -> None:
    config = data.draw(configs())
    batch = data.draw(batches(config))
    encoder = Encoder(config)
    randomize(encoder, scale=0.2)
    assert_close(states_of(encoder, *batch), encode(config, weights_of(encoder), *batch), 2e-5)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("length", [1, 5, 12])
def test_every_variant_at_each_length(variant: str, length: int) -> None:
    config = small(**VARIANTS[variant])
    encoder = Encoder(config)
    randomize(encoder, scale=0.2)
    random = np.random.default_rng(length)
    token_ids = random.integers(0, 40, (3, length), np.int32)
    segment_ids = random.integers(0, 2, (3, length), np.int32)
    mask = np.arange(length) < np.array([[length], [max(1, length - 2)], [1]])
    found = states_of(encoder, token_ids, segment_ids, mask)
    assert_close(found, encode(config, weights_of(encoder), token_ids, segment_ids, mask), 2e-5)


@settings(max_examples=40)
@given(st.data())
def test_padding_never_influences_the_rest(data: st.DataObject) -> None:
    config = data.draw(configs())
    token_ids, segment_ids, mask = data.draw(batches(config))
    encoder = Encoder(config)
    randomize(encoder, scale=0.2)
    others = np.random.default_rng(1).integers(0, config.vocabulary_size, token_ids.shape, np.int32)
    states = states_of(encoder, token_ids, segment_ids, mask)
    changed = states_of(encoder, np.where(mask, token_ids, others), np.where(mask, segment_ids, 0), mask)
    assert np.array_equal(states[mask], changed[mask])


@pytest.mark.parametrize("variant", VARIANTS)
def test_longer_padding_changes_nothing(variant: str) -> None:
    encoder = Encoder(small(**VARIANTS[variant]))
    randomize(encoder, scale=0.2)
    token_ids = np.array([[3, 9, 4, 0], [5, 0, 0, 0]], np.int32)
    longer = np.pad(token_ids, ((0, 0), (0, 7)))
    mask = token_ids != 0
    assert_close(states_of(encoder, longer)[:, :4][mask], states_of(encoder, token_ids)[mask], 1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_text_of_padding_alone_gives_numbers(variant: str) -> None:
    encoder = Encoder(small(**VARIANTS[variant]))
    assert np.isfinite(states_of(encoder, np.zeros((1, 3), np.int32))).all()


def test_what_is_not_given_is_derived() -> None:
    encoder = Encoder(small())
    token_ids = np.array([[3, 9, 0], [5, 6, 7]], np.int32)
    segments, mask = np.zeros_like(token_ids), np.array([[True, True, False], [True, True, True]])
    assert np.array_equal(array(padding_mask_of(ops.convert_to_tensor(token_ids))), mask)
    plain, full = states_of(encoder, token_ids), states_of(encoder, token_ids, segments, mask)
    assert_close(plain, full, 1e-6)
    numbers = states_of(encoder, token_ids, segments, mask.astype(np.int32))
    assert np.array_equal(full, numbers)


def test_longer_inputs_than_positions_are_refused() -> None:
    with pytest.raises(ValueError, match="inputs of 13 tokens, and the encoder has 12 positions"):
        Encoder(small())(np.ones((1, 13), np.int32))


# --- sharing ---


def unshared_of(shared: Encoder, **fields: Any) -> Encoder:
    config = small(embedding_size=5, **fields)
    unshared = Encoder(config)
    values = {weight.path: weight for weight in shared.weights}
    for weight in unshared.weights:
        first = "/".join("block_0" if part.startswith("block_") else part for part in weight.path.split("/"))
        weight.assign(values[first])
    return unshared


@pytest.mark.parametrize("mode", MODES)
def test_unshared_albert_begins_as_the_shared_one(mode: str) -> None:
    fields = {"dropout": 0.0, "attention_dropout": 0.0, "layers": 3}
    shared = Encoder(small(share_layers=True, embedding_size=5, **fields))
    randomize(shared, scale=0.2)
    unshared = unshared_of(shared, **fields)
    assert (len(shared.blocks), len(unshared.blocks)) == (1, 3)
    token_ids = ops.convert_to_tensor(np.array([[3, 9, 4, 8], [5, 7, 0, 0]], np.int32))
    loss, gradients = loss_and_gradients(shared, token_ids, mode=mode)
    other_loss, others = loss_and_gradients(unshared, token_ids, mode=mode)
    if mode == "eager":
        assert loss == other_loss
    assert loss == pytest.approx(other_loss, rel=1e-6)
    for path, gradient in gradients.items():
        blocks = [path.replace("block_0", f"block_{layer}") for layer in range(3)] if "block_0" in path else [path]
        assert_close(sum(others[block] for block in blocks), gradient)


# --- names, precision, training ---


def test_weights_are_named_by_path() -> None:
    encoder = Encoder(small(embedding_size=5))
    names = [weight.path for weight in encoder.weights]
    assert len(set(names)) == len(names)
    assert {"encoder/embeddings/token", "encoder/block_1/attention/dot_product/query/kernel"} <= set(names)
    model = TextClassification(Encoder(small(embedding_size=5)), classes=2)
    assert [weight.path for weight in encoder_of(model).weights] == names


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("policy", "tolerance"), [("mixed_bfloat16", 0.1), ("mixed_float16", 0.02)])
def test_half_precision_is_near(variant: str, policy: str, tolerance: float) -> None:
    config = small(**VARIANTS[variant])
    full, half = Encoder(config), Encoder(config, dtype=policy)
    randomize(full, scale=0.2)
    randomize(half, scale=0.2)
    assert {weight.dtype for weight in half.weights} == {"float32"}
    token_ids = np.array([[3, 9, 4, 0], [5, 6, 2, 1]], np.int32)
    states = half(ops.convert_to_tensor(token_ids))
    assert ops.dtype(states) == policy.removeprefix("mixed_")
    found = array(ops.cast(states, "float32"))
    assert np.isfinite(found).all()
    assert_close(found, states_of(full, token_ids), tolerance)


def test_large_logits_do_not_overflow_half_precision() -> None:
    encoder = Encoder(small(), dtype="mixed_float16")
    randomize(encoder, scale=3)
    states = ops.cast(encoder(ops.convert_to_tensor(np.array([[3, 9, 0]], np.int32))), "float32")
    assert np.isfinite(array(states)).all()


@pytest.mark.parametrize("share_layers", [False, True])
def test_dropout_is_drawn_anew_each_time_and_only_in_training(share_layers: bool) -> None:
    encoder = Encoder(small(share_layers=share_layers, dropout=0.3, attention_dropout=0.3))
    token_ids = np.array([[3, 9, 4, 7]], np.int32)
    plain = states_of(encoder, token_ids)
    assert np.array_equal(plain, states_of(encoder, token_ids))
    before = array(encoder.seeds.state)
    first, second = (states_of(encoder, token_ids, training=True) for _ in range(2))
    assert not np.array_equal(first, second)
    encoder.seeds.state.assign(before)
    assert np.array_equal(first, states_of(encoder, token_ids, training=True))


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_weight_gets_a_gradient(variant: str) -> None:
    encoder = Encoder(small(**VARIANTS[variant]))
    randomize(encoder, scale=0.2)
    inputs = [np.array([[3, 9, 4, 7]], np.int32), np.array([[0, 1, 0, 1]], np.int32)]
    _, gradients = loss_and_gradients(encoder, *map(ops.convert_to_tensor, inputs))
    assert set(gradients) == {weight.path for weight in encoder.trainable_weights}
    # A bias of keys adds the same to all logits of a query, which no softmax sees.
    still = [path for path, gradient in gradients.items() if np.abs(gradient).max() < 1e-7]
    assert [path for path in still if not path.endswith("key/bias")] == []


def test_fixed_random_logits_are_no_parameters_to_train() -> None:
    encoder = Encoder(small(attention="synthesizer-fixed-random"))
    assert [weight.path for weight in encoder.non_trainable_weights] == [
        f"encoder/block_{layer}/attention/fixed_random/logits" for layer in range(2)
    ]


def test_a_config_in_a_list_of_layers_is_its_own() -> None:
    config = EncoderConfig(vocabulary_size=7, hidden=4, heads=2, layers=1)
    assert Encoder(config).config is config
