"""Pages with a component, layout or tag that is asked for.

Which of the seeded generator's parts and layouts give which class is found out by counting the classes of pages with
each; what none gives is a snippet of our own, or the bare element around a few words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from random import Random
from typing import Any, Final

import yaml

from curation.classes.sample_classes import classes_of
from curation.generate.choose import between, pick, pick_some, pick_weighted
from curation.generate.page_layouts import LAYOUTS, PARTS
from curation.generate.pages import PageOptions, generate_page
from curation.generate.tables import generate_table
from curation.synthesize.table_steering import options_of

_TRIED: Final = 4
"""Pages of each part and layout that are looked at."""

_OFTEN: Final = 0.5
"""Share of them with a class from which on a part or layout is said to give it."""

_END: Final = re.compile(r"</main>(?!.*</main>)|</body>", re.DOTALL)
_WORDS_IN: Final = ("{0}", "{1}", "{2}", "{3}")
_VOID: Final = frozenset({"br", "hr", "wbr", "img", "input", "embed", "area", "source", "track", "col"})
_NOT_WRITTEN: Final = frozenset({"html", "head", "body", "meta", "link", "script", "style", "base", "noscript"})


def steered_page(rng: Random, wanted: Sequence[str], n_bytes: int = 0) -> str:
    """A page of the seeded generator with these classes, about `n_bytes` long where that is given."""
    chances = part_chances()
    layouts = _layouts(wanted)
    parts, missing = [], []
    for name in wanted:
        giving = {part: share for part, share in chances.get(name, {}).items() if part in PARTS and share >= _OFTEN}
        if name.startswith("layout:") and not giving and not name.startswith("layout:grid-"):
            continue  # the layout's own doing
        if giving:
            parts.append(pick_weighted(rng, giving))
        else:
            missing.append(name)
    options = PageOptions(layouts=layouts or tuple(LAYOUTS), parts=tuple(dict.fromkeys(parts)), n_bytes=n_bytes)
    html = generate_page(rng, options).html
    for name in missing:
        if name == "tag:title":
            title = pick(rng, _read()["words"])
            html = html.replace("<html>", f"<html><head><title>{title}</title></head>", 1)
            continue
        html = _with(html, _snippet(rng, name), at_end=rng.random() < 0.7)
    return html


@cache
def part_chances() -> Mapping[str, Mapping[str, float]]:
    """By class: in what share of the pages with each part, or in each layout, it is. Pages of both names are apart."""
    found: dict[str, Counter[str]] = {}
    made = {name: PageOptions(layouts=("splash", "simple"), parts=(name,)) for name in PARTS}
    made |= {f"layout {name}": PageOptions(layouts=(name,)) for name in LAYOUTS}
    for name, options in made.items():
        for seed in range(_TRIED):
            html = generate_page(Random(f"{name} {seed}"), options).html  # noqa: S311 - the same each time
            for one in classes_of("page_to_html", html, None) or ():
                found.setdefault(one, Counter())[name] += 1
    return {one: {name: n / _TRIED for name, n in counts.items()} for one, counts in found.items()}


def _layouts(wanted: Sequence[str]) -> tuple[str, ...]:
    """Layouts that give all that is asked of one most often; none where nothing is."""
    asked = [name for name in wanted if name.startswith("layout:") and not name.startswith("layout:grid-")]
    if not asked:
        return ()
    chances = part_chances()
    scores = {layout: min(chances.get(name, {}).get(f"layout {layout}", 0.0) for name in asked) for layout in LAYOUTS}
    best = max(scores.values())
    return tuple(layout for layout, score in scores.items() if score >= max(best / 2, 1 / _TRIED))


def _snippet(rng: Random, name: str) -> str:
    read = _read()
    words = [escape(word) for word in pick_some(rng, read["words"], 4)]
    key = read["within"].get(name, name)
    if key in read["snippets"]:
        return _filled(pick(rng, read["snippets"][key]), words)
    kind, _, rest = name.partition(":")
    if kind == "span":
        return generate_table(rng, options_of(rng, [name])).removeprefix("<html><body>").removesuffix("</body></html>")
    if kind == "layout" and rest.startswith("grid-"):
        return _grid(rng, rest.removeprefix("grid-"), words)
    if kind != "tag" or rest in _NOT_WRITTEN:
        return ""
    if rest in _VOID:
        return f'<p class="p-4">{words[0]}<{rest}>{words[1]}</p>'
    return f'<div class="p-4"><{rest}>{words[0]} {between(rng, 2, 90)}</{rest}> {words[1]}</div>'


def _grid(rng: Random, n: str, words: Sequence[str]) -> str:
    cells = "".join(f'<div class="bg-white rounded shadow p-4">{pick(rng, words)}</div>' for _ in range(int(n)))
    return f'<div class="grid grid-cols-{n} gap-4 p-4">{cells}</div>' if n.isdigit() else ""


def _filled(snippet: str, words: Sequence[str]) -> str:
    for mark, word in zip(_WORDS_IN, words, strict=True):
        snippet = snippet.replace(mark, word)
    return snippet


def _with(html: str, snippet: str, *, at_end: bool) -> str:
    """The page with the snippet at the end of its content, or at its beginning."""
    if not snippet:
        return html
    if not at_end and (start := re.search(r"<main[^>]*>|<body[^>]*>", html)):
        return f"{html[: start.end()]}\n{snippet}{html[start.end() :]}"
    place = _END.search(html)
    return f"{html[: place.start()]}{snippet}\n{html[place.start() :]}" if place else html + snippet


@cache
def _read() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("page_snippets.yaml").read_text("utf-8"))
    return read
