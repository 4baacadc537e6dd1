"""Count the words of a corpus: shards are cut and counted, runs are merged by word, parts are written by count."""

import contextlib
import functools
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import EngineError, InputError
from pipelines.installation import code_files, hash_of
from pipelines.storage.commit import AttemptFile
from pipelines.storage.dead_letters import few_enough, gather_dead_letters, write_dead_letters
from pipelines.storage.manifest import (
    PARTS,
    SHARDS,
    Describe,
    Entry,
    File,
    publish,
    reduce_fingerprint,
    retract,
    write_entry,
)
from pipelines.storage.readers import read_batches
from pipelines.storage.resume import Plan, drop_others, plan_job, written
from pipelines.storage.shards import Shard
from pipelines.storage.sources import Reading, discover
from pipelines.storage.tables import read_run, scratch_run, write_parquet, write_runs
from pipelines.tally import ShardTally, counter_of
from transforms.document import Normalization
from transforms.segmentation import Tokenizer
from transforms.word_counts import (
    BY_COUNT,
    BY_WORD,
    BY_WORD_AND_LABEL,
    RUN,
    merge_runs,
    merge_sorted,
    partition_runs,
)

PARTITIONS = 8
WORDS_A_PART = 4 << 20
MOST_LABELS = 1000
FAN_IN = 64
ROWS_IN_MEMORY = 1 << 18
STEM = "word_counts"
COUNTING = (
    "transforms/compiled.py",
    "transforms/decoding.py",
    "transforms/document.py",
    "transforms/double_array.py",
    "transforms/segmentation",
    "transforms/word_counts.py",
)


