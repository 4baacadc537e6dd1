"""Logits are those of NumPy, and padding changes none."""

import numpy as np
import pytest

from models.heads.event_extraction import EventExtraction
from tests.models.heads.reference import dense, encoder, run, scrambled, states_of, texts, values


@pytest.mark.parametrize("seed", range(3))
def test_logits(seed: int) -> None:
    model, ids = scrambled(EventExtraction(encoder(), labels=4), seed), texts(seed)
    logits = run(model, {"ids": ids})["roles"]
    flat = dense(states_of(model, ids), values(model), "roles")
    assert logits.shape == (*ids.shape, 4, 2)
    for label in range(4):
        for edge in range(2):
            np.testing.assert_allclose(logits[:, :, label, edge], flat[:, :, 2 * label + edge], rtol=1e-4, atol=1e-5)


def test_padding_changes_nothing() -> None:
    model, ids = scrambled(EventExtraction(encoder(), labels=4), 0), texts(0)
    whole = run(model, {"ids": ids})["roles"]
    for row in range(len(ids)):
        length = np.count_nonzero(ids[row])
        alone = run(model, {"ids": ids[row : row + 1, :length]})["roles"]
        np.testing.assert_allclose(whole[row, :length], alone[0], rtol=1e-4, atol=1e-5)


def test_any_encoder() -> None:
    model = EventExtraction(encoder(attention="talking-heads", embedding_size=8, share_layers=True), labels=2)
    assert run(model, {"ids": texts(1)}, training=True)["roles"].shape == (3, 12, 2, 2)
