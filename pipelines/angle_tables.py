"""What `hanmill angles` found, as tables for a terminal and a page: read from the files of a finished output."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import InputError
from pipelines.storage.manifest import read_manifest

TABLES = {"angles": "angles.parquet", "isotropy": "isotropy.parquet"}
HISTOGRAMS = "histograms.parquet"


@dataclass(frozen=True, slots=True)
class Table:
    """Texts: `columns` above, `rows` below; all but `names` columns at the left are numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    names: int = 0


def read_angles(directory: Path, name: str = "") -> pa.Table:
    """The table of a finished run, or the file `name` beside it. Raises InputError where there is none."""
    if (manifest := read_manifest(directory)) is None or manifest["job"] not in TABLES:
        raise InputError(f"{directory}: no finished angles there: run hanmill angles ... --out {directory}")
    path = directory / (name or TABLES[manifest["job"]])
    try:
        return pq.ParquetFile(pa.BufferReader(path.read_bytes())).read()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: {error}: run the same command again, it writes the output anew") from error


def angle_table(found: pa.Table) -> Table:
    """A row a dimension, or a row a quantity that is measured of embeddings."""
    rows = found.to_pylist()
    return _simulated(rows) if "ks_pvalue" in found.column_names else _measured(rows)


def _simulated(rows: Sequence[dict[str, Any]]) -> Table:
    columns = ("n", "variance", "law", "kurtosis", "law", "off by, se", "KS", "p")
    caption = f"{rows[0]['pairs']:,} pairs each; how far mean, variance and kurtosis are off, in standard errors (se)"
    return Table(columns, [_simulated_row(row) for row in rows], caption=caption)


def _simulated_row(row: dict[str, Any]) -> list[str]:
    off = [
        f"{(row[name] - row[f'{name}_theory']) / row[f'{name}_standard_error']:+.2f}"
        for name in ("mean", "variance", "kurtosis")
    ]
    values = [f"{row[name]:.5g}" for name in ("variance", "variance_theory")]
    values += [f"{row[name]:.4f}" for name in ("kurtosis", "kurtosis_theory")]
    return [f"{row['n']:,}", *values, " ".join(off), f"{row['ks_distance']:.2e}", f"{row['ks_pvalue']:.3f}"]


def _measured(rows: Sequence[dict[str, Any]]) -> Table:
    first = rows[0]
    quantities = (
        ("mean cosine", "mean_cosine", ".4f", "0"),
        ("deviation of cosines", "cosine_deviation", ".4f", f"{first['cosine_deviation_theory']:.4f}"),
        ("mean angle, radians", "mean", ".4f", "1.5708"),
        ("variance of angles", "variance", ".6f", f"{first['variance_theory']:.6f}"),
        ("KS distance", "ks_distance", ".4f", "0"),
        ("effective dimension", "effective_dimension", ",.1f", f"{first['n']:,}"),
    )
    shown = [[title, *(format(row[name], form) for row in rows), law] for title, name, form, law in quantities]
    left_out = max(row["left_out"] for row in rows)
    told = f"; {left_out:,} are left out, as they have no direction" if left_out else ""
    caption = f"{first['pairs']:,} pairs of {first['count']:,} vectors{told}"
    return Table(("", *(row["vectors"] for row in rows), "random"), shown, caption, names=1)