@dataclass(frozen=True, slots=True)
class WordCount:
    """The job. `dictionary_hash` stands for the content of the dictionaries in what is compared between runs."""

    inputs: tuple[str, ...]
    directory: Path
    dictionary_hash: str
    reading: Reading = Reading()
    tokenizer: Tokenizer = "words"
    hmm: bool = True
    normalization: Normalization = "none"
    dictionary: str | None = None
    user_dictionaries: tuple[str, ...] = ()
    by_label: bool = False
    min_count: int = 1
    shard_bytes: int = 32 << 20
    max_bad_records: str = "5%"

    name: ClassVar[str] = "word_count"
    records: ClassVar[str] = "documents"
    partitions: ClassVar[int] = PARTITIONS

    @property
    def configuration(self) -> dict[str, Any]:
        """The options that decide what is counted: a folder holds the results of one configuration."""
        reading = asdict(self.reading)
        del reading["patterns"]  # they decide which inputs there are, and inputs may change
        return {
            "job": self.name,
            "tokenizer": self.tokenizer,
            "hmm": self.hmm,
            "normalize": self.normalization,
            "dictionary": self.dictionary_hash,
            "by_label": self.by_label,
            **reading,
        }

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
        """Whether options and code are those of a finished output, and its bad records no more than are allowed."""
        totals = manifest["totals"]
        same = (manifest["configuration"], manifest["min_count"]) == (self.configuration, self.min_count)
        return same and few_enough(self.max_bad_records, totals)

    def map(self, shard: Shard) -> Entry:
        """Counts a shard and commits a run for each partition, sorted by word."""
        slices = shard.slices
        counter = counter_of(self.tokenizer, self.hmm, self.dictionary, self.user_dictionaries, self.dictionary_hash)
        tally = ShardTally(
            counter,
            replace_errors=self.reading.errors == "replace",
            normalization=self.normalization,
            by_label=self.by_label,
        )
        for batch in read_batches(slices, self.reading):
            tally.add(batch)
        counts = tally.counts()
        name = f"{SHARDS}/{shard.fingerprint}"
        runs = write_runs(
            self.directory, f"{name}.arrow", ([run] for run in partition_runs(counts, partitions=PARTITIONS))
        )
        dead_letters = write_dead_letters(self.directory, f"{name}.dead.jsonl", tally.dead)
        totals = {
            "documents": tally.total("documents"),
            "tokens": tally.total("tokens"),
            "dead_letters": len(tally.dead),
            "bytes": shard.size,
        }
        entry = Entry(shard.fingerprint, runs, totals, tally.labels, dead_letters)
        write_entry(self.directory / SHARDS, entry, slices=written(slices))
        return entry

    def reduce(self, partition: int, entries: Sequence[Entry]) -> Entry:
        """Adds up the runs of a partition and commits its words, ordered by count.

        Raises InputError for more labels than columns are made for, and for a damaged run.
        """
        labels = self._label_names(entries)
        fingerprint = reduce_fingerprint(partition, entries)
        keys = BY_WORD_AND_LABEL if self.by_label else BY_WORD
        runs = [read_run(self.directory, entry.files[partition]) for entry in entries]
        with contextlib.ExitStack() as scratch:
            while len(runs) > FAN_IN:
                first, runs = runs[:FAN_IN], runs[FAN_IN:]
                merged = merge_runs(first, sort_keys=keys, rows=ROWS_IN_MEMORY)
                runs.append(scratch.enter_context(scratch_run(self.directory / PARTS, merged)))
            tables = list(merge_runs(runs, sort_keys=keys, rows=ROWS_IN_MEMORY))
        counts = pa.concat_tables(tables) if tables else RUN.empty_table()
        if self.by_label and tables:
            counts = _nest_labels(counts, labels)
        counts = counts.take(pc.sort_indices(counts, sort_keys=BY_COUNT))
        files = write_runs(self.directory, f"{PARTS}/{fingerprint}.arrow", [[counts]])
        tokens = pc.sum(counts["count"]).as_py() or 0
        entry = Entry(fingerprint, files, {"words": len(counts), "tokens": tokens})
        write_entry(self.directory / PARTS, entry)
        return entry

    def finish(
        self, plan: Plan, mapped: Sequence[Entry], reduced: Sequence[Entry], describe: Describe
    ) -> dict[str, Any]:
        """Merges the partitions into parts ordered by count and publishes them; returns the manifest.

        Raises BadRecordsError over the threshold; then the dead letters are there, but no `_SUCCESS`.
        """
        totals = Counter[str]()
        for entry in mapped:
            totals.update(entry.totals)
        if totals["tokens"] != sum(entry.totals["tokens"] for entry in reduced):
            raise EngineError(f"{self.directory}: runs and parts differ in tokens: start anew with --fresh")
        retract(self.directory)
        dead_letters = gather_dead_letters(self.directory, mapped, totals=totals, limit=self.max_bad_records)
        labels = self._label_names(mapped) if self.by_label else []
        parts = self._write_parts(reduced, labels)
        by_label = _sum_labels(mapped)
        result = {
            **{key: totals[key] for key in ("documents", "tokens", "bytes", "dead_letters")},
            "words": sum(part.records for part in parts),
        }
        content = {
            "job": self.name,
            "configuration": self.configuration,
            "min_count": self.min_count,
            "inputs": plan.inputs,
            "totals": result,
            "labels": by_label if len(by_label) <= MOST_LABELS else None,
            "parts": [asdict(File(part.final.name, part.sha256, part.size, part.records)) for part in parts],
            "dead_letters": dead_letters and asdict(dead_letters),
        }
        publish(self.directory, parts, content, describe, old=f"{STEM}-*.parquet")
        drop_others(self.directory, mapped)
        shutil.rmtree(self.directory / PARTS, ignore_errors=True)
        return content

    def _label_names(self, entries: Sequence[Entry]) -> list[str]:
        names = sorted({label for entry in entries for label in entry.labels})
        if self.by_label and len(names) > MOST_LABELS:
            raise InputError(
                f"{len(names):,} labels: --by-label makes a column for each, at most {MOST_LABELS:,}; count without"
            )
        return names

    def _write_parts(self, reduced: Sequence[Entry], labels: Sequence[str]) -> list[AttemptFile]:
        runs = [read_run(self.directory, entry.files[0]) for entry in reduced]
        columns = [pa.field(f"count:{label}", pa.int64()) for label in labels]
        schema = pa.schema([*RUN, *columns])
        rows = max(1024, (1 << 17) // (1 + len(labels) // 8))
        tables = self._in_order(merge_sorted(runs, sort_keys=BY_COUNT, rows=2 * rows), labels)
        return write_parquet(self.directory, STEM, tables, schema=schema, rows=WORDS_A_PART, group_rows=rows)

    def _in_order(self, tables: Iterable[pa.Table], labels: Sequence[str]) -> Iterator[pa.Table]:
        for table in tables:
            counts = table.filter(pc.field("count") >= self.min_count)
            if len(counts):
                counts = counts.take(pc.sort_indices(counts, sort_keys=BY_COUNT))
                yield _spread_labels(counts, labels) if labels else counts
            if len(counts) < len(table):
                return


@functools.cache
def code_version() -> str:
    """A hash over the code that decides what is counted: results of other code are not kept."""
    return hash_of(code_files(*COUNTING, "pipelines/storage", "pipelines/tally.py", "pipelines/word_count.py"))


def _nest_labels(counts: pa.Table, labels: Sequence[str]) -> pa.Table:
    """One row a word, with lists of label numbers and counts."""
    numbers = pc.index_in(counts["label"], value_set=pa.array(labels, pa.string()))
    table = pa.table(
        {"word": counts["word"], "count": counts["count"], "documents": counts["documents"], "label": numbers}
    )
    wanted = [("count", "sum"), ("documents", "sum"), ("label", "list"), ("count", "list")]
    nested = table.group_by("word", use_threads=False).aggregate(wanted)
    nested = nested.select(["word", "count_sum", "documents_sum", "label_list", "count_list"])
    return nested.rename_columns(["word", "count", "documents", "labels", "label_counts"])


def _spread_labels(counts: pa.Table, labels: Sequence[str]) -> pa.Table:
    """One column a label."""
    rows = np.asarray(pc.list_parent_indices(counts["labels"].combine_chunks()))
    spread = np.zeros((len(labels), len(counts)), np.int64)
    spread[np.asarray(pc.list_flatten(counts["labels"])), rows] = np.asarray(pc.list_flatten(counts["label_counts"]))
    table = counts.select(RUN.names)
    for number, label in enumerate(labels):
        table = table.append_column(f"count:{label}", pa.array(spread[number]))
    return table


def _sum_labels(entries: Sequence[Entry]) -> dict[str, dict[str, int]]:
    sums: dict[str, Counter[str]] = {}
    for entry in entries:
        for label, made in entry.labels.items():
            sums.setdefault(label, Counter()).update(made)
    return {label: {"documents": made["documents"], "tokens": made["tokens"]} for label, made in sums.items()}
