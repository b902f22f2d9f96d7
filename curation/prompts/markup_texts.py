"""Texts that ask for markup: a page with components and a layout, a table of a shape, a formula with commands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

import yaml

from curation.classes.tables import COLUMN_STEPS, ROW_STEPS
from curation.generate.choose import pick
from curation.prompts.nouns import with_article

_FILE: Final = Path(__file__).with_name("markup.yaml")
_KINDS: Final = {"page_to_html": "page", "table_to_html": "table", "formula_to_latex": "formula"}
_DETAILS: Final = {"page": ("looks", "extras"), "table": ("values",), "formula": ("sizes",)}
_WHOLE: Final = frozenset(
    {"layout:split", "layout:centered", "layout:stacked", "layout:sidebar-left", "layout:sidebar-right"}
)
"""Layouts of a whole page, of which one page has one."""

_BUCKET: Final = re.compile(r"shape:(\d+)(?:-(\d+)|(\+))?x(\d+)(?:-(\d+)|(\+))?")
_SPAN: Final = re.compile(r"span:(\d+)x(\d+)")
_HEADER: Final = re.compile(r"shape:header-(\d+)")
_NUMBERS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def markup_text(task: str, classes: Sequence[str], rng: Random) -> str:
    """A prompt for markup of `task` with all of these classes: what it is about, how it looks, what it must have."""
    kind, said = _KINDS[task], _said()
    subject = pick(rng, said[f"{kind}_openings"]).format(pick(rng, said[f"{kind}_subjects"]))
    details = [pick(rng, said[f"{kind}_{name}"]) for name in _DETAILS[kind] if rng.random() < 0.75]
    if kind == "page":
        details = [f"with {one}" if one in said["page_extras"] else one for one in details]
    needed = _listed([class_in_words(name, task) for name in classes])
    must = pick(rng, said["must"]).format(needed)
    opening = ", ".join([subject, *details])
    if kind != "formula" and rng.random() < 0.35:
        return f"{must}: {opening[0].lower()}{opening[1:]}."
    return f"{opening}. {must}."


def can_be_asked(name: str, task: str) -> bool:
    """Whether a class can be put into words."""
    return bool(class_in_words(name, task))


@cache
def class_in_words(name: str, task: str) -> str:
    """A class of markup as a noun phrase; empty where it is none that is known."""
    namespace, _, rest = name.partition(":")
    said = _said()
    if namespace == "component":
        return str(said["components"].get(rest, ""))
    if namespace == "layout":
        columns = re.fullmatch(r"grid-(\d+)", rest)
        return f"a grid of {_number(int(columns[1]))} columns" if columns else str(said["layouts"].get(rest, ""))
    if namespace == "tag":
        return f"{with_article(rest)} element (<{rest}>)"
    if namespace == "cmd":
        return f"the command {rest}"
    if namespace == "env":
        return f"the environment {rest}"
    if namespace == "span":
        return _span(name)
    return str(said["shapes"].get(rest, "")) or _header(name) or _bucket(name) if task == "table_to_html" else ""


def fit_together(chosen: Sequence[str], name: str) -> bool:
    """Whether one page, table or formula can have all of `chosen` and `name`."""
    together = [*chosen, name]
    if sum(one in _WHOLE for one in together) > 1:
        return False
    if sum(one in ("shape:empty-cells", "shape:many-empty-cells") for one in together) > 1:
        return False
    headers = [one for one in together if _HEADER.fullmatch(one)]
    if len(headers) > 1 or ("shape:header-0" in headers and "tag:thead" in together):
        return False
    return _fits_the_grid(together, headers)


def _fits_the_grid(together: Sequence[str], headers: Sequence[str]) -> bool:
    """Whether merged cells, header rows and what a table has below them fit its size, if one is asked for."""
    buckets = [match for one in together if (match := _BUCKET.fullmatch(one))]
    if not buckets:
        return True
    if len(buckets) > 1:
        return False
    n_rows, n_columns = (_most(*buckets[0].group(*groups)) for groups in ((1, 2, 3), (4, 5, 6)))
    depth = int(headers[0].rpartition("-")[2]) if headers else 0
    spans = [(int(match[1]), int(match[2])) for one in together if (match := _SPAN.fullmatch(one))]
    if any(rows > n_rows or columns > n_columns for rows, columns in spans) or depth >= n_rows:
        return False
    return "shape:sections" not in together or (n_columns > 1 and n_rows > 2)


def _most(low: str, high: str | None, is_open: str | None) -> int:
    return 10_000 if is_open else int(high or low)


def _span(name: str) -> str:
    match = _SPAN.fullmatch(name)
    if match is None:
        return ""
    over = [f"{_number(n)} {unit}" for n, unit in ((int(match[1]), "rows"), (int(match[2]), "columns")) if n > 1]
    exact = f'rowspan="{match[1]}" colspan="{match[2]}"'
    return f"a cell that spans {' and '.join(over)} ({exact})" if over else ""


def _header(name: str) -> str:
    match = _HEADER.fullmatch(name)
    if match is None:
        return ""
    n = int(match[1])
    return f"{_number(n)} header row{'' if n == 1 else 's'}" + (" (thead)" if n else "")


def _bucket(name: str) -> str:
    match = _BUCKET.fullmatch(name)
    if match is None or int(match[1]) not in ROW_STEPS or int(match[4]) not in COLUMN_STEPS:
        return ""
    n_rows, n_columns = _range(*match.group(1, 2, 3)), _range(*match.group(4, 5, 6))
    return f"{n_rows} row{_s(match[1], match[2])} and {n_columns} column{_s(match[4], match[5])}"


def _range(low: str, high: str | None, is_open: str | None) -> str:
    if is_open:
        return f"{low} or more"
    return f"{low} to {high}" if high else _number(int(low))


def _s(low: str, high: str | None) -> str:
    return "" if low == "1" and not high else "s"


def _number(n: int) -> str:
    return _NUMBERS[n] if n < len(_NUMBERS) else str(n)


def _listed(phrases: Sequence[str]) -> str:
    return " and ".join([", ".join(phrases[:-1]), phrases[-1]]) if len(phrases) > 1 else phrases[0]


@cache
def _said() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return read
