"""`hanmill bench scaling`: fitted rates and predictions as tables for docs/scaling.md."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.bench.results import print_table, table
from pipelines.bench.scaling import LIMITS, Cluster, Prediction, Rates, binding_from, fit, predict
from pipelines.errors import InputError

SHAPES = {"lines of large files": 0.0, "THUCNews' small files": 836_000 / 2.2e9}  # document files a byte
_HEADINGS = ("", "workers", "hours", "map s", "reduce s", "driver s", "storage s", "network s", "binds")


def print_scaling(paths: Sequence[Path], *, terabytes: Sequence[int], workers: Sequence[int], cluster: Cluster) -> None:
    """Prints rates, predictions, and from how many workers on something else binds.

    Raises InputError for a file that `hanmill bench growth` did not write.
    """
    found = [read_growth(path) for path in paths]
    shard = max(result["scheduling"]["seconds_a_shard"] for result in found)
    rates = fit([point for result in found for point in result["points"]], shard=shard)
    print_table(table("", "", ("rate", "fitted"), [[name, f"{value:.4g}"] for name, value in asdict(rates).items()]))
    print(
        f"\nassumed: storage {cluster.storage / 1e9:g} GB/s to all, "
        f"network {cluster.network / 1e9:g} GB/s a machine of {cluster.cores} workers\n"
    )
    shown = list(_predictions(rates, terabytes, workers, cluster))
    print_table(table("", "", _HEADINGS, [_cells(title, prediction) for title, prediction in shown]))
    print()
    last = dict(shown)
    headings = ("slower than map from workers", *LIMITS, "first", "driver's memory for files, GB")
    print_table(table("", "", headings, [_limits(title, prediction) for title, prediction in last.items()]))


def read_growth(path: Path) -> dict[str, Any]:
    """What `hanmill bench growth` left. Raises InputError for anything else."""
    try:
        result = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}: name the growth.json of hanmill bench growth") from error
    if not isinstance(result, dict) or result.get("kind") != "growth":
        raise InputError(f"{path}: not what hanmill bench growth leaves: name its growth.json")
    return result


def _predictions(
    rates: Rates, terabytes: Sequence[int], workers: Sequence[int], cluster: Cluster
) -> Iterator[tuple[str, Prediction]]:
    for number in terabytes:
        for shape, files_a_byte in SHAPES.items():
            size = 1e12 * number
            for some in workers:
                made = predict(rates, size=size, files=size * files_a_byte, workers=some, cluster=cluster)
                yield f"{number:,} TB, {shape}", made


def _limits(title: str, prediction: Prediction) -> list[str]:
    found = binding_from(prediction)
    first = min(found, key=lambda name: found[name])
    return [title, *(f"{found[name]:,.0f}" for name in LIMITS), first, f"{prediction.driver_memory / 1e9:,.1f}"]


def _cells(title: str, prediction: Prediction) -> list[str]:
    seconds = (f"{taken:,.0f}" for taken in prediction.parts.values())
    hours = f"{prediction.seconds / 3600:,.1f}"
    return [title, f"{prediction.workers:,}", hours, *seconds, prediction.bottleneck]
