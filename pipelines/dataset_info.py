"""What stands beside records: features and splits as `tensorflow_datasets` reads them, labels, vocabulary, card."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.datasets import VOCABULARY
from pipelines.storage.commit import AttemptFile, json_bytes
from pipelines.task_options import TaskOptions, read_file
from transforms.tasks.record import Kind
from transforms.tasks.task import Task

FEATURES, INFO, CARD = "features.json", "dataset_info.json", "README.md"
VERSION = "1.0.0"
_CLASSES = "tensorflow_datasets.core.features"
_TEXT = {"pythonClassName": f"{_CLASSES}.text_feature.Text", "text": {}}
_WORDS = {
    Kind.INTEGER: "int64",
    Kind.INTEGERS: "int64 [n]",
    Kind.TEXT: "UTF-8",
    Kind.TEXTS: "UTF-8 [n]",
    Kind.LABEL: "int64, a label's number",
    Kind.LABELS: "int64 [n], labels' numbers",
}


def describe_data_set(
    directory: Path,
    options: TaskOptions,
    task: Task,
    manifest: Mapping[str, Any],
    *,
    files: Mapping[str, Sequence[tuple[int, int]]],
) -> list[AttemptFile]:
    """Writes all of it; the files are synced and lack only names. `files`: records and bytes of each, by split."""
    name, labels = stem(task.name), manifest["labels"]
    contents = {
        VOCABULARY: read_file(options.vocabulary),
        FEATURES: json_bytes(_features(task, labels)),
        INFO: json_bytes(_info(name, files)),
        CARD: _card(task, manifest, files).encode(),
    }
    if options.schema is not None:
        contents[f"schema{options.schema.suffix}"] = read_file(options.schema)
    for feature, names in labels.items():
        contents[f"{feature}.labels.txt"] = "".join(f"{label}\n" for label in names).encode()
    attempts = []
    try:
        for file_name, content in contents.items():
            attempts.append(AttemptFile(directory / file_name))
            attempts[-1].write(content)
            attempts[-1].sync()
    except BaseException:
        for attempt in attempts:
            attempt.discard()
        raise
    return attempts


def stem(task: str) -> str:
    """A task's name as files and `tensorflow_datasets` have it.

    >>> stem("text-classification")
    'text_classification'
    """
    return task.replace("-", "_")


def _features(task: Task, labels: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    features = {name: _feature(kind, len(labels.get(name, ()))) for name, kind in task.schema.items()}
    return {"pythonClassName": f"{_CLASSES}.features_dict.FeaturesDict", "featuresDict": {"features": features}}


def _feature(kind: Kind, classes: int) -> dict[str, Any]:
    """A feature in the JSON form of `tensorflow_datasets` 4."""
    integer: dict[str, Any] = {"dtype": "int64", "encoding": "none", "shape": {}}
    label = {
        "pythonClassName": f"{_CLASSES}.class_label_feature.ClassLabel",
        "classLabel": {"numClasses": f"{classes}"},
    }
    match kind:
        case Kind.INTEGER:
            return {"pythonClassName": f"{_CLASSES}.scalar.Scalar", "tensor": integer}
        case Kind.INTEGERS:
            return _sequence({"pythonClassName": f"{_CLASSES}.tensor_feature.Tensor", "tensor": integer})
        case Kind.TEXT:
            return _TEXT
        case Kind.TEXTS:
            return _sequence(_TEXT)
        case Kind.LABEL:
            return label
        case Kind.LABELS:
            return _sequence(label)


def _sequence(feature: dict[str, Any]) -> dict[str, Any]:
    return {
        "pythonClassName": f"{_CLASSES}.sequence_feature.Sequence",
        "sequence": {"feature": feature, "length": "-1"},
    }


def _info(name: str, files: Mapping[str, Sequence[tuple[int, int]]]) -> dict[str, Any]:
    splits = [
        {
            "name": split,
            "filepathTemplate": "{DATASET}_{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
            "shardLengths": [f"{records}" for records, _ in of_split],
            "numBytes": f"{sum(size for _, size in of_split)}",
        }
        for split, of_split in files.items()
        if any(records for records, _ in of_split)  # it refuses splits without a record
    ]
    return {"name": name, "version": VERSION, "fileFormat": "tfrecord", "splits": splits}


def _card(task: Task, manifest: Mapping[str, Any], files: Mapping[str, Sequence[tuple[int, int]]]) -> str:
    configuration, totals = manifest["configuration"], manifest["totals"]
    rows = [f"| {split} | {sum(n for n, _ in of_split):,} | {len(of_split)} |" for split, of_split in files.items()]
    features = [f"| `{name}` | {_WORDS[kind]} |" for name, kind in sorted(task.schema.items())]
    options = [f"| {name} | `{json.dumps(value, ensure_ascii=False)}` |" for name, value in configuration.items()]
    summary = " ".join((type(task).__doc__ or "").partition("\n\n")[0].split())
    cut = f", {totals['cut']:,} of them too long and cut" if totals["cut"] else ""
    mended = f", {totals['mended']:,} of their offsets mended" if totals["mended"] else ""
    dead = f", {totals['dead_letters']:,} bad ones in `dead_letters.jsonl`" if totals["dead_letters"] else ""
    return "\n".join(
        [
            f"# Records for {task.name}",
            "",
            f"{summary} From {totals['documents']:,} examples{cut}{mended}{dead}.",
            "",
            "| split | records | files |",
            "|---|---|---|",
            *rows,
            "",
            f"Files `{stem(task.name)}_SPLIT.tfrecord-NUMBER-of-COUNT` of `tf.train.Example` messages:",
            "",
            "| feature | type |",
            "|---|---|",
            *features,
            "",
            "Offsets are characters (code points) into the text; those of special tokens are empty. Labels are",
            "listed in `<feature>.labels.txt`, in the order of their numbers.",
            "",
            "```python",
            "import tensorflow_datasets",
            "",
            'tensorflow_datasets.builder_from_directory(DIRECTORY).as_dataset(split="train")',
            "```",
            "",
            "| option | value |",
            "|---|---|",
            *options,
            "",
        ]
    )
