"""The config of an encoder: what follows from what, what is refused, and JSON."""

import json
from typing import Any

import pytest
from hypothesis import given

from models.encoder_config import ATTENTIONS, EncoderConfig
from tests.models.strategies import configs


@given(configs())
def test_json_has_an_inverse(config: EncoderConfig) -> None:
    assert EncoderConfig.from_json(config.to_json()) == config


@given(configs())
def test_no_size_is_left_to_others(config: EncoderConfig) -> None:
    written = json.loads(config.to_json())
    assert all(value > 0 for value in written.values() if type(value) is int)


def test_sizes_follow_from_each_other() -> None:
    config = EncoderConfig(hidden=24, heads=3, key_size=5)
    assert (config.head_size, config.key_size, config.intermediate, config.embedding_size) == (8, 5, 96, 24)
    assert (config.key_heads, config.value_heads) == (3, 3)
    assert EncoderConfig(hidden=24, heads=3, head_size=2).key_size == 2
    assert EncoderConfig(hidden=24, heads=5, head_size=2).hidden == 24


def test_a_whole_number_is_a_number() -> None:
    config = EncoderConfig.from_json('{"dropout": 0}')
    assert type(config.dropout) is float


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"heads": 7}, "head_size: give it, as 7 heads do not divide hidden 768"),
        ({"layers": 0}, "layers: 0 is less than 1"),
        ({"key_size": -1}, "key_size: -1 is less than 0"),
        ({"hidden": True}, "hidden: True is not an integer"),
        ({"hidden": 1.5}, "hidden: 1.5 is not an integer"),
        ({"share_layers": 1}, "share_layers: 1 is not true or false"),
        ({"dropout": "0.1"}, "dropout: '0.1' is not a number"),
        ({"attention": None}, "attention: None is not a string"),
        ({"dropout": 1.0}, "dropout: 1.0 is not a rate"),
        ({"attention_dropout": -0.1}, "attention_dropout: -0.1 is not a rate"),
        ({"attention_dropout": float("nan")}, "attention_dropout: nan is not a rate"),
        ({"layer_norm_epsilon": 0.0}, "layer_norm_epsilon: 0.0 is not between 0 and 1"),
        ({"activation": "gelu"}, "activation: 'gelu' is not known: did you mean 'gelu-"),
        ({"attention": "talking_heads"}, "attention: 'talking_heads' is not known: did you mean 'talking-heads'"),
        ({"attention": "?"}, f"attention: '\\?' is not known: one of {', '.join(ATTENTIONS)}"),
        ({"attention": "dot-product+"}, "attention: '' is not known"),
        ({"attention": "dot-product+dot-product"}, "attention: dot-product\\+dot-product names a kind twice"),
        ({"attention": "talking-heads+dot-product"}, "talking-heads is not mixed with others"),
        ({"key_heads": 3}, "key_heads: 3 differs from heads: needs attention talking-heads"),
        ({"value_heads": 3}, "value_heads: 3 differs from heads: needs attention talking-heads"),
        ({"mix_after_softmax": True}, "mix_after_softmax: needs attention talking-heads, and this is dot-product"),
        ({"attention": "talking-heads", "value_heads": 3}, "value_heads: 3 differs from heads: needs mix_after"),
        ({"attention": "synthesizer-factorized-dense", "positions": 509}, "positions: 509 is prime"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EncoderConfig(**fields)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"hiden": 3}', "'hiden' is not known: did you mean 'hidden'"),
        ('{"key_sise": 3}', "did you mean 'key_size'"),
        ("[]", "expected a JSON object"),
        ("{", "Expecting property name"),
    ],
)
def test_json_that_is_no_config_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EncoderConfig.from_json(text)


@pytest.mark.parametrize(("positions", "factors"), [(512, (16, 32)), (128, (8, 16)), (36, (6, 6)), (1, (1, 1))])
def test_factors_are_the_most_equal(positions: int, factors: tuple[int, int]) -> None:
    assert EncoderConfig(positions=positions).factors == factors
