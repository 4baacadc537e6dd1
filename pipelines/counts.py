"""A finished count, as what comes after it reads it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import InputError
from pipelines.storage.manifest import read_manifest


def finished_count(directory: Path) -> dict[str, Any]:
    """The manifest of a finished count. Raises InputError where there is none."""
    manifest: dict[str, Any] | None = read_manifest(directory)
    if manifest is not None and manifest.get("job") not in ("word_count", None):
        more = f": hanmill inspect {directory} shows them" if manifest["job"] == "records" else ""
        raise InputError(f"{directory}: holds {manifest['job']}, no count{more}")
    if manifest is None or "job" not in manifest:
        raise InputError(f"{directory}: no finished count there: run hanmill count ... --out {directory}")
    return manifest


def read_counts(directory: Path, manifest: Mapping[str, Any], *, rows: int) -> Iterator[pa.RecordBatch]:
    """Word, count and documents of all parts, in order, at most `rows` rows at a time; raises InputError."""
    for part in manifest["parts"]:
        path = directory / part["name"]
        try:
            with path.open("rb") as file:
                yield from pq.ParquetFile(file).iter_batches(rows, columns=["word", "count", "documents"])
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: {error}: run the count again, it writes its output anew") from error
