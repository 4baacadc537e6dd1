"""What a training run writes down as it goes: `metrics.jsonl`, and the same for TensorBoard."""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.storage.commit import write_bytes
from pipelines.training.tensorboard import FOLDER, EventFile

METRICS = "metrics.jsonl"
_NO_SCALARS = ("step", "split", "time")


def read_rows(directory: Path) -> list[dict[str, Any]]:
    """The rows of `metrics.jsonl`, in order; the last one of a run that was killed may be torn, and is left out."""
    path = directory / METRICS
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


class Log:
    """Rows to `metrics.jsonl` and scalars to event files, one folder of them a split.

    `step`: that a run goes on from: what an earlier run logged behind it is removed. `scored`: whether its score is
    there already; rows of that step's score stay only then.
    """

    def __init__(self, directory: Path, *, step: int, scored: int) -> None:
        self._directory = directory
        kept = [row for row in read_rows(directory) if row["step"] <= (step if row["split"] == "train" else scored)]
        write_bytes(directory / METRICS, "".join(map(_line, kept)).encode())
        self._file = (directory / METRICS).open("a", encoding="utf-8")
        self._events: dict[str, EventFile] = {}
        for row in kept:
            self._event(row)
        self.flush()

    def write(self, row: Mapping[str, Any]) -> None:
        """Adds a row: step, split, and numbers by name."""
        row = {**row, "time": round(time.time(), 3)}
        self._file.write(_line(row))
        self._event(row)

    def _event(self, row: Mapping[str, Any]) -> None:
        split = row["split"]
        if split not in self._events:
            self._events[split] = EventFile(self._directory / FOLDER / split)
        scalars = {name: value for name, value in row.items() if name not in _NO_SCALARS}
        self._events[split].write(row["step"], scalars, seconds=row["time"])

    def flush(self) -> None:
        """Lets others see what was written."""
        self._file.flush()
        for events in self._events.values():
            events.flush()

    def sync(self) -> None:
        """Brings the rows to the disk: before a state is saved that follows them."""
        self.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Ends all files."""
        self._file.close()
        for events in self._events.values():
            events.close()


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
