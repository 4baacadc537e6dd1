"""Precision, recall, F1: bounds, and what they are of nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.tasks.scores.rates import rates


@given(st.integers(0, 9), st.integers(0, 9), st.data())
def test_bounds(said: int, true: int, data: st.DataObject) -> None:
    right, found = data.draw(st.integers(0, said)), data.draw(st.integers(0, true))
    precision, recall, f1 = rates(right, said, found, true).values()
    assert min(precision, recall) - 1e-12 <= f1 <= max(precision, recall) + 1e-12 <= 1 + 1e-12
    assert rates(found, true, right, said) == {"precision": recall, "recall": precision, "f1": pytest.approx(f1)}


def test_nothing() -> None:
    assert set(rates(0, 0, 0, 0).values()) == {0.0}
