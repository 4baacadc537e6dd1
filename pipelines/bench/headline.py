"""`hanmill bench count`: the comparison printed, saved, and recorded in docs/benchmarks.md."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.bench.charts import Bar, Chart
from pipelines.bench.comparison import compare
from pipelines.bench.results import described, print_table, save, table, writing
from pipelines.bench.standings import HEADINGS, cells
from pipelines.console import count_of, tell
from pipelines.errors import InputError, UsageError
from pipelines.installation import ROOT
from pipelines.storage.commit import write_bytes

NAME = "bench"
RECORD, PICTURE = "benchmarks.md", "benchmark.png"
_NOTE = (
    "Medians and ranges of {rounds}, all contenders in turn. Peers count {sample:,.1f} MB of decoded text that lies in "
    "memory; hanmill reads and decodes {corpus:,.1f} MB from files. MB of UTF-8. E_loop = T(loop) / (N T_N), "
    "E_self = T_1 / (N T_N). Start-up is apart; peak: the largest process. What is off: against jieba, on the sample."
)


def bench_count(
    inputs: Sequence[str], *, megabytes: float, workers: Sequence[int], rounds: int, out: Path, record: bool
) -> None:
    """Compares, prints and saves; `record` adds a row to docs/benchmarks.md and puts the chart beside it."""
    docs = ROOT / "docs"
    if record and not (docs / RECORD).is_file():
        raise UsageError(f"--record adds to {docs / RECORD}, which is not there: run it from a clone of hanmill")
    with writing(out):
        pass  # known before minutes are spent
    figures = compare(inputs, size=int(megabytes * 1e6), workers=workers, rounds=rounds, tell=tell)
    result = described("count", figures)
    note = _NOTE.format(
        rounds=count_of(figures["rounds"], "round"),
        sample=figures["sample"]["bytes"] / 1e6,
        corpus=figures["corpus"]["bytes"] / 1e6,
    )
    shown = table("Figures", note, HEADINGS, [cells(row) for row in figures["contenders"]])
    print(note)
    print_table(shown)
    tables = [shown]
    if figures["left_out"]:
        tables.append(table("Left out", "", ("contender", "why"), list(figures["left_out"].items())))
    save(out, NAME, result, title="Counting words", charts=[chart_of(result)], tables=tables)
    if record:
        add_row(docs / RECORD, result)
        shutil.copyfile(out / f"{NAME}.png", docs / PICTURE)
        print(f"recorded: {docs / RECORD}, {docs / PICTURE}")


def chart_of(result: Mapping[str, Any]) -> Chart:
    """Speeds with their ranges, the fastest on top."""
    rows = sorted(result["contenders"], key=lambda row: -row["mb_per_second"])
    bars = [
        Bar(
            row["title"],
            [row["mb_per_second"]],
            f"{_shown(row['mb_per_second'])} MB/s, {_shown(row['ratio'])} times the loop",
            row["ours"],
            row["slowest"],
            row["fastest"],
        )
        for row in rows
    ]
    machine = result["environment"]
    corpus, sample = (f"{result[of]['bytes'] / 1e6:,.1f} MB" for of in ("corpus", "sample"))
    how = f"medians and ranges of {count_of(result['rounds'], 'round')}"
    where = f"{machine['processor']}, {count_of(machine['cores'], 'core')}"
    over = f"hanmill over {corpus} of files, the others over {sample} of it in memory"
    return Chart("MB of Chinese text counted a second", f"{how}; {over}; {where}", bars)


def _shown(value: float) -> str:
    return f"{value:,.1f}" if value >= 10 else f"{value:.2f}"


def add_row(path: Path, result: Mapping[str, Any]) -> None:
    """One row of the table that ends the page. Raises InputError where it cannot be written."""
    most = max(row["workers"] for row in result["contenders"])
    by_name = {(row["name"], row["workers"]): row for row in result["contenders"]}
    loop, ours = by_name["loop", 1], by_name["local", most]
    machine, packages = result["environment"], result["environment"]["packages"]
    versions = [f"hanmill {machine['hanmill']}", f"Python {machine['python']}"]
    versions += [f"{name} {number}" for name, number in packages.items() if number != "not installed"]
    off = [row["title"] for row in by_name.values() if row["ours"] and row["sample"]["tokens_off"]]
    row = [
        result["finished"][:10],
        f"`{result['commit']}`" if result["commit"] else "–",
        f"{result['corpus']['bytes'] / 1e6:,.1f}, {result['sample']['bytes'] / 1e6:,.1f}",
        f"{loop['mb_per_second']:.2f}",
        f"{ours['mb_per_second']:.1f} ({ours['slowest']:.1f} to {ours['fastest']:.1f})",
        f"{ours['ratio']:.1f}",
        f"{ours['e_loop']:.2f}, {ours['e_self']:.2f}",
        f"no: {', '.join(off)}" if off else "yes",
        str(most),
        f"{machine['processor']}, {count_of(machine['cores'], 'core')}",
        ", ".join(versions),
        f"`{result['command']}`",
    ]
    line = "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |\n"
    try:
        write_bytes(path, path.read_bytes().rstrip(b"\n") + b"\n" + line.encode())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
