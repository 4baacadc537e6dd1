"""Records through Arrow tables and back, and as messages, are what they were."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.storage import record_tables
from pipelines.storage.record_tables import (
    BY_KEY,
    Place,
    by_key,
    each_once,
    encode_table,
    from_table,
    table_schema,
    to_table,
)
from transforms.tasks.record import Kind, Record
from transforms.tfrecord import decode_example, encode_example

SCHEMA = {f"a_{kind.value}": kind for kind in Kind}
LABELS = {"a_label": ("甲", "乙", "丙"), "a_labels": ("丙", "", "x")}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
INTEGERS = st.lists(st.integers(0, (1 << 31) - 1), max_size=5).map(lambda values: np.array(values, np.int32))
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.INTEGER: st.integers(0, 1 << 40),
    Kind.INTEGERS: INTEGERS,
    Kind.TEXT: TEXT,
    Kind.TEXTS: st.lists(TEXT, max_size=3),
    Kind.LABEL: st.sampled_from(LABELS["a_label"]),
    Kind.LABELS: st.lists(st.sampled_from(LABELS["a_labels"]), max_size=4),
}
RECORDS = st.lists(st.fixed_dictionaries({name: VALUES[kind] for name, kind in SCHEMA.items()}), max_size=6)


def table_of(records: list[Record]) -> pa.Table:
    return to_table(records, SCHEMA, [Place(number, 0) for number in range(len(records))])


def plain(record: Record) -> dict[str, Any]:
    return {name: np.asarray(value).tolist() for name, value in record.items()}


@given(records=RECORDS, cut=st.integers(0, 6))
def test_records_come_back(records: list[Record], cut: int) -> None:
    """From any slice of a table, and from tables that were put together."""
    table = table_of(records)
    assert table.schema == table_schema(SCHEMA)
    assert list(map(plain, from_table(table, SCHEMA))) == list(map(plain, records))
    assert list(map(plain, from_table(table.slice(cut), SCHEMA))) == list(map(plain, records[cut:]))
    both = pa.concat_tables([table.slice(cut), table.slice(0, cut)])
    assert list(map(plain, from_table(both, SCHEMA))) == list(map(plain, records[cut:] + records[:cut]))
    assert all(record["a_integers"].dtype == np.int32 for record in from_table(table, SCHEMA))


@given(records=RECORDS, cut=st.integers(0, 6))
def test_messages_are_those_of_each_record_by_itself(records: list[Record], cut: int) -> None:
    made = list(encode_table(table_of(records).slice(cut), SCHEMA, LABELS))
    assert len(made) == len(records[cut:])
    for message, record in zip(made, records[cut:], strict=True):
        numbers = [LABELS["a_labels"].index(label) for label in record["a_labels"]]
        wanted = {
            "a_integer": np.array([record["a_integer"]]),
            "a_integers": record["a_integers"].astype(np.int64),
            "a_text": [record["a_text"].encode()],
            "a_texts": [text.encode() for text in record["a_texts"]],
            "a_label": np.array([LABELS["a_label"].index(record["a_label"])]),
            "a_labels": np.array(numbers, np.int64),
        }
        assert message == encode_example(wanted)
        found = decode_example(message)
        assert found["a_labels"].tolist() == numbers  # type: ignore[union-attr]


def test_an_empty_table() -> None:
    empty = table_schema(SCHEMA).empty_table()
    assert list(from_table(empty, SCHEMA)) == list(encode_table(empty, SCHEMA, LABELS)) == []
    assert list(encode_table(pa.concat_tables([empty, empty]).sort_by([("key", "ascending")]), SCHEMA, {})) == []


@given(records=RECORDS, keys=st.lists(st.integers(0, 3), min_size=6, max_size=6), rows=st.integers(1, 7))
def test_pieces_in_the_order_of_keys(records: list[Record], keys: list[int], rows: int) -> None:
    """Of a table and of several put together: each piece is encoded as if it were all."""
    schema = {**SCHEMA, "id": Kind.TEXT}
    records = [{**record, "id": str(number)} for number, record in enumerate(records)]
    keys = keys[: len(records)]
    table = to_table(records, schema, [Place(key, 0) for key in keys])
    wanted = [records[place] for place in sorted(range(len(records)), key=lambda place: (keys[place], place))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_tables, "ROWS_AT_ONCE", rows)
        for whole in (table, pa.concat_tables([table.slice(2), table.slice(0, 2)])):
            pieces = list(by_key(whole))
            assert [len(piece) for piece in pieces[:-1]] == [rows] * (len(pieces) - 1)
            found = [record for piece in pieces for record in from_table(piece, schema)]
            assert list(map(plain, found)) == list(map(plain, wanted))
            messages = [message for piece in pieces for message in encode_table(piece, schema, LABELS)]
            once = to_table(wanted, schema, [Place(key, key) for key in keys])
            assert messages == list(encode_table(once, schema, LABELS))


def test_order_is_by_key_then_id_then_number() -> None:
    schema = {"id": Kind.TEXT}
    rows = [(1 << 63, "a", 0), (2, "b", 1), (2, "b", 0), (2, "a", 7), ((1 << 64) - 1, "a", 0)]
    table = to_table([{"id": one} for _, one, _ in rows], schema, [Place(key, number) for key, _, number in rows])
    ordered = table.sort_by(BY_KEY)
    assert list(zip(*(ordered[name].to_pylist() for name, _ in BY_KEY), strict=True)) == sorted(rows)


def test_numbers_that_are_too_great_are_refused() -> None:
    with pytest.raises((pa.ArrowInvalid, OverflowError)):
        to_table([{"n": 1 << 63}], {"n": Kind.INTEGER}, [Place(0, 0)])


def test_of_examples_with_one_id_the_first_in_its_source_is_kept() -> None:
    """All of its windows; an example without an id of its own stands for itself."""
    schema = {"id": Kind.TEXT, "ids": Kind.INTEGERS}
    places = [
        Place(5, 0, "q1", "b.json", 0, 0, cut=True, mended=3),
        Place(6, 1, "q1", "b.json", 0, 0, cut=True, mended=3),
        Place(7, 0, "q1", "a.json", 9, 4),
        Place(8, 1, "q1", "a.json", 9, 4),
        Place(9, 0, "q1", "a.json", 9, 5, cut=True),
        Place(9, 0),
        Place(9, 0),
        Place(1, 0, "q0", "b.json", 7, 0),
    ]
    records: list[Record] = [{"id": place.named or "", "ids": np.zeros(3, np.int32)} for place in places]
    table, dead, more = each_once(to_table(records, schema, places))
    assert table["key"].to_pylist() == [7, 8, 9, 9, 1]
    assert [(letter.source, letter.offset, letter.reason) for letter in dead] == [
        ("a.json", 9, "id 'q1' stands before: a.json, offset 9"),
        ("b.json", 0, "id 'q1' stands before: a.json, offset 9"),
    ]
    assert more == {"documents": -2, "tokens": -9, "cut": -2, "mended": -3, "dead_letters": 2}
    whole, dead, more = each_once(table)
    assert (whole.equals(table), dead, set(more.values())) == (True, [], {0})
