"""Runs come back as they were written, and parts do not depend on the pieces in which rows come."""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.storage.commit import ATTEMPT
from pipelines.storage.manifest import File
from pipelines.storage.tables import (
    ROWS_A_BATCH,
    read_run,
    read_some,
    scratch_run,
    write_parquet,
    write_runs,
    write_table,
)
from tests.strategies import Rows, counted_runs, counts_table
from transforms.word_counts import BY_WORD, RUN, merge_runs, merge_sorted

pytestmark = pytest.mark.usefixtures("unsynced")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


def numbered(rows: int) -> pa.Table:
    return pa.table(
        {"word": [f"词{row:07d}" for row in range(rows)], "count": range(rows), "documents": [1] * rows}, RUN
    )


def joined(tables: Iterable[pa.Table], schema: pa.Schema = RUN) -> pa.Table:
    return pa.concat_tables([schema.empty_table(), *tables]).combine_chunks()


@given(runs=counted_runs(labelled=False))
def test_runs_come_back_from_their_ranges(folder: Path, runs: tuple[Rows, list[list[pa.Table]]]) -> None:
    files = write_runs(folder, "runs.arrow", runs[1])
    content = (folder / "runs.arrow").read_bytes()
    position = 0
    for file, run in zip(files, runs[1], strict=True):
        assert (file.name, file.offset) == ("runs.arrow", position)
        assert file.sha256 == hashlib.sha256(content[position : position + file.bytes]).hexdigest()
        assert file.records == sum(map(len, run))
        assert joined(read_run(folder, file)) == joined(run)
        position += file.bytes
    assert position == len(content)


def test_a_run_comes_back_in_pieces(folder: Path) -> None:
    (file,) = write_runs(folder, "long.arrow", [[numbered(ROWS_A_BATCH * 2 + 1)]])
    assert [len(table) for table in read_run(folder, file)] == [ROWS_A_BATCH, ROWS_A_BATCH, 1]


@given(runs=counted_runs(labelled=False), data=st.data())
def test_some_tables_of_a_run(folder: Path, runs: tuple[Rows, list[list[pa.Table]]], data: st.DataObject) -> None:
    files = write_runs(folder, "some.arrow", runs[1])
    for file in files:
        tables = list(read_run(folder, file))
        wanted = data.draw(st.lists(st.booleans(), min_size=len(tables), max_size=len(tables)))
        assert list(read_some(folder, file, wanted)) == list(itertools.compress(tables, wanted))


def test_equal_runs_are_equal_bytes(folder: Path) -> None:
    first = write_runs(folder, "a.arrow", [[numbered(5000)], [], [numbered(3)]])
    second = write_runs(folder, "b.arrow", [[numbered(5000)], [], [numbered(3)]])
    assert [file.sha256 for file in first] == [file.sha256 for file in second]
    assert first[1].bytes == first[1].records == 0


@pytest.mark.parametrize("at", [0, 100, -1])
def test_damage_in_a_run_is_told_before_a_row_of_it(folder: Path, at: int) -> None:
    files = write_runs(folder, "damaged.arrow", [[numbered(100)], [numbered(200)], [numbered(300)]])
    content = bytearray((folder / "damaged.arrow").read_bytes())
    begin, end = files[1].offset, files[1].offset + files[1].bytes
    content[(begin if at >= 0 else end) + at] ^= 1
    (folder / "damaged.arrow").write_bytes(content)
    with pytest.raises(InputError, match=rf"damaged\.arrow: damaged between bytes {begin} and {end}: remove it"):
        next(read_run(folder, files[1]))
    assert len(joined(read_run(folder, files[0]))) == 100
    assert len(joined(read_run(folder, files[2]))) == 300
    with pytest.raises(InputError, match="damaged between"):
        next(read_run(folder, File("damaged.arrow", files[2].sha256, files[2].bytes, 300, files[2].offset + 8)))


def test_a_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def run() -> Iterable[pa.Table]:
        yield numbered(10)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_runs(tmp_path, "a.arrow", [run()])
    assert list(tmp_path.iterdir()) == []


@given(runs=counted_runs(labelled=False), rows=st.integers(1, 50))
def test_runs_merge_the_same_through_a_scratch_file(
    folder: Path, runs: tuple[Rows, list[list[pa.Table]]], rows: int
) -> None:
    """Merging two by two through scratch files gives what one merge gives, and what adding up by hand gives."""
    expected: dict[str, list[int]] = {}
    for word, _, count, documents in runs[0]:
        sums = expected.setdefault(word, [0, 0])
        sums[0] += count
        sums[1] += documents
    merged: list[pa.Table] = []
    for run in runs[1]:
        with scratch_run(folder, merged) as first, scratch_run(folder, run) as second:
            merged = list(merge_runs([first, second], sort_keys=BY_WORD, rows=rows))
    table = joined(merged)
    assert {
        word: [count, documents]
        for word, count, documents in zip(*(column.to_pylist() for column in table.columns), strict=True)
    } == expected
    assert table["word"].to_pylist() == sorted(expected)
    assert joined(merge_sorted([merged], sort_keys=BY_WORD, rows=rows)) == table


