"""From a loaded tab to pictures: one page, one table document, or a sheet of many."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

from PIL import Image, ImageChops, ImageColor

from rendering.document import CELL_MARGIN_PX, cell_style, page_css, sheet_document, table_document
from rendering.pixels import encode_png
from rendering.result import Box, Rendered, RenderFailure
from rendering.spec import RenderSpec
from rendering.tab import Tab

MAX_BOXES: Final = 5_000
MAX_SIDE_PX: Final = 16_000
"""Chromium's captures fail at sides of 20,000 px and more."""
SHEET_WIDTH_PX: Final = 2_000
SHEET_HEIGHT_PX: Final = 4_000
BLANK_BYTES_PER_ROW: Final = 10.0
BLANK_BYTES_PER_PX: Final = 0.015
"""Chromium's quick PNG of one colour has at most so many bytes (measured); only those are looked into."""

Outcome = Rendered | RenderFailure


async def capture_page(tab: Tab, markup: str, spec: RenderSpec) -> Outcome:
    """A whole page, as high as it is."""
    measured = await _load(tab, markup, markup, spec)
    if isinstance(measured, RenderFailure):
        return measured
    height_px = max(1, int(measured["height"]))
    if height_px > spec.max_height_px:
        return RenderFailure("cut_off", f"{height_px} px high, at most {spec.max_height_px} are taken")
    boxes = _boxes(measured["boxes"], spec.scale)
    if measured["width"] > spec.width_px and any(
        box.text and box.x_px < spec.width_px * spec.scale < box.x_px + box.width_px - 1 for box in boxes
    ):
        return RenderFailure("cut_off", f"text runs beyond the right edge: {measured['width']} px wide")
    png = await tab.screenshot(spec.width_px, height_px)
    width_px, height_px = _png_size(png)
    may_be_blank = len(png) <= height_px * (BLANK_BYTES_PER_ROW + BLANK_BYTES_PER_PX * width_px)
    if may_be_blank and await asyncio.to_thread(_one_color, png):
        return RenderFailure("blank", "one colour all over")
    return Rendered(png, width_px, height_px, boxes, tab.warnings)


async def capture_table(tab: Tab, markup: str, spec: RenderSpec) -> Outcome:
    """A table whose markup is not plain, in a document of its own."""
    measured = await _load(tab, table_document(markup, spec), markup, spec)
    if isinstance(measured, RenderFailure):
        return measured
    width_px = max(1, int(measured["width"]) + CELL_MARGIN_PX)
    height_px = max(1, int(measured["height"]) + CELL_MARGIN_PX)
    if max(width_px, height_px) > min(spec.max_height_px, MAX_SIDE_PX):
        return RenderFailure("cut_off", f"{width_px} x {height_px} px, at most {spec.max_height_px} are taken")
    png = await tab.screenshot(width_px, height_px)
    # As on a sheet: whole cells, which tell the grid, and not each text in them.
    boxes = _boxes(await tab.evaluate("cells", json.dumps(MAX_BOXES)), spec.scale)
    return await asyncio.to_thread(_cropped, _decoded(png), boxes, spec, tab.warnings)


async def capture_sheet(tab: Tab, markups: list[str], specs: list[RenderSpec]) -> list[Outcome | None]:
    """Many formulas (as KaTeX's HTML) or plain tables in one picture, cut apart; None for those that found no place.

    The specs may differ in how a cell looks and how wide it may be; kind, scale and caps are the first one's.
    """
    kind, scale, max_nodes = specs[0].kind, specs[0].scale, specs[0].max_nodes
    if tab.sheet != kind:
        await tab.load(sheet_document(formulas=kind == "formula"), "", specs[0])
        tab.sheet = kind
    tab.n_renders += 1
    limit_px = min(specs[0].max_height_px, MAX_SIDE_PX)
    styles = [cell_style(spec) for spec in specs]
    width_px = max(style.width_px for style in styles) if kind == "table" else SHEET_WIDTH_PX
    looks = [[style.cell, style.css] for style in styles]
    # Cells begin and end at whole pixels of the picture: at scale 1.5 those are every second CSS pixel.
    step_px = Fraction(scale).limit_denominator(16).denominator
    arguments = (markups, looks, width_px, limit_px, round(SHEET_HEIGHT_PX / scale), max_nodes, step_px)
    sheet = await tab.evaluate("sheet", *map(json.dumps, arguments))
    png = await tab.screenshot(sheet["width"], sheet["height"])
    return await asyncio.to_thread(_cut_apart, png, sheet["placed"], specs)


