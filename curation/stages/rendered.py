"""Pictures that the source does not have: rendered from the canonical target."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import pyarrow as pa

from curation.browser import shared_renderer
from curation.reasons import Reason, Reject
from curation.sample import IMAGE_TYPE, SAMPLE_SCHEMA
from curation.stage import Batch, Outcome, Worker
from curation.stages.images import IMAGE_FIELDS, image_columns
from rendering.renderer import Renderer
from rendering.result import Rendered, RenderFailure
from rendering.spec import MarkupKind, RenderSpec

KIND_OF_TASK: Final[dict[str, MarkupKind]] = {
    "page_to_html": "page",
    "table_to_html": "table",
    "formula_to_latex": "formula",
}


@dataclass(frozen=True)
class RenderTarget:
    """Renders each row's `text`; a render that fails is a reject.

    `fingerprint` names Chromium, fonts, assets and their versions (`rendering.renderer.fingerprint`).
    """

    name: ClassVar[str] = "render_target"
    version: ClassVar[int] = 1
    adds: ClassVar[pa.Schema] = pa.schema([SAMPLE_SCHEMA.field(name) for name in ("image", *IMAGE_FIELDS, "warnings")])
    fingerprint: str

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Start, or join, the process's browser."""
        with shared_renderer() as renderer:
            yield lambda batch: _render(renderer, batch)


def render_texts(renderer: Renderer, tasks: list[str], texts: list[str]) -> list[Rendered | RenderFailure]:
    """Render targets of mixed tasks, in order."""
    by_task: dict[str, list[int]] = defaultdict(list)
    for index, task in enumerate(tasks):
        by_task[task].append(index)
    results: list[Any] = [None] * len(tasks)
    for task, indices in by_task.items():
        spec = RenderSpec(kind=KIND_OF_TASK[task])
        for index, result in zip(indices, renderer.render([texts[i] for i in indices], spec), strict=True):
            results[index] = result
    return results


def _render(renderer: Renderer, batch: Batch) -> Outcome:
    warnings = batch.table.column("warnings").to_pylist()
    results = render_texts(renderer, batch.table.column("task").to_pylist(), batch.table.column("text").to_pylist())
    rejects: list[Reject | None] = []
    images: list[dict[str, Any] | None] = []
    sizes: list[tuple[int, int] | None] = []
    for result, row_warnings in zip(results, warnings, strict=True):
        if isinstance(result, Rendered):
            rejects.append(None)
            images.append({"bytes": result.png, "path": None})
            sizes.append((result.width_px, result.height_px))
            row_warnings.extend(result.warnings)
        else:
            rejects.append(Reject(Reason(f"render_{result.reason}"), result.detail))
            images.append(None)
            sizes.append(None)
    columns = image_columns("rendered", [image["bytes"] if image else None for image in images], sizes)
    columns["image"] = pa.array(images, IMAGE_TYPE)
    columns["warnings"] = pa.array(warnings, pa.list_(pa.string()))
    return Outcome(columns, rejects)
