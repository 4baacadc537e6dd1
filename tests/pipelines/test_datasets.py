"""A data set gives back what was written, from a folder or a URL, and says what is wrong with it."""

import hashlib
import json
import shutil
from pathlib import Path

import fsspec
import numpy as np
import pytest

from pipelines.datasets import DataSet
from pipelines.errors import InputError
from pipelines.records import Records
from tests.pipelines.made_records import (
    EVENT,
    EVENT_TYPES,
    LINES,
    data_set,
    made,
    numbered,
    task_options,
    write_lines,
    write_vocabulary,
)
from transforms.splits import Splits
from transforms.tfrecord import encode_example

pytestmark = pytest.mark.usefixtures("unsynced")
COUNT = 23


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return data_set(tmp_path_factory.mktemp("datasets"), COUNT, files=3)


@pytest.fixture
def copied(whole: DataSet, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole.directory, tmp_path / "copied"))


def test_every_record_is_there_with_its_types(whole: DataSet) -> None:
    found = list(whole.records("train"))
    labels = whole.task().labels["label"]
    assert sorted((labels[record["label"]], record["text"]) for record in found) == sorted(numbered(COUNT))
    vocabulary = whole.task().vocabulary.tokens
    for record in found:
        assert record.keys() == whole.schema.keys()
        assert {name: type(record[name]) for name in ("id", "text", "label")} == {"id": str, "text": str, "label": int}
        for name in ("ids", "begins", "ends"):
            assert (record[name].dtype, record[name].ndim) == (np.int64, 1)
        tokens = [vocabulary[number] for number in record["ids"]]
        slices = [record["text"][begin:end] for begin, end in zip(record["begins"], record["ends"], strict=True)]
        assert (tokens[0], tokens[-1], slices[0], slices[-1]) == ("[CLS]", "[SEP]", "", "")
        assert all(token in (part, "[UNK]") for token, part in zip(tokens[1:-1], slices[1:-1], strict=True))


def test_files_are_those_of_the_split_and_frames_begin_anywhere(whole: DataSet) -> None:
    files = whole.files("train")
    assert files == [f"text_classification_train.tfrecord-0000{number}-of-00003" for number in range(3)]
    for name in files:
        frames = list(whole.frames(name))
        for place, (offset, _) in enumerate(frames):
            assert list(whole.frames(name, offset=offset)) == frames[place:]


def test_a_split_whose_name_begins_as_another(tmp_path: Path) -> None:
    """`dev` has not the files of `dev_2`."""
    source = write_lines(tmp_path / "a.jsonl", [])
    options = task_options(tmp_path, "entity-linking")
    splits = Splits((("dev", 1.0),), named=("dev", "dev_2"), files=8)
    made(Records((("dev", str(source)),), tmp_path / "out", options, LINES, splits))
    found = DataSet.open(str(tmp_path / "out"))
    assert found.files("dev") == ["entity_linking_dev.tfrecord-00000-of-00001"]
    assert found.files("dev_2") == ["entity_linking_dev_2.tfrecord-00000-of-00001"]


def test_empty_lists_have_the_type_of_others(whole: DataSet) -> None:
    schema = DataSet(whole.directory, {**whole.manifest, "task": "entity-linking"}).schema
    message = encode_example({name: np.array([], np.int64) for name in schema} | {"id": [b"a"], "text": [b"b"]})
    record = DataSet(whole.directory, {**whole.manifest, "task": "entity-linking"}).read(message)
    assert record["ids"].dtype == np.int64
    assert (len(record["ids"]), record["entities"]) == (0, [])


def test_the_task_knows_vocabulary_and_labels(tmp_path: Path) -> None:
    schema = write_lines(tmp_path / "event_schema.json", EVENT_TYPES)
    options = task_options(tmp_path, "event-extraction", schema=schema, max_length=64)
    source = write_lines(tmp_path / "a.json", [EVENT])
    made(Records((("", str(source)),), tmp_path / "out", options, LINES, Splits(files=1)))
    found = DataSet.open(str(tmp_path / "out"))
    schema.unlink()
    task = found.task()
    assert (found.task_name, task.name, task.max_length) == ("event-extraction", "event-extraction", 64)
    assert task.labels == {"event_types": ("发",), "argument_roles": ("发/地", "发/人")}
    assert write_vocabulary(tmp_path / "again.txt").read_bytes() == task.vocabulary.content
    (record,) = found.records("train")
    assert list(task.marks(record)) == [(6, 7, "0 发"), (4, 6, "0 地")]


def test_a_url(whole: DataSet) -> None:
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    filesystem.put(f"{whole.directory}/", "/there/", recursive=True)
    found = DataSet.open("memory://there")
    assert [record["id"] for record in found.records("train")] == [record["id"] for record in whole.records("train")]
    assert found.task().vocabulary == whole.task().vocabulary


@pytest.mark.parametrize("missing", ["_SUCCESS", "manifest.json"])
def test_an_output_that_is_not_finished(copied: Path, missing: str) -> None:
    (copied / missing).unlink()
    with pytest.raises(InputError, match=rf"{copied}: no finished output there \(.*{missing}.*\): run hanmill records"):
        DataSet.open(str(copied))


def test_a_manifest_of_another_run(copied: Path) -> None:
    """As a copy has it that was made while the output was replaced."""
    (copied / "_SUCCESS").write_text("0\n")
    with pytest.raises(InputError, match=r"manifest\.json: differs from what _SUCCESS says: run hanmill records again"):
        DataSet.open(str(copied))


def test_an_output_of_another_job(copied: Path) -> None:
    content = json.dumps({"job": "word_count"}).encode()
    (copied / "manifest.json").write_bytes(content)
    (copied / "_SUCCESS").write_text(f"{hashlib.sha256(content).hexdigest()}\n")
    with pytest.raises(InputError, match=r"copied: holds no records but the output of word_count$"):
        DataSet.open(str(copied))


def test_a_split_that_is_not_there(whole: DataSet) -> None:
    with pytest.raises(InputError, match=r"no split 'dev': it has train$"):
        whole.files("dev")


def test_a_vocabulary_that_is_missing(copied: Path) -> None:
    (copied / "vocab.txt").unlink()
    with pytest.raises(InputError, match=r"vocab\.txt"):
        DataSet.open(str(copied)).task()


def test_damage_is_named(copied: Path) -> None:
    found = DataSet.open(str(copied))
    first, second, third = (copied / name for name in found.files("train"))
    content = bytearray(first.read_bytes())
    content[-10] ^= 4
    first.write_bytes(content)
    second.write_bytes(second.read_bytes()[:-1])
    third.unlink()
    for path, wrong in ((first, r"the record at byte \d+ does not"), (second, r"torn at byte \d+"), (third, "No such")):
        with pytest.raises(InputError, match=wrong) as told:
            list(found.frames(path.name))
        assert str(path) in str(told.value)
