"""Records of a task: examples are tokenized and checked, shuffled by hash, and written as TFRecord files."""

import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from shutil import rmtree
from typing import Any, ClassVar

import pyarrow as pa
import tokenizers

from pipelines.dataset_info import describe_data_set, stem
from pipelines.errors import EngineError, InputError
from pipelines.examples import ShardRecords, held_schema
from pipelines.installation import code_files, hash_of
from pipelines.storage.commit import AttemptFile, attempt
from pipelines.storage.dead_letters import few_enough, gather_dead_letters, write_dead_letters
from pipelines.storage.knowledge_base import NAME
from pipelines.storage.listing import Listing, Source, in_order, listing_of
from pipelines.storage.manifest import (
    CONFIGURATION,
    PARTS,
    SHARDS,
    Describe,
    Entry,
    File,
    final_parts,
    publish,
    read_json,
    reduce_fingerprint,
    retract,
    write_entry,
)
from pipelines.storage.readers import read_batches
from pipelines.storage.record_tables import (
    BY_KEY,
    TOTALS,
    Place,
    by_key,
    each_once,
    encode_table,
    from_table,
    table_schema,
    to_table,
)
from pipelines.storage.resume import Plan, drop_others, plan_job, written
from pipelines.storage.shards import Shard
from pipelines.storage.sources import Reading, discover
from pipelines.storage.tables import read_run, write_runs
from pipelines.task_options import TaskOptions, open_task
from pipelines.word_count import COUNTING
from transforms.splits import Splits
from transforms.tasks.masked_language_model import MaskedLanguageModel
from transforms.tasks.record import Kind, Schema
from transforms.tasks.task import Task
from transforms.tfrecord import frame
from transforms.wordpiece import Tokenizer

_PACKED_AT_ONCE = 1 << 10


@dataclass(frozen=True, slots=True)
class Records:
    """The job. A partition is an output file, in which records come in the order of a hash of their id."""

    inputs: tuple[tuple[str, str], ...]  # what each was named for, if anything, and what it names
    directory: Path
    task: TaskOptions
    reading: Reading = Reading()
    splits: Splits = Splits()
    shard_bytes: int = 32 << 20
    max_bad_records: str = "5%"

    name: ClassVar[str] = "records"
    records: ClassVar[str] = "documents"

    @property
    def partitions(self) -> int:
        return sum(map(len, self.splits.ranges.values()))

    @property
    def configuration(self) -> dict[str, Any]:
        """The options that decide what the records are."""
        reading = asdict(self.reading)
        del reading["patterns"]  # they decide which inputs there are, and inputs may change
        # As JSON has it, in which it is compared with that of an earlier run.
        shares, named = map(list, self.splits.shares), self.splits.named
        splits = {**asdict(self.splits), "shares": list(shares), "named": list(named)}
        return {"job": self.name, **self.task.configuration, "splits": splits, **reading}

    def plan(self, *, workers: int, fresh: bool = False) -> Plan:
        """Raises InputError for missing inputs, bad files, and for a folder that holds another configuration."""
        sources = self._sources()
        open_task(self.task)
        return plan_job(
            self.directory,
            sources,
            configuration=self.configuration,
            code=[code_version(), tokenizers.__version__],
            workers=workers,
            shard_bytes=self.shard_bytes,
            fresh=fresh,
        )

    def _sources(self) -> Listing:
        return listing_of(_agreed(in_order(self._named(split, given) for split, given in self.inputs)))

    def _named(self, split: str, given: str) -> Iterator[Source]:
        for source in discover([given], self.reading):
            yield source._replace(split=split)

    def describes(self, manifest: dict[str, Any]) -> bool:
        """Whether options are those of a finished output, and its bad records no more than are allowed."""
        same = bool(manifest["configuration"] == self.configuration)
        return same and few_enough(self.max_bad_records, manifest["totals"])

    def map(self, shard: Shard) -> Entry:
        """Makes the records of a shard and commits a run for each output file, sorted by key."""
        slices = shard.slices
        task, tokenizer = self._open()
        made = ShardRecords(task, tokenizer, self.splits, replace_errors=self.reading.errors == "replace")
        for split, pieces in itertools.groupby(slices, lambda piece: piece.source.split):
            for batch in read_batches(list(pieces), self.reading):
                made.add(batch, split=split)
        name = f"{SHARDS}/{shard.fingerprint}"
        runs = write_runs(self.directory, f"{name}.arrow", map(made.table, range(self.partitions)))
        dead_letters = write_dead_letters(self.directory, f"{name}.dead.jsonl", made.dead)
        totals = {**made.totals, "dead_letters": len(made.dead), "bytes": shard.size}
        entry = Entry(shard.fingerprint, runs, totals, made.labels, dead_letters)
        write_entry(self.directory / SHARDS, entry, slices=written(slices))
        return entry

    def reduce(self, partition: int, entries: Sequence[Entry]) -> Entry:
        """Writes an output file of the runs for it, which are held in memory; raises InputError for a damaged run."""
        fingerprint = reduce_fingerprint(partition, entries)
        task, _ = self._open()
        runs = (table for entry in entries for table in read_run(self.directory, entry.files[partition]))
        table = pa.concat_tables([table_schema(held_schema(task)).empty_table(), *runs]).combine_chunks()
        held, (table, dead, less) = len(table), each_once(table)
        name = f"{PARTS}/{fingerprint}.tfrecord"
        with attempt(self.directory / name) as file:
            for piece in frame(_counted(_in_order(task, table, self._labels(entries)), file)):
                file.write(piece)
        part = File(name, file.sha256, file.size, file.records)
        letters = write_dead_letters(self.directory, f"{PARTS}/{fingerprint}.dead.jsonl", dead)
        totals = {"records": part.records, "held": held, **less}
        entry = Entry(fingerprint, (part,), totals, dead_letters=letters)
        write_entry(self.directory / PARTS, entry)
        return entry

    def finish(
        self, plan: Plan, mapped: Sequence[Entry], reduced: Sequence[Entry], describe: Describe
    ) -> dict[str, Any]:
        """Gives the files their names and puts beside them what tells of them; returns the manifest.

        Raises BadRecordsError over the threshold; then the dead letters are there, but no `_SUCCESS`.
        """
        totals = Counter[str]()
        for entry in mapped:
            totals.update(entry.totals)
        task, _ = self._open()
        if totals["records"] != sum(entry.totals["held"] for entry in reduced):
            raise EngineError(f"{self.directory}: runs and files differ in records: start anew with --fresh")
        for entry in reduced:
            totals.update({name: entry.totals[name] for name in TOTALS})
        retract(self.directory)
        entries = [*mapped, *reduced]
        dead_letters = gather_dead_letters(self.directory, entries, totals=totals, limit=self.max_bad_records)
        named, splits = dict[str, File](), {}
        for split, numbers in self.splits.ranges.items():
            files = [reduced[number].files[0] for number in numbers]
            splits[split] = [(file.records, file.bytes) for file in files]
            for place, file in enumerate(files):
                named[f"{stem(task.name)}_{split}.tfrecord-{place:05d}-of-{len(files):05d}"] = file
        parts, listed = final_parts(self.directory, named)
        content = {
            "job": self.name,
            "task": task.name,
            "configuration": self.configuration,
            "inputs": plan.inputs,
            "totals": {key: totals[key] for key in ("documents", "tokens", "cut", "mended", "bytes", "dead_letters")}
            | {"records": sum(entry.totals["records"] for entry in reduced)},
            "splits": {split: sum(records for records, _ in files) for split, files in splits.items()},
            "labels": self._labels(mapped),
            "parts": listed,
            "dead_letters": dead_letters and asdict(dead_letters),
        }
        beside = describe_data_set(self.directory, self.task, task, content, files=splits)
        content["metadata"] = [asdict(File(file.final.name, file.sha256, file.size, 0)) for file in beside]
        # A path is of this machine: it stands where times and versions do, and the hash in what is compared.
        known = {} if self.task.knowledge_base is None else {NAME: str(self.task.knowledge_base)}
        old = f"{stem(task.name)}_*.tfrecord-*"
        publish(self.directory, [*parts, *beside], content, lambda: {**describe(), **known}, old=old)
        drop_others(self.directory, mapped)
        rmtree(self.directory / PARTS, ignore_errors=True)
        return content

    def _open(self) -> tuple[Task, Tokenizer]:
        """The task; raises InputError if its files are not those that the run began with."""
        if read_json(self.directory / SHARDS / CONFIGURATION) != self.configuration:
            raise InputError(
                f"{self.task.vocabulary}, or a schema: changed while the run was on, or differs between workers: "
                "start the run again"
            )
        return open_task(self.task)

    def _labels(self, entries: Sequence[Entry]) -> dict[str, list[str]]:
        """Features that are labels, and the labels: those of the schema, or else all that the data has."""
        task, _ = open_task(self.task)
        known = {name: list(labels) for name, labels in task.labels.items()}
        for name, kind in task.schema.items():
            if kind is Kind.LABEL and name not in known:
                known[name] = sorted({label for entry in entries for label in entry.labels})
        return known