def test_a_scratch_file_of_nothing_and_of_an_empty_table(tmp_path: Path) -> None:
    for tables in ([], [RUN.empty_table()]):
        with scratch_run(tmp_path, tables) as run:
            assert len(joined(run)) == 0
    with scratch_run(tmp_path, [numbered(ROWS_A_BATCH + 1)]) as run:
        assert list(tmp_path.iterdir()) == []  # it has no name that a kill could leave behind
        assert [len(table) for table in run] == [ROWS_A_BATCH, 1]


def parts_of(
    folder: Path, tables: Iterable[pa.Table], rows: int, group_rows: int, schema: pa.Schema = RUN
) -> list[Path]:
    files = write_parquet(folder, "part", tables, schema=schema, rows=rows, group_rows=group_rows)
    for file in files:
        file.commit()
    assert [file.records for file in files] == [pq.read_metadata(file.final).num_rows for file in files]
    assert [file.size for file in files] == [file.final.stat().st_size for file in files]
    assert [file.sha256 for file in files] == [hashlib.sha256(file.final.read_bytes()).hexdigest() for file in files]
    return [file.final for file in files]


@given(
    total=st.integers(0, 60),
    bounds=st.lists(st.integers(0, 60), max_size=8),
    rows=st.integers(1, 30),
    group_rows=st.integers(1, 12),
)
@example(30, [1, 29], 10, 3)  # row groups that do not divide a part
@example(20, [], 10, 10)
def test_parts_do_not_depend_on_the_pieces(
    folder: Path, total: int, bounds: list[int], rows: int, group_rows: int
) -> None:
    table = numbered(total)
    cuts = [0, *sorted(min(bound, total) for bound in bounds), total]
    pieces = [table.slice(begin, end - begin) for begin, end in itertools.pairwise(cuts)]
    whole = [path.read_bytes() for path in parts_of(folder, [table], rows, group_rows)]
    parts = parts_of(folder, pieces, rows, group_rows)
    assert [path.read_bytes() for path in parts] == whole
    number = max(1, -(-total // rows))
    assert [path.name for path in parts] == [f"part-{part:05d}-of-{number:05d}.parquet" for part in range(number)]
    found = [pq.read_table(path) for path in parts]
    assert pa.concat_tables(found) == table
    assert [len(part) for part in found[:-1]] == [rows] * (number - 1)
    for path in parts:
        metadata = pq.read_metadata(path)
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        assert sizes[:-1] == [group_rows] * (len(sizes) - 1)


def test_a_part_holds_columns_in_the_schema_s_order_and_no_word_of_where_it_was_made(folder: Path) -> None:
    table = numbered(9)
    (part,) = parts_of(folder, [table.select(["documents", "word", "count"])], 10, 10)
    assert pq.read_schema(part).names == ["word", "count", "documents"]
    assert (pq.read_metadata(part).metadata or {}).keys() <= {b"ARROW:schema"}
    assert str(folder).encode() not in part.read_bytes()


def test_parts_that_fail_leave_nothing(tmp_path: Path) -> None:
    def tables() -> Iterable[pa.Table]:
        yield numbered(25)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_parquet(tmp_path, "part", tables(), schema=RUN, rows=10, group_rows=5)
    assert list(tmp_path.iterdir()) == []


def test_parts_have_their_names_only_when_they_are_committed(tmp_path: Path) -> None:
    files = write_parquet(tmp_path, "part", [numbered(25)], schema=RUN, rows=10, group_rows=5)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 3
    assert all(name.startswith(".part-") and name.endswith(ATTEMPT) for name in names)
    assert [file.final.name for file in files] == [f"part-{part:05d}-of-00003.parquet" for part in range(3)]
    for file in files:
        file.discard()
    assert list(tmp_path.iterdir()) == []


def test_labelled_rows_as_test_data_are_what_runs_hold() -> None:
    rows: Sequence[tuple[str, str, int, int]] = [("一", "甲", 1, 1)]
    assert counts_table(list(rows), labelled=False).schema == RUN


def test_a_table_is_one_file_of_its_own_name(tmp_path: Path) -> None:
    schema = pa.schema([("a", pa.int64())])
    tables = [pa.table({"a": range(begin, begin + 3)}) for begin in (0, 3, 6)]
    file = write_table(tmp_path / "numbers.parquet", tables, schema=schema)
    assert not (tmp_path / "numbers.parquet").exists()
    file.commit()
    assert [path.name for path in tmp_path.iterdir()] == ["numbers.parquet"]
    assert pq.read_table(tmp_path / "numbers.parquet")["a"].to_pylist() == list(range(9))
    assert (file.records, file.size) == (9, (tmp_path / "numbers.parquet").stat().st_size)
