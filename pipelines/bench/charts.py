"""A chart of horizontal bars, whole or of parts, drawn twice: by Bokeh for a page, by Pillow for a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from bokeh.models import FixedTicker, HoverTool, Legend, LegendItem, PlainText, Range1d
from PIL import Image, ImageDraw, ImageFont

from pipelines.reports.figures import ACCENT, INK, LINE, MUTED, plain_figure
from pipelines.storage.commit import write_bytes

OTHERS = "#9ca3af"
PARTS = ("#93c5fd", "#38bdf8", "#2563eb", "#7c3aed", "#f59e0b", "#10b981", OTHERS)
_ROW, _NUMBERS, _HEAD, _SCALE = 30, 190, 64, 2


@dataclass(frozen=True, slots=True)
class Bar:
    """`parts`: lengths one behind another. `low`, `high`: the range of the whole. `text`: stands behind the bar."""

    title: str
    parts: Sequence[float]
    text: str
    ours: bool = True
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """`names`: of the parts, where bars have several."""

    title: str
    subtitle: str
    bars: Sequence[Bar]
    names: Sequence[str] = ()

    @property
    def longest(self) -> float:
        """The greatest value that is drawn."""
        return max(max(sum(bar.parts), bar.high or 0.0) for bar in self.bars) or 1.0

    def colour(self, bar: Bar, part: int) -> str:
        """Parts have their own, whole bars that of who made them."""
        return PARTS[part % len(PARTS)] if self.names else ACCENT if bar.ours else OTHERS


def bokeh_figure(chart: Chart, *, width: int = 1000) -> Any:
    """The chart for a page."""
    ranks = list(range(1, len(chart.bars) + 1))
    plot = plain_figure(
        width=width,
        height=_ROW * len(ranks) + (40 if chart.names else 10),
        x_range=Range1d(0, 1.3 * chart.longest),
        y_range=Range1d(len(ranks) + 0.5, 0.5),
    )
    left = [0.0] * len(ranks)
    items = []
    for part in range(max(len(bar.parts) for bar in chart.bars)):
        right = [begin + bar.parts[part] for begin, bar in zip(left, chart.bars, strict=True)]
        name = chart.names[part] if chart.names else ""
        data = {
            "rank": ranks,
            "left": left,
            "right": right,
            "colour": [chart.colour(bar, part) for bar in chart.bars],
            "name": [bar.title for bar in chart.bars],
            "text": [f"{name} {bar.parts[part]:,.3g}" if name else bar.text for bar in chart.bars],
        }
        drawn = plot.hbar(
            y="rank", left="left", right="right", height=0.66, color="colour", line_color=None, source=data
        )
        plot.add_tools(HoverTool(renderers=[drawn], tooltips=[("", "@name"), ("", "@text")]))
        items.append(LegendItem(label=name, renderers=[drawn]))
        left = right
    ranged = [(rank, bar) for rank, bar in zip(ranks, chart.bars, strict=True) if bar.high is not None]
    if ranged:
        plot.segment(
            x0=[bar.low for _, bar in ranged],
            x1=[bar.high for _, bar in ranged],
            y0=[rank for rank, _ in ranged],
            y1=[rank for rank, _ in ranged],
            color=INK,
        )
    ends = [max(end, bar.high or 0.0) for end, bar in zip(left, chart.bars, strict=True)]
    texts = [bar.text for bar in chart.bars]
    plot.text(x=ends, y=ranks, text=texts, x_offset=8, text_baseline="middle", text_font_size="12px", text_color=MUTED)
    plot.yaxis.ticker = FixedTicker(ticks=ranks)
    # PlainText: a string could be read as TeX, which is fetched from the network.
    plot.yaxis.major_label_overrides = {
        rank: PlainText(text=bar.title) for rank, bar in zip(ranks, chart.bars, strict=True)
    }
    plot.yaxis.axis_line_color = None
    plot.xaxis.visible = plot.xgrid.visible = plot.ygrid.visible = False
    if chart.names:
        plot.add_layout(Legend(items=items, orientation="horizontal", location="left", border_line_color=None), "above")
    return plot


def write_png(chart: Chart, path: Path, *, width: int = 1000) -> None:
    """The chart as a file, at twice the pixels; in Latin letters, as the font that Pillow brings has no others."""
    head = _HEAD + (26 if chart.names else 0)
    height = head + _ROW * len(chart.bars) + 14
    image = Image.new("RGB", (_SCALE * width, _SCALE * height), "white")
    draw = ImageDraw.Draw(image)

    def write(x: float, y: float, text: str, *, size: int, colour: str = INK, anchor: str = "lm") -> float:
        font = ImageFont.load_default(_SCALE * size)
        draw.text((_SCALE * x, _SCALE * y), text, fill=colour, font=font, anchor=anchor)
        return draw.textlength(text, font=font) / _SCALE

    def fill(x: float, y: float, right: float, bottom: float, colour: str) -> None:
        draw.rectangle([_SCALE * x, _SCALE * y, _SCALE * max(right, x + 1) - 1, _SCALE * bottom - 1], fill=colour)

    write(16, 20, chart.title, size=17)
    write(16, 44, chart.subtitle, size=12, colour=MUTED)
    x = 16.0
    for part, name in enumerate(chart.names):
        fill(x, _HEAD + 2, x + 12, _HEAD + 14, PARTS[part % len(PARTS)])
        x += 34 + write(x + 18, _HEAD + 8, name, size=12, colour=MUTED)
    font = ImageFont.load_default(_SCALE * 13)
    origin = 26 + max(draw.textlength(bar.title, font=font) for bar in chart.bars) / _SCALE
    unit = (width - origin - _NUMBERS) / chart.longest
    fill(origin - 1, head, origin, height - 14, LINE)
    for row, bar in enumerate(chart.bars):
        middle, x = head + _ROW * (row + 0.5), origin
        write(origin - 10, middle, bar.title, size=13, anchor="rm")
        for part, value in enumerate(bar.parts):
            fill(x, middle - 10, x + unit * value, middle + 10, chart.colour(bar, part))
            x += unit * value
        if bar.low is not None and bar.high is not None:
            low, high = (origin + unit * value for value in (bar.low, bar.high))
            fill(low, middle - 1, high, middle + 1, INK)
            x = max(x, high)
        write(x + 8, middle, bar.text, size=12, colour=MUTED)
    content = BytesIO()
    image.save(content, "PNG", optimize=True)
    write_bytes(path, content.getvalue())
