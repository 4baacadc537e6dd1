"""Compare trained vectors with random ones: angles between pairs of them against the law of their dimension."""

import functools
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from pipelines.angle_tables import HISTOGRAMS, TABLES
from pipelines.errors import InputError, UsageError
from pipelines.installation import code_files, hash_of
from pipelines.storage.embeddings import find_embeddings, read_embeddings
from pipelines.storage.listing import Listing, in_order, listing_of
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
from pipelines.storage.readers import read_batches
from pipelines.storage.resume import Plan, drop_others, plan_job, written
from pipelines.storage.shards import Shard, whole
from pipelines.storage.sources import Reading, discover
from pipelines.storage.tables import read_run, write_runs, write_table
from transforms import angles, isotropy
from transforms.angle_counts import AngleTally, ks_distance, moments
from transforms.angles import Floats
from transforms.isotropy import Rows

DRAWN_BINS = 720  # of equal width, for the eye; distances are measured in bins of equal probability
AS_THEY_ARE, CENTERED = "as they are", "mean removed"

ROW = pa.schema(
    [
        ("vectors", pa.string()),
        ("count", pa.int64()),
        ("left_out", pa.int64()),
        ("n", pa.int32()),
        ("pairs", pa.int64()),
        *((name, pa.float64()) for name in ("mean_cosine", "cosine_deviation", "cosine_deviation_theory")),
        *(
            (name, pa.float64())
            for name in ("mean", "variance", "variance_theory", "ks_distance", "effective_dimension")
        ),
    ]
)
HISTOGRAM = pa.schema([("vectors", pa.string()), ("low", pa.float64()), ("high", pa.float64()), ("count", pa.int64())])