async def _load(tab: Tab, document: str, markup: str, spec: RenderSpec) -> dict[str, Any] | RenderFailure:
    tab.n_renders += 1
    await tab.load(document, markup, spec)
    css = page_css(spec, markup) if spec.kind == "page" else ""
    measured: dict[str, Any] = await tab.evaluate("measure", *map(json.dumps, (MAX_BOXES, css, spec.scripts)))
    if measured["n_nodes"] > spec.max_nodes:
        return RenderFailure("over_cap", f"{measured['n_nodes']} elements, at most {spec.max_nodes} are rendered")
    return measured


def _cut_apart(png: bytes, placed: list[dict[str, Any]], specs: list[RenderSpec]) -> list[Outcome | None]:
    sheet = _decoded(png)
    return [_cell(sheet, cell, spec) for cell, spec in zip(placed, specs, strict=True)]


def _cell(sheet: Image.Image, cell: dict[str, Any], spec: RenderSpec) -> Outcome | None:
    if cell["state"] == "late":
        return None
    if cell["state"] == "nodes":
        return RenderFailure("over_cap", f"{cell['n']} elements, at most {spec.max_nodes} are rendered")
    if cell["state"] == "size":
        return RenderFailure("cut_off", f"{cell['w']} x {cell['h']} px, at most {spec.max_height_px} are taken")
    left, top, right, bottom = (
        round(at * spec.scale) for at in (cell["x"], cell["y"], cell["x"] + cell["w"], cell["y"] + cell["h"])
    )
    return _cropped(sheet.crop((left, top, right, bottom)), _boxes(cell["boxes"], spec.scale), spec, ())


def _cropped(image: Image.Image, boxes: tuple[Box, ...], spec: RenderSpec, warnings: tuple[str, ...]) -> Outcome:
    """`image`'s ink with padding around it; its paper has exactly one colour, being ours."""
    paper = ImageColor.getrgb(spec.paper_color)
    ink = ImageChops.difference(image, Image.new("RGB", image.size, paper)).getbbox()
    if ink is None:
        return RenderFailure("blank", "no ink")
    left, top, right, bottom = ink
    if left == 0 or top == 0 or right == image.width or bottom == image.height:
        return RenderFailure("cut_off", "ink runs out of its place")
    padding_px = round(spec.padding_px * spec.scale)
    out = Image.new("RGB", (right - left + 2 * padding_px, bottom - top + 2 * padding_px), paper)
    out.paste(image.crop(ink), (padding_px, padding_px))
    moved = tuple(_moved(box, padding_px - left, padding_px - top, out.size) for box in boxes)
    return Rendered(encode_png(out), out.width, out.height, moved, warnings)


def _moved(box: Box, x_px: int, y_px: int, size_px: tuple[int, int]) -> Box:
    """The box in a picture of this size; what of it lies beyond, round the ink, is empty, and is taken off."""
    left, right = (min(size_px[0], max(0.0, at + x_px)) for at in (box.x_px, box.x_px + box.width_px))
    top, bottom = (min(size_px[1], max(0.0, at + y_px)) for at in (box.y_px, box.y_px + box.height_px))
    width_px, height_px = round(right - left, 3), round(bottom - top, 3)
    return replace(box, x_px=round(left, 3), y_px=round(top, 3), width_px=width_px, height_px=height_px)


def _boxes(told: list[list[Any]], scale: float) -> tuple[Box, ...]:
    """`told` has name, x, y, width, height in CSS pixels, and where the script tells them a text and its block."""
    boxes = []
    for name, *place in told:
        x, y, width, height = (round(float(at) * scale, 3) for at in place[:4])
        text = place[4] if place[4:] else ""
        block = place[5] if place[5:] else -1  # a cell has a text, but no block
        boxes.append(Box(str(name), x, y, width, height, " ".join(str(text).split()), int(block)))
    return tuple(boxes)


def _decoded(png: bytes) -> Image.Image:
    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        return image.convert("RGB")


def _one_color(png: bytes) -> bool:
    return all(low == high for low, high in _decoded(png).getextrema())  # type: ignore[misc]  # RGB: a pair a channel


def _png_size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG (its IHDR chunk: PNG specification, section 11.2.2)."""
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
