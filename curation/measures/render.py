"""`render`: how well the target, rendered again, reproduces the picture that the sample has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Final

import pyarrow as pa

from curation.browser import shared_renderer
from curation.stage import Batch, Outcome, Worker
from curation.stages.rendered import KIND_OF_TASK
from rendering.compare.comparison import Comparison, compare, spec_like
from rendering.compare.reading import reader_version
from rendering.pixels import DecodedImage, ImageFault
from rendering.profiles import PLAIN
from rendering.renderer import Renderer
from rendering.result import Rendered, RenderFailure
from rendering.spec import RenderSpec

_READ: Final = ("task", "image_origin", "lineage")

SIMILARITY_DECIMALS: Final = 4
"""What the measure reproduces across machines of different vector units."""


@dataclass(frozen=True)
class RenderBack:
    """Renders `text` again, pages as wide as their picture, and compares it with `image`.

    Adds `render_similarity` (float32 in [0, 1]: the score of `rendering.compare.comparison.compare` for the task; null
    where there is no render or no picture, nothing to render, or the picture is a varied render of ours), of its parts
    `render_text` and `render_color` (float32, null where the task's comparison has no such part), `blank`, `cutoff`
    (bool), and `render_failure` (the reason, or null).
    """

    name: ClassVar[str] = "render"
    version: ClassVar[int] = 4
    adds: ClassVar[pa.Schema] = pa.schema(
        [
            ("render_similarity", pa.float32()),
            ("render_text", pa.float32()),
            ("render_color", pa.float32()),
            ("blank", pa.bool_()),
            ("cutoff", pa.bool_()),
            ("render_failure", pa.string()),
        ]
    )
    fingerprint: str
    reader: str = reader_version()
    """What reads the pictures' text: part of the key, as the fingerprint is."""

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Start, or join, the process's browser. The reader opens with the first picture that has to be read."""
        with shared_renderer() as renderer:
            yield lambda batch: _measure(renderer, batch)


def _measure(renderer: Renderer, batch: Batch) -> Outcome:
    table = batch.table
    specs = [_spec(*row) for row in zip(batch.images, *(table.column(n).to_pylist() for n in _READ), strict=True)]
    looked_at = [index for index, spec in enumerate(specs) if spec is not None]
    texts = table.column("text").to_pylist()
    rendered = renderer.render([texts[index] for index in looked_at], [s for s in specs if s is not None])
    results: list[Rendered | RenderFailure | None] = [None] * len(specs)
    for index, result in zip(looked_at, rendered, strict=True):
        results[index] = result
    told = [_compared(*row) for row in zip(batch.images, results, specs, strict=True)]
    failures = [result.reason if isinstance(result, RenderFailure) else None for result in results]
    return Outcome(
        {
            "render_similarity": _rounded([one.score if one else None for one in told]),
            "render_text": _rounded([one.parts.get("text") if one else None for one in told]),
            "render_color": _rounded([one.parts.get("color") if one else None for one in told]),
            "blank": pa.array([reason == "blank" for reason in failures], pa.bool_()),
            "cutoff": pa.array([reason == "cut_off" for reason in failures], pa.bool_()),
            "render_failure": pa.array(failures, pa.string()),
        },
        [None] * table.num_rows,
    )


def _spec(picture: DecodedImage, task: str, image_origin: str | None, lineage: str | None) -> RenderSpec | None:
    """How to render a row again; None for one without markup, and for a varied render of ours."""
    kind = KIND_OF_TASK.get(task)
    is_ours = image_origin == "rendered" or (image_origin == "synthetic" and "render" in json.loads(lineage or "{}"))
    if kind is None or (is_ours and _is_varied(lineage)):
        return None
    # A plain render of ours is compared with itself made again: the same pixels, or something is wrong.
    if is_ours or isinstance(picture, ImageFault):
        return RenderSpec(kind)
    return spec_like(picture, kind)


def _is_varied(lineage: str | None) -> bool:
    """Whether the render's profile was another than the plain one."""
    return str(json.loads(lineage or "{}").get("render", {}).get("profile", PLAIN.name)) != PLAIN.name


def _compared(
    picture: DecodedImage, result: Rendered | RenderFailure | None, spec: RenderSpec | None
) -> Comparison | None:
    if isinstance(picture, ImageFault) or not isinstance(result, Rendered) or spec is None:
        return None
    return compare(picture, result, spec.kind)


def _rounded(values: list[float | None]) -> pa.Array:
    return pa.array([None if value is None else round(value, SIMILARITY_DECIMALS) for value in values], pa.float32())
