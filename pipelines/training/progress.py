"""Training as a person watches it: one live line on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Mapping
from typing import Any

from pipelines.console import SECONDS_BETWEEN_LINES, tell

Row = Mapping[str, Any]


def watch(steps: int, *, done: int) -> "LineWatch | LiveWatch":
    """The display for standard error: live on a terminal, else lines. `done`: steps of an earlier run."""
    return LiveWatch(steps, done=done) if sys.stderr.isatty() else LineWatch(steps, done=done)


def describe(row: Row) -> str:
    """Loss and speed of a step; of a model without an encoder there is no MFU.

    >>> describe({"loss": 1.25, "tokens_per_second": 40_000.0, "mfu": 0.4512})
    'loss 1.2500, 40,000 tokens/s, MFU 45.1 %'
    """
    share = f", MFU {100 * row['mfu']:.1f} %" if "mfu" in row else ""
    return f"loss {row['loss']:.4f}, {row['tokens_per_second']:,.0f} tokens/s{share}"


def describe_score(row: Row) -> str:
    """The metrics of a score, without what it cost.

    >>> describe_score({"step": 9, "split": "dev", "loss": 0.5, "accuracy": 0.75, "seconds": 2.0})
    'dev: loss 0.5000, accuracy 0.7500'
    """
    metrics = (f"{name} {row[name]:.4f}" for name in row if name not in ("step", "split", "seconds"))
    return f"{row['split']}: {', '.join(metrics)}"


class LineWatch:
    """A line for the first step and the last, one every ten seconds, and one for each score."""

    def __init__(self, steps: int, *, done: int) -> None:
        self._steps, self._first = steps, done + 1
        self._told = time.monotonic()

    def step(self, row: Row) -> bool:
        """A step is done; whether there was a line for it."""
        due = time.monotonic() - self._told >= SECONDS_BETWEEN_LINES or row["step"] in (self._first, self._steps)
        if due:
            self._told = time.monotonic()
            tell(f"step {row['step']:,} of {self._steps:,}: {describe(row)}")
        return due

    def score(self, row: Row) -> None:
        """A split was scored."""
        tell(f"step {row['step']:,} of {self._steps:,}: {describe_score(row)}")

    def close(self) -> None:
        """The run is over, well or not."""


class LiveWatch:
    """A bar for the steps, with loss, tokens a second, MFU and time left; scores stay as lines above it."""

    def __init__(self, steps: int, *, done: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar: Any = Progress(
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[said]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: Any = self._bar.add_task("train", total=steps, completed=done, said="")
        self._told = time.monotonic()
        self._bar.start()

    def step(self, row: Row) -> bool:
        """A step is done; whether it is time to let others see what is logged."""
        self._bar.update(self._task, completed=row["step"], said=describe(row))
        due = time.monotonic() - self._told >= SECONDS_BETWEEN_LINES
        if due:
            self._told = time.monotonic()
        return due

    def score(self, row: Row) -> None:
        """A split was scored."""
        self._bar.console.print(f"hanmill: step {row['step']:,}: {describe_score(row)}", highlight=False)

    def close(self) -> None:
        """The run is over, well or not."""
        self._bar.stop()
