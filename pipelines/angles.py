"""Simulate angles between random vectors: shards draw blocks of pairs, each dimension adds up to one histogram."""

import functools
import itertools
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from pipelines.angle_tables import HISTOGRAMS, TABLES
from pipelines.errors import EngineError, UsageError
from pipelines.installation import code_files, hash_of
from pipelines.storage.listing import Source, listing_of
from pipelines.storage.manifest import (
    PARTS,
    SHARDS,
    Describe,
    Entry,
    File,
    publish,
    reduce_fingerprint,
    write_entry,
)
from pipelines.storage.resume import Plan, drop_others, plan_job, written
from pipelines.storage.shards import Shard, Slice
from pipelines.storage.tables import read_run, write_runs, write_table
from transforms import angles
from transforms.angle_counts import BINS, AngleTally, Counts, ks_distance, ks_pvalue, moments
from transforms.random_angles import Method, draw_cosines, numbers_a_pair, pairs_a_block

MOST_PAIRS = 10**12
STRETCH_BYTES = 256 << 20

ROW = pa.schema(
    [
        ("n", pa.int32()),
        ("pairs", pa.int64()),
        *(
            (f"{moment}{what}", pa.float64())
            for moment in ("mean", "variance", "kurtosis")
            for what in ("", "_theory", "_standard_error")
        ),
        *((f"ks_{what}", pa.float64()) for what in ("distance", "error", "pvalue")),
    ]
)
HISTOGRAM = pa.schema([("n", pa.int32()), ("count", pa.int64())])


