"""What a benchmark leaves: its figures as JSON with command, commit, versions and machine; a page; a chart as PNG."""

import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipelines.bench.charts import Chart, bokeh_figure, write_png
from pipelines.environment import environment
from pipelines.errors import InputError
from pipelines.installation import ROOT
from pipelines.reports.shell import page_of, write_figures
from pipelines.storage.commit import write_json

PACKAGES = ("rjieba", "dask", "distributed", "apache-beam")
_PAGE = page_of(
    """
{%- block title %}{{ title }}{% endblock %}
{%- block main %}
{%- for heading, subtitle, name in charts %}
<h2>{{ heading }}</h2>
<p>{{ subtitle }}</p>
{{ figures[name] | safe }}
{%- endfor %}
{%- for table in tables %}
<h2>{{ table.heading }}</h2>
<p>{{ table.note }}</p>
<table>
<tr>
{%- for name in table.headings %}<th{% if not loop.first %} class="number"{% endif %}>{{ name }}</th>{% endfor %}
</tr>
{%- for row in table.rows %}
<tr>{% for cell in row %}<td{% if not loop.first %} class="number"{% endif %}>{{ cell }}</td>{% endfor %}</tr>
{%- endfor %}
</table>
{%- endfor %}
<h2>Machine</h2>
{{ facts | facts }}
<h3>Command</h3>
<code>{{ command }}</code>
{%- endblock %}
""",
    shell="page",
)


def described(kind: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures with what they were measured by, and on."""
    found = environment()
    packages = dict(found["packages"])
    for name in PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "not installed"
    return {
        "kind": kind,
        "command": shlex.join(["hanmill", *sys.argv[1:]]),
        "commit": commit(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": {**found, "packages": packages},
        **figures,
    }


def commit() -> str:
    """The commit of this checkout, `+` behind it if files differ from it; empty where there is none."""
    try:
        found = [
            subprocess.run(["git", "-C", str(ROOT), *command], capture_output=True, text=True, check=True).stdout
            for command in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        ]
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found[0].strip() + ("+" if found[1].strip() else "")


def table(heading: str, note: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """A table as pages and `print_table` show it."""
    return {"heading": heading, "note": note, "headings": headings, "rows": rows}


def print_table(shown: Mapping[str, Any]) -> None:
    """Columns below their headings, the first to the left and numbers to the right."""
    lines = [shown["headings"], *shown["rows"]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(shown["headings"]))]
    for line in lines:
        first, *others = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join([line[0].ljust(len(first)), *others]))


@contextmanager
def writing(directory: Path) -> Iterator[None]:
    """The folder of results, there; raises InputError where it, or a file in it, cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise InputError(f"{error.filename or directory}: {error.strerror}: name another folder with --out") from error


def save(
    directory: Path,
    name: str,
    result: Mapping[str, Any],
    *,
    title: str,
    charts: Sequence[Chart],
    tables: Sequence[Mapping[str, Any]],
) -> None:
    """Writes `name`.json, `name`.html and, of the first chart, `name`.png. Raises InputError where it cannot."""
    found = result["environment"]
    facts = {name: value for name, value in found.items() if name != "packages"} | found["packages"]
    with writing(directory):
        write_json(directory / f"{name}.json", result)
        write_png(charts[0], directory / f"{name}.png")
        write_figures(
            directory / f"{name}.html",
            _PAGE,
            figures={f"chart{number}": bokeh_figure(chart) for number, chart in enumerate(charts)},
            name=title,
            title=title,
            charts=[(chart.title, chart.subtitle, f"chart{number}") for number, chart in enumerate(charts)],
            tables=tables,
            facts=facts | {"commit": result["commit"], "finished": result["finished"]},
            command=result["command"],
        )
    for suffix in ("json", "html", "png"):
        print(directory / f"{name}.{suffix}")
