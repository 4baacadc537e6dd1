"""Finished counts of any rows, as a run would leave them."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from pipelines.storage.manifest import File, publish
from pipelines.storage.tables import write_parquet
from transforms.word_counts import RUN, WordCounts

Row = tuple[str, int, int]  # word, count, documents


def made_count(
    directory: Path,
    rows: Sequence[Row],
    *,
    documents: int = 100,
    part_rows: int = 1 << 20,
    tokenizer: str = "words",
    min_count: int = 1,
) -> Path:
    """A finished count with these rows in parts of `part_rows`; returns its folder."""
    directory.mkdir(parents=True, exist_ok=True)
    table = WordCounts.of(pa.Table.from_pylist([dict(zip(RUN.names, row, strict=True)) for row in rows], RUN)).table
    parts = write_parquet(directory, "word_counts", [table], schema=RUN, rows=part_rows, group_rows=part_rows)
    totals = {"documents": documents, "tokens": sum(row[1] for row in rows), "words": len(rows), "dead_letters": 0}
    manifest = {
        "job": "word_count",
        "configuration": {"tokenizer": tokenizer},
        "min_count": min_count,
        "totals": totals,
        "parts": [asdict(File(part.final.name, part.sha256, part.size, part.records)) for part in parts],
        "dead_letters": None,
    }
    publish(directory, parts, manifest, dict, old="word_counts-*.parquet")
    return directory
