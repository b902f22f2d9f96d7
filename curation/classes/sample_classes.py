"""All classes of one sample, namespaced: what the measure writes and what a plan counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from selectolax.lexbor import LexborNode

from curation.classes.components import components_of
from curation.classes.formulas import commands_of, environments_of
from curation.classes.layouts import layouts_of
from curation.classes.objects import class_of, objects_named
from curation.classes.page_tree import elements_of
from curation.classes.tables import shapes_of, spans_in
from curation.language import language_of
from curation.markup.tree import parse, root_of
from curation.reasons import Reject

_TAG: Final = re.compile(r"[a-z][a-z0-9-]{0,29}")
"""Tags beyond this are noise, and could be of any length."""


def classes_of(task: str, text: str | None, objects: Sequence[str] | None) -> list[str] | None:
    """Classes of a sample, sorted, each once; None where they cannot be told.

    - pages: `tag:` (elements in the tree), `component:`, `layout:`, and `span:` of the tables in them;
    - tables: `tag:` (from `table` down), `span:RxC` of merged cells, `shape:` (see `curation.classes.tables`);
    - formulas: `cmd:` and `env:`;
    - captions and conversations: `object:`, those that the source names (`objects`, an empty list too, in the
      vocabulary's words), else for captions those that an English text names.

    None for a text that cannot be parsed, no text, a caption in another language, a conversation without `objects`.
    """
    if task in ("image_to_caption", "image_chat"):
        named = _objects(task, text, objects)
        return None if named is None else sorted(f"object:{name}" for name in named)
    if not text:
        return None
    if task == "formula_to_latex":
        found = {f"cmd:{name}" for name in commands_of(text)} | {f"env:{name}" for name in environments_of(text)}
        return sorted(found)
    tree = parse(text)
    if isinstance(tree, Reject):
        return None
    root = root_of(tree)
    if task == "page_to_html":
        return sorted(_page_classes(root))
    table = root.css_first("table")
    return None if table is None else sorted(_table_classes(table))


def _objects(task: str, text: str | None, given: Sequence[str] | None) -> set[str] | None:
    if given is not None:
        return {class_of(name) for name in given if name and name.strip()}
    if task != "image_to_caption" or not text:
        return None
    found = objects_named(text)
    # Words of other languages are sometimes English things (a German "Hut"): asked only where it costs little.
    return found if found or language_of(text) in (None, "en") else None


def _page_classes(root: LexborNode) -> set[str]:
    elements = elements_of(root)
    found = {f"tag:{element.tag}" for element in elements if _TAG.fullmatch(element.tag)}
    found |= {f"component:{name}" for name in components_of(elements)}
    found |= {f"layout:{name}" for name in layouts_of(elements)}
    return found | {f"span:{span}" for span in spans_in(root)}


def _table_classes(table: LexborNode) -> set[str]:
    found = {f"tag:{node.tag}" for node in [table, *table.css("*")] if _TAG.fullmatch(node.tag or "")}
    found |= {f"span:{span}" for span in spans_in(table)}
    return found | {f"shape:{shape}" for shape in shapes_of(table)}
