"""`render`: how close the re-rendered target is to the picture that the sample has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any, ClassVar, Final

import pyarrow as pa
from PIL import Image

from curation.browser import shared_renderer
from curation.stage import Batch, Outcome, Worker
from curation.stages.rendered import render_texts
from rendering.compare.ssim import similarity
from rendering.pixels import ImageFault
from rendering.renderer import Renderer
from rendering.result import Rendered

SIMILARITY_DECIMALS: Final = 4
"""What the measure reproduces across machines of different vector units."""


@dataclass(frozen=True)
class RenderBack:
    """Renders `text` again and compares it with `image`.

    Adds `render_similarity` (float32 in [0, 1], see `rendering.compare.ssim.similarity`; null where there is no
    render), `blank`, `cutoff` (bool), and `render_failure` (the reason, or null).
    """

    name: ClassVar[str] = "render"
    version: ClassVar[int] = 1
    adds: ClassVar[pa.Schema] = pa.schema(
        [
            ("render_similarity", pa.float32()),
            ("blank", pa.bool_()),
            ("cutoff", pa.bool_()),
            ("render_failure", pa.string()),
        ]
    )
    fingerprint: str

    @contextmanager
    def open(self) -> Iterator[Worker]:
        """Start, or join, the process's browser."""
        with shared_renderer() as renderer:
            yield lambda batch: _measure(renderer, batch)


def _measure(renderer: Renderer, batch: Batch) -> Outcome:
    table = batch.table
    results = render_texts(renderer, table.column("task").to_pylist(), table.column("text").to_pylist())
    similarities: list[float | None] = []
    for result, picture in zip(results, batch.images, strict=True):
        if isinstance(result, Rendered) and not isinstance(picture, ImageFault):
            with Image.open(BytesIO(result.png)) as again:
                similarities.append(round(similarity(picture, again.convert("RGB")), SIMILARITY_DECIMALS))
        else:
            similarities.append(None)
    failures: list[Any] = [None if isinstance(result, Rendered) else result.reason for result in results]
    return Outcome(
        {
            "render_similarity": pa.array(similarities, pa.float32()),
            "blank": pa.array([reason == "blank" for reason in failures], pa.bool_()),
            "cutoff": pa.array([reason == "cut_off" for reason in failures], pa.bool_()),
            "render_failure": pa.array(failures, pa.string()),
        },
        [None] * table.num_rows,
    )
