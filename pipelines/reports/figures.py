"""What the figures of all reports share: colours and fonts, plain figures, horizontal bars."""

from collections.abc import Sequence
from typing import Any

from bokeh.core.properties import value
from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, PlainText, Range1d
from bokeh.plotting import figure
from bokeh.themes import Theme

FONTS = "Noto Sans CJK SC, Noto Sans SC, PingFang SC, Microsoft YaHei, sans-serif"
ACCENT, INK, MUTED, LINE = "#2563eb", "#1f2937", "#6b7280", "#e5e7eb"
_TEXT = {"text_font": FONTS, "text_color": INK, "text_font_size": "12px"}
_NUMBERS = {"text_font": FONTS, "text_color": MUTED, "text_font_size": "11px"}
_AT_BARS = {name: value(item) for name, item in _NUMBERS.items()}
THEME = Theme(
    json={
        "attrs": {
            "Plot": {"outline_line_color": None, "background_fill_color": None, "border_fill_color": None},
            "Axis": {
                **{f"major_label_{name}": item for name, item in _TEXT.items()},
                **{f"axis_label_{name}": item for name, item in _NUMBERS.items()},
                "axis_label_text_font_style": "normal",
                "axis_line_color": LINE,
                "major_tick_line_color": None,
                "minor_tick_line_color": None,
            },
            "Grid": {"grid_line_color": LINE},
        }
    }
)


def shown(text: str, *, length: int) -> str:
    r"""A text as a reader may see it: at most `length` characters, what is invisible or turns the line as an escape.

    >>> shown("abcdefgh", length=5), shown(chr(10), length=5), shown(" ", length=5), shown(chr(0x202E) + "a", length=9)
    ('abcd…', '\\n', '\\x20', '\\u202ea')
    """
    visible = "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text[: length + 1]
    )
    if not visible.strip(" "):
        visible = visible.replace(" ", r"\x20")
    return visible if len(visible) <= length else visible[: length - 1] + "…"


def plain_figure(**options: Any) -> figure:
    """A figure without tools."""
    return figure(tools="", toolbar_location=None, **options)


def bars(
    names: Sequence[str],
    values: Sequence[float],
    *,
    width: int,
    titles: tuple[str, str],
    unit: str = "",
    **more: Sequence[str],
) -> figure:
    """Horizontal bars, the first on top, placed by rank: two names that are cut to the same text stay two bars.

    `titles`: of names and values, in the tooltips. `more`: further lines there, by title.
    """
    ranks = list(range(1, len(names) + 1))
    plot = plain_figure(
        width=width,
        height=21 * len(names) + 10,
        x_range=Range1d(0, 1.2 * (max(values) or 1)),
        y_range=Range1d(len(names) + 0.5, 0.5),
    )
    texts = [f"{item:,.1f}{unit}" if unit else f"{item:,}" for item in values]
    full = [shown(name, length=40) for name in names]
    source = ColumnDataSource({"rank": ranks, "value": values, "name": full, "text": texts, **more})
    bars = plot.hbar(y="rank", right="value", height=0.7, color=ACCENT, line_color=None, source=source)
    plot.text(x="value", y="rank", text="text", source=source, x_offset=6, text_baseline="middle", **_AT_BARS)
    tooltips = [(titles[0], "@name"), (titles[1], "@text"), *((title, f"@{title}") for title in more)]
    plot.add_tools(HoverTool(renderers=[bars], tooltips=tooltips))
    plot.yaxis.ticker = FixedTicker(ticks=ranks)
    # PlainText: a string would be read as TeX where a word holds $$, and TeX is fetched from the network.
    labels = {rank: PlainText(text=shown(name, length=14)) for rank, name in zip(ranks, names, strict=True)}
    plot.yaxis.major_label_overrides = labels
    plot.yaxis.axis_line_color = None
    plot.xaxis.visible = plot.xgrid.visible = plot.ygrid.visible = False
    return plot
