"""The sizes of named encoders are the published ones."""

import pytest

from models.encoder import Encoder
from models.presets import PRESETS

# Parameters without a pooler. The unshared ALBERTs and RoBERTa+ (9.84 M and 18.79 M): kexue.fm 7187 and 7325.
PARAMETERS = {
    "bert-base": 101_677_056,
    "bert-small": 23_691_264,
    "albert-tiny": 3_982_864,
    "albert-small": 4_594_432,
    "albert-base": 9_957_376,
    "albert-tiny-unshared": 7_499_416,
    "albert-small-unshared": 13_466_752,
    "albert-base-unshared": 87_923_968,
    "roberta-tiny": 7_499_416,
    "roberta-small": 13_466_752,
    "roberta-plus-tiny": 9_843_160,
    "roberta-plus-small": 18_788_992,
}


@pytest.mark.parametrize("name", PRESETS)
def test_parameters_are_as_published(name: str) -> None:
    assert Encoder(PRESETS[name]).count_params() == PARAMETERS[name]


@pytest.mark.parametrize(("tiny", "small"), [("roberta-plus-tiny", "roberta-plus-small")])
def test_key_size_is_four_head_sizes(tiny: str, small: str) -> None:
    assert (PRESETS[tiny].key_size, PRESETS[tiny].head_size) == (104, 26)
    assert (PRESETS[small].key_size, PRESETS[small].head_size) == (128, 32)
