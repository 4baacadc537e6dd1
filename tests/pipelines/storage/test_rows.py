"""Every row of a table once, wherever it is cut."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.storage import rows as row_limits
from pipelines.storage.sources import Reading
from tests.pipelines.reading import Read, read, read_inputs, reasons, slices_at, source_of, table, texts


def test_parquet(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", {"id": [1, 2, 3], "text": ["一", None, "三" * 9], "label": ["甲", "乙", None]})
    documents, dead = read_inputs(path, reading=Reading(max_document_bytes=20))
    assert documents == [Read(str(path), 0, "甲", "一")]
    assert reasons(dead) == [(1, "the text is null"), (2, "a text of more than --max-document-bytes 20")]
    assert texts(table(path, {"text": pa.array([], pa.string())})) == []


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["一", "二"], pa.large_string()),
        pa.array(["一", "二"]).dictionary_encode(),
        pa.array(["一".encode(), "二".encode()], pa.binary()),
        pa.array(["一", "二"], pa.string_view()),
    ],
)
def test_parquet_text_of_any_kind(tmp_path: Path, column: pa.Array) -> None:
    assert texts(table(tmp_path / "a.parquet", {"text": column})) == ["一", "二"]


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        (pa.array([1, None]), ["1", "a"]),
        (pa.array(["甲", "甲"]).dictionary_encode(), ["甲", "甲"]),
        (pa.array(["", "乙"]), ["a", "乙"]),
    ],
)
def test_parquet_labels_of_any_kind(tmp_path: Path, column: pa.Array, labels: list[str]) -> None:
    documents, _ = read_inputs(table(tmp_path / "a.parquet", {"text": ["一", "二"], "label": column}))
    assert [document.label for document in documents] == labels


def test_parquet_text_that_is_not_utf8_is_a_dead_letter(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", {"text": pa.array([b"ok", b"\xff"], pa.binary())})
    documents, dead = read_inputs(path)
    assert ([document.text for document in documents], [letter.offset for letter in dead]) == (["ok"], [1])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"body": ["x"], "id": [1]}, "no column 'text' \\(--text-field\\); it has body, id"),
        ({"text": [1, 2]}, "column 'text' is int64, not text"),
        ({"text": ["x"], "label": [["y"]]}, "column 'label' is list<.*not text"),
    ],
)
def test_parquet_without_text_is_refused(tmp_path: Path, columns: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=rf"a\.parquet: {message}"):
        read_inputs(table(tmp_path / "a.parquet", columns))


def test_damaged_parquet_is_refused_and_named(tmp_path: Path) -> None:
    content = table(tmp_path / "a.parquet", {"text": [str(number) for number in range(5000)]}).read_bytes()
    for damaged in (
        b"",
        b"PAR1",
        content[:-1],
        content[: len(content) // 2],
        b"x" * 100,
        content[:50] + b"\xff" * 50 + content[100:],
    ):
        (tmp_path / "a.parquet").write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.parquet: not a whole Parquet file .*: fetch it again"):
            read_inputs(tmp_path / "a.parquet")


@given(
    values=st.lists(st.text("中a", max_size=3), max_size=30),
    rows=st.integers(1, 7),
    cuts=st.lists(st.floats(0, 1), max_size=6),
    batch=st.integers(1, 5),
)
@settings(max_examples=60)
def test_any_cut_gives_every_row_once(file: Path, values: list[str], rows: int, cuts: list[float], batch: int) -> None:
    pq.write_table(pa.table({"text": pa.array(values, pa.string())}), file, row_group_size=rows)
    source = source_of(file, "parquet", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_limits, "ROWS_A_BATCH", batch)
        found = [read([piece]) for piece in slices_at(source, [int(cut * source.size) for cut in cuts])]
    assert [document for documents, _ in found for document in documents] == [
        Read(str(file), row, "the label", text) for row, text in enumerate(values)
    ]


def test_a_cut_where_a_row_group_begins_gives_every_row_once(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", {"id": [1, 2, 3], "text": ["一", "二", "三"]}, row_group_size=1)
    metadata = pq.read_metadata(path)
    columns = [metadata.row_group(group).column(0) for group in range(3)]
    begins = [column.dictionary_page_offset or column.data_page_offset for column in columns]
    found = [read([piece])[0] for piece in slices_at(source_of(path, "parquet", "utf-8"), begins)]
    assert [[(document.start, document.text) for document in documents] for documents in found] == [
        [],
        [(0, "一")],
        [(1, "二")],
        [(2, "三")],
    ]
