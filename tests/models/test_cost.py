"""The operations of a step, against counts by hand and against the kernels of a built encoder."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cost import attention_products, matmul_parameters, prediction_parameters, training_flops
from models.encoder import Encoder
from models.encoder_config import EncoderConfig
from models.heads.masked_language_model import MaskedLanguageModel
from models.presets import PRESETS
from tests.models.strategies import VARIANTS, small


def test_one_block_counted_by_hand() -> None:
    config = EncoderConfig(
        vocabulary_size=10, hidden=6, layers=1, heads=2, head_size=3, key_size=5, intermediate=7, embedding_size=4
    )
    query = key = 6 * (2 * 5)
    value, output = 6 * (2 * 3), (2 * 3) * 6
    assert matmul_parameters(config) == 4 * 6 + query + key + value + output + 6 * 7 + 7 * 6
    assert attention_products(config) == 2 * 5 + 2 * 3
    assert prediction_parameters(config) == 6 * 4 + 4 * 10


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("length", [1, 128, 512])
def test_flops_are_those_of_the_formula(name: str, length: int) -> None:
    """6 · matmul parameters + 12 · layers · heads · (key_size + head_size)/2 · length, a token."""
    config = PRESETS[name]
    width = config.layers * config.heads * (config.key_size + config.head_size) / 2
    expected = 6 * matmul_parameters(config) + 12 * width * length
    assert training_flops(config, tokens=1, length=length) == expected
    head = 6 * prediction_parameters(config)
    assert training_flops(config, tokens=7, length=length, predictions=3) == 7 * expected + 3 * head


def test_bert_base_is_as_known() -> None:
    """12 · 12 · 768² is what a block for each layer holds (arXiv:2001.08361, table 1, without embeddings)."""
    assert matmul_parameters(PRESETS["bert-base"]) == 12 * 12 * 768**2
    assert matmul_parameters(PRESETS["albert-base"]) == matmul_parameters(PRESETS["albert-base-unshared"])


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_kernel_of_an_unshared_encoder_is_counted_once(variant: str) -> None:
    config = small(**{**VARIANTS[variant], "share_layers": False})
    model = MaskedLanguageModel(Encoder(config))
    # Kernels that grow with the length, or that mix heads, are counted as products of pairs of tokens.
    pairs = ("outer_kernel", "mix_before/kernel", "mix_after/kernel")
    kernels = {
        weight.path: math.prod(weight.shape)
        for weight in model.weights
        if weight.path.endswith("kernel") and not weight.path.endswith(pairs)
    }
    encoder = sum(size for path, size in kernels.items() if path.startswith("encoder/"))
    assert matmul_parameters(config) == encoder
    table = config.vocabulary_size * config.embedding_size
    assert prediction_parameters(config) == sum(kernels.values()) - encoder + table


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_talking_heads_cost_their_mixes(key_heads: int, heads: int, value_heads: int) -> None:
    """n · m · h · (h_k + h_v) more multiplications (arXiv:2003.02436)."""
    config = small(
        attention="talking-heads",
        key_heads=key_heads,
        heads=heads,
        head_size=5,
        value_heads=value_heads,
        mix_after_softmax=True,
    )
    each = key_heads * 5 + value_heads * 5 + heads * (key_heads + value_heads)
    assert attention_products(config) == config.layers * each


def test_synthesizers_save_what_they_do_not_multiply() -> None:
    """The paper's widths of a layer, d = 768, h = 12, length 128: dot product 2d², dense d² + d · length."""
    fields = {"layers": 1, "positions": 128}
    plain, dense, random = (
        EncoderConfig(**fields, attention=kind) for kind in ("dot-product", "synthesizer-dense", "synthesizer-random")
    )
    assert matmul_parameters(plain) - matmul_parameters(random) == 2 * 768**2
    assert matmul_parameters(dense) - matmul_parameters(random) == 768**2
    assert attention_products(dense) == attention_products(plain) == 2 * attention_products(random) == 2 * 768
