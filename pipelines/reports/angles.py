"""One self-contained HTML page about a finished run of `hanmill angles`: histograms against the law."""

from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from bokeh.models import BasicTickFormatter, ColumnDataSource, HoverTool, Range1d, Span
from bokeh.plotting import figure

from pipelines.angle_tables import HISTOGRAMS, angle_table, read_angles
from pipelines.reports.angles_page import MEASURED, SIMULATED
from pipelines.reports.figures import ACCENT, INK, MUTED, plain_figure
from pipelines.reports.shell import read_finished, write_page
from transforms import angles
from transforms.angle_counts import Counts
from transforms.angles import Floats

_MOST_DRAWN, _BARS, _POINTS, _DEGREES = 12, 90, 600, 180
_BAR = {"fill_color": ACCENT, "fill_alpha": 0.35, "line_color": None}
_DEVIATIONS = 4.5
_BAND = 1.358  # Kolmogorov's distribution: √N times the distance is larger in 5 of 100 samples


def write_report(directory: Path) -> Path:
    """Writes `report.html` into a finished output directory and returns its path.

    The page loads nothing from elsewhere. Raises InputError for a directory that lacks a file of a finished run.
    """
    manifest, _ = read_finished(directory)
    rows, histograms = read_angles(directory), read_angles(directory, HISTOGRAMS)
    figures: dict[str, figure] = {}
    if manifest["job"] == "angles":
        drawn = rows["n"].to_pylist()[:_MOST_DRAWN]
        for n in drawn:
            counts = histograms.filter(pc.field("n") == n)["count"].to_numpy()
            figures[f"histogram_{n}"] = _histogram(*_bars_of(n, counts), n=n, pairs=int(counts.sum()))
            figures[f"distance_{n}"] = _distance(counts, n=n)
    else:
        drawn, n = rows["vectors"].to_pylist(), rows["n"][0].as_py()
        edges = np.linspace(0, np.pi, _DEGREES + 1)
        for name in drawn:
            counts = histograms.filter(pc.field("vectors") == name)["count"].to_numpy()
            counts = counts.reshape(_DEGREES, -1).sum(axis=1)
            figures[f"histogram_{name}"] = _histogram(edges, counts, n=n, pairs=int(counts.sum()))
    return write_page(
        directory,
        SIMULATED if manifest["job"] == "angles" else MEASURED,
        records="pairs",
        figures=figures,
        configuration=manifest["configuration"],
        table=angle_table(rows),
        first=rows.slice(0, 1).to_pylist()[0],
        drawn=drawn,
    )


def _bars_of(n: int, counts: Counts) -> tuple[Floats, Counts]:
    """Edges in radians, about as far apart, and counts between them: bins of equal probability, put together."""
    places = _places(_BARS + 1, n=n, bins=len(counts))
    return angles.quantile(places / len(counts), n=n), np.diff(_below(counts)[places])


def _places(number: int, *, n: int, bins: int) -> Counts:
    """Edges of bins, counted from 0, that are about as far apart."""
    reach = min(np.pi / 2, _DEVIATIONS * np.sqrt(angles.variance(n)))
    theta = np.pi / 2 + np.linspace(-reach, reach, number)
    return np.unique(np.round(bins * angles.cdf(theta, n=n)).astype(np.int64))


def _below(counts: Counts) -> Counts:
    return np.concatenate([[0], np.cumsum(counts)])


def _histogram(edges: Floats, counts: Counts, *, n: int, pairs: int) -> figure:
    """Bars of the share of pairs a degree, and the law as a line."""
    plot = plain_figure(width=490, height=300)
    degrees = np.degrees(edges)
    shares = 100 * counts / pairs / np.diff(degrees)
    expected = pairs * np.diff(angles.cdf(edges, n=n))
    columns = {"left": degrees[:-1], "right": degrees[1:], "top": shares, "count": counts, "expected": expected}
    source = ColumnDataSource({name: column.tolist() for name, column in columns.items()})
    bars = plot.quad(left="left", right="right", top="top", bottom=0, source=source, **_BAR)
    tooltips = [
        ("angle", "@left{0.00}° to @right{0.00}°"),
        ("pairs", "@count{0,0}"),
        ("of random vectors", "@expected{0,0}"),
    ]
    plot.add_tools(HoverTool(renderers=[bars], tooltips=tooltips))
    theta = np.linspace(edges[0], edges[-1], _POINTS)
    law = 100 * angles.density(theta, n=n) * np.pi / 180
    plot.line(np.degrees(theta), law, color=INK, line_width=1.5)
    plot.xaxis.axis_label, plot.yaxis.axis_label = "degrees", "% of pairs a degree"
    plot.x_range = Range1d(degrees[0], degrees[-1])
    plot.y_range = Range1d(0, 1.05 * max(shares.max(), law.max()))
    plot.xgrid.visible = False
    return plot


def _distance(counts: Counts, *, n: int) -> figure:
    """The empirical distribution function less the law, between the bounds of chance."""
    plot = plain_figure(width=490, height=300)
    pairs, bins = int(counts.sum()), len(counts)
    places = _places(_POINTS, n=n, bins=bins)
    degrees = np.degrees(angles.quantile(places / bins, n=n))
    difference = _below(counts)[places] / pairs - places / bins
    plot.line(degrees, difference, color=ACCENT, line_width=1.5)
    band = _BAND / np.sqrt(pairs)
    plot.add_layout(Span(location=0, dimension="width", line_color=MUTED, line_width=1))
    for bound in (-band, band):
        plot.add_layout(Span(location=bound, dimension="width", line_color=MUTED, line_dash="dashed"))
    most = 1.1 * max(band, float(np.abs(difference).max()))
    plot.y_range = Range1d(-most, most)
    plot.xaxis.axis_label, plot.yaxis.axis_label = "degrees", "difference"
    plot.yaxis.formatter = BasicTickFormatter(precision=1)
    plot.xgrid.visible = False
    return plot