def _agreed(sources: Iterable[Source]) -> Iterator[Source]:
    """Each place once; raises InputError for one that is named for two splits."""
    for place, named in itertools.groupby(sources, attrgetter("place")):
        source, *others = named
        for other in others:
            if other.split != source.split:
                first, second = source.split or "no split", other.split or "no split"
                raise InputError(f"{place}: named for {first} and {second}")
        yield source


def _in_order(task: Task, table: pa.Table, labels: Mapping[str, Sequence[str]]) -> Iterator[bytes]:
    """The records of an output file, serialized; those with one key, id and number by their content."""
    if isinstance(task, MaskedLanguageModel) and task.across:
        packed = task.packed(record for piece in by_key(table) for record in from_table(piece, held_schema(task)))
        while some := list(itertools.islice(packed, _PACKED_AT_ONCE)):
            numbers = range(len(some))
            made = to_table(some, task.schema, list(map(Place, numbers, numbers)))
            yield from encode_table(made, task.schema, labels)
        return
    encoded = itertools.chain.from_iterable(_encoded(piece, task.schema, labels) for piece in by_key(table))
    for _, alike in itertools.groupby(encoded, lambda row: row[0]):
        yield from sorted(record for _, record in alike)


def _encoded(table: pa.Table, schema: Schema, labels: Mapping[str, Sequence[str]]) -> Iterator[tuple[Any, bytes]]:
    """Key, id and number of each record, and its message."""
    keys = zip(*(table[name].to_pylist() for name, _ in BY_KEY), strict=True)
    yield from zip(keys, encode_table(table, schema, labels), strict=True)


def _counted(records: Iterator[bytes], file: AttemptFile) -> Iterator[bytes]:
    for record in records:
        file.records += 1
        yield record


@functools.cache
def code_version() -> str:
    """A hash over the code that decides what records hold: results of other code are not kept."""
    making = (
        "characters.py",
        "knowledge_base.py",
        "tasks",
        "splits.py",
        "tfrecord.py",
        "vocabulary.py",
        "wordpiece.py",
        "wordpiece_library.py",
    )
    running = ("dataset_info.py", "examples.py", "records.py", "storage", "task_options.py")
    files = [f"transforms/{name}" for name in making] + [f"pipelines/{name}" for name in running]
    return hash_of(code_files(*COUNTING, *files))
