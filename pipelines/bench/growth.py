"""`hanmill bench growth`: time, memory and where the time goes, from little text to much, and over many small files."""

import importlib.util
import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.bench.charts import Bar, Chart
from pipelines.bench.corpora import (
    THUCNEWS_BYTES,
    THUCNEWS_FILES,
    Corpus,
    gathered,
    link_documents,
    write_documents,
    write_small_files,
)
from pipelines.bench.engines import schedule_nothing
from pipelines.bench.profile import Profile, profile_count
from pipelines.bench.results import described, print_table, save, table, writing
from pipelines.bench.watched import run_watched
from pipelines.console import count_of, tell
from pipelines.engines.options import EngineName
from pipelines.storage.manifest import RUN

NAME = "growth"
SHARDS_OF_NOTHING = 2000
# What the chart calls the steps of a profile.
PARTS = {
    "open": ("list", "read"),
    "decode": ("decode",),
    "segment": ("segment",),
    "tally": ("tally", "counts"),
    "merge": ("merge", "order"),
    "write": ("write runs", "write entry", "write parts"),
    "other": ("rest of map",),
}
_NOTE = (
    "Whole counts with {workers}, medians of {rounds}, from process start to the end; peak: the largest process. "
    "{corpus:,.1f} MB of documents in UTF-8, one a file: what is longer has them in seeded order again and again, by "
    "links, so they come from memory and bring no new words. {small}"
)
_SMALL = "THUCNews' shape is {files:,} files cut from the same documents."
HEADINGS = ("", "MB", "files", "s", "MB/s", "range", "peak MiB", "list s", "map s", "reduce s", "finish s")


def bench_growth(
    inputs: Sequence[str],
    *,
    megabytes: Sequence[int],
    thucnews: bool,
    workers: int,
    rounds: int,
    out: Path,
    small: tuple[int, int] = (THUCNEWS_FILES, THUCNEWS_BYTES),
) -> None:
    """Measures, prints and saves. `small`: files and bytes of THUCNews' shape."""
    with writing(out):
        pass  # known before minutes are spent
    sizes = [1_000_000 * number for number in megabytes]
    points = []
    with tempfile.TemporaryDirectory() as scratch:
        documents = gathered(inputs, Path(scratch), limit=max(sizes))
        base = write_documents(documents, Path(scratch) / "corpus")
        for size in sizes:
            corpus = link_documents(base, Path(scratch) / f"{size}", size=size)
            points.append(measure_point(f"{corpus.megabytes:,.0f} MB", corpus, workers=workers, rounds=rounds))
        if thucnews:
            files, size = small
            corpus = write_small_files(documents, Path(scratch) / "small", files=files, size=size)
            points.append(measure_point("THUCNews' shape", corpus, workers=workers, rounds=rounds))
        engine: EngineName = "dask" if importlib.util.find_spec("distributed") else "local"
        seconds = schedule_nothing(engine, shards=SHARDS_OF_NOTHING, workers=workers)
        figures = {
            "corpus": {"inputs": list(inputs) or ["hanmill sample"], **base.facts()},
            "rounds": rounds,
            "points": points,
            "scheduling": {"engine": engine, "seconds_a_shard": seconds / SHARDS_OF_NOTHING},
        }
        note = _NOTE.format(
            workers=count_of(workers, "worker"),
            rounds=count_of(rounds, "round"),
            corpus=base.megabytes,
            small=_SMALL.format(files=small[0]) if thucnews else "",
        )
        shown = table("Figures", note, HEADINGS, [_cells(point) for point in points])
        print(note)
        print_table(shown)
        steps = table(
            "Steps", "Milliseconds for a MB, in one process.", ("", *PARTS), [_steps(point) for point in points]
        )
        print_table(steps)
        # Before the folder goes: a disk may take minutes to remove so many files.
        save(
            out,
            NAME,
            described("growth", figures),
            title="Cost as work grows",
            charts=[steps_chart(points), speed_chart(points, workers)],
            tables=[shown, steps],
        )


def measure_point(title: str, corpus: Corpus, *, workers: int, rounds: int) -> dict[str, Any]:
    """Whole counts of a corpus, and the profile of one in this process."""
    tell(f"{title}: {count_of(corpus.documents, 'file')}")
    runs, peaks = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            command = ["count", str(corpus.folder), "--out", folder, "--no-report", "--workers", str(workers)]
            peaks.append(run_watched("pipelines.cli", *command))
            runs.append(json.loads((Path(folder) / RUN).read_bytes()))
    profile = profile_count([str(corpus.folder)], workers=workers)
    stages = {name: statistics.median(run["stages"][name] for run in runs) for name in runs[0]["stages"]}
    return {
        "title": title,
        **corpus.facts(),
        "workers": workers,
        "seconds": [run["seconds"] for run in runs],
        "stages": stages,
        "peak_bytes": max(peaks),
        "driver_peak_bytes": max(run["driver_peak_bytes"] for run in runs),
        "shards": profile.shards,
        "run_rows": profile.run_rows,
        "run_bytes": profile.run_bytes,
        "words": profile.words,
        "steps": in_parts(profile),
    }


def in_parts(profile: Profile) -> dict[str, float]:
    """Seconds of what the chart shows, which add up to the whole."""
    return {part: sum(profile.steps.get(step, [0.0])[0] for step in steps) for part, steps in PARTS.items()}


def _cells(point: Mapping[str, Any]) -> list[str]:
    seconds, size = point["seconds"], point["bytes"] / 1e6
    median = statistics.median(seconds)
    return [
        point["title"],
        f"{size:,.1f}",
        f"{point['documents']:,}",
        f"{median:,.2f}",
        f"{size / median:,.1f}",
        f"{size / max(seconds):,.1f} to {size / min(seconds):,.1f}",
        f"{point['peak_bytes'] / 2**20:,.0f}",
        *(f"{point['stages'][stage]:,.2f}" for stage in ("list", "map", "reduce", "finish")),
    ]


def _steps(point: Mapping[str, Any]) -> list[str]:
    return [point["title"], *(f"{1e9 * point['steps'][part] / point['bytes']:,.2f}" for part in PARTS)]


def steps_chart(points: Sequence[Mapping[str, Any]]) -> Chart:
    """Where the time of a megabyte goes, by size."""
    bars = [
        Bar(
            point["title"],
            [1e9 * seconds / point["bytes"] for seconds in point["steps"].values()],
            f"{point['bytes'] / 1e6 / sum(point['steps'].values()):,.1f} MB/s",
        )
        for point in points
    ]
    return Chart("Where the time goes", "milliseconds for a MB of text, in one process", bars, tuple(PARTS))


def speed_chart(points: Sequence[Mapping[str, Any]], workers: int) -> Chart:
    """Megabytes a second of whole counts, by size, with the largest process."""
    bars = []
    for point in points:
        slowest, median, fastest = (
            point["bytes"] / 1e6 / find(point["seconds"]) for find in (max, statistics.median, min)
        )
        text = f"{median:,.1f} MB/s, {point['peak_bytes'] / 2**20:,.0f} MiB"
        bars.append(Bar(point["title"], [median], text, True, slowest, fastest))
    return Chart("Speed and memory", f"MB/s with {count_of(workers, 'worker')}, MiB of the largest process", bars)
