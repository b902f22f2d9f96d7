"""What stands in a picture: lines of text, read by rapidocr (PP-OCR; its wheel ships the models).

The models are opened once a process, by its first reader, and are shared between threads.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from rendering.errors import RenderingError

if TYPE_CHECKING:
    from rapidocr import RapidOCR

N_THREADS: Final = 1
"""Of each model's own; who reads more at a time reads in several threads or processes."""
FIND_SIDE_PX: Final = 960
"""Lines are found in a picture of at most this side (a third of the time of the full size, the same lines found on
WebSight's pages) and then read at their full size."""
TILE_PX: Final = 1_280
"""Pictures higher than one and a half of this are read in tiles, so that finding never shrinks small print away."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class TextLine:
    """A line of text in a picture, where it stands in picture pixels, and how sure the reader is, in [0, 1]."""

    text: str
    x_px: float
    y_px: float
    width_px: float
    height_px: float
    confidence: float = 1.0


def read_lines(image: Image.Image, scale: float = 1.0) -> tuple[TextLine, ...]:
    """The lines of text in `image` (RGB), from above to below.

    `scale` enlarges the picture before it is read (small print of scans); places are those of `image` all the same.

    Raises:
        RenderingError: rapidocr is not installed.
    """
    reader = shared_reader()
    if scale != 1.0:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.BICUBIC)
    pixels = np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])  # rapidocr wants blue first
    lines: list[TextLine] = []
    for top, bottom in tiles(pixels):
        lines += _read(reader, pixels[top:bottom], top, scale)
    return tuple(lines)


def reader_version() -> str:
    """The reader's name and version, for keys; empty where it is not installed."""
    try:
        return f"rapidocr {version('rapidocr')}"
    except PackageNotFoundError:
        return ""


def _read(reader: RapidOCR, tile: Pixels, top: int, scale: float) -> list[TextLine]:
    found: Any = reader(tile)
    if found.boxes is None or found.txts is None:
        return []
    lines = []
    for corners, text, confidence in zip(found.boxes, found.txts, found.scores, strict=True):
        left, upper = corners.min(axis=0) / scale
        right, lower = corners.max(axis=0) / scale
        lines.append(
            TextLine(
                str(text),
                round(float(left), 1),
                round(float(upper) + top / scale, 1),
                round(float(right - left), 1),
                round(float(lower - upper), 1),
                round(float(confidence), 3),
            )
        )
    return lines


def tiles(pixels: Pixels) -> list[tuple[int, int]]:
    """Parts from above to below, cut where the fewest edges are: between lines."""
    height_px = len(pixels)
    tiles, top = [], 0
    while height_px - top > TILE_PX * 3 // 2:
        first, last = top + TILE_PX * 3 // 4, top + TILE_PX * 5 // 4
        part = pixels[first:last].astype(np.int16)
        edges = np.abs(np.diff(part, axis=1)).sum(axis=(1, 2))
        # The middle of a quiet band: a cut right at the letters' feet would hurt them.
        quiet = np.convolve(edges, np.ones(9), mode="same")
        cut = first + int(np.argmin(quiet))
        tiles.append((top, cut))
        top = cut
    return [*tiles, (top, height_px)]


_opening = Lock()


def shared_reader() -> RapidOCR:
    """The models of this process, opened at the first call.

    Call it with a picture alone: what else it is told, it remembers, for whoever calls it next.

    Raises:
        RenderingError: rapidocr is not installed.
    """
    with _opening:  # one opening, however many threads come first
        return _open(reads=True)


def shared_finder() -> RapidOCR:
    """As `shared_reader`, but it tells only where lines are. Raises the same."""
    with _opening:
        return _open(reads=False)


@lru_cache(maxsize=2)
def _open(*, reads: bool) -> RapidOCR:
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise RenderingError("Reading pictures needs rapidocr", "Run `make setup`") from error
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    return RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_rec": reads,
            "Global.use_cls": False,  # text of rendered markup is upright
            "Global.max_side_len": 1_000_000,  # tiles bound it
            "Det.limit_type": "max",
            "Det.limit_side_len": FIND_SIDE_PX,
            "Rec.rec_batch_num": 1,  # lines of one batch are padded to the longest; on a CPU that only costs
            "EngineConfig.onnxruntime.intra_op_num_threads": N_THREADS,
            "EngineConfig.onnxruntime.inter_op_num_threads": N_THREADS,
        }
    )
