"""What models are given, and how a perfect one knows its records again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.tasks.model import ByIds, padded

rows = st.lists(st.lists(st.integers(1, 30000), max_size=9).map(lambda row: np.array(row, np.int64)), max_size=6)


@given(rows)
def test_rows_are_filled_up(given_: list[np.ndarray]) -> None:
    table = padded(given_)
    assert table.dtype == np.int32
    assert table.shape == (len(given_), max(map(len, given_), default=0))
    assert [row[row > 0].tolist() for row in table] == [row.tolist() for row in given_]


@given(rows)
def test_records_are_found_by_their_ids_however_filled_up(given_: list[np.ndarray]) -> None:
    known = ByIds([{"ids": row, "number": number} for number, row in enumerate(given_)])
    for number, row in enumerate(padded(given_)):
        same = [other for other, ids in enumerate(given_) if ids.tolist() == given_[number].tolist()]
        assert [record["number"] for record in known[row]] == same
    with pytest.raises(KeyError):
        known[np.array([40000])]
