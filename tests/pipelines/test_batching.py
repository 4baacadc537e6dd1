"""Batches: each record once a pass in one of a few shapes, the same to the byte wherever they are taken up again."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import batching as module
from pipelines.batching import VALID, Arrays, Batches, Batching, in_order, lengths_of
from pipelines.datasets import DataSet
from pipelines.errors import InputError
from pipelines.records import Records
from pipelines.storage.sources import Reading
from tests.pipelines.made_records import (
    EVENT,
    EVENT_TYPES,
    PREDICATES,
    READING,
    RELATION,
    classification,
    data_set,
    made,
    task_options,
    write_labelled,
    write_lines,
)
from transforms.splits import Splits
from transforms.tasks.record import Record
from transforms.tasks.task import TASKS

pytestmark = pytest.mark.usefixtures("unsynced")
COUNT = 31
LENGTHS = (8, 16, 40)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return data_set(tmp_path_factory.mktemp("batching"), COUNT, files=3)


def targets(record: Record, rng: np.random.Generator) -> dict[str, Any]:
    """Ids, a number for each record, and random numbers."""
    return {"ids": record["ids"].astype(np.int32), "number": np.int64(number_of(record)), "drawn": rng.random(2)}


def number_of(record: Record) -> int:
    return int("".join(filter(str.isdigit, record["text"])))


def shapes(length: int) -> dict[str, tuple[int, ...]]:
    return {"ids": (length,), "number": (), "drawn": (2,)}


def batching_of(size: int = 4, lengths: tuple[int, ...] = LENGTHS, seed: int = 0) -> Batching:
    return Batching(targets, shapes, size, lengths, seed)


def taken(batches: Batches, count: int) -> list[dict[str, tuple[str, tuple[int, ...], bytes]]]:
    """Batches as values to compare to the byte."""
    return [frozen(batch) for batch in islice(batches, count)]


def frozen(batch: Arrays) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {name: (str(array.dtype), array.shape, array.tobytes()) for name, array in batch.items()}


def threads() -> int:
    return sum(thread.name == "batches" for thread in threading.enumerate())


def drawn_by_number(batches: Iterator[Arrays]) -> dict[int, tuple[float, ...]]:
    """The random numbers of each record of one pass."""
    found: dict[int, tuple[float, ...]] = {}
    for batch in batches:
        for number, drawn in zip(batch["number"][batch[VALID]], batch["drawn"][batch[VALID]], strict=True):
            found.setdefault(int(number), tuple(drawn))
    return found


@given(size=st.integers(1, 9), buffer=st.integers(1, 40), open_files=st.integers(1, 4), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_every_record_once_a_pass(records: DataSet, size: int, buffer: int, open_files: int, seed: int) -> None:
    """With one length, `COUNT` batches are `size` passes."""
    batching = batching_of(size, (40,), seed)
    with Batches(records, "train", batching, buffer=buffer, open_files=open_files) as batches:
        found = list(islice(batches, COUNT))
    numbers = np.concatenate([batch["number"] for batch in found]).reshape(size, COUNT)
    for of_pass in numbers:
        assert sorted(of_pass) == list(range(COUNT))
    assert all(batch[VALID].all() for batch in found)


def test_rows_are_the_records_targets(records: DataSet) -> None:
    by_number = {number_of(record): record for record in records.records("train")}
    with Batches(records, "train", batching_of()) as batches:
        for batch in islice(batches, 40):
            length = batch["ids"].shape[1]
            assert {name: array.shape for name, array in batch.items()} == {
                "ids": (4, length), "number": (4,), "drawn": (4, 2), VALID: (4,)
            }  # fmt: skip
            assert [str(batch[name].dtype) for name in ("ids", "number", "drawn")] == ["int32", "int64", "float64"]
            for row, number in zip(batch["ids"], batch["number"], strict=True):
                ids = by_number[int(number)]["ids"]
                assert length == min(length for length in LENGTHS if length >= len(ids))
                assert row.tolist() == ids.tolist() + [0] * (length - len(ids))


@given(
    cut=st.integers(0, 30),
    seed=st.integers(0, 9),
    size=st.integers(1, 5),
    buffer=st.integers(1, 40),
    open_files=st.integers(1, 4),
    prefetched=st.integers(1, 6),
)
@settings(max_examples=40)
def test_taken_up_again_the_same_batches_come(
    records: DataSet, cut: int, seed: int, size: int, buffer: int, open_files: int, prefetched: int
) -> None:
    """Whatever was made ahead: the position is that of the batch that was handed out."""
    batching, options = batching_of(size, seed=seed), {"buffer": buffer, "open_files": open_files}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PREFETCHED", prefetched)
        with Batches(records, "train", batching, **options) as batches:  # type: ignore[arg-type]
            taken(batches, cut)
            position = json.loads(json.dumps(batches.position))
            rest = taken(batches, 12)
        with Batches(records, "train", batching, position=position, **options) as again:  # type: ignore[arg-type]
            assert json.loads(json.dumps(again.position)) == position
            assert taken(again, 12) == rest


def test_random_numbers_of_a_record_follow_from_its_place(records: DataSet) -> None:
    """Neither from the batch it is in nor from the order in which records come; other seeds and passes draw anew."""
    ordered = drawn_by_number(batch for batch, _ in in_order(records, "train", batching_of(3, seed=7)))
    assert len({*ordered.values()}) == COUNT
    for size, lengths, buffer in ((1, (40,), 1), (5, (40,), 9), (1, LENGTHS, 50)):
        with Batches(records, "train", batching_of(size, lengths, 7), buffer=buffer) as batches:
            first = drawn_by_number(islice(batches, COUNT // size))
        assert first.items() <= ordered.items()
        assert len(first) > COUNT - size
    with Batches(records, "train", batching_of(1, (40,), 8)) as batches:
        assert not {*drawn_by_number(islice(batches, COUNT)).values()} & {*ordered.values()}
    with Batches(records, "train", batching_of(1, (40,), 7)) as batches:
        list(islice(batches, COUNT))
        assert not {*drawn_by_number(islice(batches, COUNT)).values()} & {*ordered.values()}


@pytest.mark.parametrize("size", [1, 4, COUNT, 100])
def test_in_order_gives_each_record_once(records: DataSet, size: int) -> None:
    seen = Counter[str]()
    not_full = Counter[int]()
    for batch, made_of in in_order(records, "train", batching_of(size)):
        length, there = batch["ids"].shape[1], len(made_of)
        assert batch[VALID].tolist() == [True] * there + [False] * (size - there)
        assert batch["number"][:there].tolist() == [number_of(record) for record in made_of]
        assert not any(batch[name][there:].any() for name in ("ids", "number", "drawn"))
        seen.update(record["id"] for record in made_of)
        not_full[length] += there < size
    assert seen == Counter(record["id"] for record in records.records("train"))
    assert max(not_full.values()) <= 1


def test_the_thread_ends_at_close(records: DataSet) -> None:
    before = threads()
    with Batches(records, "train", batching_of()) as batches:
        next(batches)
        assert threads() == before + 1
    assert threads() == before
    assert list(batches) == []
    batches.close()


def test_an_unused_one_closes(records: DataSet) -> None:
    before = threads()
    Batches(records, "train", batching_of()).close()
    assert threads() == before


def test_errors_of_reading_reach_the_caller(tmp_path: Path) -> None:
    broken = data_set(tmp_path, 20, files=1)
    path = tmp_path / "out" / broken.files("train")[0]
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    with Batches(broken, "train", batching_of()) as batches:
        for _ in range(2):
            with pytest.raises(InputError, match=r"tfrecord-00000-of-00001: damaged: the record at byte \d+"):
                next(batches)


def test_errors_of_targets_reach_the_caller(records: DataSet) -> None:
    def fail(record: Record, rng: np.random.Generator) -> dict[str, Any]:
        raise KeyError(number_of(record))

    with Batches(records, "train", replace(batching_of(), targets=fail)) as batches, pytest.raises(KeyError):
        next(batches)


def test_a_record_that_is_too_long(records: DataSet) -> None:
    wrong = r"^record [0-9a-f]{16} has \d+ tokens, batches at most 8: allow longer ones, or make the records with a sma"
    with Batches(records, "train", batching_of(lengths=(8,))) as batches, pytest.raises(InputError, match=wrong):
        list(islice(batches, COUNT))
    with pytest.raises(InputError, match=wrong):
        list(in_order(records, "train", batching_of(lengths=(8,))))


def test_a_split_without_records(tmp_path: Path) -> None:
    source = write_labelled(tmp_path / "a.tsv", [("甲", "第1中国")])
    made(classification(tmp_path, tmp_path / "out", source, splits=Splits(named=("dev",), files=1)))
    empty = DataSet.open(str(tmp_path / "out"))
    with Batches(empty, "dev", batching_of()) as batches:
        assert list(batches) == list(batches) == []
    assert list(in_order(empty, "dev", batching_of())) == []


def test_a_split_that_is_not_there(records: DataSet) -> None:
    with pytest.raises(InputError, match=r"out: no split 'dev': it has train$"):
        Batches(records, "dev", batching_of())


@given(longest=st.integers(8, 4096))
def test_lengths(longest: int) -> None:
    found = lengths_of(longest)
    assert found == tuple(sorted({*found}))
    assert found[-1] == longest
    assert len(found) <= 4
    assert all(length % 8 == 0 for length in found[:-1])


def test_targets_of_tasks_fit_their_shapes(tmp_path: Path) -> None:
    """Of the tasks that have them; a label is a number in each row."""
    found = data_set(tmp_path, 9, files=1)
    task = found.task()
    batching = Batching(task.targets, task.shapes, 9, (40,))  # type: ignore[attr-defined]
    ((batch, made_of),) = in_order(found, "train", batching)
    assert (batch["label"].shape, batch["label"].tolist()) == ((9,), [record["label"] for record in made_of])
    assert {*batch["label"].tolist()} == {0, 1, 2}


@pytest.mark.parametrize("name", ["reading-comprehension", "relation-extraction", "event-extraction"])
def test_batches_of_tasks_that_extract(tmp_path: Path, name: str) -> None:
    """From an input to what trains, and from the same records to what is submitted."""
    rows = {"reading-comprehension": READING, "relation-extraction": RELATION, "event-extraction": EVENT}
    schemas = {"relation-extraction": PREDICATES, "event-extraction": EVENT_TYPES}
    schema = write_lines(tmp_path / "schema.json", schemas[name]) if name in schemas else None
    source = write_lines(tmp_path / "a.json", [rows[name]])
    reading = Reading(format=TASKS[name].reads)
    options = task_options(tmp_path, name, schema=schema, max_length=64)
    made(Records((("", str(source)),), tmp_path / "out", options, reading, Splits(files=1)))
    opened = DataSet.open(str(tmp_path / "out"))
    task: Any = opened.task()
    batching = Batching(task.targets, task.shapes, 2, lengths_of(64))
    ((batch, found),) = in_order(opened, "train", batching)
    assert batch.pop(VALID).tolist() == [True, False]
    length = batch["ids"].shape[1]
    assert {array: value.shape for array, value in batch.items()} == {
        array: (2, *shape) for array, shape in task.shapes(length).items()
    }
    assert any(value[0].any() for array, value in batch.items() if array not in ("ids", "segments"))
    submitted = task.write(task.decode(found, task.perfect(found)))
    score = task.score(task.read_predictions(submitted), task.read_gold(source.read_bytes()))
    assert set(score.values()) == {1.0}
