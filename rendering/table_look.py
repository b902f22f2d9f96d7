"""How a table is set, apart from its markup: rules, bands, alignment, space, as journals and web sites differ in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final, Literal

TableRules = Literal["booktabs", "horizontal", "grid", "open", "none"]
"""`booktabs`: above, under the head, below. `horizontal`: also between rows. `open`: only under the head."""


@dataclass(frozen=True)
class TableLook:
    """The default is a neutral journal's: rules above, below and under the head, everything on the left.

    Lengths are in em of the table's text, rules in CSS px. An empty colour is none: no band, no fill, the text's own.
    `is_full_width` stretches the table over the width that it has; it never makes one narrower than its words.
    """

    rules: TableRules = "booktabs"
    outer_rule_px: float = 2
    inner_rule_px: float = 1
    rule_color: str = ""
    has_group_rules: bool = False
    """A rule under heads that span columns."""
    band_color: str = ""
    head_fill: str = ""
    head_ink: str = ""
    head_weight: Literal["bold", "normal"] = "bold"
    """Of `th` only: what is bold in a `td`, the markup itself says."""
    head_align: Literal["left", "center", "right"] = "left"
    column_align: Literal["left", "center", "right"] = "left"
    """Of every cell but a row's first."""
    vertical_align: Literal["top", "middle", "bottom"] = "top"
    line_height: float = 1.3
    pad_x_em: float = 0.6
    pad_y_em: float = 0.25
    caption_side: Literal["top", "bottom"] = "top"
    caption_align: Literal["left", "center"] = "left"
    caption_weight: Literal["bold", "normal"] = "bold"
    is_full_width: bool = False


DEFAULT_TABLE_LOOK: Final = TableLook()

_CSS: Final = """
%(host)s{font-family:%(family)s;font-size:%(size_px)gpx;line-height:%(line_height)g;color:%(ink)s;text-align:left}
table{border-collapse:collapse;width:%(width)s;font-size:1em;color:%(ink)s}
caption{caption-side:%(caption_side)s;text-align:%(caption_align)s;font-weight:%(caption_weight)s;padding:.4em 0}
th,td{padding:%(pad_y_em)gem %(pad_x_em)gem;text-align:left;vertical-align:%(vertical_align)s;border:0}
th{font-weight:%(head_weight)s}
"""


def table_css(look: TableLook, host: str, font: str, font_size_px: float, ink_color: str) -> str:
    """The style sheet of a look. `host` selects what holds the table."""
    css = _CSS % {
        **asdict(look),
        "host": host,
        "family": f'"{font}",sans-serif' if font else "Arimo,sans-serif",
        "size_px": font_size_px,
        "ink": ink_color,
        "width": "100%" if look.is_full_width else "auto",
    }
    return css + "".join(f"{selector}{{{style}}}\n" for selector, style in _rules(look, look.rule_color or ink_color))


def _rules(look: TableLook, color: str) -> Iterator[tuple[str, str]]:
    outer, inner = f"{look.outer_rule_px:g}px solid {color}", f"{look.inner_rule_px:g}px solid {color}"
    if look.column_align != "left":
        yield ":is(th,td):not(:first-child)", f"text-align:{look.column_align}"
    if look.head_align != look.column_align:
        yield "thead :is(th,td):not(:first-child)", f"text-align:{look.head_align}"
    if look.band_color:
        yield "tbody tr:nth-child(even)", f"background:{look.band_color}"
    if look.head_fill:
        yield "thead", f"background:{look.head_fill}"
    if look.head_ink:
        yield "thead :is(th,td)", f"color:{look.head_ink}"
    if look.rules == "grid":
        yield "th,td", f"border:{inner}"
        yield "table", f"border:{outer}"
        return
    if look.rules in {"booktabs", "horizontal"}:
        yield "table", f"border-top:{outer};border-bottom:{outer}"
    if look.rules == "horizontal":
        yield "tbody tr+tr", f"border-top:{inner}"
    if look.rules != "none":
        yield "thead", f"border-bottom:{inner}"
        yield "tfoot", f"border-top:{inner}"
    if look.has_group_rules:
        yield "thead tr:not(:last-child) :is(th,td)[colspan]:not([colspan='1'],:empty)", f"border-bottom:{inner}"
