"""The folder of a training run: what it was given, what it came to, its best weights, and what commits it."""

import os
from dataclasses import asdict
from pathlib import Path
from shutil import rmtree
from typing import Any

import keras

from models.checkpoints import save
from pipelines.datasets import VOCABULARY, DataSet
from pipelines.errors import InputError
from pipelines.storage.commit import digest, remove, sync_folder, write_bytes, write_json
from pipelines.storage.knowledge_base import KnownBase
from pipelines.storage.manifest import (
    MANIFEST,
    RUN,
    File,
    check_file,
    complete,
    file_of,
    listed,
    read_json,
    read_manifest,
    retract,
)
from pipelines.training.log import METRICS
from pipelines.training.state import STATE
from pipelines.training.tensorboard import FOLDER as TENSORBOARD

JOB = "train"
CONFIG, BEST, RECORDS, REPORT = "config.json", "best", "records", "report.html"
KNOWLEDGE_BASE, STATISTICS = "knowledge_base.json", "statistics.json"
_SCORE, _LABELS, _MADE, _OLD = "score.json", "labels.json", ".best.new", ".best.old"


def fingerprint(data_set: DataSet) -> str:
    """Hexadecimal, of the records and the vocabulary, labels and schema that stand beside them."""
    files = [File(**file) for file in (*data_set.manifest["parts"], *data_set.manifest["metadata"])]
    return digest([[file.name, file.sha256] for file in files])


def finished(directory: Path, configuration: dict[str, Any]) -> Any:
    """What `run.json` tells of a run of this configuration that was committed; else None."""
    if read_json(directory / CONFIG) != configuration or read_manifest(directory) is None:
        return None
    return read_json(directory / RUN)


def damaged(directory: Path) -> list[str]:
    """The names of the files of a committed run that are missing, or have other bytes."""
    return [file.name for file in listed(read_manifest(directory) or {}) if check_file(directory, file)]


def commit(directory: Path, told: dict[str, Any]) -> None:
    """Lists what predictions are made with, and the configuration, with their checksums; `_SUCCESS` comes last."""
    names = [CONFIG, *([KNOWLEDGE_BASE] if (directory / KNOWLEDGE_BASE).exists() else [])]
    for folder in (BEST, RECORDS):
        names += sorted(f"{folder}/{path.name}" for path in (directory / folder).iterdir())
    parts = [asdict(file_of(directory, name)) for name in names]
    manifest = {"job": JOB, "task": told["task"], "totals": {"steps": told["steps"]}, "best": told["best"]}
    complete(directory, {**manifest, "parts": parts, "dead_letters": None}, lambda: told)


def clear(directory: Path) -> None:
    """Removes what an earlier run left, `_SUCCESS` first; other files stay."""
    retract(directory)
    for name in (MANIFEST, RUN, REPORT, STATE, METRICS, KNOWLEDGE_BASE, CONFIG):
        remove(directory / name)
    for name in (BEST, _MADE, _OLD, RECORDS, TENSORBOARD):
        rmtree(directory / name, ignore_errors=True)


def describe_records(directory: Path, data_set: DataSet, known: KnownBase | None = None) -> None:
    """Copies what tells of the records: vocabulary, schema, labels, card, manifest with all checksums.

    And notes where their knowledge base lies, which may be too large to be copied.
    """
    if known is not None:
        write_json(directory / KNOWLEDGE_BASE, {"directory": str(known.directory), "sha256": known.sha256})
    (directory / RECORDS).mkdir(exist_ok=True)
    for name in (MANIFEST, *(file["name"] for file in data_set.manifest["metadata"])):
        try:
            with data_set.open_file(name) as file:
                content = file.read()
        except OSError as error:
            raise InputError(f"{data_set.directory}/{name}: {error.strerror or error}") from error
        write_bytes(directory / RECORDS / name, content)


def keep_best(directory: Path, model: keras.Model, data_set: DataSet, score: dict[str, Any]) -> None:
    """Puts weights in place of the best so far, with the vocabulary and the labels that they need, and their score.

    With weights of entity linking go its statistics. A kill leaves old or new ones; `read_best` brings back
    those that were moved away.
    """
    best, made, old = directory / BEST, directory / _MADE, directory / _OLD
    for folder in (made, old):
        rmtree(folder, ignore_errors=True)
    save(model, made)
    with data_set.open_file(VOCABULARY) as file:
        write_bytes(made / VOCABULARY, file.read())
    write_json(made / _LABELS, data_set.manifest["labels"])
    if data_set.candidates is not None:
        write_json(made / STATISTICS, data_set.candidates.statistics.as_json(), indent=None)
    write_json(made / _SCORE, score)
    for path in made.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    if best.exists():
        best.rename(old)
    made.rename(best)
    sync_folder(directory)
    rmtree(old, ignore_errors=True)


def read_best(directory: Path) -> dict[str, Any]:
    """Step and metric of the best weights so far; empty where there are none."""
    best, old = directory / BEST, directory / _OLD
    if old.exists() and not best.exists():
        old.rename(best)
    found: dict[str, Any] = read_json(best / _SCORE) or {}
    return found
