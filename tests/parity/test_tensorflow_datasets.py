"""What tensorflow_datasets makes of a folder of records, and `tf.data` of batches."""

import json
import os
import warnings
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.batching import Batches, Batching, as_tf_dataset
from pipelines.datasets import DataSet
from pipelines.errors import InputError
from pipelines.records import Records
from tests.pipelines.made_records import (
    EVENT,
    EVENT_TYPES,
    LINES,
    LINKED,
    PREDICATES,
    READING,
    RELATION,
    classification,
    made,
    numbered,
    task_options,
    write_labelled,
    write_lines,
)
from transforms.splits import Splits
from transforms.tasks.record import Kind, Schema
from transforms.tasks.task import TASKS

pytestmark = [
    pytest.mark.usefixtures("unsynced"),
    # Of TensorFlow and what it imports, whenever that comes.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
SPLITS = Splits((("train", 0.7), ("dev", 0.3)), named=("empty",), files=3)
ROWS = numbered(40)


@pytest.fixture(scope="module")
def tf() -> Any:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    pytest.importorskip("tensorflow_datasets")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow

    return tensorflow


@pytest.fixture(scope="module")
def tfds(tf: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_datasets

    return tensorflow_datasets


@pytest.fixture(scope="module")
def classified(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """One label is not text of ASCII; split `empty` has no record."""
    folder = tmp_path_factory.mktemp("classified")
    made(classification(folder, folder / "out", write_labelled(folder / "a.tsv", ROWS), splits=SPLITS))
    return DataSet.open(str(folder / "out"))


@pytest.fixture(scope="module")
def related(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """Some without a triple."""
    folder = tmp_path_factory.mktemp("related")
    bare = [{"id": f"{number}", "text": f"第{number}", "spo_list": []} for number in range(20)]
    rows = [{**RELATION, "id": f"r{number}"} for number in range(20)] + bare
    schema = write_lines(folder / "schema.json", PREDICATES)
    options = task_options(folder, "relation-extraction", schema=schema)
    source = str(write_lines(folder / "a.json", rows))
    made(Records((("", source),), folder / "out", options, LINES, SPLITS))
    return DataSet.open(str(folder / "out"))


def features_of(tfds: Any, schema: Schema, labels: dict[str, list[str]]) -> Any:
    """The features as one would write them for tensorflow_datasets."""

    def feature(name: str, kind: Kind) -> Any:
        match kind:
            case Kind.INTEGER:
                return tfds.features.Scalar(np.int64)
            case Kind.INTEGERS:
                return tfds.features.Sequence(np.int64)
            case Kind.TEXT:
                return tfds.features.Text()
            case Kind.TEXTS:
                return tfds.features.Sequence(tfds.features.Text())
            case Kind.LABEL:
                return tfds.features.ClassLabel(names=labels[name])
        return tfds.features.Sequence(tfds.features.ClassLabel(names=labels[name]))

    return tfds.features.FeaturesDict({name: feature(name, kind) for name, kind in schema.items()})


@pytest.mark.parametrize("name", TASKS)
def test_features_are_what_it_writes_itself(tfds: Any, name: str, tmp_path: Path) -> None:
    rows = {"relation-extraction": RELATION, "event-extraction": EVENT, "entity-linking": LINKED}
    schemas = {"relation-extraction": PREDICATES, "event-extraction": EVENT_TYPES}
    schema = write_lines(tmp_path / "s.json", schemas[name]) if name in schemas else None
    source = write_labelled(tmp_path / "a.tsv", ROWS[:3])
    if name in rows or name == "reading-comprehension":
        source = write_lines(tmp_path / "a.json", [rows.get(name, READING)])
    reads = "auto" if TASKS[name].reads == "texts" else TASKS[name].reads
    options = task_options(tmp_path, name, schema=schema)
    reading = type(LINES)(format=reads)  # type: ignore[arg-type]
    made(Records((("", str(source)),), tmp_path / "out", options, reading, Splits(files=1)))
    out, own = tmp_path / "out", tmp_path / "own"
    own.mkdir()
    features = features_of(tfds, TASKS[name].schema, DataSet.open(str(out)).manifest["labels"])
    features.save_config(own)
    assert json.loads((out / "features.json").read_bytes()) == json.loads((own / "features.json").read_bytes())
    lists = {path.name: path.read_bytes() for path in own.glob("*.labels.txt")}
    assert {path.name: path.read_bytes() for path in out.glob("*.labels.txt")} == lists
    assert bool(lists) == any(kind in (Kind.LABEL, Kind.LABELS) for kind in TASKS[name].schema.values())


@pytest.mark.parametrize("name", ["classified", "related"])
def test_it_reads_every_record(tfds: Any, name: str, request: pytest.FixtureRequest) -> None:
    ours: DataSet = request.getfixturevalue(name)
    builder = tfds.builder_from_directory(ours.directory)
    assert builder.info.name == ours.task_name.replace("-", "_")
    filled = {split: count for split, count in ours.manifest["splits"].items() if count}
    assert {split: info.num_examples for split, info in builder.info.splits.items()} == filled
    assert ours.manifest["splits"]["empty"] == 0
    assert builder.as_dataset().keys() == filled.keys()  # it refuses splits without a record, so they are not told
    labels = ours.task().labels
    for feature, names in labels.items():
        known = builder.info.features[feature]
        assert tuple(getattr(known, "feature", known).names) == tuple(names)
    for split in ("train", "dev"):
        read = tfds.as_numpy(builder.as_dataset(split=split, shuffle_files=False))
        wanted = {record["id"]: record for record in ours.records(split)}
        found = {record["id"].decode(): record for record in read}
        assert found.keys() == wanted.keys()
        for one, record in found.items():
            assert {key: plain(value) for key, value in record.items()} == {
                key: plain(value) for key, value in wanted[one].items()
            }


def plain(value: Any) -> Any:
    """Bytes as text, arrays as lists."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return value.decode() if isinstance(value, bytes) else value


def batching_of(data_set: DataSet) -> Batching:
    task: Any = data_set.task()
    return Batching(task.targets, task.shapes, 4, (16, 48), seed=5)


def test_tf_data_gives_the_same_arrays(tf: Any, classified: DataSet) -> None:
    """Begun anew each time, and every thread ended."""
    opened: list[Batches] = []

    def make() -> Batches:
        opened.append(Batches(classified, "train", batching_of(classified)))
        return opened[-1]

    dataset = as_tf_dataset(make, batching_of(classified))
    shapes = {name: spec.shape.as_list() for name, spec in dataset.element_spec.items()}
    assert shapes == {"ids": [4, None], "label": [4], "valid": [4]}
    with Batches(classified, "train", batching_of(classified)) as batches:
        wanted = list(islice(batches, 15))
    assert len({batch["ids"].shape for batch in wanted}) == 2
    for _ in range(2):
        for ours, theirs in zip(wanted, dataset.take(15).as_numpy_iterator(), strict=True):
            assert ours.keys() == theirs.keys()
            for name, array in ours.items():
                assert (array.dtype, array.tolist()) == (theirs[name].dtype, theirs[name].tolist())
    assert len(opened) == 3
    assert not any(batches._thread.is_alive() for batches in opened)


def test_a_split_without_records_has_no_batches(tf: Any, classified: DataSet) -> None:
    batching = batching_of(classified)
    with pytest.raises(InputError, match=r"^a split without records has no batches"):
        as_tf_dataset(lambda: Batches(classified, "empty", batching), batching)
