"""Of rows with one id the first counts, whatever the order in which they come."""

from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.storage.duplicates import by_id

COLUMNS = pa.schema([("id", pa.string()), ("source", pa.string()), ("offset", pa.int64())])
ROWS = st.lists(st.tuples(st.sampled_from([None, "", "a", "b"]), st.sampled_from("xy"), st.integers(0, 3)), max_size=12)


@given(ROWS)
def test_it_is_as_a_loop_would_find(rows: list[tuple[Any, ...]]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    found = by_id(pa.table(columns, schema=COLUMNS))
    first: dict[Any, Any] = {}
    for row in sorted((row for row in rows if row[0] is not None), key=repr):
        first.setdefault(row[0], row)
    assert sorted(found.first.tolist()) == [n for n, row in enumerate(rows) if first.get(row[0]) == row]
    assert sorted(found.later.tolist()) == [
        n for n, row in enumerate(rows) if row[0] is not None and first[row[0]] != row
    ]
    assert [rows[row][0] for row in found.first] == sorted(rows[row][0] for row in found.first)
    later = sorted({row for row in rows if row[0] is not None and first[row[0]] != row})
    assert [(letter.source, letter.offset) for letter in found.dead] == [row[1:] for row in later]
    for letter, (identifier, *_) in zip(found.dead, later, strict=True):
        _, source, offset = first[identifier]
        assert letter.reason == f"id {identifier!r} stands before: {source}, offset {offset}"
