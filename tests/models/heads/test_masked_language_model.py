"""The masked language model's logits: gathered, tied to the embeddings, trained."""

import keras
import numpy as np
import pytest

from models.encoder import Encoder
from models.heads.masked_language_model import MaskedLanguageModel
from tests.models.reference import array, dense, encode, gelu, normalize, randomize, weights_of
from tests.models.strategies import small

TOKENS = np.array([[3, 9, 4, 7, 2, 0], [5, 6, 0, 0, 0, 0]], np.int32)
POSITIONS = np.array([[1, 4, 4], [0, 0, 1]], np.int32)


@pytest.mark.parametrize("activation", ["gelu-tanh", "gelu-erf"])
@pytest.mark.parametrize("embedding_size", [12, 5])
def test_logits_are_those_of_the_equations(activation: str, embedding_size: int) -> None:
    config = small(activation=activation, embedding_size=embedding_size)
    model = MaskedLanguageModel(Encoder(config))
    randomize(model, scale=0.2)
    weights = weights_of(model)
    states = encode(config, weights, TOKENS, np.zeros_like(TOKENS), TOKENS != 0)
    masked = np.stack([row[places] for row, places in zip(states, POSITIONS, strict=True)])
    features = gelu(dense(weights, "masked_language_model/transform", masked), activation)
    features = normalize(weights, "masked_language_model/normalization", features, config.layer_norm_epsilon)
    expected = features @ weights["encoder/embeddings/token"].T + weights["masked_language_model/bias"]
    logits = array(model({"token_ids": TOKENS, "masked_positions": POSITIONS}))
    assert logits.shape == (2, 3, 40)
    assert np.abs(logits - expected).max() <= 2e-5 * max(1, np.abs(expected).max())


def test_inputs_are_passed_on() -> None:
    model = MaskedLanguageModel(Encoder(small()))
    randomize(model, scale=0.2)
    inputs = {"token_ids": TOKENS, "masked_positions": POSITIONS}
    plain = array(model(inputs))
    full = inputs | {"segment_ids": np.zeros_like(TOKENS), "padding_mask": TOKENS != 0}
    assert np.allclose(array(model(full)), plain, atol=1e-6)
    for changed in ({"segment_ids": np.ones_like(TOKENS)}, {"padding_mask": np.ones_like(TOKENS)}):
        assert not np.allclose(array(model(full | changed)), plain, atol=1e-3)


def test_the_head_adds_no_second_table() -> None:
    model = MaskedLanguageModel(Encoder(small()))
    head = [weight for weight in model.weights if not weight.path.startswith("encoder/")]
    assert sum(int(np.prod(weight.shape)) for weight in head) == 12 * 12 + 12 + 2 * 12 + 40


@pytest.mark.parametrize("policy", ["float32", pytest.param("mixed_bfloat16", marks=pytest.mark.slow)])
def test_it_learns_what_stands_behind_the_masks(policy: str) -> None:
    keras.utils.set_random_seed(1)
    model = MaskedLanguageModel(Encoder(small(dropout=0.0, attention_dropout=0.0), dtype=policy))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss, jit_compile=keras.backend.backend() == "jax")
    inputs = {"token_ids": TOKENS, "masked_positions": POSITIONS}
    labels, weights = np.array([[9, 2, 2], [5, 5, 6]], np.int32), np.array([[1, 1, 0], [1, 0, 1]], np.float32)
    losses = model.fit(inputs, labels, sample_weight=weights, epochs=40, verbose=0).history["loss"]
    assert losses[-1] < 0.2 < 1.0 < losses[0]
    assert model.predict(inputs, verbose=0).dtype == np.float32


def test_what_has_no_weight_has_no_gradient() -> None:
    """Unused places of masked_positions hold any position: the loss does not see them."""
    model = MaskedLanguageModel(Encoder(small()))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    labels, weights = np.array([[9, 2, 2], [5, 5, 6]], np.int32), np.array([[1, 1, 0], [1, 0, 1]], np.float32)
    others = np.array([[1, 4, 0], [0, 5, 1]], np.int32)
    first, second = (
        float(array(loss(labels, model({"token_ids": TOKENS, "masked_positions": places}), sample_weight=weights)))
        for places in (POSITIONS, others)
    )
    assert first == pytest.approx(second)
