"""How one sample's render differs from the next one's: drawn from a profile by the sample's id, the same every time.

    variation = vary(PROFILES["journal"], RenderSpec("table"), sample_id, 42, markup)
    [(rendered, variation)] = render_varied(renderer, [markup], [variation], [RenderSpec("table")])
    picture = finish(rendered, variation)

A profile changes what the markup leaves open (widths, fonts, sizes, a table's rules, paper and camera); what the markup
says stays as it is, so that the label is still true.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from html import unescape
from typing import Final, Literal, TypeVar

from PIL import Image

from rendering.pixels import decode_rgb
from rendering.renderer import Renderer
from rendering.result import Box, Rendered, RenderFailure
from rendering.spec import RenderSpec
from rendering.table_look import TableLook, TableRules
from rendering.wear import WEAR_LIBRARIES, Wear, WearRanges, encode, library_versions, turned, wear_out

VARIATION_VERSION: Final = 1
"""Raise it when the same profile, seed and id give another variation."""

CHARS_BETWEEN_CELLS: Final = 3
EM_PER_CHAR: Final = 0.4
"""Of running text in Arimo it is 0.5; a fifth of a row may be on second lines."""

_ROW: Final = re.compile(r"<tr\b", re.IGNORECASE)
_CELL: Final = re.compile(r"<t[dh]\b[^>]*>", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^>]*>")

T = TypeVar("T")
Range = tuple[float, float]
"""Lowest and highest, both drawn evenly."""
Colors = tuple[str, str]
"""Ink, then paper."""

BLACK_ON_WHITE: Final[Colors] = ("#000000", "#ffffff")


@dataclass(frozen=True)
class PageRanges:
    """What a page is shown with. Widths and scales are few, so that neighbours share a tab.

    `fonts` take the place of the system's own: a page that names its fonts keeps them, and one that sets colours
    keeps those in the dark scheme too (it is only told of it).
    """

    widths_px: tuple[int, ...] = (1280,)
    scales: tuple[float, ...] = (1.0,)
    fonts: tuple[str, ...] = ("",)
    font_sizes_px: tuple[int, ...] = (16,)
    color_schemes: tuple[Literal["light", "dark"], ...] = ("light",)


@dataclass(frozen=True)
class TableRanges:
    """How tables are set. `widths_px` are those of columns and pages; ranges are in `TableLook`'s units."""

    widths_px: tuple[int, ...] = (1280,)
    scales: tuple[float, ...] = (1.0,)
    fonts: tuple[str, ...] = ("",)
    font_sizes_px: tuple[int, ...] = (16,)
    colors: tuple[Colors, ...] = (BLACK_ON_WHITE,)
    rules: tuple[TableRules, ...] = ("booktabs",)
    outer_rules_px: tuple[float, ...] = (2,)
    rule_colors: tuple[str, ...] = ("",)
    share_with_group_rules: float = 0.0
    bands: tuple[str, ...] = ("",)
    heads: tuple[Colors, ...] = (("", ""),)
    """Ink and fill of the head."""
    share_with_bold_heads: float = 1.0
    aligns: tuple[Literal["left", "center", "right"], ...] = ("left",)
    line_height: Range = (1.3, 1.3)
    pad_x_em: Range = (0.6, 0.6)
    pad_y_em: Range = (0.25, 0.25)
    share_with_captions_below: float = 0.0
    share_full_width: float = 0.0
    padding_px: tuple[int, ...] = (8,)


@dataclass(frozen=True)
class FormulaRanges:
    """How formulas are set."""

    scales: tuple[float, ...] = (1.0,)
    font_sizes_px: tuple[int, ...] = (16,)
    colors: tuple[Colors, ...] = (BLACK_ON_WHITE,)
    padding_px: tuple[int, ...] = (8,)


@dataclass(frozen=True)
class Profile:
    """Ranges and choices for each kind of markup; `wear` is what happens to the picture afterwards."""

    name: str
    page: PageRanges = PageRanges()
    table: TableRanges = TableRanges()
    formula: FormulaRanges = FormulaRanges()
    wear: WearRanges | None = None


@dataclass(frozen=True)
class Variation:
    """One sample's render: what the browser is asked for, and what the picture goes through.

    `fell_back` says that what was drawn cut content off, and that the spec is not the drawn one.
    """

    spec: RenderSpec
    wear: Wear | None = None
    fell_back: bool = False


