"""Real pages and tables for tests of markup, hostile ones, soup of all that parsers dislike, and a look at them."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq
from hypothesis import strategies as st

from rendering.renderer import Renderer
from rendering.result import Rendered
from rendering.spec import RenderSpec

HtmlTask = Literal["page_to_html", "table_to_html"]

FOLDERS: dict[str, tuple[HtmlTask, str, int]] = {
    "websight": ("page_to_html", "text", 300),
    "pubtabnet-html": ("table_to_html", "html_table", 20),
    "pubtabnet-markup-only": ("table_to_html", "html_table", 111),
    "fintabnet-markup-only": ("table_to_html", "html_table", 99),
}


@functools.cache
def real_texts(shared_data: Path, folder: str) -> list[str]:
    """The markup of every row of one data set, in source order."""
    column = FOLDERS[folder][1]
    paths = sorted((shared_data / folder).glob("*.parquet"))
    texts = [text for path in paths for text in pq.read_table(path, columns=[column]).column(column).to_pylist()]
    assert len(texts) == FOLDERS[folder][2]
    return texts


TAILWIND = '<link href="https://cdn.jsdelivr.net/npm/tailwindcss@2.2.19/dist/tailwind.min.css" rel="stylesheet">'
DOCTYPES = [
    "",
    "<!doctype html>",
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1.dtd">',
    '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2//EN">',
]
_TAGS = [
    *("a", "b", "body", "br", "button", "caption", "center", "code", "col", "colgroup", "custom-el"),
    *("dd", "details", "dialog", "div", "dl", "dt", "em", "fieldset", "font", "form", "frameset", "h1"),
    *("head", "hr", "html", "i", "iframe", "image", "img", "input", "label", "legend", "li", "link"),
    *("listing", "main", "marquee", "math", "meta", "mi", "nobr", "noscript", "object", "ol", "optgroup"),
    *("option", "p", "param", "plaintext", "pre", "q", "rp", "rt", "ruby", "script", "select", "span"),
    *("style", "sub", "summary", "svg", "table", "tbody", "td", "template", "text", "textarea", "tfoot"),
    *("th", "thead", "title", "tr", "u", "ul", "video", "wbr", "xmp", "foreignObject"),
]
_ATTRIBUTES = [
    *('class="space-x-4"', 'class="whitespace-pre"', 'style="white-space:pre"', 'style="display:inline"', "hidden"),
    *('onclick="x()"', "id=a", 'href="#"', "colspan=2", "rowspan=2", "rowspan=0", "colspan=x", "COLSPAN=3 colspan=4"),
    *(
        'viewBox="0 0 1 1"',
        "value='v  v'",
        'title="<&\xa0>"',
        "xml:space=preserve",
        'a"b=1',
        "=",
        "shadowrootmode=open",
    ),
]
_TEXTS = [
    *("a", "foo bar", " ", "\n", "  x\n  y", "&nbsp;", "&lt;b&gt;", "&copy", "中文\n字", "\u200b\n", "\t", "&#13;"),
    *("\x0c", "\0", "\ud800", "\ufeff", "<!-- c -->", "<!-->", "<![CDATA[x]]>", "<", "</", "</p>", "</br>", "<?x ?>"),
    *("```", "```html\n", "{color:red}", "p:first-child{}", "\\", "$"),
]

_start_tags = st.builds(
    lambda tag, attributes: f"<{' '.join([tag, *attributes])}>",
    st.sampled_from(_TAGS),
    st.lists(st.sampled_from(_ATTRIBUTES), max_size=2),
)
_end_tags = st.sampled_from(_TAGS).map("</{}>".format)
_pieces = st.one_of(_start_tags, _start_tags, _end_tags, st.sampled_from(_TEXTS), st.text(max_size=3))

soup = st.builds(
    lambda doctype, pieces: doctype + "".join(pieces), st.sampled_from(DOCTYPES), st.lists(_pieces, max_size=30)
)
"""Any tags in any order, broken entities, comments, half surrogate pairs."""

_cells = st.builds(
    lambda tag, attributes, content: f"<{' '.join([tag, *attributes])}>{''.join(content)}</{tag}>",
    st.sampled_from(["td", "th"]),
    st.lists(
        st.sampled_from(["colspan=2", "rowspan=2", "rowspan=0", "colspan=1", "align=left", "class=a"]), max_size=2
    ),
    st.lists(st.one_of(_start_tags, st.sampled_from(_TEXTS)), max_size=3),
)
table_soup = st.lists(st.lists(_cells, max_size=3), max_size=4).map(
    lambda rows: "<table>" + "".join(f"<tr>\n{' '.join(row)}</tr>" for row in rows) + "</table>"
)
"""Tables whose spans may or may not resolve, with soup in their cells."""

_PAGE_TAGS = [
    *("div", "p", "span", "b", "i", "u", "a", "ul", "li", "dl", "dt", "dd", "h1", "pre", "button"),
    *("label", "center", "font", "q", "code", "small", "table", "tr", "td", "th", "svg"),
]
_PAGE_ATTRIBUTES = [
    *(
        'class="flex space-x-4"',
        'class="inline-block"',
        'class="whitespace-pre-line"',
        'class="md:hidden"',
        "align=right",
    ),
    *(
        'style="white-space:pre"',
        'style="display:inline-block"',
        'onclick="x()"',
        "bgcolor=yellow",
        "border=1",
        "hidden",
    ),
]
_PAGE_TEXTS = [
    *("a", "foo bar ", " ", "\n    ", "  x\n  y", "&nbsp;", "&lt;b&gt;", "&copy", "中文\n字 ", "</p>", "</br>", "<br>"),
    *("<script>x()</script>", "<template>y</template>", "<noscript> z </noscript>", "<div><!-- c --></div>", "<hr>"),
    *("<textarea>\n\n x  y</textarea>", "<select><option> p  q<option>r</select>", '<input value=" v  w ">'),
]
_PAGE_CSS = ["p:first-child{color:red}", "b+i{color:blue}", "[onclick]{color:green}", "div{white-space:pre-line}"]


def broken_page(seed: int) -> str:
    """A page that a browser shows in spite of its misnesting; comments stand only where they split no words."""
    chance = random.Random(seed)
    out = [chance.choice(DOCTYPES), chance.choice(["", "<html>", "<html>\n<head>"]), chance.choice(["", TAILWIND])]
    out.append(chance.choice(["", "", f"<style>{chance.choice(_PAGE_CSS)}</style>"]))
    out.append(chance.choice(["", "<body>\n", "<body class=p-4>"]))
    for _ in range(chance.randint(5, 25)):
        kind = chance.random()
        tag = chance.choice(_PAGE_TAGS)
        if kind < 0.4:
            out.append(f"<{' '.join([tag, *chance.sample(_PAGE_ATTRIBUTES, chance.choice([0, 0, 1, 2]))])}>")
        elif kind < 0.6:
            out.append(f"</{tag}>")
        else:
            out.append(chance.choice(_PAGE_TEXTS))
    return "".join(out)


def hostile_markup() -> dict[str, str]:
    """Markup on which a parser without bounds takes minutes or gigabytes, by name."""
    n = 100_000
    return {
        "10 MB": "<p>hello world</p>\n" * 560_000,
        "10 MB in one tag": f"<p title='{'x' * 10_000_000}'>",
        "nested div": "<div>" * n,
        "nested table": "<table><tr><td>" * (n // 3),
        "nested svg": "<p><svg>" + "<g>" * (n // 2),
        "formatting left open": "".join(f"<b id={i}><p>" for i in range(n // 4)),
        "font in every paragraph": "".join(f"<p><font size={i}></p>" for i in range(n // 4)),
        "unknown end tags": "<span>" * (n // 2) + "</x>" * (n // 2),
        "attributes": "<p " + " ".join(f"a{i}" for i in range(n)) + ">",
        "attributes with tags in them": "<p " + "".join(f'a{i}="<b>"' for i in range(n)) + ">",
        "attributes of many bodies": "".join(f"<body a{i} b{i} c{i}>" for i in range(n // 4)),
        "tags in tags": "<a " * (n - 10),
        "comments": "<p>" + "<!--" * (n - 10),
        "ampersands": "<p>" + "&" * 1_900_000,
        "scripts": "<p>a" + "<script></script>" * (n // 3),
        "white space": "<p>" + " \n" * 900_000,
        "fences": "```html\n" * (n * 2),
        "NUL": "<p>" + "\0" * n,
        "cells": "<table>" + "<tr>" + "<td>" * (n - 10),
        "spans": "<table>" + "<tr><td rowspan=65534 colspan=1000>" * 40_000,
        "colspan": "<table><tr>" + "<td colspan=1000>" * 40_000,
        "bytes": "".join(map(chr, range(256))) * 1_000,
    }


def pixel_differences(renderer: Renderer, task: HtmlTask, pairs: Sequence[tuple[str, str]]) -> list[int]:
    """Which of the pairs (source, canonical form) do not show the same, as indices.

    Of two renders that fail in the same way nothing shows, so they are the same.
    """
    spec = RenderSpec(kind="page" if task == "page_to_html" else "table")
    # Sources and forms in separate calls: one that breaks a tab must not fall on its own counterpart.
    results = [renderer.render([pair[side] for pair in pairs], spec) for side in (0, 1)]
    looks = [
        [(r.png, r.width_px, r.height_px) if isinstance(r, Rendered) else r.reason for r in side] for side in results
    ]
    return [index for index, (one, other) in enumerate(zip(*looks, strict=True)) if one != other]
