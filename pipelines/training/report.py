"""One self-contained HTML page about a training run: its curves, from the files of its folder alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from bokeh.models import BasicTickFormatter, ColumnDataSource, HoverTool, NumeralTickFormatter
from bokeh.plotting import figure

from pipelines.errors import InputError
from pipelines.reports.figures import ACCENT, INK, plain_figure
from pipelines.reports.shell import render_page
from pipelines.storage.manifest import RUN, read_json
from pipelines.training.folder import CONFIG
from pipelines.training.log import METRICS, read_rows
from pipelines.training.report_page import PAGE
from transforms.splits import TRAIN

_MOST_POINTS, _SCORES, _NO_METRICS = 500, 20, ("step", "split", "seconds", "time")
_LINE, _POINT = {"line_width": 1.5, "color": ACCENT}, {"size": 7, "line_color": INK, "fill_color": "white"}
Floats = npt.NDArray[np.float64]


def write_report(directory: Path) -> Path:
    """Writes `report.html` into the folder of a finished training run and returns its path.

    The page loads nothing from elsewhere. Raises InputError for a folder that lacks a file of a finished run.
    """
    run, configuration = read_json(directory / RUN), read_json(directory / CONFIG)
    rows = read_rows(directory)
    steps = [row for row in rows if row["split"] == TRAIN]
    if run is None or configuration is None or not steps:
        names = ", ".join((RUN, CONFIG, METRICS))
        raise InputError(f"{directory}: a report needs {names} of a finished run: run the command again")
    scores = [row for row in rows if row["split"] != TRAIN]
    averaged = -(-len(steps) // _MOST_POINTS)
    at = _means(steps, "step", of=averaged)
    curves = {name: _means(steps, name, of=averaged) for name in ("loss", "learning_rate", "tokens_per_second")}
    figures = {name: _curve(at, values, unit=name) for name, values in curves.items()}
    figures["learning_rate"].yaxis.formatter = BasicTickFormatter(precision=1)
    metric = next((name for name in run["best"] if name != "step"), "")
    if scores:
        scored = _column(scores, "step")
        if "loss" in scores[0]:
            figures["loss"].scatter(scored, _column(scores, "loss"), **_POINT)
        figures["metric"] = _curve(scored, _column(scores, metric), unit=metric)
        figures["metric"].scatter(scored, _column(scores, metric), **_POINT)
    return render_page(
        directory,
        PAGE,
        run=run,
        inputs=run["inputs"],
        figures=figures,
        configuration=configuration,
        metric=metric,
        metrics=[name for name in scores[0] if name not in _NO_METRICS] if scores else [],
        scores=scores[-_SCORES:],
        scored=len(scores),
        averaged=averaged,
        loss=curves["loss"][-1],
        median={name: np.median(_column(steps, name)) for name in ("tokens_per_second", "mfu") if name in steps[0]},
        encoder=_halves(run["encoder"] or {}),
        tokens=_column(steps, "tokens").sum(),
    )


def _halves(values: dict[str, Any]) -> list[dict[str, Any]]:
    items = list(values.items())
    halves = [dict(items[: -(-len(items) // 2)]), dict(items[-(-len(items) // 2) :])]
    return halves if items else []


def _column(rows: Sequence[dict[str, Any]], name: str) -> Floats:
    return np.array([row[name] for row in rows], np.float64)


def _means(rows: Sequence[dict[str, Any]], name: str, *, of: int) -> Floats:
    """Means over each `of` rows in turn; the last may be over fewer."""
    begins = np.arange(0, len(rows), of)
    return np.add.reduceat(_column(rows, name), begins) / np.diff([*begins, len(rows)])


def _curve(steps: Floats, values: Floats, *, unit: str) -> figure:
    """A line over steps, with its values in tooltips."""
    plot = plain_figure(width=490, height=260)
    source = ColumnDataSource({"step": steps.tolist(), "value": values.tolist()})
    line = plot.line("step", "value", source=source, **_LINE)
    title = unit.replace("_", " ")
    plot.add_tools(HoverTool(renderers=[line], mode="vline", tooltips=[("step", "@step{0,0}"), (title, "@value")]))
    plot.xaxis.axis_label = "steps"
    plot.xaxis.formatter = NumeralTickFormatter(format="0,0")
    plot.xgrid.visible = False
    return plot
