"""Logits of classes: what is pooled, and that it learns."""

import keras
import numpy as np
import pytest

from models.encoder import Encoder
from models.heads.text_classification import Pooling, TextClassification
from tests.models.reference import array, dense, encode, randomize, weights_of
from tests.models.strategies import small

TOKENS = np.array([[3, 9, 4, 7, 2, 0], [5, 6, 0, 0, 0, 0], [7, 0, 0, 0, 0, 0]], np.int32)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_logits_are_those_of_the_equations(pooling: Pooling) -> None:
    config = small()
    model = TextClassification(Encoder(config), classes=4, pooling=pooling)
    randomize(model, scale=0.2)
    weights = weights_of(model)
    states = encode(config, weights, TOKENS, np.zeros_like(TOKENS), TOKENS != 0)
    lengths = (TOKENS != 0).sum(1)
    means = np.stack([row[:length].mean(0) for row, length in zip(states, lengths, strict=True)])
    expected = dense(weights, "text_classification/classes", states[:, 0] if pooling == "first" else means)
    logits = array(model({"token_ids": TOKENS}))
    assert np.abs(logits - expected).max() <= 2e-5 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_padding_is_not_pooled(pooling: Pooling) -> None:
    model = TextClassification(Encoder(small()), classes=4, pooling=pooling)
    randomize(model, scale=0.2)
    plain = array(model({"token_ids": TOKENS}))
    longer = array(model({"token_ids": np.pad(TOKENS, ((0, 0), (0, 5)))}))
    assert np.allclose(plain, longer, atol=1e-5)
    other = array(
        model({"token_ids": np.where(TOKENS == 0, 8, TOKENS), "padding_mask": (TOKENS != 0).astype(np.int32)})
    )
    assert np.allclose(plain, other, atol=1e-5)


def test_a_text_of_padding_alone_gives_numbers() -> None:
    model = TextClassification(Encoder(small()), classes=4, pooling="mean")
    assert np.isfinite(array(model({"token_ids": np.zeros((1, 3), np.int32)}))).all()


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_it_learns_classes(policy: str) -> None:
    keras.utils.set_random_seed(1)
    model = TextClassification(Encoder(small(dropout=0.1), dtype=policy), classes=3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-2), loss, jit_compile=keras.backend.backend() == "jax")
    losses = model.fit({"token_ids": TOKENS}, np.array([2, 0, 1]), epochs=40, verbose=0).history["loss"]
    assert losses[-1] < 0.2 < 0.8 < losses[0]
    logits = model.predict({"token_ids": TOKENS}, verbose=0)
    assert logits.dtype == np.float32
    assert logits.argmax(-1).tolist() == [2, 0, 1]


def test_its_own_weights_are_named_by_the_head() -> None:
    model = TextClassification(Encoder(small()), classes=3)
    own = {weight.path for weight in model.weights if not weight.path.startswith("encoder/")}
    assert own == {"text_classification/classes/kernel", "text_classification/classes/bias"}