@dataclass(frozen=True, slots=True)
class Angles:
    """The job. What it reads are random numbers, a source for each stretch of pairs, sized in bytes like any other.

    Raises UsageError for what cannot be drawn.
    """

    dimensions: tuple[int, ...]
    directory: Path
    pairs: int = 10**7
    method: Method = "vectors"
    seed: int = 0
    bins: int = BINS
    shard_bytes: int = 1 << 30

    name: ClassVar[str] = "angles"
    records: ClassVar[str] = "pairs"

    def __post_init__(self) -> None:
        if not self.dimensions or not all(2 <= n <= angles.LARGEST_DIMENSION for n in self.dimensions):
            raise UsageError(f"--dimensions: between 2 and {angles.LARGEST_DIMENSION:,}, such as 2,3,10,100,768")
        if not 2 <= self.pairs <= MOST_PAIRS:
            raise UsageError(f"--pairs {self.pairs}: between 2 and {MOST_PAIRS:,}")
        if not 0 <= self.seed < 1 << 64:
            raise UsageError(f"--seed {self.seed}: between 0 and 2^64 - 1")

    @property
    def distinct(self) -> list[int]:
        """The dimensions, each once, in order."""
        return sorted(set(self.dimensions))

    @property
    def partitions(self) -> int:
        """One for each dimension."""
        return len(self.distinct)

    @property
    def configuration(self) -> dict[str, Any]:
        """The options that decide what is drawn; dimensions and pairs are inputs, and may grow."""
        return {"job": self.name, "method": self.method, "seed": self.seed, "bins": self.bins}

    def plan(self, *, workers: int, fresh: bool = False) -> Plan:
        """Raises InputError for a folder that holds another configuration."""
        plan = plan_job(
            self.directory,
            listing_of(source for n in self.distinct for source in self._sources(n)),
            configuration=self.configuration,
            # How NumPy makes normal numbers of random words may change from release to release (NEP 19).
            code=[code_version(), np.__version__],
            workers=workers,
            shard_bytes=self.shard_bytes,
            fresh=fresh,
        )
        inputs = {
            "dimensions": self.distinct,
            "pairs": self.pairs,
            "bytes": plan.inputs["bytes"],
        }
        return replace(plan, inputs=inputs)

    def describes(self, manifest: dict[str, Any]) -> bool:
        """Whether options are those of a finished output."""
        return bool(manifest["configuration"] == self.configuration)

    def map(self, shard: Shard) -> Entry:
        """Draws the blocks that begin in a shard; commits a histogram for each of its dimensions, smallest first."""
        sums: dict[str, dict[str, int]] = {}

        def runs() -> Iterator[list[pa.Table]]:
            for label, pieces in itertools.groupby(shard.slices, lambda piece: piece.source.label):
                tally = self._tally(int(label), pieces)
                sums[label] = tally.sums
                yield [pa.table({"count": tally.counts})] if tally.sums["pairs"] else []

        files = write_runs(self.directory, f"{SHARDS}/{shard.fingerprint}.arrow", runs())
        totals = {"pairs": sum(made["pairs"] for made in sums.values()), "bytes": shard.size}
        entry = Entry(shard.fingerprint, files, totals, sums)
        write_entry(self.directory / SHARDS, entry, slices=written(shard.slices))
        return entry

    def reduce(self, partition: int, entries: Sequence[Entry]) -> Entry:
        """Adds up the histograms of a dimension. Raises InputError for a damaged one."""
        label = str(self.distinct[partition])
        fingerprint = reduce_fingerprint(partition, entries)
        counts, sums = np.zeros(self.bins, np.int64), Counter[str]()
        for entry in entries:
            if label in entry.labels:
                counts += self._counts(entry.files[sorted(entry.labels, key=int).index(label)])
                sums.update(entry.labels[label])
        files = write_runs(self.directory, f"{PARTS}/{fingerprint}.arrow", [[pa.table({"count": counts})]])
        entry = Entry(fingerprint, files, {"pairs": int(counts.sum())}, {label: dict(sums)})
        write_entry(self.directory / PARTS, entry)
        return entry

    def finish(
        self, plan: Plan, mapped: Sequence[Entry], reduced: Sequence[Entry], describe: Describe
    ) -> dict[str, Any]:
        """Compares each dimension with the law and publishes table and histograms; returns the manifest."""
        rows = []
        for entry in reduced:
            ((label, sums),) = entry.labels.items()
            if not self.pairs == sums["pairs"] == entry.totals["pairs"]:
                raise EngineError(f"{self.directory}: histograms and pairs differ: start anew with --fresh")
            rows.append(_row(int(label), sums, self._counts(entry.files[0])))
        histograms = (
            pa.table({"n": np.full(self.bins, row["n"], np.int32), "count": self._counts(entry.files[0])})
            for row, entry in zip(rows, reduced, strict=True)
        )
        parts = [
            write_table(self.directory / TABLES[self.name], [pa.Table.from_pylist(rows, ROW)], schema=ROW),
            write_table(self.directory / HISTOGRAMS, histograms, schema=HISTOGRAM),
        ]
        content = {
            "job": self.name,
            "configuration": self.configuration,
            "inputs": plan.inputs,
            "totals": {"pairs": self.pairs * len(rows), "bytes": plan.inputs["bytes"]},
            "parts": [asdict(File(part.final.name, part.sha256, part.size, part.records)) for part in parts],
            "dead_letters": None,
        }
        publish(self.directory, parts, content, describe, old=HISTOGRAMS)
        drop_others(self.directory, mapped)
        shutil.rmtree(self.directory / PARTS, ignore_errors=True)
        return content

    def _sources(self, n: int) -> Iterator[Source]:
        """Stretches of whole blocks: with more --pairs only the last of them changes, and others come."""
        bytes_a_pair = 8 * numbers_a_pair(n, method=self.method)
        stretch = self._blocks_a_stretch(n) * pairs_a_block(n, method=self.method)
        for number, begin in enumerate(range(0, self.pairs, stretch)):
            size = bytes_a_pair * min(stretch, self.pairs - begin)
            # Digits enough that the order of places is that of numbers.
            yield Source(f"dimension {n:012}", str(n), size, "", "pairs", "", name=f"{number:012}")

    def _blocks_a_stretch(self, n: int) -> int:
        return max(1, STRETCH_BYTES // self._block_bytes(n))

    def _block_bytes(self, n: int) -> int:
        return 8 * numbers_a_pair(n, method=self.method) * pairs_a_block(n, method=self.method)

    def _tally(self, n: int, pieces: Iterator[Slice]) -> AngleTally:
        tally, size = AngleTally(n, bins=self.bins), pairs_a_block(n, method=self.method)
        for piece in pieces:
            first = int(piece.source.name) * self._blocks_a_stretch(n)
            begin, end = (first + -(-bound // self._block_bytes(n)) for bound in (piece.begin, piece.end))
            blocks = range(begin, end)
            drawn = draw_cosines(blocks, n=n, method=self.method, seed=self.seed)
            for block, cosines in zip(blocks, drawn, strict=True):
                tally.add(cosines[: self.pairs - block * size])
        return tally

    def _counts(self, file: File) -> Counts:
        tables = [table["count"].to_numpy() for table in read_run(self.directory, file)]
        return np.concatenate(tables) if tables else np.zeros(self.bins, np.int64)


def _row(n: int, sums: dict[str, int], counts: Counts) -> dict[str, Any]:
    pairs = sums["pairs"]
    theory = (angles.MEAN, angles.variance(n), angles.kurtosis(n))
    distance = ks_distance(counts)
    row: dict[str, Any] = {"n": n, "pairs": pairs}
    for name, found, expected, error in zip(
        ("mean", "variance", "kurtosis"), moments(sums), theory, angles.standard_errors(n, samples=pairs), strict=True
    ):
        row |= {name: found, f"{name}_theory": expected, f"{name}_standard_error": error}
    return row | {"ks_distance": distance, "ks_error": 1 / len(counts), "ks_pvalue": ks_pvalue(distance, pairs)}


@functools.cache
def code_version() -> str:
    """A hash over the code that decides what is drawn and counted: results of other code are not kept."""
    names = ("transforms/angles.py", "transforms/angle_counts.py", "transforms/random_angles.py")
    storage = ("pipelines/storage/shards.py", "pipelines/storage/tables.py")
    return hash_of(code_files(*names, *storage, "pipelines/angles.py"))
