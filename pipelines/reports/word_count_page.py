"""The page of `pipelines.reports.word_count`: what it says of a word count, within the shell of all pages."""

from pipelines.reports.shell import page_of

_CONTENT = """
{%- block title %}Word counts of {{ name }}{% endblock %}
{%- block subject %}{{ manifest.inputs.files | number }} {{ "file" if manifest.inputs.files == 1 else "files" }}
{%- endblock %}
{%- block content %}
{%- set totals, dropped = manifest.totals, manifest.min_count > 1 %}
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
{%- endblock %}
{%- block records %}
{%- set totals = manifest.totals %}
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
{%- endblock %}
"""

PAGE = page_of(_CONTENT)
