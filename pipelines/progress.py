"""Progress as a person wants it: one live line on a terminal, plain lines in a log."""

import sys
import time
from typing import Any

from pipelines.console import SECONDS_BETWEEN_LINES, count_of, tell
from pipelines.engines.job import Progress
from pipelines.run import Watch
from pipelines.storage.resume import Plan

STAGES = {"reduce": "merge", "finish": "write"}


def watch(records: str, *, work: str = "count") -> Watch:
    """The display for standard error: live on a terminal, else lines.

    `records`: what the job counts, as totals of entries call it. `work`: what it does to shards.
    """
    return LiveWatch(records, work=work) if sys.stderr.isatty() else LineWatch(records, work=work)


class LineWatch(Watch):
    """A line when a stage begins, and one every ten seconds."""

    def __init__(self, records: str, *, work: str = "count") -> None:
        self._records, self._work = records, work
        self._begun = self._told = time.monotonic()
        self._done = self._counted = self._total = 0
        self._stage = ""

    def planned(self, plan: Plan) -> None:
        self._begun = time.monotonic()
        self._total = sum(shard.size for shard in plan.shards)
        kept = f", {len(plan.kept)} kept from before" if plan.kept else ""
        self._tell(f"{count_of(len(plan.shards), 'shard')} to {self._work}{kept}, {self._total / 1e6:,.1f} MB")

    def progressed(self, progress: Progress) -> None:
        self.stage(progress.stage)
        if progress.shard is None or progress.entry is None:
            return
        self._done += progress.shard.size
        self._counted += progress.entry.totals.get(self._records, 0)
        # The last shard's line is that of the end of the stage.
        if self._done < self._total and time.monotonic() - self._told >= SECONDS_BETWEEN_LINES:
            self._tell(self.describe())

    def stage(self, name: str) -> None:
        if name != self._stage:
            if self._stage == "map":
                self._tell(self.describe())
            self._stage = name

    def describe(self) -> str:
        """Share, speed and time left."""
        seconds = max(time.monotonic() - self._begun, 1e-3)
        rate = self._done / seconds
        left = (self._total - self._done) / rate if rate else 0.0
        share = 100 * self._done / self._total if self._total else 100.0
        return (
            f"{share:.0f} %  {self._counted:,} {self._records}  {self._counted / seconds:,.0f} {self._records}/s  "
            f"{rate / 1e6:,.1f} MB/s  ETA {left:.0f} s"
        )

    def _tell(self, text: str) -> None:
        self._told = time.monotonic()
        tell(text)


class LiveWatch(Watch):
    """A bar for the shards, with records/s, MB/s and time left."""

    def __init__(self, records: str, *, work: str = "count") -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

        self._bar: Any = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<8}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[speed]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: Any = None
        self._records, self._stages = records, {"map": work, **STAGES}
        self._begun = 0.0
        self._done = self._counted = 0

    def planned(self, plan: Plan) -> None:
        self._begun = time.monotonic()
        total = sum(shard.size for shard in plan.shards)
        self._task = self._bar.add_task(self._stages["map"], total=total or None, speed="")
        self._bar.start()

    def progressed(self, progress: Progress) -> None:
        if progress.shard is None or progress.entry is None:
            self._bar.update(self._task, description=self._stages.get(progress.stage, progress.stage))
            return
        self._done += progress.shard.size
        self._counted += progress.entry.totals.get(self._records, 0)
        seconds = max(time.monotonic() - self._begun, 1e-3)
        speed = f"{self._counted / seconds:,.0f} {self._records}/s  {self._done / seconds / 1e6:,.1f} MB/s"
        self._bar.update(self._task, completed=self._done, speed=speed)

    def stage(self, name: str) -> None:
        self._bar.update(self._task, description=self._stages.get(name, name))

    def close(self) -> None:
        self._bar.stop()