@dataclass(frozen=True)
class Picture:
    """A finished picture: a PNG or JPEG file, its size, and where its boxes are now."""

    data: bytes
    width_px: int
    height_px: int
    boxes: tuple[Box, ...] = ()


def vary(profile: Profile, base: RenderSpec, sample_id: str, seed: int, markup: str) -> Variation:
    """The variation of one sample: `base` with what `profile` draws for it.

    It depends on the profile, `seed` and `sample_id` and on nothing else, but that of a table's widths only those are
    drawn from in which `markup` has room, as an editor would choose between a column and a page.
    """
    draw = _Draw(f"{seed}\x1f{sample_id}\x1f{profile.name}")
    if base.kind == "page":
        spec = _vary_page(profile.page, base, draw)
    elif base.kind == "table":
        spec = _vary_table(profile.table, base, draw, markup)
    else:
        spec = _vary_formula(profile.formula, base, draw)
    return Variation(spec, _wear(profile.wear, draw) if profile.wear else None)


def finish(rendered: Rendered, variation: Variation) -> Picture:
    """What becomes of a render of `variation.spec`.

    Raises:
        RenderingError: the profile wears pictures out, and the library for it is not installed.
    """
    wear = variation.wear
    if wear is None:
        return Picture(rendered.png, rendered.width_px, rendered.height_px, rendered.boxes)
    image = decode_rgb(rendered.png)
    assert isinstance(image, Image.Image)  # it is our own
    background = variation.spec.paper_color
    worn = wear_out(image, wear, background)
    boxes = turned(rendered.boxes, image.size, wear.rotation_deg)
    return Picture(encode(worn, wear.jpeg_quality), worn.width, worn.height, boxes)


def render_varied(
    renderer: Renderer, markups: Sequence[str], variations: Sequence[Variation], bases: Sequence[RenderSpec]
) -> list[tuple[Rendered | RenderFailure, Variation]]:
    """Renders of `markups` as varied, and the variation that each has in the end.

    What a variation cuts off (a page that does not fit a narrow viewport or large letters) is rendered as its base
    has it, and only what is cut off there too is a failure.
    """
    results = renderer.render(markups, [variation.spec for variation in variations])
    done = list(zip(results, variations, strict=True))
    again = [
        index
        for index, (result, variation) in enumerate(done)
        if variation.spec != bases[index] and _is_cut_off(result, variation.spec)
    ]
    plain = [replace(variations[index], spec=bases[index], fell_back=True) for index in again]
    results = renderer.render([markups[index] for index in again], [variation.spec for variation in plain])
    for index, result, variation in zip(again, results, plain, strict=True):
        done[index] = result, variation
    return done


def _is_cut_off(result: Rendered | RenderFailure, spec: RenderSpec) -> bool:
    # Blank: all that it has lies beyond the edge.
    return not is_whole(result, spec) if isinstance(result, Rendered) else result.reason in {"cut_off", "blank"}


def lineage_of(profile: Profile, seed: int, variation: Variation) -> dict[str, object]:
    """What a sample's lineage says of its render, so that it can be made again from its id."""
    told: dict[str, object] = {"profile": profile.name, "seed": seed, "version": VARIATION_VERSION}
    return {**told, "fell_back": True} if variation.fell_back else told


def is_whole(rendered: Rendered, spec: RenderSpec) -> bool:
    """Whether every box lies inside the picture, to a pixel: none ran out of the width that a page was given."""
    slack_px = spec.scale
    return all(
        box.x_px >= -slack_px
        and box.y_px >= -slack_px
        and box.x_px + box.width_px <= rendered.width_px + slack_px
        and box.y_px + box.height_px <= rendered.height_px + slack_px
        for box in rendered.boxes
    )


