"""What every report page shares: head, style, facts about the run; Jinja2, every value escaped, nothing fetched.

A policy in the page forbids it to fetch anything.
"""

import shlex
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from bokeh.embed import components
from bokeh.resources import Resources
from jinja2 import DictLoader, Environment, StrictUndefined, Template
from markupsafe import Markup, escape

from pipelines.errors import InputError
from pipelines.reports.figures import THEME, bars
from pipelines.storage.commit import write_bytes
from pipelines.storage.manifest import MANIFEST, RUN, read_json

REPORT = "report.html"
_STAGES = ("list", "map", "reduce", "finish")

_STYLE = """
:root { color-scheme: light; --ink: #1f2937; --muted: #6b7280; --line: #e5e7eb; --accent: #2563eb; }
* { box-sizing: border-box; }
body { margin: 0; padding: 48px 16px 64px; background: #fff; color: var(--ink);
  font: 14px/1.55 system-ui, "Noto Sans CJK SC", "Noto Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
main { width: 1000px; max-width: 100%; margin: 0 auto; }
h1 { margin: 0; font-size: 28px; line-height: 1.25; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { margin: 56px 0 4px; font-size: 18px; }
h3 { margin: 20px 0 4px; font-size: 14px; }
.pair h3:first-child { margin-top: 0; }
p { margin: 4px 0 16px; color: var(--muted); max-width: 46em; }
.figures { display: grid; grid-template-columns: repeat(6, 1fr); margin: 28px 0 0; border: 1px solid var(--line);
  border-radius: 10px; }
.figures div { padding: 14px 16px; border-left: 1px solid var(--line); }
.figures div:first-child { border-left: 0; }
.figures dt { color: var(--muted); font-size: 12px; }
.figures dd { margin: 0; font-size: 21px; font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
.pair { display: grid; grid-template-columns: 490px 490px; gap: 20px; align-items: start; }
.pair > div { min-width: 0; }
.views > input { position: absolute; opacity: 0; }
.views > label { display: inline-block; padding: 3px 14px; border: 1px solid var(--line); color: var(--muted);
  font-size: 13px; cursor: pointer; }
.views > label:first-of-type { border-radius: 6px 0 0 6px; }
.views > label:last-of-type { border-radius: 0 6px 6px 0; border-left: 0; }
.views > input:checked + label { background: var(--ink); color: #fff; border-color: var(--ink); }
.views > input:focus-visible + label { outline: 2px solid var(--accent); outline-offset: 1px; }
.views > div { display: none; margin-top: 12px; }
#chart:checked ~ .chart, #table:checked ~ .table { display: block; }
table { width: 100%; border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
th { color: var(--muted); font-weight: 500; }
.number { text-align: right; white-space: nowrap; }
.facts th { width: 150px; white-space: nowrap; }
code { font: 12px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Noto Sans Mono CJK SC", monospace;
  overflow-wrap: anywhere; }
"""

_PAGE = """
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline';
 style-src 'unsafe-inline'; img-src data:; font-src data:">
<meta name="viewport" content="width=device-width">
<title>{{ name }} · hanmill</title>
<style>{{ style }}</style>
{{ bokeh | safe }}
</head>
<body>
<main>
<h1>{% block title %}{% endblock %}</h1>
{% block main %}{% endblock %}
</main>
{{ script | safe }}
</body>
</html>
"""

_SHELL = """
{%- extends "page" %}
{%- block main %}
<p>{% block subject %}{% endblock %}, finished {{ finished }}
 after {{ run.seconds | seconds }} on {% block place %}{{ run.workers }}
 {{ "worker" if run.workers == 1 else "workers" }} ({{ run.engine }}){% endblock %}</p>
{% block content %}{% endblock %}
{% block time %}
<h2>Time</h2>
<p>Seconds of each stage.
{%- if run.shards.kept %} {{ run.shards.kept | number }} of {{ run.shards.total | number }} shards were kept from
 earlier runs and not counted again.{% endif %}</p>
<div class="pair">
<div>{{ figures.stages | safe }}</div>
<div>{{ {records + " per second": run[records + "_per_second"], "MB per second": run.bytes_per_second | mega,
 "shards counted": run.shards.counted, "shards kept": run.shards.kept} | facts }}</div>
</div>
{%- endblock %}
{% block records %}{% endblock %}

<div class="pair">
<div>
<h2>Configuration</h2>
{{ configuration | facts }}
<h3>Inputs</h3>
{{ inputs | facts }}
</div>
<div>
<h2>Environment</h2>
{{ run.environment | facts }}
</div>
</div>
<h3>Command</h3>
<code>{{ command }}</code>
{%- endblock %}
"""


