"""Tables of counts: order, partitions, merges of runs however they are cut."""

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import Rows, counted_runs, counts_table
from transforms.word_counts import (
    BY_COUNT,
    BY_WORD,
    BY_WORD_AND_LABEL,
    LABELLED_RUN,
    RUN,
    WordCounts,
    add_up,
    merge_runs,
    merge_sorted,
    partition,
    partition_runs,
    strings,
    strings_of_points,
)

words = st.text(min_size=1, max_size=6)
partition_counts = st.integers(1, 256)

# The reference vectors of 64-bit FNV-1a (Fowler, Noll, Vo).
FNV_1A = {
    "": 0xCBF29CE484222325,
    "a": 0xAF63DC4C8601EC8C,
    "foobar": 0x85944171F73967E8,
}  # fmt: skip


def rows_of(tables: Iterable[pa.Table]) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for table in tables for row in table.to_pylist()]


# --- order ---


@given(st.dictionaries(words, st.integers(0, 5)))
def test_counts_are_ordered_by_count_then_code_point(counts: dict[str, int]) -> None:
    table = pa.table({"word": list(counts), "count": list(counts.values()), "documents": [1] * len(counts)}, RUN)
    ordered = WordCounts.of(table)
    expected = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    assert list(ordered.words.items()) == expected
    assert ordered.table.schema.names == ["word", "count", "documents"]


def test_code_point_order_is_not_utf_16_order() -> None:
    table = pa.table({"word": ["\U00020000", "\uffe5", "a"], "count": [1, 1, 1], "documents": [1, 1, 1]})
    assert list(WordCounts.of(table).words) == ["a", "\uffe5", "\U00020000"]


# --- partitions ---


@pytest.mark.parametrize("partitions", [1, 2, 7, 256])
def test_partition_is_the_folded_hash_of_the_bytes(partitions: int) -> None:
    expected = [(value ^ value >> 32) % partitions for value in FNV_1A.values()]
    assert partition(pa.array(list(FNV_1A)), partitions=partitions).tolist() == expected


@given(st.lists(st.text(max_size=6)), partition_counts, st.data())
def test_partition_depends_on_the_word_alone(items: list[str], partitions: int, data: st.DataObject) -> None:
    assigned = partition(pa.array(items, pa.string()), partitions=partitions)
    assert assigned.tolist() == [int(partition(pa.array([item]), partitions=partitions)[0]) for item in items]
    assert all(value < partitions for value in assigned.tolist())
    low = data.draw(st.integers(0, len(items)))
    high = data.draw(st.integers(low, len(items)))
    part = pa.array(items, pa.string()).slice(low, high - low)
    assert partition(part, partitions=partitions).tolist() == assigned[low:high].tolist()


def test_partitions_are_about_equal() -> None:
    assigned = partition(pa.array([f"词{number}" for number in range(64_000)]), partitions=64)
    sizes = np.bincount(assigned, minlength=64)
    assert sizes.min() > 800
    assert sizes.max() < 1200


@pytest.mark.parametrize("labelled", [False, True])
@given(data=st.data(), partitions=partition_counts)
def test_partition_runs_divides_completely_and_sorts(labelled: bool, data: st.DataObject, partitions: int) -> None:
    _, runs = data.draw(counted_runs(labelled=labelled).filter(lambda drawn: any(drawn[1])))
    order = data.draw(st.randoms(use_true_random=False))
    rows = [tuple(row.values()) for row in max(runs, key=len)[0].to_pylist()]
    order.shuffle(rows)
    whole = pa.Table.from_pylist(
        [dict(zip(runs[0][0].schema.names, row, strict=True)) for row in rows], runs[0][0].schema
    )
    middle = data.draw(st.integers(0, len(rows)))
    parts = partition_runs(pa.concat_tables([whole.slice(0, middle), whole.slice(middle)]), partitions=partitions)
    assert len(parts) == partitions
    assert sorted(rows_of(parts)) == sorted(rows)
    for number, part in enumerate(parts):
        assert part.schema == whole.schema
        found = rows_of([part])
        keys = [row[:2] if labelled else row[:1] for row in found]
        assert keys == sorted(keys)
        if found:
            held = part["word"].combine_chunks()
            assert set(partition(held, partitions=partitions).tolist()) == {number}


def test_partition_runs_of_nothing_are_empty() -> None:
    parts = partition_runs(RUN.empty_table(), partitions=3)
    assert [len(part) for part in parts] == [0, 0, 0]
    assert all(part.schema == RUN for part in parts)


# --- merges ---


