"""The part of a Tailwind style sheet that a page can use.

Tailwind 2.2.19's style sheet has 2.9 MB and takes Chromium longer to parse than all the rest of a page. A rule can
only match where each class of one of its selectors stands in the markup; leaving out the others changes no pixel.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rendering.assets import TAILWIND_CSS

_CLASS: Final = re.compile(r"\.((?:[\w-]|\\.)+)")
_BRACES: Final = re.compile(r"[{}]")
_SEPARATORS: Final = re.compile(r"""[\s"'<>=]+""")


@dataclass(frozen=True)
class _Rule:
    media: str  # the `@media …` around it, or ""
    text: str
    needs: tuple[frozenset[str], ...]  # any of these sets of classes; empty: always


@dataclass(frozen=True)
class _Index:
    rules: tuple[_Rule, ...]
    always: tuple[int, ...]
    by_class: dict[str, tuple[int, ...]]


def tailwind_for(markup: str) -> str:
    """The rules of Tailwind 2.2.19, in order, whose classes all stand somewhere in `markup`."""
    index = _index()
    # Lower case: without a doctype Chromium compares classes so, and Tailwind 2 has no class with a capital.
    words = set(_SEPARATORS.split((html.unescape(markup) if "&" in markup else markup).lower()))
    wanted = set(index.always)
    for word in words & index.by_class.keys():
        wanted.update(index.by_class[word])
    out: list[str] = []
    media = ""
    for number in sorted(wanted):
        rule = index.rules[number]
        if rule.needs and not any(need <= words for need in rule.needs):
            continue
        if rule.media != media:
            out.append(("}" if media else "") + (rule.media + "{" if rule.media else ""))
            media = rule.media
        out.append(rule.text)
    return "".join(out) + ("}" if media else "")


@lru_cache(maxsize=1)
def _index() -> _Index:
    rules: list[_Rule] = []
    for head, body in _blocks(TAILWIND_CSS.read_text(encoding="utf-8")):
        if head.startswith("@media"):
            rules += [_Rule(head, f"{inner}{{{rest}}}", _needs(inner)) for inner, rest in _blocks(body)]
        else:
            rules.append(_Rule("", f"{head}{{{body}}}", () if head.startswith("@") else _needs(head)))
    by_class: dict[str, list[int]] = {}
    always: list[int] = []
    for number, rule in enumerate(rules):
        if not rule.needs:
            always.append(number)
        for name in {name for need in rule.needs for name in need}:
            by_class.setdefault(name, []).append(number)
    return _Index(tuple(rules), tuple(always), {name: tuple(numbers) for name, numbers in by_class.items()})


def _needs(selectors: str) -> tuple[frozenset[str], ...]:
    """The classes of each selector of a list; () when one of them has none."""
    sets = tuple(frozenset(name.replace("\\", "") for name in _CLASS.findall(one)) for one in selectors.split(","))
    return sets if all(sets) else ()


def _blocks(css: str) -> Iterator[tuple[str, str]]:
    """Top-level `head{body}` pairs of a minified style sheet."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    start = 0
    while (opened := css.find("{", start)) >= 0:
        depth, end = 1, opened + 1
        for brace in _BRACES.finditer(css, opened + 1):
            depth += 1 if brace[0] == "{" else -1
            if depth == 0:
                end = brace.start()
                break
        yield css[start:opened], css[opened + 1 : end]
        start = end + 1
