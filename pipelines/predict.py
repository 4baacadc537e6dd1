"""Predictions of a trained model for files of its task: a row for each example, and the file that organisers take."""

import functools
import io
import json
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

import pipelines.quiet_keras  # noqa: F401  workers begin here
from pipelines.errors import EngineError
from pipelines.installation import code_files, hash_of
from pipelines.shard_predictions import POSITION, SCHEMA, ShardPredictions, open_run
from pipelines.storage.commit import attempt
from pipelines.storage.dead_letters import few_enough, gather_dead_letters, write_dead_letters
from pipelines.storage.duplicates import by_id
from pipelines.storage.manifest import (
    PARTS,
    SHARDS,
    Describe,
    Entry,
    File,
    final_parts,
    publish,
    reduce_fingerprint,
    retract,
    write_entry,
)
from pipelines.storage.readers import read_batches
from pipelines.storage.resume import Plan, drop_others, plan_job, written
from pipelines.storage.shards import Shard
from pipelines.storage.sources import Reading, discover
from pipelines.storage.tables import read_run, write_runs
from pipelines.trained_model import TrainedRun
from pipelines.unlabelled import first_of_each
from pipelines.word_count import COUNTING
from transforms.tasks.task import TASKS

PREDICTIONS, SUBMISSION, ARCHIVE = "predictions.jsonl", "submission.json", "submission.zip"


