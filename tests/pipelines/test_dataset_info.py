"""What stands beside records says what they are; that tensorflow_datasets reads it is tested in tests/parity."""

import json
from pathlib import Path

import pytest

from pipelines.dataset_info import describe_data_set, stem
from pipelines.datasets import DataSet
from pipelines.errors import InputError
from pipelines.records import Records
from pipelines.task_options import open_task
from tests.pipelines.made_records import (
    LINES,
    PREDICATES,
    RELATION,
    classification,
    made,
    numbered,
    task_options,
    write_labelled,
    write_lines,
)
from transforms.splits import Splits
from transforms.tasks.record import Kind
from transforms.tasks.task import TASKS

pytestmark = pytest.mark.usefixtures("unsynced")


@pytest.fixture
def relations(tmp_path: Path) -> Path:
    """Two records of a task with a schema, and a bad line."""
    schema = write_lines(tmp_path / "all_schema.json", PREDICATES)
    source = write_lines(tmp_path / "a.json", [RELATION, {**RELATION, "text": "上海的中国人写的《甲》"}, {"text": ""}])
    options = task_options(tmp_path, "relation-extraction", schema=schema)
    splits = Splits((("train", 1.0),), named=("dev",), files=2)
    made(Records((("", str(source)),), tmp_path / "out", options, LINES, splits, max_bad_records="1"))
    return tmp_path / "out"


def test_dataset_info_counts_what_is_in_the_files(relations: Path) -> None:
    found = DataSet.open(str(relations))
    info = json.loads((relations / "dataset_info.json").read_bytes())
    assert (info["name"], info["version"], info["fileFormat"]) == ("relation_extraction", "1.0.0", "tfrecord")
    # The others have no record, and `tensorflow_datasets` refuses such.
    filled = [split for split, count in found.manifest["splits"].items() if count]
    assert [split["name"] for split in info["splits"]] == filled == ["train"]
    for split in info["splits"]:
        files = found.files(split["name"])
        assert split["shardLengths"] == [str(len(list(found.frames(name)))) for name in files]
        assert split["numBytes"] == str(sum((relations / name).stat().st_size for name in files))
        for number, name in enumerate(files):
            path = split["filepathTemplate"].format(
                DATASET=info["name"], SPLIT=split["name"], FILEFORMAT="tfrecord",
                SHARD_X_OF_Y=f"{number:05d}-of-{len(files):05d}",
            )  # fmt: skip
            assert path == name


def test_copies_and_labels(relations: Path) -> None:
    assert (relations / "vocab.txt").read_bytes() == (relations.parent / "made_vocabulary.txt").read_bytes()
    assert (relations / "schema.json").read_bytes() == (relations.parent / "all_schema.json").read_bytes()
    assert (relations / "predicates.labels.txt").read_text("utf-8") == "作者_@value\n作者_inWork\n国家_@value\n"
    features = json.loads((relations / "features.json").read_bytes())["featuresDict"]["features"]
    assert features.keys() == TASKS["relation-extraction"].schema.keys()
    assert features["predicates"]["sequence"]["feature"]["classLabel"] == {"numClasses": "3"}


def test_the_card(relations: Path) -> None:
    card = (relations / "README.md").read_text("utf-8")
    assert card.startswith("# Records for relation-extraction\n\nRecords: a text and its triples, one for each slot")
    assert "From 2 examples, 1 bad ones in `dead_letters.jsonl`." in card
    for row in ("| train | 2 | 2 |", "| dev | 0 | 1 |", "| `ids` | int64 [n] |", "| max_length | `256` |"):
        assert f"\n{row}\n" in card
    assert "`relation_extraction_SPLIT.tfrecord-NUMBER-of-COUNT`" in card
    for kind in TASKS["relation-extraction"].schema:
        assert f"| `{kind}` |" in card
    assert "\n\n\n" not in card
    assert card.endswith(" |\n")


def test_a_card_without_bad_examples(tmp_path: Path) -> None:
    made(classification(tmp_path, tmp_path / "out", write_labelled(tmp_path / "a.tsv", numbered(3))))
    card = (tmp_path / "out/README.md").read_text("utf-8")
    assert "From 3 examples.\n" in card
    assert "`label` | int64, a label's number |" in card
    assert not (tmp_path / "out/schema.txt").exists()


@pytest.mark.parametrize("name", TASKS)
def test_every_kind_of_feature_is_described(tmp_path: Path, name: str) -> None:
    task = TASKS[name]
    assert {*task.schema.values()} <= {*Kind}
    assert stem(name).isidentifier()


def test_nothing_is_left_where_a_file_cannot_be_read(tmp_path: Path) -> None:
    """The vocabulary is written before the schema turns out to be gone."""
    schema = write_lines(tmp_path / "all_schema.json", PREDICATES)
    options = task_options(tmp_path, "relation-extraction", schema=schema)
    task, _ = open_task(options)
    schema.unlink()
    out = tmp_path / "out"
    out.mkdir()
    totals = {"documents": 0, "cut": 0, "mended": 0, "dead_letters": 0}
    manifest = {"labels": dict(task.labels), "configuration": {}, "totals": totals}
    with pytest.raises(InputError, match=r"all_schema\.json: No such file"):
        describe_data_set(out, options, task, manifest, files={"train": [(0, 0)]})
    assert list(out.iterdir()) == []
