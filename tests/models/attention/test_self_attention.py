"""The backend's own attention against ours, and the kinds of attention that come down to plain dot products."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from models.attention import SelfAttention
from models.attention.self_attention import softmax
from models.encoder_config import EncoderConfig
from tests.models.gradients import MODES, loss_and_gradients
from tests.models.reference import array, randomize
from tests.models.strategies import MIXTURE, VARIANTS, small

RANDOM = np.random.default_rng(3)
STATES = RANDOM.normal(size=(2, 6, 12)).astype(np.float32)
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]], bool)


def built(config: EncoderConfig, dtype: Any = None) -> SelfAttention:
    attention = SelfAttention(config, dtype=dtype)
    attention.build((None, None, config.hidden))
    return attention


def attended(attention: SelfAttention, **seed: Any) -> Any:
    states = attention(ops.convert_to_tensor(STATES), ops.convert_to_tensor(MASK), **seed)
    return array(ops.cast(states, "float32"))


def values_of(attention: SelfAttention) -> dict[str, Any]:
    return {weight.path: array(weight) for weight in attention.weights}


def assign(attention: SelfAttention, values: dict[str, Any]) -> None:
    for weight in attention.weights:
        if weight.path in values:
            weight.assign(values[weight.path])


@contextmanager
def plain_path() -> Iterator[None]:
    with mock.patch.object(SelfAttention, "_fast", return_value=False):
        yield


# --- the backend's attention ---


@pytest.mark.parametrize("key_size", [4, 7])
@pytest.mark.parametrize(("policy", "tolerance"), [(None, 1e-6), ("mixed_bfloat16", 0.03)])
def test_fast_path_equals_the_plain_one(key_size: int, policy: str | None, tolerance: float) -> None:
    attention = built(small(key_size=key_size), policy)
    randomize(attention)
    fast = attended(attention)
    with plain_path():
        assert np.abs(fast - attended(attention)).max() <= tolerance * np.abs(fast).max()


@pytest.mark.parametrize("mode", MODES)
def test_fast_path_has_the_gradients_of_the_plain_one(mode: str) -> None:
    class Model(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.attention = built(small())
            self.built = True

        def call(self, states: Any, training: bool = False) -> Any:
            return self.attention(states, ops.convert_to_tensor(MASK))

    model = Model()
    randomize(model)
    _, fast = loss_and_gradients(model, ops.convert_to_tensor(STATES), mode=mode)
    with plain_path():
        _, plain = loss_and_gradients(model, ops.convert_to_tensor(STATES), mode=mode)
    largest = max(np.abs(gradient).max() for gradient in fast.values())
    for path, gradient in fast.items():
        assert np.abs(gradient - plain[path]).max() <= 1e-6 * largest, path


@pytest.mark.parametrize(
    ("fields", "seeded", "expected"),
    [
        ({}, False, True),
        ({}, True, False),
        ({"attention_dropout": 0.0}, True, True),
        ({"key_size": 7}, False, keras.backend.backend() != "jax"),
        ({"attention": "talking-heads"}, False, False),
        ({"attention": "synthesizer-dense"}, False, False),
        ({"attention": "synthesizer-random+dot-product"}, False, False),
    ],
)
def test_fast_path_is_taken_where_it_applies(fields: dict[str, Any], seeded: bool, expected: bool) -> None:
    attention = built(small(**fields))
    seed = keras.random.SeedGenerator(1).next() if seeded else None
    with mock.patch.object(ops, "dot_product_attention", side_effect=ops.dot_product_attention) as fast:
        attended(attention, seed=seed)
    assert fast.called == expected


# --- what comes down to dot products ---


def test_key_size_is_the_width_of_queries_and_keys_alone() -> None:
    attention = built(small(key_size=7))
    shapes = {path: values.shape for path, values in values_of(attention).items()}
    assert shapes["attention/dot_product/query/kernel"] == shapes["attention/dot_product/key/kernel"] == (12, 21)
    assert (shapes["attention/value/kernel"], shapes["attention/output/kernel"]) == ((12, 12), (12, 12))


@given(st.integers(1, 9))
@settings(max_examples=10)
def test_longer_keys_of_zeros_change_nothing(more: int) -> None:
    """Queries and keys of width 4 + more, 0 in what is more, are plain ones but for the scale 1 / √key_size."""
    plain, wide = built(small()), built(small(key_size=4 + more))
    randomize(plain)
    values = values_of(plain)
    for name in ("query", "key"):
        for kind in ("kernel", "bias"):
            path = f"attention/dot_product/{name}/{kind}"
            heads = values[path].reshape(*values[path].shape[:-1], 3, 4)
            heads = np.pad(heads, [(0, 0)] * (heads.ndim - 1) + [(0, more)])
            scale = ((4 + more) / 4) ** 0.25
            values[path] = scale * heads.reshape(*heads.shape[:-2], 3 * (4 + more))
    assign(wide, values)
    assert np.allclose(attended(wide), attended(plain), atol=1e-5)


def test_key_size_equal_to_head_size_is_plain_attention() -> None:
    assert small(key_size=4) == small()
    attention = built(small(key_size=4))
    randomize(attention)
    fast = attended(attention)
    with plain_path():
        assert np.allclose(attended(attention), fast, atol=1e-6)


@pytest.mark.parametrize("mix_after_softmax", [False, True])
def test_talking_heads_begin_as_plain_attention(mix_after_softmax: bool) -> None:
    plain = built(small())
    randomize(plain)
    talking = built(small(attention="talking-heads", mix_after_softmax=mix_after_softmax))
    assign(talking, values_of(plain))
    assert np.allclose(attended(talking), attended(plain), atol=1e-6)
    mixes = [path for path in values_of(talking) if "/mix_" in path]
    assert len(mixes) == 1 + mix_after_softmax


@pytest.mark.parametrize("place", range(len(MIXTURE.split("+"))))
def test_a_mixture_of_one_is_that_one(place: int) -> None:
    kinds = MIXTURE.split("+")
    mixture = built(small(attention=MIXTURE))
    randomize(mixture)
    mixture.logits.shares.assign([0.0 if number == place else -1e9 for number in range(len(kinds))])
    alone = built(small(attention=kinds[place]))
    assign(alone, {path.replace("/mixture", ""): values for path, values in values_of(mixture).items()})
    assert np.allclose(attended(mixture), attended(alone), atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "parameters"),
    [
        ({}, 1_181_184),  # 2 (H + 1) h k
        ({"key_size": 128}, 2_362_368),
        ({"attention": "talking-heads"}, 1_181_328),  # and h²
        ({"attention": "synthesizer-dense"}, 989_952),  # (H + 1) h k + h (k + 1) N
        ({"attention": "synthesizer-factorized-dense"}, 628_032),  # (H + 1) h k + h (k + 1) (a + b)
        ({"attention": "synthesizer-random"}, 3_145_728),  # h N²
        ({"attention": "synthesizer-fixed-random"}, 0),
        ({"attention": "synthesizer-factorized-random"}, 98_304),  # 2 h N r
        ({"attention": "synthesizer-random+dot-product"}, 4_326_914),
    ],
)
def test_logits_of_bert_base_have_as_many_parameters_as_told(fields: dict[str, Any], parameters: int) -> None:
    attention = built(EncoderConfig(**fields))
    shapes = {weight.path: weight.shape for weight in attention.trainable_weights}
    common = ("attention/value/", "attention/output/")
    assert sum(int(np.prod(shape)) for path, shape in shapes.items() if not path.startswith(common)) == parameters


@pytest.mark.parametrize("variant", VARIANTS)
def test_weights_have_names_of_their_own(variant: str) -> None:
    attention = built(small(**VARIANTS[variant]))
    assert len(values_of(attention)) == len(attention.weights)


# --- softmax ---


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_masked_logits_get_no_weight(dtype: str) -> None:
    logits = ops.cast(ops.convert_to_tensor(np.array([[[[3e4, -3e4, 0, 6e4]]]], np.float32)), dtype)
    mask = ops.convert_to_tensor(np.array([True, True, True, False])[None, None, None])
    weights = softmax(logits, mask)
    assert ops.dtype(weights) == dtype
    assert array(ops.cast(weights, "float32")).tolist() == [[[[1, 0, 0, 0]]]]


def test_a_row_of_padding_gets_equal_weights() -> None:
    weights = softmax(ops.convert_to_tensor(np.zeros((1, 1, 2, 4), np.float32)), ops.zeros((1, 1, 1, 4), "bool"))
    assert np.allclose(array(weights), 0.25)


def test_one_token_gets_all_weight() -> None:
    weights = softmax(ops.ones((2, 3, 1, 1)), ops.ones((2, 1, 1, 1), "bool"))
    assert (array(weights) == 1).all()