def read_finished(directory: Path) -> tuple[Any, Any]:
    """Manifest and `run.json` of a finished output. Raises InputError where one is missing or damaged."""
    found = {name: read_json(directory / name) for name in (MANIFEST, RUN)}
    for name, content in found.items():
        if content is None:
            where = directory / name
            raise InputError(f"{where} is missing or damaged: a report needs a finished output: run the command again")
    return found[MANIFEST], found[RUN]


def page_of(content: str, *, shell: Literal["shell", "page"] = "shell") -> Template:
    """A page of the blocks title, subject, content and records within what all runs share, or of title and main.

    Where no engine ran, also of `place` and `time`.
    """
    return _environment.from_string(f'{{% extends "{shell}" %}}' + content, globals={"style": Markup(_STYLE)})


def write_figures(path: Path, page: Template, *, figures: Mapping[str, Any], **values: Any) -> None:
    """Writes a page with Bokeh's figures, by the names under which it shows them, and Bokeh itself in it."""
    script, divisions = components(dict(figures), theme=THEME)
    bokeh = Resources(mode="inline", components=["bokeh"]).render()
    text = page.render(figures=divisions, script=script, bokeh=bokeh, **values)
    write_bytes(path, text.encode("utf-8", "backslashreplace"))  # names of files need not be UTF-8


def write_page(
    directory: Path,
    page: Template,
    *,
    records: str,
    figures: Mapping[str, Any],
    configuration: Mapping[str, Any],
    **values: Any,
) -> Path:
    """Writes `report.html` into a finished output directory and returns its path.

    `records`: what the job counts. `figures`: Bokeh's, by the names under which the page shows them.
    """
    manifest, run = read_finished(directory)
    stages = {name: run["stages"][name] for name in _STAGES if name in run["stages"]}
    drawn = bars(list(stages), list(stages.values()), width=490, titles=("stage", "time"), unit=" s")
    return render_page(
        directory,
        page,
        run=run,
        inputs=manifest["inputs"],
        figures={**figures, "stages": drawn},
        manifest=manifest,
        records=records,
        configuration=configuration,
        **values,
    )


def render_page(
    directory: Path,
    page: Template,
    *,
    run: Mapping[str, Any],
    inputs: Mapping[str, Any],
    figures: Mapping[str, Any],
    configuration: Mapping[str, Any],
    **values: Any,
) -> Path:
    """Writes `report.html` and returns its path. `run`: as `run.json` has it; `inputs`: what was read."""
    write_figures(
        directory / REPORT,
        page,
        figures=figures,
        name=directory.resolve().name,
        run=run,
        inputs=inputs,
        configuration=configuration,
        finished=datetime.fromisoformat(run["finished"]).strftime("%Y-%m-%d %H:%M"),
        command=shlex.join(map(str, run["command"])),
        **values,
    )
    return directory / REPORT


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _mega(value: float | None) -> str:
    return "–" if value is None else f"{value / 1e6:,.1f}"


def _seconds(value: float) -> str:
    minutes, seconds = divmod(round(value), 60)
    return f"{value:.1f} s" if value < 60 else f"{minutes:,} min {seconds} s"


def _fact(value: Any) -> str:
    match value:
        case None | "":
            return "–"
        case bool():
            return "yes" if value else "no"
        case int() | float():
            if isinstance(value, int):
                return f"{value:,}"
            return f"{value:,.1f}" if abs(value) >= 1 or value == 0 else f"{value:.4g}"
        case dict():
            return ", ".join(f"{name} {_fact(item)}" for name, item in value.items()) or "–"
        case list():
            return ", ".join(map(_fact, value)) or "–"
    return str(value)


def _facts(values: Mapping[str, Any]) -> Markup:
    rows = (f"<tr><th>{escape(name)}</th><td>{escape(_fact(value))}</td></tr>\n" for name, value in values.items())
    return Markup('<table class="facts">\n' + "".join(rows) + "</table>")


_environment = Environment(
    loader=DictLoader({"page": _PAGE.lstrip(), "shell": _SHELL.lstrip()}), autoescape=True, undefined=StrictUndefined
)
_environment.filters |= {"number": _number, "mega": _mega, "seconds": _seconds, "fact": _fact}
_environment.filters["facts"] = _facts