@dataclass(frozen=True, slots=True)
class Isotropy:
    """The job: one shard, as the vectors are read or made once. Raises UsageError for a number of pairs that is none.

    `texts`: an input whose sentence vectors are measured instead, as the checkpoint's layer number `layer` has them.
    """

    embeddings: str
    directory: Path
    pairs: int = 10**6
    seed: int = 0
    texts: str = ""
    layer: int = 0

    name: ClassVar[str] = "isotropy"
    records: ClassVar[str] = "pairs"
    partitions: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.pairs < 2:
            raise UsageError(f"--pairs {self.pairs}: two or more are needed")
        if not 0 <= self.seed < 1 << 64:
            raise UsageError(f"--seed {self.seed}: between 0 and 2^64 - 1")

    @property
    def configuration(self) -> dict[str, Any]:
        """The options that decide what is measured."""
        layer = {"layer": self.layer} if self.texts else {}
        return {"job": self.name, "pairs": self.pairs, "seed": self.seed, **layer}

    def plan(self, *, workers: int, fresh: bool = False) -> Plan:
        """Raises InputError for missing vectors, and for a folder that holds another configuration."""
        sources = self._sources()
        size = sources.bytes
        plan = plan_job(
            self.directory,
            sources,
            configuration=self.configuration,
            code=[code_version(), np.__version__],
            workers=workers,
            shard_bytes=max(1, size),
            fresh=fresh,
            single=True,
        )
        checkpoint, first = Path(self.embeddings), Path(next(iter(sources)).path)
        of_texts = f"{Path(self.texts).name}, layer {self.layer} of {checkpoint.name}"
        name = of_texts if self.texts else f"{first.parent.name}/{first.name}"
        return replace(plan, inputs={"file": name, "bytes": size, "sha256": plan.inputs["sha256"]})

    def _sources(self) -> Listing:
        """The file that holds vectors, or those of the checkpoint and the texts."""
        path = Path(self.embeddings)
        if not self.texts:
            return discover((str(find_embeddings(path)),), Reading(format="document"))
        files = [str(file) for file in sorted(path.iterdir()) if file.is_file()]
        parts = discover(files, Reading(format="document")), discover((self.texts,), Reading())
        return listing_of(in_order(parts))

    def describes(self, manifest: dict[str, Any]) -> bool:
        """Whether options are those of a finished output."""
        return bool(manifest["configuration"] == self.configuration)

    def map(self, shard: Shard) -> Entry:
        """Measures the vectors as they are, and without their mean. Raises InputError for a row that is not finite."""
        vectors = self._vectors()
        try:
            mean = isotropy.mean_of(vectors)
            origins = {AS_THEY_ARE: np.zeros_like(mean), CENTERED: mean}
            rows = [{"vectors": name, **self._measured(vectors, origin)} for name, origin in origins.items()]
        except ValueError as error:
            raise InputError(f"{self.texts or self.embeddings}: {error}") from error
        table = pa.Table.from_pylist(rows, pa.schema([*ROW, ("drawn", pa.list_(pa.int64()))]))
        files = write_runs(self.directory, f"{SHARDS}/{shard.fingerprint}.arrow", [[table]])
        totals = {"pairs": sum(row["pairs"] for row in rows), "bytes": shard.size}
        entry = Entry(shard.fingerprint, files, totals)
        write_entry(self.directory / SHARDS, entry, slices=written(shard.slices))
        return entry

    def reduce(self, partition: int, entries: Sequence[Entry]) -> Entry:
        """Passes on what the only shard gave."""
        (mapped,) = entries
        entry = Entry(reduce_fingerprint(partition, entries), mapped.files)
        write_entry(self.directory / PARTS, entry)
        return entry

    def finish(
        self, plan: Plan, mapped: Sequence[Entry], reduced: Sequence[Entry], describe: Describe
    ) -> dict[str, Any]:
        """Publishes the table and the histograms; returns the manifest."""
        (measured,) = read_run(self.directory, reduced[0].files[0])
        edges = np.linspace(0, np.pi, DRAWN_BINS + 1)
        drawn = (
            pa.table(
                {
                    "vectors": pa.array([row["vectors"]] * DRAWN_BINS),
                    "low": edges[:-1],
                    "high": edges[1:],
                    "count": pa.array(row["drawn"]),
                }
            )
            for row in measured.to_pylist()
        )
        parts = [
            write_table(self.directory / TABLES[self.name], [measured.select(ROW.names)], schema=ROW),
            write_table(self.directory / HISTOGRAMS, drawn, schema=HISTOGRAM),
        ]
        content = {
            "job": self.name,
            "configuration": self.configuration,
            "inputs": plan.inputs,
            "totals": {name: mapped[0].totals[name] for name in ("pairs", "bytes")},
            "parts": [asdict(File(part.final.name, part.sha256, part.size, part.records)) for part in parts],
            "dead_letters": None,
        }
        publish(self.directory, parts, content, describe, old=HISTOGRAMS)
        drop_others(self.directory, mapped)
        shutil.rmtree(self.directory / PARTS, ignore_errors=True)
        return content

    def _vectors(self) -> Rows:
        if not self.texts:
            return read_embeddings(find_embeddings(Path(self.embeddings)))
        from pipelines.sentence_vectors import sentence_vectors  # which imports Keras, and what it runs on

        texts: list[str] = []
        for batch in read_batches(list(map(whole, discover((self.texts,), Reading()))), Reading()):
            found, failures = batch.texts()
            if dead := [*batch.dead, *failures]:
                raise InputError(f"{dead[0].source}: at {dead[0].offset:,}: {dead[0].reason}: mend or remove it")
            texts += found.values()
        return sentence_vectors(Path(self.embeddings), texts, layer=self.layer)

    def _measured(self, vectors: Rows, origin: Floats) -> dict[str, Any]:
        usable, n = np.flatnonzero(isotropy.nonzero(vectors, origin=origin)), vectors.shape[1]
        if len(usable) < 2:
            raise ValueError("fewer than two vectors have a direction")
        tally, drawn = AngleTally(n), np.zeros(DRAWN_BINS, np.int64)
        total = squares = 0.0
        for first, second in isotropy.sample_pairs(len(usable), pairs=self.pairs, seed=self.seed):
            cosines = isotropy.pair_cosines(vectors, usable[first], usable[second], origin=origin)
            tally.add(cosines)
            drawn += np.histogram(np.arccos(cosines), DRAWN_BINS, (0.0, np.pi))[0]
            total, squares = total + float(cosines.sum()), squares + float(np.square(cosines).sum())
        pairs = tally.sums["pairs"]
        mean_cosine = total / pairs
        mean, variance, _ = moments(tally.sums)
        return {
            "count": len(usable),
            "left_out": len(vectors) - len(usable),
            "n": n,
            "pairs": pairs,
            "mean_cosine": mean_cosine,
            "cosine_deviation": math.sqrt(max(0.0, squares / pairs - mean_cosine**2)),
            "cosine_deviation_theory": 1 / math.sqrt(n),
            "mean": mean,
            "variance": variance,
            "variance_theory": angles.variance(n),
            "ks_distance": ks_distance(tally.counts),
            "effective_dimension": isotropy.effective_dimension(vectors, origin=origin),
            "drawn": drawn,
        }


@functools.cache
def code_version() -> str:
    """A hash over the code that decides what is measured: results of other code are not kept."""
    names = ("angles.py", "angle_counts.py", "isotropy.py", "vocabulary.py", "wordpiece.py", "wordpiece_library.py")
    storage = ("embeddings.py", "tables.py")
    files = [f"transforms/{name}" for name in names] + [f"pipelines/storage/{name}" for name in storage]
    return hash_of(code_files(*files, "models", "pipelines/isotropy.py", "pipelines/sentence_vectors.py"))
