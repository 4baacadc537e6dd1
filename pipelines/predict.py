"""Predictions of a trained model for files of its task: a row for each example, and the file that organisers take."""

import functools
import itertools
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any, ClassVar, cast

import pyarrow as pa
import pyarrow.compute as pc

import pipelines.quiet_keras  # noqa: F401  workers begin here
from pipelines.errors import EngineError, InputError
from pipelines.examples import ShardRecords, named
from pipelines.installation import code_files, hash_of
from pipelines.storage.batches import Batch
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
from pipelines.unlabelled import BY_TEXT, Unlabelled, first_of_each, nothing
from pipelines.word_count import COUNTING
from transforms.splits import Splits
from transforms.tasks.model import Model
from transforms.tasks.record import BadRecord, Example, Record, is_cut
from transforms.tasks.task import TASKS, Extraction
from transforms.wordpiece import Tokenizer

PREDICTIONS, SUBMISSION = "predictions.jsonl", "submission.json"
BATCH_SIZE = 32
_AT_ONCE = 64  # examples that are decoded together: a model's answers for all of them are held in memory
_POSITION = [("source", pa.string()), ("offset", pa.int64()), ("number", pa.int32())]
# `id`: of a row that was predicted, if it has one of its own; `good`: whether a row was.
_SCHEMA = pa.schema([("id", pa.string()), *_POSITION, ("prediction", pa.string()), ("good", pa.bool_())])
_Key = tuple[str, tuple[str, ...]]  # id and texts of an example


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
        found = ShardPredictions(_open(self.model, self.model_hash, self.task, self.knowledge_base))
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
        table = _sorted(pa.concat_tables([_SCHEMA.empty_table(), *runs]))
        rows = table["prediction"].to_pylist()
        submitted = first_of_each(self.task, map(json.loads, rows), table["good"].to_pylist())
        contents = {
            PREDICTIONS: "".join(f"{row}\n" for row in rows).encode(),
            SUBMISSION: TASKS[self.task].write(submitted),
        }
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
        named = dict(zip((PREDICTIONS, SUBMISSION), reduced[0].files, strict=True))
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


@dataclass(frozen=True, slots=True)
class Opened:
    """What predictions are made with."""

    task: Extraction
    tokenizer: Tokenizer
    model: Model


@functools.lru_cache(maxsize=1)
def _open(directory: Path, fingerprint: str, task: str, knowledge_base: Path | None) -> Opened:
    """Once a process; raises InputError for a run that is not the one that the job began with."""
    # A task has one core: others run beside it. And one thread adds up in one order.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    trained = TrainedRun.open(directory, task=task, knowledge_base=knowledge_base)
    if trained.fingerprint != fingerprint:
        raise InputError(f"{directory}: changed while predictions were made, or differs between workers: start again")
    opened, tokenizer = trained.task()
    return Opened(cast(Extraction, opened), tokenizer, trained.model(batch_size=BATCH_SIZE))


class ShardPredictions:
    """The predictions of a shard, and its dead letters."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.reader = ShardRecords(cast(Any, Unlabelled(opened.task)), opened.tokenizer, Splits(), replace_errors=False)
        self.totals = Counter(documents=0, predictions=0, tokens=0, cut=0)
        self._rows: list[tuple[str | None, str, int, int, str, bool]] = []

    def add(self, batch: Batch) -> None:
        """Predicts the examples of a batch of inputs; every one gets a row, whatever is wrong with it."""
        self.reader.dead += batch.dead
        found = list(self.reader.examples(batch))
        records, sizes = self._records(batch, found)
        said, numbers = self._decoded(records), Counter[int]()
        for document, example in found:
            key = (example.id, example.texts)
            row, (tokens, cut) = said.get(key), sizes.get(key, (0, False))
            self.totals.update(documents=row is not None, tokens=tokens, cut=cut)
            self.totals["predictions"] += 1
            text = json.dumps(row or example.gold or nothing(self.opened.task.name, id=example.id), ensure_ascii=False)
            own = example.id if row is not None and example.named and self.opened.task.name not in BY_TEXT else None
            self._rows.append((own, *batch.position(document), numbers[document], text, row is not None))
            numbers[document] += 1

    def _records(
        self, batch: Batch, found: Sequence[tuple[int, Example]]
    ) -> tuple[dict[_Key, list[Record]], dict[_Key, tuple[int, bool]]]:
        """The records of each example, how many tokens they have, and whether a text is cut; of like examples once."""
        unique = list(dict.fromkeys(text for _, example in found for text in example.texts))
        tokens = dict(zip(unique, self.opened.tokenizer.tokenize(unique), strict=True))
        made, sizes = dict[_Key, list[Record]](), dict[_Key, tuple[int, bool]]()
        for document, example in found:
            key = (example.id, example.texts)
            if key in made or not example.texts:
                continue
            of_texts = [tokens[text] for text in example.texts]
            try:
                made[key] = list(self.opened.task.records(example, of_texts))
            except BadRecord as error:
                self.reader.dead.append(batch.dead_letter(document, f"{named(example)}{error}"))
                continue
            sizes[key] = sum(len(record["ids"]) for record in made[key]), is_cut(made[key], of_texts)
        return made, sizes

    def _decoded(self, records: dict[_Key, list[Record]]) -> dict[_Key, dict[str, Any]]:
        """The prediction for each example; those of like length are decoded together."""
        keys = sorted(records, key=lambda key: len(records[key][0]["ids"]))
        said: dict[_Key, dict[str, Any]] = {}
        for begin in range(0, len(keys), _AT_ONCE):
            some = keys[begin : begin + _AT_ONCE]
            together = list(itertools.chain.from_iterable(records[key] for key in some))
            said.update(zip(some, self.opened.task.decode(together, self.opened.model), strict=True))
        return said

    def table(self) -> pa.Table:
        """A row a prediction."""
        columns = list(zip(*self._rows, strict=True)) or [()] * len(_SCHEMA)
        return pa.table([list(column) for column in columns], schema=_SCHEMA)


def _sorted(table: pa.Table) -> pa.Table:
    return table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name, _ in _POSITION]))


@functools.cache
def code_version() -> str:
    """A hash over the code that decides what predictions are: results of other code are not kept."""
    transforms = ("characters", "knowledge_base", "splits", "vocabulary", "wordpiece", "wordpiece_library")
    running = ("batching", "datasets", "examples", "inference", "predict", "trained_model", "unlabelled")
    files = [f"transforms/{name}.py" for name in transforms] + [f"pipelines/{name}.py" for name in running]
    folders = ("models", "pipelines/storage", "pipelines/training", "transforms/tasks")
    return hash_of(code_files(*COUNTING, *folders, *files))
