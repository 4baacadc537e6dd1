"""The page of `pipelines.report`: Jinja2, every value escaped, nothing fetched (a policy in the page forbids it)."""

from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

FONTS = "Noto Sans CJK SC, Noto Sans SC, PingFang SC, Microsoft YaHei, sans-serif"

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

_TEMPLATE = """
{%- macro facts(values) %}
<table class="facts">
{%- for name, value in values.items() %}
<tr><th>{{ name }}</th><td>{{ value | fact }}</td></tr>
{%- endfor %}
</table>
{%- endmacro -%}
{%- set totals, inputs, dropped = manifest.totals, manifest.inputs, manifest.min_count > 1 -%}
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
<h1>Word counts of {{ name }}</h1>
<p>{{ inputs.files | number }} {{ "file" if inputs.files == 1 else "files" }}, finished {{ finished }}
 after {{ run.seconds | seconds }} on {{ run.workers }} {{ "worker" if run.workers == 1 else "workers" }}
 ({{ run.engine }})</p>
<dl class="figures">
<div><dt>Documents</dt><dd>{{ totals.documents | number }}</dd></div>
<div><dt>Tokens</dt><dd>{{ totals.tokens | number }}</dd></div>
<div><dt>Distinct words</dt><dd>{{ totals.words | number }}</dd></div>
<div><dt>MB of text</dt><dd>{{ totals.bytes | mega }}</dd></div>
<div><dt>MB/s</dt><dd>{{ run.bytes_per_second | mega }}</dd></div>
<div><dt>Dead letters</dt><dd>{{ totals.dead_letters | number }}</dd></div>
</dl>

<h2>Top words</h2>
{%- if top %}
<p>The most frequent words, with their numbers of occurrences.</p>
<div class="views">
<input type="radio" name="view" id="chart" checked><label for="chart">Chart</label>
<input type="radio" name="view" id="table"><label for="table">Table</label>
<div class="chart">{{ figures.words | safe }}</div>
<div class="table">
<table>
<tr><th class="number">Rank</th><th>Word</th><th class="number">Count</th><th class="number">Share of tokens</th>
<th class="number">Documents</th></tr>
{%- for row in top %}
<tr><td class="number">{{ loop.index }}</td><td>{{ row.word }}</td><td class="number">{{ row.count | number }}</td>
<td class="number">{{ "%.3f" | format(100 * row.share) }} %</td>
<td class="number">{{ row.documents | number }}</td></tr>
{%- endfor %}
</table>
</div>
</div>

<div class="pair">
<div>
<h2>Zipf's law</h2>
<p>Count by rank. Dashed: the greatest count divided by the rank.</p>
{{ figures.zipf | safe }}
</div>
<div>
<h2>Vocabulary growth</h2>
<p>Distinct words to expect in a random sample of the tokens.</p>
{{ figures.growth | safe }}
{%- if dropped %}
<p>A lower bound: words that occur fewer than {{ manifest.min_count | number }} times were dropped.</p>
{%- endif %}
</div>
</div>
{%- else %}
<p>No words:
{%- if totals.tokens %} each occurs fewer than {{ manifest.min_count | number }} times.
{%- else %} nothing was counted.
{%- endif %}</p>
{%- endif %}
{%- if labels %}

<h2>Labels</h2>
<p>{% if labels > labels_shown %}The {{ labels_shown }} largest of {{ labels | number }} labels{% else -%}
{{ labels }} {{ "label" if labels == 1 else "labels" }}{% endif %}, ordered by documents.</p>
<div class="pair">
<div><h3>Documents</h3>{{ figures.label_documents | safe }}</div>
<div><h3>Tokens</h3>{{ figures.label_tokens | safe }}</div>
</div>
{%- elif manifest.labels is none %}

<h2>Labels</h2>
<p>Over 1,000 labels: too many to draw.</p>
{%- endif %}

<h2>Time</h2>
<p>Seconds of each stage.
{%- if run.shards.kept %} {{ run.shards.kept | number }} of {{ run.shards.total | number }} shards were kept from
 earlier runs and not counted again.{% endif %}</p>
<div class="pair">
<div>{{ figures.stages | safe }}</div>
<div>{{ facts({"documents per second": run.documents_per_second, "MB per second": run.bytes_per_second | mega,
 "shards counted": run.shards.counted, "shards kept": run.shards.kept}) }}</div>
</div>

<h2>Dead letters</h2>
{%- if dead.first %}
<p>Records that could not be counted, by reason (numbers as #){% if dead.others %}; {{ dead.others | number }} rarer
 reasons are not shown{% endif %}, and the first {{ dead.first | length }} of {{ totals.dead_letters | number }}.</p>
<table>
<tr><th class="number" style="width: 90px">Records</th><th>Reason</th></tr>
{%- for reason, count in dead.reasons %}
<tr><td class="number">{{ count | number }}</td><td>{{ reason }}</td></tr>
{%- endfor %}
</table>
<h3>First records</h3>
<table>
<tr><th>Source</th><th class="number">Offset</th><th>Reason</th></tr>
{%- for letter in dead.first %}
<tr><td>{{ letter.source }}</td><td class="number">{{ letter.offset | fact }}</td><td>{{ letter.reason }}</td></tr>
{%- endfor %}
</table>
{%- else %}
<p>None: every record was counted.</p>
{%- endif %}

<div class="pair">
<div>
<h2>Configuration</h2>
{{ facts(dict(manifest.configuration, min_count=manifest.min_count)) }}
<h3>Inputs</h3>
{{ facts(inputs) }}
</div>
<div>
<h2>Environment</h2>
{{ facts(run.environment) }}
</div>
</div>
<h3>Command</h3>
<code>{{ command }}</code>
</main>
{{ script | safe }}
</body>
</html>
"""


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
            return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
        case dict():
            return ", ".join(f"{name} {_fact(item)}" for name, item in value.items()) or "–"
        case list():
            return ", ".join(map(_fact, value)) or "–"
    return str(value)


_environment = Environment(autoescape=True, undefined=StrictUndefined)
_environment.filters |= {"number": _number, "mega": _mega, "seconds": _seconds, "fact": _fact}
PAGE = _environment.from_string(_TEMPLATE, globals={"style": Markup(_STYLE)})
