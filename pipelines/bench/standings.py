"""What contenders were measured at, as a table: speeds with their range, ratios, both efficiencies, differences."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.bench.contender import ENGINES, Measured
from pipelines.bench.corpora import Corpus
from pipelines.bench.peers import BATCHED_LOOP, LOOP, PEERS, QUEUED_POOL
from pipelines.console import count_of

Counts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Contender:
    """A peer or an engine of ours, with so many workers."""

    name: str
    workers: int

    @property
    def ours(self) -> bool:
        """Whether it is an engine of ours."""
        return self.name in ENGINES

    @property
    def title(self) -> str:
        """How tables and charts call it."""
        if self.ours:
            return f"hanmill {self.name}, {count_of(self.workers, 'worker')}"
        peer = PEERS[self.name]
        return f"{peer.title}, {count_of(self.workers, 'worker')}" if peer.parallel else peer.title


def difference(counts: Counts, expected: Counts) -> dict[str, int]:
    """Tokens and types of counts, and how many differ: occurrences too many and too few, types only one of both has.

    >>> difference({"中国": 2, "人": 1}, {"中国": 3})
    {'tokens': 3, 'types': 2, 'tokens_off': 2, 'types_off': 1}
    """
    words = counts.keys() | expected.keys()
    return {
        "tokens": sum(counts.values()),
        "types": len(counts),
        "tokens_off": sum(abs(counts.get(word, 0) - expected.get(word, 0)) for word in words),
        "types_off": len(counts.keys() ^ expected.keys()),
    }


def standing(
    contender: Contender, rounds: Sequence[Measured], corpus: Corpus, found: Mapping[str, int]
) -> dict[str, Any]:
    """What is measured of one contender; `found` as `difference` gives it."""
    seconds = [measured.seconds for measured in rounds]
    return {
        "name": contender.name,
        "title": contender.title,
        "workers": contender.workers,
        "ours": contender.ours,
        **corpus.facts(),
        "seconds": seconds,
        "mb_per_second": corpus.megabytes / statistics.median(seconds),
        "slowest": corpus.megabytes / max(seconds),
        "fastest": corpus.megabytes / min(seconds),
        "startup": statistics.median(measured.startup for measured in rounds),
        "peak_bytes": max(measured.peak_bytes for measured in rounds),
        "sample": dict(found),
    }


def with_ratios(standings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each with its ratio to the loop, and both efficiencies or neither.

    E_loop is T(loop) / (N T_N), E_self T_1 / (N T_N) of the same program for equal text; T_1 of the pool is that of
    its batches in one process, and of a single process its own.
    """
    known = {(row["name"], row["workers"]): row for row in standings}
    loop = known[LOOP, 1]["mb_per_second"]
    for (name, workers), row in known.items():
        row["ratio"] = row["mb_per_second"] / loop
        alone = known.get((BATCHED_LOOP if name == QUEUED_POOL else name, 1))
        row["e_loop"] = alone and row["ratio"] / workers
        row["e_self"] = alone and row["mb_per_second"] / (workers * alone["mb_per_second"])
    return list(known.values())


HEADINGS = (
    *("", "MB", "MB/s", "range", "x loop", "E_loop", "E_self"),
    *("start-up s", "peak MiB", "tokens off", "types off"),
)


def cells(row: Mapping[str, Any]) -> list[str]:
    """What a table says of a standing, below `HEADINGS`."""
    sample = row["sample"]
    e_loop, e_self = ("–" if row[name] is None else f"{row[name]:.2f}" for name in ("e_loop", "e_self"))
    return [
        row["title"],
        f"{row['bytes'] / 1e6:,.1f}",
        f"{row['mb_per_second']:,.2f}",
        f"{row['slowest']:,.2f} to {row['fastest']:,.2f}",
        f"{row['ratio']:,.2f}",
        e_loop,
        e_self,
        f"{row['startup']:.2f}",
        f"{row['peak_bytes'] / 2**20:,.0f}",
        *(equal_or(sample[f"{unit}_off"], sample[unit]) for unit in ("tokens", "types")),
    ]


def equal_or(off: int, of: int) -> str:
    """How much of what was counted differs.

    >>> equal_or(0, 10), equal_or(5, 1000)
    ('equal', '5 (0.500 %)')
    """
    return f"{off:,} ({100 * off / max(1, of):.3f} %)" if off else "equal"
