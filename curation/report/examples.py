"""Samples worth a look: with a small picture, and for markup with what it renders to and what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from io import BytesIO
from typing import Any, Final

from PIL import Image

from curation.browser import shared_renderer
from curation.errors import MarkupmillError
from curation.report.facts import Example
from curation.report.rows import Place, ReportRows
from curation.stages.rendered import KIND_OF_TASK
from rendering.compare.comparison import spec_like
from rendering.compare.side_by_side import difference
from rendering.pixels import ImageFault, crop_to_ink, decode_rgb, encode_png
from rendering.result import Rendered
from rendering.spec import RenderSpec

SCORES: Final = (
    *("render_similarity", "clip_cosine", "bertscore_f1", "text_recall", "text_precision", "n_tokens", "n_words"),
)
READ: Final = (
    "id",
    "task",
    "text",
    "messages",
    "source_key",
    "original_caption",
    "image",
    "image_origin",
    "lineage",
    *SCORES,
)

TEXT_CHARS: Final = 1_200
THUMBNAIL_PX: Final = (480, 360)
DIFFERENCE_PX: Final = 640
INK_PADDING_PX: Final = 2
JPEG_QUALITY: Final = 80


def examples_at(rows: ReportRows, places: Sequence[Place], notes: Mapping[Place, str] | None = None) -> list[Example]:
    """Examples of the rows at these places, in their order."""
    found = rows.load(places, READ)
    return [example_of(found[place], (notes or {}).get(place, "")) for place in places]


def compared_examples_at(rows: ReportRows, places: Sequence[Place], notes: Mapping[Place, str]) -> list[Example]:
    """As `examples_at`, with the re-render of markup and its difference; without them where nothing can be rendered."""
    found = rows.load(places, READ)
    return list(_compared([found[place] for place in places], [notes.get(place, "") for place in places]))


def example_of(
    row: Mapping[str, Any], note: str = "", rerendered: bytes | None = None, changed: bytes | None = None
) -> Example:
    """The example of a row's values (of `READ`)."""
    scores = {name: round(float(row[name]), 4) for name in SCORES if row.get(name) is not None}
    original = row.get("original_caption")
    note = " ".join(filter(None, [note, f"Before: {original[:TEXT_CHARS]}" if original else ""]))
    said = row.get("text") or "\n".join(f"{turn['role']}: {turn['content']}" for turn in row.get("messages") or ())
    text = said if len(said) <= TEXT_CHARS else said[:TEXT_CHARS] + "…"
    key = str(row.get("source_key") or row["id"])
    picture = thumbnail((row.get("image") or {}).get("bytes"))
    return Example(str(row["id"]), str(row["task"]), key, text, scores, picture, rerendered, changed, note)


def thumbnail(data: bytes | None, size_px: tuple[int, int] = THUMBNAIL_PX) -> bytes | None:
    """A small PNG or JPEG of an encoded picture; None where it does not decode."""
    picture = decode_rgb(data)
    return None if isinstance(picture, ImageFault) else small(picture, size_px)


def small(picture: Image.Image, size_px: tuple[int, int] = THUMBNAIL_PX) -> bytes:
    """A picture (RGB) that fits `size_px`, encoded as whatever takes fewer bytes."""
    fitted = picture.copy()
    fitted.thumbnail(size_px)
    if fitted.width * fitted.height > size_px[0] * size_px[1] // 8 and fitted.height > 0:
        out = BytesIO()
        fitted.save(out, "JPEG", quality=JPEG_QUALITY, optimize=True)
        jpeg = out.getvalue()
    else:
        jpeg = b""
    png = encode_png(fitted)
    return jpeg if jpeg and len(jpeg) < len(png) else png


def _compared(rows: Sequence[Mapping[str, Any]], notes: Sequence[str]) -> Iterator[Example]:
    with ExitStack() as exits:
        renderer = None
        for row, note in zip(rows, notes, strict=True):
            kind = KIND_OF_TASK.get(row["task"])
            picture = decode_rgb((row.get("image") or {}).get("bytes"))
            if kind is None or isinstance(picture, ImageFault):
                yield example_of(row, note)
                continue
            is_ours = row.get("image_origin") == "rendered" or "render" in json.loads(row.get("lineage") or "{}")
            try:
                renderer = renderer or exits.enter_context(shared_renderer())
                (made,) = renderer.render([row["text"]], RenderSpec(kind) if is_ours else spec_like(picture, kind))
            except MarkupmillError:  # the measure `render` has said why there is nothing to render with
                yield example_of(row, note)
                continue
            if not isinstance(made, Rendered):
                yield example_of(row, f"{note} It does not render again: {made.reason}.".strip())
                continue
            again = decode_rgb(made.png)
            assert not isinstance(again, ImageFault)
            # Margins say nothing of a table or formula, and would shift one against the other.
            seen = (picture, again) if kind == "page" else (_ink(picture), _ink(again))
            changed = small(difference(*seen, DIFFERENCE_PX), (DIFFERENCE_PX, DIFFERENCE_PX))
            yield example_of(row, note, small(again), changed)


def _ink(picture: Image.Image) -> Image.Image:
    return crop_to_ink(picture, INK_PADDING_PX) or picture
