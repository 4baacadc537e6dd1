"""Logits are those of NumPy; the subject changes its objects alone; padding changes nothing."""

import numpy as np
import numpy.typing as npt
import pytest

from models.heads.relation_extraction import RelationExtraction
from tests.models.heads.reference import (
    POSITIONS,
    dense,
    encoder,
    normalized,
    run,
    scrambled,
    states_of,
    texts,
    values,
)

LABELS = 3


def subjects_of(ids: npt.NDArray[np.int32], seed: int) -> npt.NDArray[np.int32]:
    random = np.random.default_rng(seed)
    return np.sort([random.integers(0, np.count_nonzero(row), 2) for row in ids], axis=1).astype(np.int32)


@pytest.mark.parametrize("seed", range(3))
def test_logits(seed: int) -> None:
    model, ids = scrambled(RelationExtraction(encoder(), labels=LABELS), seed), texts(seed)
    subjects, weights, states = subjects_of(ids, seed), values(model), states_of(model, ids)
    logits = run(model, {"ids": ids, "subjects": subjects})
    np.testing.assert_allclose(logits["subjects"], dense(states, weights, "subjects"), rtol=1e-4, atol=1e-5)
    for row, (first, last) in enumerate(subjects):
        condition = np.concatenate([states[row, first], states[row, last]])
        scale = weights["normalization/gamma"] + condition @ weights["normalization/scale_kernel"]
        shift = weights["normalization/beta"] + condition @ weights["normalization/shift_kernel"]
        for token in range(POSITIONS):
            state = normalized(states[row, token], model.encoder.config.layer_norm_epsilon) * scale + shift
            wanted = dense(state, weights, "objects").reshape(LABELS, 2)
            np.testing.assert_allclose(logits["objects"][row, token], wanted, rtol=1e-3, atol=1e-4)


def test_at_first_the_normalization_is_like_any_other() -> None:
    model, ids = RelationExtraction(encoder(), labels=LABELS), texts(0)
    first = run(model, {"ids": ids, "subjects": np.zeros((3, 2), np.int32)})["objects"]
    second = run(model, {"ids": ids, "subjects": np.full((3, 2), 2, np.int32)})["objects"]
    np.testing.assert_array_equal(first, second)


def test_the_subject_changes_its_objects_alone() -> None:
    model, ids = scrambled(RelationExtraction(encoder(), labels=LABELS), 1), texts(1)
    subjects = subjects_of(ids, 1)
    others = subjects.copy()
    others[0] = (subjects[0] + 1) % POSITIONS
    before, after = (run(model, {"ids": ids, "subjects": asked}) for asked in (subjects, others))
    np.testing.assert_array_equal(before["subjects"], after["subjects"])
    np.testing.assert_allclose(before["objects"][1:], after["objects"][1:], rtol=1e-5, atol=1e-6)
    assert np.abs(before["objects"][0] - after["objects"][0]).max() > 0.01


def test_without_a_subject_there_are_no_objects() -> None:
    model, ids = scrambled(RelationExtraction(encoder(), labels=LABELS), 2), texts(2)
    assert run(model, {"ids": ids}).keys() == {"subjects"}


def test_padding_changes_nothing() -> None:
    model, ids = scrambled(RelationExtraction(encoder(), labels=LABELS), 0), texts(0)
    subjects = subjects_of(ids, 0)
    whole = run(model, {"ids": ids, "subjects": subjects})
    for row in range(len(ids)):
        length = np.count_nonzero(ids[row])
        alone = run(model, {"ids": ids[row : row + 1, :length], "subjects": subjects[row : row + 1]})
        for name, logits in alone.items():
            np.testing.assert_allclose(whole[name][row, :length], logits[0], rtol=1e-3, atol=1e-4)
