"""What was left out, as one HTML page that needs nothing else: no network, no script, pictures as data URLs.

Excerpts are strangers' markup: all text goes through jinja2's autoescape, and the page's own policy loads nothing.
"""

from __future__ import annotations

import base64
from typing import Final

from jinja2 import Environment

from curation.reason_meanings import meaning_of
from curation.rejects import LeftOut

_CONTROL_PICTURES: Final = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | {0x7F: 0x2421}
"""Control characters as the symbols that Unicode has for them: a NUL or an escape is to be seen, not obeyed."""

_TEMPLATE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Left out: {{ found.what }}</title>
<style>
:root { color-scheme: light dark; --ink: #1b1b1f; --soft: #5b5b66; --page: #fff; --card: #f6f6f8; --line: #dcdce2;
  --bar: #4060c0; --focus: #2048d0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8ee; --soft: #a2a2b0; --page: #16161a; --card: #202027;
  --line: #3a3a45; --bar: #8aa4ff; --focus: #a8bcff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; color: var(--ink); background: var(--page);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; }
p { margin: .25rem 0 1rem; color: var(--soft); }
a { color: inherit; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
table { border-collapse: collapse; width: 100%; margin-bottom: 2rem; }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: baseline; }
th { color: var(--soft); font-weight: 500; font-size: .85rem; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { width: 30%; } .bar div { height: .6rem; min-width: 2px; border-radius: 3px; background: var(--bar); }
details { border-top: 1px solid var(--line); padding: .75rem 0; }
summary { cursor: pointer; font-size: 1.1rem; font-weight: 600; }
summary span { color: var(--soft); font-weight: 400; font-size: .95rem; }
.rows { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); gap: .75rem; }
article { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .75rem; min-width: 0; }
article h3 { font-size: .95rem; margin: 0; overflow-wrap: anywhere; unicode-bidi: isolate; }
article p { margin: 0; font-size: .85rem; overflow-wrap: anywhere; unicode-bidi: isolate; }
code, pre { font: 12.5px/1.45 ui-monospace, monospace; }
pre { margin: .5rem 0 0; max-height: 11rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere;
  unicode-bidi: isolate; }
img { display: block; margin-top: .5rem; max-width: 100%; background: #fff; border: 1px solid var(--line); }
</style>
</head>
<body>
<main>
<h1>Left out: {{ found.what }}</h1>
<p>{{ "{:,}".format(found.rows_in) }} rows in = {{ "{:,}".format(found.rows_kept) }} kept +
{{ "{:,}".format(found.rows_in - found.rows_kept) }} left out
{%- if found.n_rows != found.rows_in - found.rows_kept %}; shown here: {{ "{:,}".format(found.n_rows) }}{% endif %}</p>
{% if not found.groups %}<p>Nothing was left out.</p>{% else %}
<table>
<thead><tr><th scope="col">reason</th><th scope="col" class="n">rows</th><th scope="col" class="bar"></th>
<th scope="col">stage</th><th scope="col">source</th></tr></thead>
<tbody>
{% for group in found.groups %}
<tr><td><a href="#{{ group.reason }}">{{ group.reason }}</a></td><td class="n">{{ "{:,}".format(group.n_rows) }}</td>
<td class="bar"><div style="width: {{ (100 * group.n_rows / found.groups[0].n_rows) | round(1) }}%"></div></td>
<td>{{ group.stages | join(", ") }}</td>
<td>{{ group.sources | join(", ") }}</td></tr>
{% endfor %}
</tbody>
</table>
{% for group in found.groups %}
<details id="{{ group.reason }}" open>
<summary>{{ group.reason }} <span>{{ "{:,}".format(group.n_rows) }} row{{ "" if group.n_rows == 1 else "s" }}
{%- if group.examples | length < group.n_rows %}, {{ group.examples | length }} shown{% endif %}</span></summary>
<p>{{ meaning_of(group.reason) }}</p>
<div class="rows">
{% for row in group.examples %}
<article>
<h3>{{ row.source_key | visible }}</h3>
<p>{{ row.source }} · {{ row.stage }}{% if row.detail %} · {{ row.detail | visible }}{% endif %}</p>
<p><code title="{{ row.id }}">{{ row.id }}</code></p>
{% if row.thumbnail %}<img src="{{ row.thumbnail | data_url }}" alt="The row's picture, small">{% endif %}
{% if row.excerpt %}
<pre tabindex="0" dir="auto" aria-label="What the row says">{{ row.excerpt | visible }}</pre>
{% endif %}
</article>
{% endfor %}
</div>
</details>
{% endfor %}
{% endif %}
</main>
</body>
</html>
"""


def rejects_page(found: LeftOut) -> str:
    """The page, complete."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["visible"] = lambda text: (text or "").translate(_CONTROL_PICTURES)
    environment.filters["data_url"] = _data_url
    return environment.from_string(_TEMPLATE).render(found=found, meaning_of=meaning_of)


def _data_url(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
