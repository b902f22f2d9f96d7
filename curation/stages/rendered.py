"""Pictures that the source does not have: rendered from the canonical target."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Final

import pyarrow as pa
import pyarrow.compute as pc

from curation.browser import shared_renderer
from curation.keys import canonical_json
from curation.reasons import Reason, Reject
from curation.sample import IMAGE_TYPE, SAMPLE_SCHEMA
from curation.stage import Batch, Outcome, Worker
from curation.stages.images import IMAGE_FIELDS, image_columns
from rendering.pictures import PictureSource
from rendering.profiles import profile_named
from rendering.renderer import Renderer
from rendering.result import RenderFailure
from rendering.spec import MarkupKind, RenderSpec
from rendering.variation import finish, lineage_of, render_varied, vary

KIND_OF_TASK: Final[dict[str, MarkupKind]] = {
    "page_to_html": "page",
    "table_to_html": "table",
    "formula_to_latex": "formula",
}


@dataclass(frozen=True)
class RenderTarget:
    """Renders each row's `text`, varied by its id as `profile` says; a render that fails is a reject.

    `fingerprint` names all that pixels depend on: Chromium, fonts, assets, the profile, their versions
    (`rendering.renderer.fingerprint`, `rendering.variation.profile_fingerprint`).
    """

    name: ClassVar[str] = "render_target"
    version: ClassVar[int] = 2
    adds: ClassVar[pa.Schema] = pa.schema(
        [SAMPLE_SCHEMA.field(name) for name in ("image", *IMAGE_FIELDS, "lineage", "warnings")]
    )
    fingerprint: str
    profile: str = "plain"
    seed: int = 42
    pictures: PictureSource = "palette"

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Start, or join, the process's browser."""
        with shared_renderer() as renderer:
            yield lambda batch: self._render(renderer, batch)

    def _render(self, renderer: Renderer, batch: Batch) -> Outcome:
        columns = {name: batch.table.column(name).to_pylist() for name in ("id", "task", "text", "lineage", "warnings")}
        profile = profile_named(self.profile)
        bases = [RenderSpec(KIND_OF_TASK[task], pictures=self.pictures) for task in columns["task"]]
        variations = [
            vary(profile, base, id_, self.seed, text)
            for base, id_, text in zip(bases, columns["id"], columns["text"], strict=True)
        ]
        results = render_varied(renderer, columns["text"], variations, bases)
        rejects: list[Reject | None] = []
        files: list[bytes | None] = []
        sizes: list[tuple[int, int] | None] = []
        for row, (result, variation) in enumerate(results):
            if isinstance(result, RenderFailure):
                rejects.append(Reject(Reason(f"render_{result.reason}"), result.detail))
                files.append(None)
                sizes.append(None)
                continue
            picture = finish(result, variation)
            rejects.append(None)
            files.append(picture.data)
            sizes.append((picture.width_px, picture.height_px))
            columns["warnings"][row].extend(result.warnings)
            known = json.loads(columns["lineage"][row] or "{}")
            columns["lineage"][row] = canonical_json({**known, "render": lineage_of(profile, self.seed, variation)})
        made = image_columns("rendered", files, sizes)
        if "image_origin" in batch.table.column_names:  # the source may say that its texts are synthetic
            made["image_origin"] = pc.coalesce(batch.table.column("image_origin"), "rendered").combine_chunks()
        made["image"] = pa.array([{"bytes": data, "path": None} if data else None for data in files], IMAGE_TYPE)
        made["lineage"] = pa.array(columns["lineage"], pa.string())
        made["warnings"] = pa.array(columns["warnings"], pa.list_(pa.string()))
        return Outcome(made, rejects)