@dataclass(frozen=True, slots=True)
class Predictions:
    """The job. One partition: rows come in the order of sources and of their places there, and are merged in memory."""

    inputs: tuple[str, ...]
    directory: Path
    model: Path  # the folder of a run
    model_hash: str
    task: str
    reading: Reading
    knowledge_base: Path | None = None  # where it does not lie where the run found it
    shard_bytes: int = 32 << 20
    max_bad_records: str = "5%"

    name: ClassVar[str] = "predictions"
    records: ClassVar[str] = "documents"
    partitions: ClassVar[int] = 1

    @staticmethod
    def of(
        inputs: Sequence[str],
        directory: Path,
        *,
        model: Path,
        task: str,
        knowledge_base: Path | None = None,
        max_document_bytes: int = 64 << 20,
        **more: Any,
    ) -> "Predictions":
        """The job of a run's folder and what is read with it; raises InputError where there is no such run."""
        reading = Reading(format=TASKS[task].reads, max_document_bytes=max_document_bytes)
        trained = TrainedRun.open(model, task=task, knowledge_base=knowledge_base)
        return Predictions(tuple(inputs), directory, model, trained.fingerprint, task, reading, knowledge_base, **more)

    @property
    def configuration(self) -> dict[str, Any]:
        """What decides what the predictions are."""
        reading = {name: getattr(self.reading, name) for name in ("encoding", "max_document_bytes")}
        return {"job": self.name, "task": self.task, "model": self.model_hash, **reading}

    def plan(self, *, workers: int, fresh: bool = False) -> Plan:
        """Raises InputError for missing inputs, and for a folder that holds another configuration."""
        sources = discover(self.inputs, self.reading)
        return plan_job(
            self.directory,
            sources,
            configuration=self.configuration,
            code=[code_version()],
            workers=workers,
            shard_bytes=self.shard_bytes,
            fresh=fresh,
        )

    def describes(self, manifest: dict[str, Any]) -> bool:
        """Whether options are those of a finished output, and its bad records no more than are allowed."""
        same = bool(manifest["configuration"] == self.configuration)
        return same and few_enough(self.max_bad_records, manifest["totals"])

    def map(self, shard: Shard) -> Entry:
        """Predicts what a shard holds and commits the rows in their order; the model is loaded once a process."""
        slices = shard.slices
        found = ShardPredictions(open_run(self.model, self.model_hash, self.task, self.knowledge_base))
        for batch in read_batches(slices, self.reading):
            found.add(batch)
        name = f"{SHARDS}/{shard.fingerprint}"
        runs = write_runs(self.directory, f"{name}.arrow", [[_sorted(found.table())]])
        dead_letters = write_dead_letters(self.directory, f"{name}.dead.jsonl", found.reader.dead)
        totals = {**found.totals, "dead_letters": len(found.reader.dead), "bytes": shard.size}
        entry = Entry(shard.fingerprint, runs, totals, {}, dead_letters)
        write_entry(self.directory / SHARDS, entry, slices=written(slices))
        return entry

    def reduce(self, partition: int, entries: Sequence[Entry]) -> Entry:
        """Writes all rows, and what they are for the organisers; raises InputError for a damaged run."""
        fingerprint = reduce_fingerprint(partition, entries)
        runs = (table for entry in entries for table in read_run(self.directory, entry.files[partition]))
        table = _sorted(pa.concat_tables([SCHEMA.empty_table(), *runs]))
        rows = table["prediction"].to_pylist()
        submitted = first_of_each(TASKS[self.task].known_by, map(json.loads, rows), table["good"].to_pylist())
        contents = {
            PREDICTIONS: "".join(f"{row}\n" for row in rows).encode(),
            SUBMISSION: TASKS[self.task].write(submitted),
        }
        if TASKS[self.task].archived:
            contents[ARCHIVE] = _zipped(contents[SUBMISSION])
        files = [self._part(f"{PARTS}/{fingerprint}.{name}", of, records=len(rows)) for name, of in contents.items()]
        _, _, dead = by_id(table.drop_columns(["prediction", "good"]))
        letters = write_dead_letters(self.directory, f"{PARTS}/{fingerprint}.dead.jsonl", dead)
        totals = {"records": len(rows), "dead_letters": len(dead)}
        entry = Entry(fingerprint, tuple(files), totals, dead_letters=letters)
        write_entry(self.directory / PARTS, entry)
        return entry

    def _part(self, name: str, content: bytes, *, records: int) -> File:
        with attempt(self.directory / name) as file:
            file.write(content)
        return File(name, file.sha256, file.size, records)

    def finish(
        self, plan: Plan, mapped: Sequence[Entry], reduced: Sequence[Entry], describe: Describe
    ) -> dict[str, Any]:
        """Gives the files their names; returns the manifest.

        Raises BadRecordsError over the threshold; then the dead letters are there, but no `_SUCCESS`.
        """
        totals = Counter[str]()
        for entry in mapped:
            totals.update(entry.totals)
        if totals["predictions"] != reduced[0].totals["records"]:
            raise EngineError(f"{self.directory}: runs and predictions differ in rows: start anew with --fresh")
        totals["dead_letters"] += reduced[0].totals["dead_letters"]
        totals["documents"] -= reduced[0].totals["dead_letters"]
        retract(self.directory)
        entries = [*mapped, *reduced]
        dead_letters = gather_dead_letters(self.directory, entries, totals=totals, limit=self.max_bad_records)
        named = {file.name.partition(".")[2]: file for file in reduced[0].files}
        parts, listed = final_parts(self.directory, named)
        names = ("documents", "predictions", "tokens", "cut", "bytes", "dead_letters")
        content = {
            "job": self.name,
            "task": self.task,
            "configuration": self.configuration,
            "inputs": plan.inputs,
            "totals": {name: totals[name] for name in names},
            "parts": listed,
            "dead_letters": dead_letters and asdict(dead_letters),
        }
        publish(self.directory, parts, content, describe, old=PREDICTIONS)
        drop_others(self.directory, mapped)
        rmtree(self.directory / PARTS, ignore_errors=True)
        return content


def _sorted(table: pa.Table) -> pa.Table:
    return table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name, _ in POSITION]))


def _zipped(submission: bytes) -> bytes:
    """An archive of it: the same bytes whenever it is made, and with whatever library compresses elsewhere."""
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(SUBMISSION), submission)
    return found.getvalue()


@functools.cache
def code_version() -> str:
    """A hash over the code that decides what predictions are: results of other code are not kept."""
    transforms = ("characters", "knowledge_base", "splits", "vocabulary", "wordpiece", "wordpiece_library")
    running = ("batching", "datasets", "examples", "inference", "trained_model", "unlabelled")
    ours = ("predict", "shard_predictions")
    files = [f"transforms/{name}.py" for name in transforms]
    files += [f"pipelines/{name}.py" for name in (*running, *ours)]
    folders = ("models", "pipelines/storage", "pipelines/training", "transforms/tasks")
    return hash_of(code_files(*COUNTING, *folders, *files))
