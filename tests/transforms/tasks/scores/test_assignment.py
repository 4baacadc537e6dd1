"""The assignment problem against all assignments there are."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.tasks.scores.assignment import best_total

scores = st.sampled_from([0.0, 0.25, 0.5, 2 / 3, 1.0]) | st.floats(0, 1)


@given(st.tuples(st.integers(1, 5), st.integers(1, 5)), st.data())
def test_no_assignment_is_better(shape: tuple[int, int], data: st.DataObject) -> None:
    rows, columns = shape
    table = data.draw(st.lists(st.lists(scores, min_size=columns, max_size=columns), min_size=rows, max_size=rows))
    flipped = list(zip(*table, strict=True))
    wide = table if rows <= columns else flipped
    best = max(
        sum(row[column] for row, column in zip(wide, chosen, strict=True))
        for chosen in itertools.permutations(range(len(wide[0])), len(wide))
    )
    assert best_total(table) == pytest.approx(best)
    assert best_total(flipped) == pytest.approx(best)
