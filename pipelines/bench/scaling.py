"""What more workers than this machine has would take: rates fitted to measured runs, and what binds them first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.errors import InputError
from pipelines.word_count import PARTITIONS

SHARD = 32 << 20
LIMITS = ("driver", "reduce", "storage")  # what more workers do not shorten


@dataclass(frozen=True, slots=True)
class Rates:
    """Seconds of one worker or of the driver, and bytes of its memory; none is negative.

    `start`: of a run. `list_file`: of the driver, for a document file. `map_byte`, `map_file`: to read, cut and count.
    `shard`: of the engine, for a task. `merge_row`: for a row of a run. `order_word`: of the driver, for a word of the
    result. `rows_a_shard`: words of a full shard. `row_bytes`: of a row of a run. `words`: of the result.
    `file_memory`: of the driver, for a document file.
    """

    start: float
    list_file: float
    map_byte: float
    map_file: float
    shard: float
    merge_row: float
    order_word: float
    rows_a_shard: float
    row_bytes: float
    words: float
    file_memory: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is assumed, not measured. Bytes a second: `storage` to all workers together, `network` to a machine.

    `cores`: workers of a machine.
    """

    storage: float
    network: float
    cores: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """A run with so many workers. `parts`: seconds of map and reduce tasks, driver, storage and network.

    Map tasks wait for the slowest of themselves, storage and network; reduce tasks and driver come on top.
    """

    workers: int
    parts: Mapping[str, float]
    driver_memory: float

    @property
    def bottleneck(self) -> str:
        """The part that takes longest."""
        return max(self.parts, key=self.parts.__getitem__)

    @property
    def seconds(self) -> float:
        """Of the whole."""
        side_by_side = max(self.parts[name] for name in ("map", "storage", "network"))
        return side_by_side + self.parts["reduce"] + self.parts["driver"]


def fit(points: Sequence[Mapping[str, Any]], *, shard: float) -> Rates:
    """Rates of the points that `hanmill bench growth` measured, by least squares; `shard` as it measured it.

    Small files tell what a file costs from what a byte costs. Raises InputError for fewer than two points.
    """
    if len(points) < 2:
        raise InputError(
            f"{len(points)} measured sizes: a fit needs two: name more in hanmill bench growth --megabytes"
        )

    def column(name: str) -> npt.NDArray[np.float64]:
        return np.array([point[name] for point in points], float)

    def stage(name: str) -> npt.NDArray[np.float64]:
        return np.array([point["stages"][name] for point in points], float)

    one, files, workers, rows = np.ones(len(points)), column("documents"), column("workers"), column("run_rows")
    start, list_file = least_squares(stage("list"), one, files)
    map_byte, map_file = least_squares(stage("map") * workers, column("bytes"), files)
    [merge_row] = least_squares(stage("reduce") * np.minimum(workers, PARTITIONS), rows)
    [order_word] = least_squares(stage("finish"), column("words"))
    _, file_memory = least_squares(column("driver_peak_bytes"), one, files)
    return Rates(
        start=start,
        list_file=list_file,
        map_byte=map_byte,
        map_file=map_file,
        shard=shard,
        merge_row=merge_row,
        order_word=order_word,
        rows_a_shard=float((rows / column("shards")).max()),
        row_bytes=float(column("run_bytes").sum() / rows.sum()),
        words=float(column("words").max()),
        file_memory=file_memory,
    )


def least_squares(values: npt.NDArray[np.float64], *columns: npt.NDArray[np.float64]) -> list[float]:
    """What each column is to be multiplied by: squares of relative errors are least, and nothing is negative.

    >>> [round(found, 9) for found in least_squares(np.array([3.0, 5.0]), np.ones(2), np.array([1.0, 2.0]))]
    [1.0, 2.0]
    """
    best, coefficients = np.inf, [0.0] * len(columns)
    weights = 1 / np.maximum(values, 1e-3 * values.max())
    for chosen in range(1, 1 << len(columns)):  # the best without negative ones leaves some columns out
        kept = [number for number in range(len(columns)) if chosen >> number & 1]
        matrix = np.stack([columns[number] * weights for number in kept], axis=1)
        scale = np.abs(matrix).max(axis=0)
        found = np.linalg.lstsq(matrix / scale, values * weights, rcond=None)[0] / scale
        error = float(np.square(matrix @ found - values * weights).sum())
        if (found >= 0).all() and error < best - 1e-12:
            best, coefficients = error, [0.0] * len(columns)
            for number, value in zip(kept, found.tolist(), strict=True):
                coefficients[number] = value
    return coefficients


def predict(rates: Rates, *, size: float, files: float, workers: int, cluster: Cluster) -> Prediction:
    """A run over `size` bytes in so many document files, none for lines of large files.

    Every shard is taken for a full one, and the result to have no more words than the measured.
    """
    shards = max(1.0, size / SHARD)
    rows = shards * rates.rows_a_shard
    moved = size + 2 * rows * rates.row_bytes  # text is read once, runs are written and read
    machines = -(-workers // cluster.cores)
    parts = {
        "map": (size * rates.map_byte + files * rates.map_file) / workers,
        "reduce": rows * rates.merge_row / min(workers, PARTITIONS),
        "driver": rates.start + files * rates.list_file + shards * rates.shard + rates.words * rates.order_word,
        "storage": moved / cluster.storage,
        "network": moved / (machines * cluster.network),
    }
    return Prediction(workers, parts, files * rates.file_memory)


def binding_from(prediction: Prediction) -> dict[str, float]:
    """From how many workers on driver, reduce tasks and storage each take longer than the map tasks."""
    work = prediction.parts["map"] * prediction.workers
    parts = {name: prediction.parts[name] for name in LIMITS}
    return {name: work / seconds if seconds else np.inf for name, seconds in parts.items()}
