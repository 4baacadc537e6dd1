"""What `hanmill show`, `status` and `doctor` print."""

import contextlib
import itertools
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.angle_tables import TABLES, angle_table, read_angles
from pipelines.counts import finished_count, read_counts
from pipelines.doctor import examine
from pipelines.errors import InputError
from pipelines.storage.commit import LOCK, holder
from pipelines.storage.manifest import (
    CONFIGURATION,
    MANIFEST,
    RUN,
    SHARDS,
    SUCCESS,
    File,
    read_entry,
    read_json,
    read_manifest,
)

PRINTABLE = 40
ROWS = {"word_count": "words", "records": "records"}  # what parts hold, by job


def tell_output(directory: Path, top: int) -> None:
    """Prints what a finished output is about: words, angles, a training. Raises InputError where there is none."""
    manifest = read_manifest(directory) or {}
    if manifest.get("job") in TABLES:
        tell_angles(directory)
    elif manifest.get("job") == "train":
        tell_training(directory, manifest)
    else:
        top_words(directory, top)


def tell_angles(directory: Path) -> None:
    """Prints the table of a finished run of `hanmill angles`. Raises InputError where there is none."""
    found = angle_table(read_angles(directory))
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for number, name in enumerate(found.columns):
        table.add_column(name, justify="left" if number < found.names else "right", no_wrap=True)
    for row in found.rows:
        table.add_row(*row)
    Console().print(table)
    print(found.caption)


def tell_training(directory: Path, manifest: dict[str, Any]) -> None:
    """Prints what a training run came to, as its manifest has it."""
    best = ", ".join(f"{name} {value:,.4g}" for name, value in sorted(manifest["best"].items(), reverse=True))
    print(f"{manifest['task']}, {manifest['totals']['steps']:,} steps; best {best}: {directory / 'best'}")


def top_words(directory: Path, top: int) -> None:
    """Prints the first rows of a finished count. Raises InputError where there is none."""
    manifest = finished_count(directory)
    totals = manifest["totals"]
    total = totals["tokens"]
    print(f"{totals['words']:,} words, {total:,} tokens, {totals['documents']:,} documents")
    table = Table()
    for name in ("rank", "word", "count", "share", "documents"):
        table.add_column(name, justify="left" if name == "word" else "right", no_wrap=name != "word")
    batches = read_counts(directory, manifest, rows=min(top, 4096))
    rows = (row for batch in batches for row in batch.to_pylist())
    for rank, row in enumerate(itertools.islice(rows, top), 1):
        share = f"{100 * row['count'] / total:.3f} %"
        word = Text(printable(row["word"]))
        table.add_row(f"{rank:,}", word, f"{row['count']:,}", share, f"{row['documents']:,}")
    Console().print(table)


def printable(word: str) -> str:
    """A word as a terminal can show it: long ones cut, control characters escaped.

    >>> printable("一\\n"), printable("哈" * 50)[-2:]
    ('一\\\\n', '哈…')
    """
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in word)
    return shown if len(shown) <= PRINTABLE else shown[: PRINTABLE - 1] + "…"


def tell_status(directory: Path) -> None:
    """Prints how far a run is. Raises InputError where there was none."""
    configuration, manifest = read_json(directory / SHARDS / CONFIGURATION), read_json(directory / MANIFEST)
    training = (directory / "metrics.jsonl").exists() or (manifest or {}).get("job") == "train"
    if configuration is None and manifest is None and not training:
        raise InputError(f"{directory}: no run has written there")
    times, totals = [], Counter[str]()
    for path in (directory / SHARDS).glob("*.json"):
        entry = read_entry(path.parent, path.stem)  # none if it is no entry, or the run just removed it
        if entry is not None:
            times.append(_changed(path))
            totals.update(entry.totals)
    running = holder(directory / LOCK)
    if running:
        print(f"{directory}: running ({running})")
    elif (directory / SUCCESS).exists():
        print(f"{directory}: finished {(read_json(directory / RUN) or {}).get('finished', '')}")
    else:
        print(f"{directory}: stopped before the end: run the same command again, it goes on from here")
    if training:
        from pipelines.training.log import read_rows  # which needs what counting does not

        if steps := [row for row in read_rows(directory) if "learning_rate" in row]:
            print(f"step {steps[-1]['step']:,}: loss {steps[-1]['loss']:.4f}")
        return
    job = (configuration or manifest["configuration"]).get("job")
    names = ("pairs",) if job in TABLES else ("documents", "tokens")
    print(f"{len(times):,} shards done: {', '.join(f'{totals[name]:,} {name}' for name in names)}")
    if times:
        print(f"last shard {time.time() - max(times):,.0f} s ago")
    if manifest is not None and (directory / SUCCESS).exists():
        parts = [File(**part) for part in manifest["parts"]]
        rows, size = sum(part.records for part in parts), sum(part.bytes for part in parts)
        held = f"{rows:,} {ROWS[manifest['job']]} in " if manifest["job"] in ROWS else ""
        print(f"{held}{len(parts)} parts, {size / 1e6:,.1f} MB")
        if manifest["dead_letters"]:
            print(f"{manifest['totals']['dead_letters']:,} bad records in {directory / 'dead_letters.jsonl'}")


def _changed(path: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def tell_health() -> bool:
    """Prints what doctor finds; False if something that counting needs is missing."""
    table = Table(show_header=False, box=None, pad_edge=False)
    healthy = True
    for finding in examine():
        bad = bool(finding.mend) and finding.needed
        healthy = healthy and not bad
        mark = "[red]mend[/]" if bad else "[yellow]note[/]" if finding.mend else "[green]ok[/]"
        mend = f"\n→ {finding.mend}" if finding.mend else ""
        table.add_row(mark, finding.name, Text(finding.found + mend))
    Console().print(table)
    return healthy
