"""The page of `pipelines.training.report`, within the shell of all pages."""

from pipelines.reports.shell import page_of

PAGE = page_of(
    """
{%- block title %}Training of {{ run.task }}{% endblock %}
{%- block subject %}{{ run.parameters | number }} parameters, {{ run.steps | number }} steps{% endblock %}
{%- block place %}{{ run.backend }}{% endblock %}
{%- block content %}
<dl class="figures">
<div><dt>Best {{ metric or "step" }}</dt><dd>{{ "%.4f" | format(run.best[metric]) if metric else "–" }}</dd></div>
<div><dt>At step</dt><dd>{{ run.best.step | number }}</dd></div>
<div><dt>Last loss</dt><dd>{{ "%.4f" | format(loss) }}</dd></div>
<div><dt>Million tokens</dt><dd>{{ tokens | mega }}</dd></div>
<div><dt>Tokens/s, median</dt><dd>{{ median.tokens_per_second | number }}</dd></div>
{%- if encoder %}
<div><dt>MFU, median</dt><dd>{{ "%.1f" | format(100 * median.mfu) }} %</dd></div>
{%- endif %}
</dl>

<div class="pair">
<div>
<h2>Loss</h2>
<p>Of each step{% if averaged > 1 %}, means over {{ averaged | number }} steps{% endif %}
{%- if scores %}; circles: of split dev{% endif %}.</p>
{{ figures.loss | safe }}
</div>
<div>
{%- if scores %}
<h2>{{ metric | capitalize }} on dev</h2>
<p>{% if configuration.ema %}Of averaged weights. {% endif %}The weights of the best score are kept.</p>
{{ figures.metric | safe }}
{%- else %}
<h2>No score</h2>
<p>The records have no split dev: the last weights were kept.</p>
{%- endif %}
</div>
<div>
<h2>Learning rate</h2>
<p>Schedule {{ configuration.schedule }}.</p>
{{ figures.learning_rate | safe }}
</div>
<div>
<h2>Tokens per second</h2>
<p>Without padding.{% if encoder %} MFU is the share of {{ run.matmul_gflops | number }} GFLOP/s, which a product of
 matrices reached on this machine.{% endif %}</p>
{{ figures.tokens_per_second | safe }}
</div>
</div>
{%- if scores %}

<h2>Scores</h2>
<p>{% if scores | length < scored %}The last {{ scores | length }} of {{ scored | number }} scores{% else -%}
All scores{% endif %} on split dev.</p>
<table>
<tr><th class="number" style="width: 90px">Step</th>{% for name in metrics %}<th class="number">{{ name }}</th>
{%- endfor %}</tr>
{%- for row in scores %}
<tr><td class="number">{{ row.step | number }}</td>{% for name in metrics %}
<td class="number">{{ "%.4f" | format(row[name]) }}</td>{% endfor %}</tr>
{%- endfor %}
</table>
{%- endif %}
{%- endblock %}
{%- block time %}
{%- if encoder %}
<h2>Encoder</h2>
<div class="pair">
{%- for half in encoder %}
<div>{{ half | facts }}</div>
{%- endfor %}
</div>
{%- endif %}
{%- endblock %}
"""
)
