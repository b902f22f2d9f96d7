"""Pictures for the page: always encoded anew and small, as many as a byte budget holds, shared out fairly."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final

from PIL import Image

from curation.report.facts import Example
from rendering.pixels import ImageFault, decode_rgb, encode_png

MAX_WIDTH_PX: Final = 420
MAX_HEIGHT_PX: Final = 420
BUDGET_BYTES: Final = 7_500_000
"""Of encoded pictures; base64 makes 10 MB of it."""

_MAX_REFUSED: Final = 8
"""So many examples are tried that do not fit; then the page is full, and nothing more is decoded for it."""

_JPEG_QUALITY: Final = 80
_MAX_PNG_COLORS: Final = 256
KINDS: Final = ("picture", "rerendered", "difference")


@dataclass
class Pictures:
    """Data URLs by example and kind, and what did not fit."""

    urls: dict[tuple[int, str], str] = field(default_factory=dict)
    left_out: set[int] = field(default_factory=set)
    n_left_out: int = 0

    def of(self, example: Example, kind: str) -> str | None:
        """The picture's data URL; None where it did not fit, does not decode, or never was."""
        return self.urls.get((id(example), kind))

    def is_left_out(self, example: Example) -> bool:
        """Whether the example's pictures did not fit."""
        return id(example) in self.left_out


@dataclass(frozen=True)
class Group:
    """Examples that are shown together, with these of their pictures."""

    examples: tuple[Example, ...]
    kinds: tuple[str, ...] = KINDS


def choose_pictures(groups: Sequence[Group], budget_bytes: int = BUDGET_BYTES) -> Pictures:
    """Take the first examples of every group, then the second ones, until the budget is spent.

    An example has all of its pictures or none, and counts as often as it is shown. Examples are known by identity: they
    must outlive what is returned.
    """
    chosen = Pictures()
    uses = Counter(
        (id(example), kind)
        for group in groups
        for example in group.examples
        for kind in group.kinds
        if getattr(example, kind) is not None
    )
    left_bytes, n_refused = budget_bytes, 0
    seen: set[int] = set()
    for example in _in_turn(groups):
        there = [kind for kind in KINDS if uses[id(example), kind]]
        if not there or id(example) in seen:
            continue
        seen.add(id(example))
        made: dict[str, bytes] = {}
        if n_refused < _MAX_REFUSED:
            made = {kind: small for kind in there if (small := thumbnail(getattr(example, kind))) is not None}
        n_bytes = sum(len(small) * uses[id(example), kind] for kind, small in made.items())
        if n_refused < _MAX_REFUSED and n_bytes <= left_bytes:
            left_bytes -= n_bytes
            chosen.urls |= {(id(example), kind): data_url(small) for kind, small in made.items()}
        else:
            n_refused += 1
            chosen.left_out.add(id(example))
            chosen.n_left_out += sum(uses[id(example), kind] for kind in there)
    return chosen


def thumbnail(data: bytes) -> bytes | None:
    """The picture's pixels as a new PNG (few colours) or JPEG within the page's size; None where it does not decode.

    Nothing of the bytes that came is passed on: no metadata, no second format hidden behind the picture.
    """
    pixels = decode_rgb(data)
    if isinstance(pixels, ImageFault):
        return None
    if pixels.width > MAX_WIDTH_PX:
        height_px = max(1, round(pixels.height * MAX_WIDTH_PX / pixels.width))
        pixels = pixels.resize((MAX_WIDTH_PX, height_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    # A tall page is cut below the fold: whole, its letters would be too small to read.
    pixels = pixels.crop((0, 0, pixels.width, min(pixels.height, MAX_HEIGHT_PX)))
    if pixels.getcolors(_MAX_PNG_COLORS) is not None:
        return encode_png(pixels)
    out = io.BytesIO()
    pixels.save(out, "JPEG", quality=_JPEG_QUALITY, optimize=True, subsampling="4:4:4")
    return out.getvalue()


def data_url(picture: bytes) -> str:
    """A `data:` URL of a PNG or JPEG."""
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')}"


def _in_turn(groups: Sequence[Group]) -> Iterator[Example]:
    for several in zip_longest(*(group.examples for group in groups)):
        yield from (example for example in several if example is not None)