def profile_fingerprint(profile: Profile) -> str:
    """Sha256 of what a profile adds to the renderer's fingerprint: its ranges, this code, libraries of `wear`."""
    libraries = library_versions(WEAR_LIBRARIES) if profile.wear else []
    parts = [VARIATION_VERSION, asdict(profile), libraries]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class _Draw:
    """Numbers by name: adding a choice to a profile leaves all others as they were drawn."""

    def __init__(self, key: str) -> None:
        self._key = key

    def fraction(self, name: str) -> float:
        """In [0, 1)."""
        digest = hashlib.sha256(f"{self._key}\x1f{name}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    def one_of(self, name: str, choices: Sequence[T]) -> T:
        return choices[int(self.fraction(name) * len(choices))]

    def within(self, name: str, bounds: Range, decimals: int = 2) -> float:
        low, high = bounds
        return round(low + self.fraction(name) * (high - low), decimals)

    def happens(self, name: str, share: float) -> bool:
        return self.fraction(name) < share


def _vary_page(ranges: PageRanges, base: RenderSpec, draw: _Draw) -> RenderSpec:
    return replace(
        base,
        width_px=draw.one_of("width", ranges.widths_px),
        scale=draw.one_of("scale", ranges.scales),
        font=draw.one_of("font", ranges.fonts),
        font_size_px=draw.one_of("font size", ranges.font_sizes_px),
        color_scheme=draw.one_of("color scheme", ranges.color_schemes),
    )


def _vary_table(ranges: TableRanges, base: RenderSpec, draw: _Draw, markup: str) -> RenderSpec:
    ink, paper = draw.one_of("colors", ranges.colors)
    head_ink, head_fill = draw.one_of("head", ranges.heads)
    align = draw.one_of("align", ranges.aligns)
    look = TableLook(
        rules=draw.one_of("rules", ranges.rules),
        outer_rule_px=draw.one_of("outer rule", ranges.outer_rules_px),
        rule_color=draw.one_of("rule color", ranges.rule_colors),
        has_group_rules=draw.happens("group rules", ranges.share_with_group_rules),
        band_color=draw.one_of("band", ranges.bands),
        head_fill=head_fill,
        head_ink=head_ink,
        head_weight="bold" if draw.happens("head weight", ranges.share_with_bold_heads) else "normal",
        # Numbers are set under their heads: the two differ only where numbers stand on the right.
        head_align="center" if align == "right" and draw.happens("head align", 0.3) else align,
        column_align=align,
        line_height=draw.within("line height", ranges.line_height),
        pad_x_em=draw.within("pad x", ranges.pad_x_em),
        pad_y_em=draw.within("pad y", ranges.pad_y_em),
        caption_side="bottom" if draw.happens("caption side", ranges.share_with_captions_below) else "top",
        is_full_width=draw.happens("full width", ranges.share_full_width),
    )
    font_size_px = draw.one_of("font size", ranges.font_sizes_px)
    least_px = _least_width_px(markup, font_size_px)
    roomy = [width_px for width_px in ranges.widths_px if width_px >= least_px]
    return replace(
        base,
        width_px=draw.one_of("width", roomy or [max(ranges.widths_px)]),
        scale=draw.one_of("scale", ranges.scales),
        font=draw.one_of("font", ranges.fonts),
        font_size_px=font_size_px,
        ink_color=ink,
        paper_color=paper,
        padding_px=draw.one_of("padding", ranges.padding_px),
        table=look,
    )


def _vary_formula(ranges: FormulaRanges, base: RenderSpec, draw: _Draw) -> RenderSpec:
    ink, paper = draw.one_of("colors", ranges.colors)
    return replace(
        base,
        scale=draw.one_of("scale", ranges.scales),
        font_size_px=draw.one_of("font size", ranges.font_sizes_px),
        ink_color=ink,
        paper_color=paper,
        padding_px=draw.one_of("padding", ranges.padding_px),
    )


def _least_width_px(markup: str, font_size_px: int) -> float:
    """Width in which most rows of a table take one line, some two: by the characters of its longest row."""
    longest = 0
    for row in _ROW.split(markup)[1:]:
        text = unescape(_TAG.sub("", _CELL.sub("_" * CHARS_BETWEEN_CELLS, row)))
        longest = max(longest, len(" ".join(text.split())))
    return longest * font_size_px * EM_PER_CHAR


def _wear(ranges: WearRanges, draw: _Draw) -> Wear:
    return Wear(
        rotation_deg=draw.within("rotation", ranges.rotation_deg),
        is_grey=ranges.is_grey,
        paper=draw.one_of("paper", ranges.papers),
        brightness=draw.within("brightness", ranges.brightness, 3),
        contrast=draw.within("contrast", ranges.contrast, 3),
        shading=draw.within("shading", ranges.shading, 3),
        blur_sigma_px=draw.within("blur", ranges.blur_sigma_px),
        noise=draw.within("noise", ranges.noise, 4),
        specks=draw.within("specks", ranges.specks, 5),
        jpeg_quality=int(draw.within("jpeg", ranges.jpeg_quality, 0)) if ranges.jpeg_quality else None,
        seed=int(draw.fraction("wear") * 2**32),
    )
