"""What `hanmill show`, `status` and `doctor` print."""

import os
import time
from pathlib import Path

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from pipelines.doctor import examine
from pipelines.errors import InputError
from pipelines.storage.commit import LOCK, holder
from pipelines.storage.manifest import CONFIGURATION, MANIFEST, RUN, SHARDS, SUCCESS, read_json

PRINTABLE = 40


def top_words(directory: Path, top: int) -> None:
    """Prints the first rows of a finished count. Raises InputError where there is none."""
    manifest = read_json(directory / MANIFEST)
    if manifest is None or not (directory / SUCCESS).exists():
        raise InputError(f"{directory}: no finished count there: run hanmill count ... --out {directory}")
    total, left, rank = manifest["totals"]["tokens"], top, 0
    table = Table(
        title=f"{manifest['totals']['words']:,} words, {total:,} tokens, {manifest['totals']['documents']:,} documents"
    )
    for name in ("rank", "word", "count", "share", "documents"):
        table.add_column(name, justify="left" if name == "word" else "right")
    for part in manifest["parts"]:
        for batch in pq.ParquetFile(directory / part["name"]).iter_batches(
            min(left, 4096), columns=["word", "count", "documents"]
        ):
            for row in batch.slice(0, left).to_pylist():
                rank += 1
                share = f"{100 * row['count'] / total:.3f} %"
                table.add_row(f"{rank:,}", printable(row["word"]), f"{row['count']:,}", share, f"{row['documents']:,}")
            left = top - rank
            if left <= 0:
                break
        if left <= 0:
            break
    Console().print(table)


def printable(word: str) -> str:
    """A word as a terminal can show it: long ones cut, control characters escaped, no markup."""
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in word)
    shown = shown if len(shown) <= PRINTABLE else shown[: PRINTABLE - 1] + "…"
    return shown.replace("[", r"\[")


def tell_status(directory: Path) -> None:
    """Prints how far a run is. Raises InputError where there was none."""
    configuration, manifest = read_json(directory / SHARDS / CONFIGURATION), read_json(directory / MANIFEST)
    if configuration is None and manifest is None:
        raise InputError(f"{directory}: no run has written there")
    entries = [path for path in (directory / SHARDS).glob("*.json") if path.name != CONFIGURATION]
    totals = [content["totals"] for path in entries if (content := read_json(path))]
    documents = sum(total.get("documents", 0) for total in totals)
    running = holder(directory / LOCK)
    if running:
        print(f"{directory}: running ({running})")
    elif (directory / SUCCESS).exists():
        print(f"{directory}: finished {(read_json(directory / RUN) or {}).get('finished', '')}")
    else:
        print(f"{directory}: stopped before the end: run the same command again, it goes on from here")
    print(
        f"{len(entries):,} shards counted: {documents:,} documents, {sum(total.get('tokens', 0) for total in totals):,} tokens"
    )
    if entries:
        age = time.time() - max(path.stat().st_mtime for path in entries)
        print(f"last shard {age:,.0f} s ago")
    if manifest is not None and (directory / SUCCESS).exists():
        parts = sum(os.path.getsize(directory / part["name"]) for part in manifest["parts"])
        print(f"{manifest['totals']['words']:,} words in {len(manifest['parts'])} parts, {parts / 1e6:,.1f} MB")
        if manifest["totals"]["dead_letters"]:
            print(f"{manifest['totals']['dead_letters']:,} bad records in {directory / 'dead_letters.jsonl'}")


def tell_health() -> bool:
    """Prints what doctor finds; False if something that counting needs is missing."""
    table = Table(show_header=False, box=None, pad_edge=False)
    healthy = True
    for finding in examine():
        bad = bool(finding.mend) and finding.needed
        healthy = healthy and not bad
        mark = "[red]mend[/]" if bad else "[yellow]note[/]" if finding.mend else "[green]ok[/]"
        table.add_row(
            mark, finding.name, finding.found + (f"\n→ {finding.mend}".replace("[", r"\[") if finding.mend else "")
        )
    Console().print(table)
    return healthy
