"""The pages of `pipelines.reports.angles`, within the shell of all pages."""

from pipelines.reports.shell import page_of

_TABLE = """
{%- macro table_of(table) %}
<table>
<tr>{% for name in table.columns %}<th{% if loop.index > table.names %} class="number"{% endif %}>{{ name }}</th>
{%- endfor %}</tr>
{%- for row in table.rows %}
<tr>{% for text in row %}<td{% if loop.index > table.names %} class="number"{% endif %}>{{ text }}</td>
{%- endfor %}</tr>
{%- endfor %}
</table>
{%- endmacro %}
"""

SIMULATED = page_of(
    """
{%- block title %}Angles between random vectors{% endblock %}
{%- block subject %}{{ manifest.inputs.pairs | number }} pairs of each of {{ table.rows | length }}
 {{ "dimension" if table.rows | length == 1 else "dimensions" }}{% endblock %}
{%- block content %}"""
    + _TABLE
    + """
<dl class="figures">
<div><dt>Dimensions</dt><dd>{{ table.rows | length }}</dd></div>
<div><dt>Million pairs</dt><dd>{{ manifest.totals.pairs | mega }}</dd></div>
<div><dt>Million numbers</dt><dd>{{ (manifest.totals.bytes / 8) | mega }}</dd></div>
<div><dt>Million pairs/s</dt><dd>{{ run.pairs_per_second | mega }}</dd></div>
<div><dt>Method</dt><dd>{{ configuration.method }}</dd></div>
<div><dt>Seed</dt><dd>{{ configuration.seed }}</dd></div>
</dl>

<h2>Against the law</h2>
<p>The variance of the law is ψ₁(n/2) / 2, its kurtosis 3 − ψ₃(n/2) / (2 ψ₁(n/2)²). How far mean, variance and kurtosis
 are off is told in standard errors (se); p is the probability of a greater Kolmogorov distance (KS) by chance. KS is
 measured at the edges of {{ configuration.bins | number }} bins of equal probability, and up to
 {{ "%.1e" | format(first.ks_error) }} larger between them.</p>
{{ table_of(table) }}
{%- for n in drawn %}

<h2>n = {{ n | number }}</h2>
<div class="pair">
<div>
<h3>Angles</h3>
<p>Share of the pairs for each degree; the line is the law.</p>
{{ figures["histogram_" ~ n] | safe }}
</div>
<div>
<h3>Distance from the law</h3>
<p>Share of the pairs below an angle, less its probability. Of 100 samples 95 stay between the dashed lines.</p>
{{ figures["distance_" ~ n] | safe }}
</div>
</div>
{%- endfor %}
{%- if table.rows | length > drawn | length %}
<p>Drawn are the first {{ drawn | length }} dimensions.</p>
{%- endif %}
{%- endblock %}
"""
)

MEASURED = page_of(
    """
{%- block title %}Angles between the vectors of {{ manifest.inputs.file }}{% endblock %}
{%- block subject %}{{ first.pairs | number }} pairs of {{ first.count | number }} vectors of {{ first.n | number }}
 dimensions{% endblock %}
{%- block content %}"""
    + _TABLE
    + """
<h2>Against random vectors</h2>
<p>Vectors that use all directions alike have the angles of random ones: the column at the right. The effective
 dimension is (Σλ)² / Σλ² of the spectrum of second moments: about the origin for the vectors as they are, about their
 mean once that is removed. {{ table.caption }}.</p>
{{ table_of(table) }}

<div class="pair">
{%- for name in drawn %}
<div>
<h2>{{ name | capitalize }}</h2>
<p>Share of the pairs for each degree; the line is the law of random vectors.</p>
{{ figures["histogram_" ~ name] | safe }}
</div>
{%- endfor %}
</div>
{%- endblock %}
"""
)