def added(rows: Rows, *, labelled: bool) -> list[tuple[object, ...]]:
    """The rows of each word (and label) as one, sorted."""
    counts: Counter[tuple[str, ...]] = Counter()
    documents: Counter[tuple[str, ...]] = Counter()
    for word, label, count, held in rows:
        key = (word, label) if labelled else (word,)
        counts[key] += count
        documents[key] += held
    return [(*key, counts[key], documents[key]) for key in sorted(counts)]


@pytest.mark.parametrize("labelled", [False, True])
@given(data=st.data(), at_once=st.integers(0, 64))
def test_merge_equals_a_counter(labelled: bool, data: st.DataObject, at_once: int) -> None:
    rows, runs = data.draw(counted_runs(labelled=labelled))
    sort_keys = BY_WORD_AND_LABEL if labelled else BY_WORD
    tables = list(merge_runs(runs, sort_keys=sort_keys, rows=at_once))
    assert rows_of(tables) == added(rows, labelled=labelled)
    assert all(table.schema == (LABELLED_RUN if labelled else RUN) for table in tables)


def test_merge_keeps_a_word_whole_whose_labels_lie_in_two_tables() -> None:
    rows: Rows = [("甲", "x", 1, 1), ("甲", "y", 2, 1)]
    apart, together = [counts_table([row], labelled=True) for row in rows], [counts_table(rows, labelled=True)]
    merged = merge_runs([apart, together], sort_keys=BY_WORD_AND_LABEL, rows=1)
    assert rows_of(merged) == [("甲", "x", 2, 2), ("甲", "y", 4, 2)]


@pytest.mark.parametrize("labelled", [False, True])
@given(data=st.data())
def test_rows_of_a_word_add_up_in_any_order(labelled: bool, data: st.DataObject) -> None:
    rows, _ = data.draw(counted_runs(labelled=labelled))
    data.draw(st.randoms(use_true_random=False)).shuffle(rows)
    assert sorted(rows_of([add_up(counts_table(rows, labelled=labelled))])) == added(rows, labelled=labelled)


@given(counted_runs(labelled=False), st.integers(1, 64))
def test_merge_does_not_depend_on_how_much_it_holds(drawn: tuple[Rows, list[list[pa.Table]]], at_once: int) -> None:
    _, runs = drawn
    assert rows_of(merge_runs(runs, rows=at_once)) == rows_of(merge_runs(runs[::-1], rows=1 << 18))


@given(st.lists(st.dictionaries(words, st.integers(1, 9), max_size=20), max_size=4), st.integers(1, 64))
def test_merge_sorted_by_count_is_a_global_order(parts: list[dict[str, int]], at_once: int) -> None:
    distinct = [{f"{number}{word}": count for word, count in part.items()} for number, part in enumerate(parts)]
    runs = []
    for part in distinct:
        table = counts_table([(word, "", count, 1) for word, count in part.items()], labelled=False)
        ordered = WordCounts.of(table).table
        runs.append([ordered.slice(0, 3), ordered.slice(3)])
    rounds = list(merge_sorted(runs, sort_keys=BY_COUNT, rows=at_once))
    merged = [item for table in rounds for item in WordCounts.of(table).words.items()]
    everything = {word: count for part in distinct for word, count in part.items()}
    assert merged == sorted(everything.items(), key=lambda item: (-item[1], item[0]))


def test_merge_of_nothing_is_nothing() -> None:
    assert list(merge_runs([])) == []
    assert list(merge_runs([[], [RUN.empty_table()]])) == []


def test_merge_reads_its_runs_as_it_goes() -> None:
    taken = [0, 0]

    def run(number: int) -> Iterator[pa.Table]:
        for table in range(100):
            taken[number] += 1
            yield counts_table([(f"{table:03}{row}", "", 1, 1) for row in range(10)], labelled=False)

    merged = merge_runs([run(0), run(1)], rows=20)
    first = next(merged)
    assert taken == [1, 1]
    assert len(first) == 10
    assert sum(map(len, merged)) == 990
    assert taken == [100, 100]


# --- Arrow arrays over memory ---


@given(st.lists(st.text()))
def test_strings_are_the_words(items: list[str]) -> None:
    encoded = [item.encode() for item in items]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    array = strings(np.frombuffer(b"".join(encoded), np.uint8), offsets)
    array.validate(full=True)
    assert array.to_pylist() == items


@given(st.lists(st.text()))
def test_strings_of_points_are_the_words(items: list[str]) -> None:
    points = np.array([ord(character) for item in items for character in item], np.uint32)
    array = strings_of_points(points, np.cumsum([len(item) for item in items], dtype=np.int64))
    array.validate(full=True)
    assert array.to_pylist() == items


@pytest.mark.parametrize("partitions", [0, 257])
def test_partitions_have_a_byte(partitions: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 256"):
        partition(pa.array(["甲"]), partitions=partitions)
