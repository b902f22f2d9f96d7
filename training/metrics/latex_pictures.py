"""Formulas by what they look like: rendered, whether they show the same pixels, and how alike they are.

Exact match of the pictures is im2latex's "image match" (Deng et al., 2017) without its tolerance: both are set by one
engine here, so that the same formula gives the same pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from rendering.compare.comparison import compare
from rendering.result import Rendered, RenderFailure
from training.metrics.workers import Workers


@dataclass(frozen=True)
class PictureMatch:
    """Whether two formulas show the same pixels, and how alike they are (`rendering.compare`), in [0, 1]."""

    match: bool
    similarity: float


NO_PICTURE = PictureMatch(match=False, similarity=0.0)


def picture_matches(
    predictions: Sequence[Rendered | RenderFailure], references: Sequence[Rendered | RenderFailure], workers: Workers
) -> list[PictureMatch | None]:
    """Each pair's; None where the reference gives no picture. Equal ones are found at once, others compared."""
    found: list[PictureMatch | None] = []
    todo: dict[int, tuple[Rendered, Rendered]] = {}
    for index, (ours, theirs) in enumerate(zip(predictions, references, strict=True)):
        if isinstance(theirs, RenderFailure):
            found.append(None)
        elif isinstance(ours, RenderFailure):
            found.append(NO_PICTURE)
        elif ours.png == theirs.png:
            found.append(PictureMatch(match=True, similarity=1.0))
        else:
            found.append(NO_PICTURE)
            todo[index] = (ours, theirs)
    for index, match in zip(todo, workers.map(_of_pair, list(todo.values()), NO_PICTURE), strict=True):
        found[index] = match
    return found


def _of_pair(pair: tuple[Rendered, Rendered]) -> PictureMatch:
    ours, theirs = pair
    with Image.open(BytesIO(theirs.png)) as picture:
        comparison = compare(picture.convert("RGB"), ours, "formula")
    return PictureMatch(match=comparison.score == 1.0 and not comparison.parts, similarity=comparison.score)
