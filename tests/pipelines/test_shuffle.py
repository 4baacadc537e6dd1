"""A shuffle: every record once a pass, an order of its own for each seed and pass, taken up again anywhere."""

import json
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.datasets import DataSet
from pipelines.errors import InputError
from pipelines.shuffle import Place, Shuffle
from tests.pipelines.made_records import classification, data_set, made, write_labelled
from transforms.splits import Splits

pytestmark = pytest.mark.usefixtures("unsynced")
COUNT = 37


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return data_set(tmp_path_factory.mktemp("shuffle"), COUNT, files=5)


def taken(shuffle: Shuffle, count: int) -> list[tuple[Place, bytes]]:
    return list(islice(shuffle, count))


def places(found: list[tuple[Place, bytes]]) -> list[tuple[int, int]]:
    return [(place.file, place.offset) for place, _ in found]


@given(seed=st.integers(0, 1 << 40), open_files=st.integers(1, 7), buffer=st.integers(1, 50))
@settings(max_examples=40)
def test_every_record_comes_once_a_pass(records: DataSet, seed: int, open_files: int, buffer: int) -> None:
    found = taken(Shuffle(records, "train", seed=seed, open_files=open_files, buffer=buffer), 3 * COUNT)
    wanted = Counter(raw for name in records.files("train") for _, raw in records.frames(name))
    assert wanted.total() == COUNT
    for epoch in range(3):
        of_pass = found[epoch * COUNT : (epoch + 1) * COUNT]
        assert Counter(raw for _, raw in of_pass) == wanted
        assert {place.epoch for place, _ in of_pass} == {epoch}


def test_a_place_is_where_the_record_lies(records: DataSet) -> None:
    shuffle = Shuffle(records, "train", seed=3)
    for place, raw in taken(shuffle, COUNT):
        assert shuffle.fetch([place]) == [(place, raw)]


def test_orders_differ_between_passes_and_seeds_and_are_repeated(records: DataSet) -> None:
    found = places(taken(Shuffle(records, "train", seed=3), 2 * COUNT))
    assert found == places(taken(Shuffle(records, "train", seed=3), 2 * COUNT))
    assert found[:COUNT] != found[COUNT:]
    assert found[:COUNT] != places(taken(Shuffle(records, "train", seed=4), COUNT))
    assert found[:COUNT] != sorted(found[:COUNT])


@pytest.mark.parametrize(("open_files", "buffer"), [(5, 1), (1, COUNT)])
def test_files_are_interleaved_and_records_drawn(records: DataSet, open_files: int, buffer: int) -> None:
    """Each by itself mixes: files in turn without a buffer, a buffer over one file after the other."""
    found = places(taken(Shuffle(records, "train", seed=0, open_files=open_files, buffer=buffer), COUNT))
    files = [file for file, _ in found]
    assert sum(first != second for first, second in pairwise(files)) > len({*files})


@given(cut=st.integers(0, 3 * COUNT), seed=st.integers(0, 9), open_files=st.integers(1, 7), buffer=st.integers(1, 50))
@settings(max_examples=60)
def test_taken_up_again_it_goes_on(records: DataSet, cut: int, seed: int, open_files: int, buffer: int) -> None:
    options = {"seed": seed, "open_files": open_files, "buffer": buffer}
    whole = Shuffle(records, "train", **options)  # type: ignore[arg-type]
    taken(whole, cut)
    mark = whole.mark()
    rest = taken(whole, 2 * COUNT)
    position = json.loads(json.dumps(mark()))  # what came meanwhile does not count
    again = Shuffle(records, "train", position=position, **options)  # type: ignore[arg-type]
    assert again.mark()() == position
    assert taken(again, 2 * COUNT) == rest


def test_a_position_in_other_records_is_refused(tmp_path: Path, records: DataSet) -> None:
    """As when the data set grew meanwhile: bytes would stand for other records, or for none."""
    shuffle = Shuffle(records, "train", seed=1)
    taken(shuffle, 5)
    position = shuffle.mark()()
    grown = data_set(tmp_path, COUNT + 1, files=5)
    with pytest.raises(InputError, match=rf"^{tmp_path}/out: split train has other records than when this was stopped"):
        Shuffle(grown, "train", seed=1, position=position)
    again = data_set(tmp_path / "again", COUNT, files=5)
    assert taken(Shuffle(again, "train", seed=1, position=position), COUNT) == taken(shuffle, COUNT)


def test_damage_before_a_place_is_told(tmp_path: Path) -> None:
    found = data_set(tmp_path, 9, files=1)
    (name,) = found.files("train")
    content = bytearray((tmp_path / "out" / name).read_bytes())
    first, second, third, *_ = [offset for offset, _ in found.frames(name)]
    content[second + 14] ^= 1
    (tmp_path / "out" / name).write_bytes(content)
    with pytest.raises(InputError, match=f"damaged: the record at byte {second}"):
        Shuffle(found, "train", seed=1).fetch([Place(0, 0, third), Place(0, 0, first)])


@pytest.mark.parametrize("options", [{"open_files": 0}, {"buffer": 0}])
def test_nothing_to_draw_from(records: DataSet, options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"at least one of each$"):
        Shuffle(records, "train", seed=1, **options)


def test_many_draws_cost_no_memory(records: DataSet) -> None:
    """A position late in a long pass: a number for each record drawn would fill gigabytes."""
    shuffle = Shuffle(records, "train", seed=1)
    position = {**shuffle.mark()(), "draws": 1 << 40}
    assert len({*places(taken(Shuffle(records, "train", seed=1, position=position), COUNT))}) == COUNT


def test_a_split_without_records_ends(tmp_path: Path) -> None:
    source = write_labelled(tmp_path / "a.tsv", [("甲", "中国")])
    splits = Splits((("train", 1.0),), named=("dev",), files=2)
    made(classification(tmp_path, tmp_path / "out", source, splits=splits))
    assert taken(Shuffle(DataSet.open(str(tmp_path / "out")), "dev", seed=0), 1) == []
