"""The named profiles. What each of them looks like is shown in the documentation; change one, and raise its version."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeVar

from rendering.errors import BadInputError
from rendering.variation import BLACK_ON_WHITE, FormulaRanges, PageRanges, Profile, TableRanges
from rendering.wear import WearRanges

T = TypeVar("T")


def _weighted(choices: Mapping[T, int]) -> tuple[T, ...]:
    """Each choice as often as its weight says."""
    return tuple(choice for choice, weight in choices.items() for _ in range(weight))


PLAIN: Final = Profile("plain")
"""One look for all: 1280 px wide pages, a neutral journal's tables, formulas of 16 px."""

WEB: Final = Profile(
    "web",
    PageRanges(
        widths_px=_weighted({1024: 1, 1280: 2, 1366: 1, 1440: 1, 1536: 1, 1920: 1}),
        scales=_weighted({1.0: 3, 1.25: 1, 1.5: 1, 2.0: 1}),
        fonts=_weighted({"": 3, "Arimo": 2, "Tinos": 1, "Source Sans 3": 1, "Cabin": 1, "STIX Two Text": 1}),
        font_sizes_px=_weighted({14: 1, 15: 1, 16: 3, 17: 1, 18: 1, 20: 1}),
        color_schemes=("light", "dark"),
    ),
    TableRanges(
        widths_px=(480, 640, 720, 960, 1280),
        scales=_weighted({1.0: 2, 1.5: 1, 2.0: 1}),
        fonts=("", "DejaVu Sans", "Source Sans 3", "Cabin", "Tinos", "Cousine"),
        font_sizes_px=(13, 14, 15, 16, 18),
        colors=_weighted(
            {BLACK_ON_WHITE: 2, ("#212529", "#ffffff"): 2, ("#374151", "#ffffff"): 2}
            | {("#e5e7eb", "#111827"): 1, ("#c9d1d9", "#0d1117"): 1}
        ),
        rules=_weighted({"horizontal": 2, "grid": 1, "booktabs": 1, "open": 1, "none": 1}),
        outer_rules_px=_weighted({1: 2, 2: 1}),
        rule_colors=("#d1d5db", "#dee2e6", "#9ca3af", ""),
        bands=_weighted({"": 2, "rgb(127 127 127 / 10%)": 1, "rgb(59 130 246 / 10%)": 1}),
        heads=_weighted(
            {("", ""): 3, ("", "rgb(127 127 127 / 15%)"): 2}
            | {("#ffffff", "#1f2937"): 1, ("#ffffff", "#2563eb"): 1, ("#ffffff", "#047857"): 1}
        ),
        aligns=_weighted({"left": 2, "center": 1, "right": 1}),
        line_height=(1.3, 1.6),
        pad_x_em=(0.5, 1.0),
        pad_y_em=(0.25, 0.75),
        share_with_captions_below=0.2,
        share_full_width=0.4,
        padding_px=(8, 12, 16, 24),
    ),
    FormulaRanges(
        scales=(1.0, 1.5, 2.0),
        font_sizes_px=(14, 16, 18, 20, 24, 32),
        colors=_weighted(
            {BLACK_ON_WHITE: 2, ("#374151", "#ffffff"): 1, ("#1d4ed8", "#ffffff"): 1}
            | {("#e5e7eb", "#111827"): 1, ("#5f4b32", "#fbf0d9"): 1}
        ),
        padding_px=(4, 8, 16, 24),
    ),
)
"""As sites differ: viewports, pixel densities, the reader's font and size, light and dark."""

