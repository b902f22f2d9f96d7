"""Renders of predictions and references, each different markup once, in batches that a browser likes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from curation.sample import Task
from rendering.renderer import Renderer
from rendering.result import Rendered, RenderFailure
from rendering.spec import MarkupKind, RenderSpec

KIND_OF: Final[dict[Task, MarkupKind]] = {
    "page_to_html": "page",
    "table_to_html": "table",
    "formula_to_latex": "formula",
}
BATCH: Final = 64
"""Pictures of so many pages are in memory at a time."""

Render = Rendered | RenderFailure


def spec_of(task: Task) -> RenderSpec:
    """How markup of a task is rendered for a comparison: formulas at twice the size, as fine print needs it."""
    kind = KIND_OF[task]
    return RenderSpec(kind=kind, scale=2.0) if kind == "formula" else RenderSpec(kind=kind)


def renders(task: Task, markups: Sequence[str], renderer: Renderer) -> Iterator[tuple[str, Render]]:
    """Each different markup with its render, in batches."""
    spec = spec_of(task)
    different = list(dict.fromkeys(markups))
    for start in range(0, len(different), BATCH):
        part = different[start : start + BATCH]
        # Half surrogate pairs would not reach the browser.
        yield from zip(
            part, renderer.render([text.encode("utf-8", "replace").decode() for text in part], spec), strict=True
        )
