"""What a reader sees of a target: its text, and the size of its tree.

For CLIP, OCR and the bias counts: tag names, attributes and style sheets never count as words. Of style sheets only
Tailwind's display classes at a width of 1280 px and inline `style` are understood; the picture is the truth.
"""

from __future__ import annotations

import re
from typing import Final

from curation.markup.tree import Start, TreeSize, events, parse, root_of, tree_size
from curation.reasons import Reject
from curation.sample import Task

_INLINES: Final = frozenset(
    [
        *("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i"),
        *("img", "ins", "kbd", "mark", "nobr", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup"),
        *("time", "tt", "u", "underline", "var", "wbr"),
    ]
)
_UNSEEN: Final = frozenset(
    [
        *("head", "title", "style", "script", "template", "datalist", "noembed", "noframes", "iframe", "object"),
        *("video", "audio", "canvas", "desc", "metadata", "defs", "symbol"),
    ]
)
_TYPED_TEXT_SHOWS: Final = frozenset(
    ["", "text", "search", "email", "url", "tel", "number", "submit", "button", "reset", "date", "time"]
)

_BREAKPOINTS: Final = ("", "sm:", "md:", "lg:", "xl:")
"""Tailwind's, of which those up to `xl` (1280 px) apply at the width that pages are rendered at."""

_DISPLAYS: Final = frozenset(
    [
        *("hidden", "block", "inline-block", "inline", "flex", "inline-flex", "grid", "inline-grid", "table"),
        *("table-row", "table-cell", "contents", "flow-root", "list-item"),
    ]
)
_STYLE_HIDES: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)", re.IGNORECASE)
_LATEX_TOKEN: Final = re.compile(r"\\(?:[A-Za-z]+\*?|.)|\S", re.DOTALL)


def visible_text(task: Task, canonical_text: str) -> str | None:
    """The words of a page, a table or a caption as a reader sees them, a line for each block or table row.

    Cells of a row stand a tab apart. Null for formulas and for markup that has no canonical form.
    """
    if task in ("image_to_caption", "image_chat"):
        return canonical_text
    if task == "formula_to_latex":
        return None
    tree = parse(canonical_text)
    if isinstance(tree, Reject):
        return None
    words: list[str] = []
    unseen = 0  # open elements from the outermost unseen one on
    for event in events(root_of(tree)):
        if isinstance(event, str):
            if not unseen:
                words.append(re.sub(r"\s+", " ", event))
        elif isinstance(event, Start):
            if unseen or _is_unseen(event):
                unseen += 1
            else:
                words.append(_break_before(event.tag) + _form_text(event))
        elif unseen:
            unseen -= 1
        else:
            words.append(_break_after(event.tag))
    lines = (re.sub(r" *\t *", "\t", re.sub(r" +", " ", line)).strip(" ") for line in "".join(words).split("\n"))
    return "\n".join(line.rstrip() for line in lines if line.strip())


def markup_size(task: Task, canonical_text: str) -> TreeSize | None:
    """Elements and nesting of a page or table, commands and characters and brace nesting of a formula.

    A table counts from `table` on, a page from `html` on. Null for captions and for markup over a cap.
    """
    if task == "formula_to_latex":
        return _latex_size(canonical_text)
    if task not in ("page_to_html", "table_to_html"):
        return None
    tree = parse(canonical_text)
    if isinstance(tree, Reject):
        return None
    root = root_of(tree)
    if task == "table_to_html":
        table = root.css_first("table")
        return tree_size(table) if table is not None else None
    return tree_size(root)


def _is_unseen(start: Start) -> bool:
    attributes = start.attributes
    if start.tag in _UNSEEN or "hidden" in attributes or _STYLE_HIDES.search(attributes.get("style") or ""):
        return True
    if start.tag == "dialog" and "open" not in attributes:
        return True
    classes = (attributes.get("class") or "").split()
    return "sr-only" in classes or "invisible" in classes or _is_display_none(classes)


def _is_display_none(classes: list[str]) -> bool:
    """Whether the display class of the widest breakpoint that applies is `hidden`."""
    hidden = False
    for breakpoint_ in _BREAKPOINTS:
        displays = {name.removeprefix(breakpoint_) for name in classes if name.startswith(breakpoint_)} & _DISPLAYS
        if displays:
            hidden = "hidden" in displays
    return hidden


def _break_before(tag: str) -> str:
    return "" if tag in _INLINES or tag in ("td", "th") else "\n"


def _break_after(tag: str) -> str:
    if tag in ("td", "th"):
        return "\t"
    return "" if tag in _INLINES else "\n"


def _form_text(start: Start) -> str:
    """What stands in a form field: its value or, where there is none, its placeholder."""
    if start.tag == "input" and (start.attributes.get("type") or "").lower() not in _TYPED_TEXT_SHOWS:
        return ""
    if start.tag not in ("input", "textarea"):
        return ""
    return start.attributes.get("value") or start.attributes.get("placeholder") or ""


def _latex_size(text: str) -> TreeSize:
    depth = deepest = n_tokens = 0
    for token in _LATEX_TOKEN.finditer(text):
        n_tokens += 1
        if token[0] == "{":
            depth += 1
            deepest = max(deepest, depth)
        elif token[0] == "}":
            depth = max(0, depth - 1)
    return TreeSize(n_tokens, deepest)
