"""Logits are those of NumPy at the context and [CLS], and out of reach elsewhere; so are loss and gradients."""

import keras
import numpy as np
import numpy.typing as npt
import pytest

from models.heads.reading_comprehension import EdgeLoss, ReadingComprehension
from tests.models.heads.reference import dense, encoder, run, scrambled, states_of, texts, values

NAMES = ("begins", "ends")


def segments_of(ids: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    return ((np.arange(ids.shape[1]) >= 3) & (ids != 0)).astype(np.int32)


@pytest.mark.parametrize("seed", range(3))
def test_logits(seed: int) -> None:
    model, ids = scrambled(ReadingComprehension(encoder()), seed), texts(seed)
    segments = segments_of(ids)
    logits = run(model, {"ids": ids, "segments": segments})
    wanted = dense(states_of(model, ids, segments), values(model), "edges")
    for row in range(len(ids)):
        last = np.count_nonzero(ids[row]) - 1
        for token in range(ids.shape[1]):
            for edge, name in enumerate(NAMES):
                if token == 0 or 3 <= token < last:
                    assert logits[name][row, token] == pytest.approx(wanted[row, token, edge], rel=1e-4, abs=1e-5)
                else:
                    assert -np.inf < logits[name][row, token] < -1e38


def test_padding_changes_nothing() -> None:
    model, ids = scrambled(ReadingComprehension(encoder()), 0), texts(0)
    whole = run(model, {"ids": ids, "segments": segments_of(ids)})
    for row in range(len(ids)):
        length = np.count_nonzero(ids[row])
        part = ids[row : row + 1, :length]
        alone = run(model, {"ids": part, "segments": segments_of(part)})
        for name in NAMES:
            np.testing.assert_allclose(whole[name][row, :length], alone[name][0], rtol=1e-4, atol=1e-5)


def test_the_sum_of_both_losses_is_the_mean_cross_entropy() -> None:
    """Of rows that are there; one that only fills a batch up weighs nothing, and nothing of it is no number."""
    model, ids = scrambled(ReadingComprehension(encoder(dropout=0.0, attention_dropout=0.0)), 3), texts(3)
    ids[2] = 0
    inputs = {"ids": ids, "segments": segments_of(ids)}
    places = {"begins": np.array([4, 0, 0], np.int32), "ends": np.array([5, 0, 0], np.int32)}
    weights = np.array([1, 1, 0], np.float32)
    logits, wanted = run(model, inputs), 0.0
    for name in NAMES:
        for row in range(2):
            allowed = logits[name][row][logits[name][row] > -1e38]
            wanted += (np.log(np.exp(allowed).sum()) - logits[name][row, places[name][row]]) / 2
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss={name: EdgeLoss() for name in NAMES})
    told = model.train_on_batch(inputs, places, sample_weight=dict.fromkeys(NAMES, weights), return_dict=True)
    assert float(told["loss"]) == pytest.approx(wanted, rel=1e-4)
    assert all(np.isfinite(value).all() for value in values(model).values())