# Sizes, columns and rules as in PubTabNet, whose pictures are pages of journals at 72 dpi: a column is 238 to 251 px
# wide, a page 411 to 503; text has 6 to 8 px and a line 8 to 14 (measured on its 20 example pictures).
_JOURNAL_TABLES: Final = TableRanges(
    widths_px=(238, 244, 251, 396, 411, 473, 486, 503),
    fonts=_weighted(
        {"Cabin": 3, "Arimo": 2, "Source Sans 3": 2, "PT Sans Narrow": 1}
        | {"Tinos": 3, "STIX Two Text": 1, "Crimson Text": 1, "KaTeX_Main": 1}
    ),
    font_sizes_px=_weighted({6: 1, 7: 3, 8: 2, 9: 1}),
    colors=_weighted({BLACK_ON_WHITE: 1, ("#231f20", "#ffffff"): 2, ("#444444", "#ffffff"): 1}),
    rules=_weighted({"booktabs": 12, "horizontal": 4, "open": 2, "grid": 1, "none": 1}),
    outer_rules_px=_weighted({1: 2, 1.5: 1, 2: 1}),
    rule_colors=_weighted({"": 2, "#555555": 1, "#8a8a8a": 1}),
    share_with_group_rules=0.6,
    bands=_weighted({"": 16, "#eeeeee": 2, "#d9ecf2": 1, "#f3ecdc": 1}),
    heads=_weighted(
        {("", ""): 16, ("", "#e6e6e6"): 1, ("", "#dce6f1"): 1, ("#ffffff", "#8e2a8b"): 1, ("#ffffff", "#2b5c8a"): 1}
    ),
    share_with_bold_heads=0.7,
    aligns=_weighted({"left": 3, "center": 2, "right": 1}),
    line_height=(1.15, 1.5),
    pad_x_em=(0.35, 0.9),
    pad_y_em=(0.05, 0.35),
    share_with_captions_below=0.15,
    share_full_width=0.7,
    padding_px=(1, 2, 3),
)

JOURNAL: Final = Profile(
    "journal",
    table=_JOURNAL_TABLES,
    formula=FormulaRanges(scales=(1.0, 1.5, 2.0), font_sizes_px=(10, 11, 12, 14, 16), padding_px=(2, 4, 8)),
)
"""Tables as journals print them, small and narrow; formulas as in their text."""

FORMULA: Final = Profile("formula", formula=WEB.formula)
"""Formulas of many sizes and colours; all else plain."""

PHOTOCOPY: Final = Profile(
    "photocopy",
    PageRanges(scales=(1.0, 1.5)),
    replace(_JOURNAL_TABLES, scales=(1.5, 2.0), padding_px=(8, 12, 16)),
    FormulaRanges(scales=(1.5, 2.0), font_sizes_px=(12, 14, 16), padding_px=(8, 12, 16)),
    WearRanges(
        rotation_deg=(-1.2, 1.2),
        is_grey=True,
        papers=("#ffffff", "#fafafa", "#f2f2f2"),
        brightness=(-0.02, 0.06),
        contrast=(0.0, 0.5),
        shading=(0.01, 0.08),
        blur_sigma_px=(0.3, 0.8),
        noise=(0.01, 0.04),
        specks=(0.0, 0.002),
        jpeg_quality=(50, 85),
    ),
)
"""Print, copied: grey, hard, specked, a little turned; JPEG."""

SCAN: Final = Profile(
    "scan",
    PHOTOCOPY.page,
    PHOTOCOPY.table,
    PHOTOCOPY.formula,
    WearRanges(
        rotation_deg=(-0.8, 0.8),
        papers=("#fdfcf7", "#faf6ea", "#f5f1e6", "#f4f6f8", "#ffffff"),
        brightness=(-0.06, 0.02),
        contrast=(-0.12, 0.05),
        shading=(0.01, 0.12),
        blur_sigma_px=(0.3, 0.7),
        noise=(0.005, 0.025),
        jpeg_quality=(60, 92),
    ),
)
"""Print, scanned in colour: tinted and shaded paper, softer letters, a little turned; JPEG."""

PROFILES: Final = {profile.name: profile for profile in (PLAIN, WEB, JOURNAL, FORMULA, PHOTOCOPY, SCAN)}


def profile_named(name: str) -> Profile:
    """The profile of this name. Raises BadInputError, naming the nearest."""
    if name not in PROFILES:
        close = difflib.get_close_matches(name, PROFILES, n=1, cutoff=0.5)
        mend = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(PROFILES)}"
        raise BadInputError(f"there is no rendering profile {name!r}", mend)
    return PROFILES[name]
