"""One self-contained HTML page about a finished word count, from the files of its output directory alone."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from bokeh.models import ColumnDataSource, HoverTool, NumeralTickFormatter
from bokeh.plotting import figure

from pipelines.errors import InputError
from pipelines.reports.figures import ACCENT, MUTED, bars, plain_figure, shown
from pipelines.reports.shell import read_finished, write_page
from pipelines.reports.word_count_page import PAGE
from pipelines.storage.manifest import MANIFEST

Numbers = npt.NDArray[np.int64]

_TABLE_WORDS, _CHART_WORDS, _CHART_LABELS, _DEAD_LETTERS, _REASONS = 50, 40, 40, 20, 20
_ZIPF_POINTS, _GROWTH_POINTS, _ROUND = 400, 60, 1 << 18


def write_report(directory: Path) -> Path:
    """Writes `report.html` into a finished output directory and returns its path.

    The page loads nothing from elsewhere. Memory does not grow with the number of words. Raises InputError for a
    directory that lacks a file of a finished run, or holds a damaged one.
    """
    manifest, _ = read_finished(directory)
    top, counts, words = _read_words([directory / part["name"] for part in manifest["parts"]])
    tokens = manifest["totals"]["tokens"]
    figures = {}
    if len(counts):
        figures["words"] = _top_words(top, tokens=tokens)
        figures["zipf"] = _zipf(counts, words)
        figures["growth"] = _growth(counts, words, tokens=tokens)
    labels = sorted((manifest["labels"] or {}).items(), key=lambda item: (-item[1]["documents"], item[0]))
    if [label for label, _ in labels] == [""]:  # a corpus without labels
        labels = []
    names = [label or "no label" for label, _ in labels[:_CHART_LABELS]]
    for total in ("documents", "tokens") if labels else ():
        values = [label[total] for _, label in labels[:_CHART_LABELS]]
        figures[f"label_{total}"] = bars(names, values, width=490, titles=("label", total))
    return write_page(
        directory,
        PAGE,
        records="documents",
        figures=figures,
        configuration={**manifest["configuration"], "min_count": manifest["min_count"]},
        top=[{**row, "word": shown(row["word"], length=40), "share": row["count"] / tokens} for row in top],
        labels=len(labels),
        labels_shown=min(len(labels), _CHART_LABELS),
        dead=_read_dead_letters(directory, manifest["dead_letters"]),
    )


def vocabulary_growth(counts: Numbers, words: Numbers, *, tokens: int, sizes: Sequence[int]) -> list[float]:
    """The expected number of distinct words in random samples of `sizes` of the `tokens` tokens of a corpus.

    `words[i]` words occur `counts[i]` times each. Tokens are drawn independently: each is in a sample of n with
    probability n / `tokens` (Baayen, Word Frequency Distributions, 2001: binomial interpolation).

    >>> vocabulary_growth(np.array([2, 1]), np.array([1, 2]), tokens=4, sizes=[2, 4])
    [1.75, 3.0]
    """
    with np.errstate(divide="ignore"):  # the logarithm of 0, of a sample that misses nothing, is meant
        missing = [counts * np.log1p(-size / tokens) for size in sizes]
    return [float(words @ -np.expm1(item)) for item in missing]


def _read_words(parts: Sequence[Path]) -> tuple[list[dict[str, Any]], Numbers, Numbers]:
    """The first rows, and the distinct counts, greatest first, with the number of words that have each."""
    top: list[dict[str, Any]] = []
    seen = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for path in parts:
        try:
            with path.open("rb") as file:
                table = pq.ParquetFile(file)
                top += islice(_rows(table, wanted=_TABLE_WORDS - len(top)), _TABLE_WORDS - len(top))
                for batch in table.iter_batches(batch_size=_ROUND, columns=["count"]):
                    seen.append(np.unique(batch["count"].to_numpy(), return_counts=True))
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: {error}: {MANIFEST} lists it; run the count again") from error
    distinct, places = np.unique(np.concatenate([counts for counts, _ in seen]), return_inverse=True)
    words = np.zeros(len(distinct), np.int64)
    np.add.at(words, places, np.concatenate([words for _, words in seen]))
    return top, distinct[::-1], words[::-1]


def _rows(file: pq.ParquetFile, *, wanted: int) -> Iterator[dict[str, Any]]:
    if wanted > 0:
        for batch in file.iter_batches(batch_size=wanted, columns=["word", "count", "documents"]):
            yield from batch.to_pylist()


def _read_dead_letters(directory: Path, dead_letters: Mapping[str, Any] | None) -> dict[str, Any]:
    """The first dead letters, and how many there are by reason, numbers in the reasons being masked."""
    first: list[dict[str, Any]] = []
    reasons: Counter[str] = Counter()
    for letter in _letters(directory / dead_letters["name"]) if dead_letters else ():
        reasons[re.sub(r"(?<![\w-])\d+", "#", letter["reason"])] += 1
        if len(first) < _DEAD_LETTERS:
            texts = {name: shown(letter[name], length=120) for name in ("source", "reason")}
            first.append({"offset": letter["offset"], **texts})
    common = [(shown(reason, length=120), count) for reason, count in reasons.most_common(_REASONS)]
    return {"first": first, "reasons": common, "others": len(reasons) - len(common)}


def _letters(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            yield from map(json.loads, file)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {error}: {MANIFEST} lists it; run the count again") from error


def _top_words(top: Sequence[Mapping[str, Any]], *, tokens: int) -> figure:
    rows = top[:_CHART_WORDS]
    share = [f"{row['count'] / tokens:.3%}" for row in rows]
    documents = [f"{row['documents']:,}" for row in rows]
    names, counts = [row["word"] for row in rows], [row["count"] for row in rows]
    return bars(names, counts, width=1000, titles=("word", "count"), share=share, documents=documents)


def _curve(
    x: Sequence[float], y: Sequence[float], *, names: tuple[str, str], scale: Literal["linear", "log"]
) -> figure:
    plot = plain_figure(width=490, height=320, x_axis_type=scale, y_axis_type=scale)
    source = ColumnDataSource({"x": x, "y": y})
    plot.line("x", "y", source=source, color=ACCENT, line_width=2)
    points = plot.scatter("x", "y", source=source, color=ACCENT, size=7, alpha=float(len(x) == 1), hover_alpha=1)
    tooltips = [(name, f"@{axis}{{0,0}}") for name, axis in zip(names, "xy", strict=True)]
    plot.add_tools(HoverTool(renderers=[points], tooltips=tooltips))
    plot.xaxis.axis_label, plot.yaxis.axis_label = names
    plot.xaxis.formatter = plot.yaxis.formatter = NumeralTickFormatter(format="0.[0]a")
    plot.xgrid.visible = False
    return plot


def _zipf(counts: Numbers, words: Numbers) -> figure:
    last = np.cumsum(words)  # the rank of the last word with each count
    ranks = np.unique(np.geomspace(1, last[-1], _ZIPF_POINTS).round().astype(np.int64))
    at_ranks = counts[np.searchsorted(last, ranks)]
    plot = _curve(ranks.tolist(), at_ranks.tolist(), names=("rank", "count"), scale="log")
    ends = np.array([1, max(1, min(last[-1], counts[0]))])
    plot.line(ends.tolist(), (counts[0] / ends).tolist(), color=MUTED, line_dash="dashed")
    return plot


def _growth(counts: Numbers, words: Numbers, *, tokens: int) -> figure:
    sizes = (tokens * np.linspace(0, 1, _GROWTH_POINTS) ** 2).round().astype(np.int64).tolist()  # dense where it bends
    growth = vocabulary_growth(counts, words, tokens=tokens, sizes=sizes)
    return _curve(sizes, growth, names=("tokens", "distinct words"), scale="linear")
