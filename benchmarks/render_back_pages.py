"""Pages whose picture is truly theirs, made as pictures come in life, and pages with one thing wrong.

WebSight's development pages were rendered from their own markup, with grey for photos: taken alone they would flatter
any comparison. So only one in seven true pairs is as it was given; the others are rendered with COCO photos in the
picture boxes, and then other widths, other fonts, JPEG and scaling, one at a time and together.
"""

from __future__ import annotations

import io
import random
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image
from render_back_pair import DATA, Corruption, Pair
from selectolax.lexbor import LexborHTMLParser, LexborNode

from curation.markup.canonical import Canonical
from curation.markup.html import canonical_page
from rendering.pictures import PictureFolder
from rendering.renderer import Renderer
from rendering.result import Rendered
from rendering.spec import RenderSpec

WIDTHS_PX = (1024, 1366, 1440, 1920)
FONTS = ("DejaVu Serif", "DejaVu Sans Condensed", "Arimo", "Tinos")
JPEG_QUALITIES = (40, 90)
SCALES = (0.75, 0.9)
CONDITIONS = ("given", "photos", "jpeg", "width", "font", "all", "scaled")
"""All but the first have COCO's photos in their picture boxes; `all` is width, font and JPEG."""

HUES = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
TEXT_TAGS = ("h1", "h2", "h3", "h4", "p", "li", "td", "th", "span", "a", "button", "label")
BLOCK_TAGS = (
    "h1",
    "h2",
    "h3",
    "p",
    "ul",
    "ol",
    "section",
    "article",
    "div",
    "table",
    "header",
    "footer",
    "nav",
    "form",
)
# fmt: off
WORDS = (
    "harbour", "garden", "silver", "engine", "window", "bridge", "forest", "market", "candle", "rocket", "velvet",
    "marble", "orchard", "thunder", "compass", "lantern", "meadow", "pepper", "anchor", "violin",
)
# fmt: on


def true_pairs(n: int, seed: int) -> Iterator[Pair]:
    """At most `n` of WebSight's pages, each under one condition."""
    rows = [row for file in sorted((DATA / "websight").glob("*.parquet")) for row in pq.read_table(file).to_pylist()]
    random.Random(seed).shuffle(rows)
    with tempfile.TemporaryDirectory() as folder, Renderer() as renderer:
        photos = _photos(Path(folder))
        for index, row in enumerate(rows[:n]):
            chooser = random.Random(f"{seed} {index}")
            made = canonical_page(row["text"])
            if not isinstance(made, Canonical):
                continue
            condition = CONDITIONS[index % len(CONDITIONS)]
            if condition == "given":
                source = Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")
                yield Pair(source, made.text, condition)
            elif (shown := _picture(renderer, made.text, photos, condition, chooser)) is not None:
                yield Pair(shown, made.text, condition)


def _photos(folder: Path) -> PictureFolder:
    for row in pq.read_table(next((DATA / "coco-captions").glob("*.parquet")), columns=["image"]).to_pylist():
        (folder / f"{len(list(folder.iterdir())):03}.jpg").write_bytes(row["image"]["bytes"])
    return PictureFolder.open(folder)


def _picture(
    renderer: Renderer, markup: str, photos: PictureFolder, condition: str, chooser: random.Random
) -> Image.Image | None:
    spec = RenderSpec(kind="page", pictures=photos)
    if condition in {"width", "all"}:
        spec = replace(spec, width_px=chooser.choice(WIDTHS_PX))
    if condition in {"font", "all"}:
        spec = replace(spec, font=chooser.choice(FONTS))
    [rendered] = renderer.render([markup], spec)
    if not isinstance(rendered, Rendered):
        return None
    image = Image.open(io.BytesIO(rendered.png)).convert("RGB")
    if condition in {"jpeg", "all"}:
        packed = io.BytesIO()
        image.save(packed, "JPEG", quality=chooser.randint(*JPEG_QUALITIES))
        image = Image.open(packed).convert("RGB")
    if condition == "scaled":
        scale = chooser.uniform(*SCALES)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    return image


def _tree(markup: str) -> LexborHTMLParser:
    return LexborHTMLParser(markup)


def _out(markup: str, tree: LexborHTMLParser) -> str:
    doctype = "<!DOCTYPE html>" if markup.lstrip().lower().startswith("<!doctype") else ""
    assert tree.root is not None
    return doctype + str(tree.root.html)


def _texts(tree: LexborHTMLParser, tags: tuple[str, ...]) -> list[LexborNode]:
    """Text nodes with a word of four letters or more, right inside elements of these tags."""
    assert tree.body is not None
    return [
        node
        for node in tree.body.traverse(include_text=True)
        if node.tag == "-text"
        and node.parent is not None
        and node.parent.tag in tags
        and re.search(r"[A-Za-z]{4,}", node.text_content or "")
    ]


def _change_word(markup: str, chooser: random.Random, tags: tuple[str, ...]) -> str | None:
    tree = _tree(markup)
    nodes = _texts(tree, tags)
    if not nodes:
        return None
    node = chooser.choice(nodes)
    text = node.text_content or ""
    found = chooser.choice(list(re.finditer(r"[A-Za-z]{4,}", text)))
    word = chooser.choice([word for word in WORDS if word != found[0].lower()])
    if found[0][0].isupper():
        word = word.capitalize()
    node.replace_with(text[: found.start()] + word + text[found.end() :])
    return _out(markup, tree)


def heading_word(markup: str, chooser: random.Random) -> str | None:
    """Another word in a heading."""
    return _change_word(markup, chooser, ("h1", "h2", "h3", "h4", "h5", "h6"))


def paragraph_word(markup: str, chooser: random.Random) -> str | None:
    """Another word in a paragraph or list item."""
    return _change_word(markup, chooser, ("p", "li", "address", "blockquote", "td", "label"))


def button_label(markup: str, chooser: random.Random) -> str | None:
    """Another word on a button or link."""
    return _change_word(markup, chooser, ("button", "a"))


def block_removed(markup: str, chooser: random.Random) -> str | None:
    """A block with text taken out, of at most half of the page's text."""
    tree = _tree(markup)
    blocks = _blocks(tree)
    if not blocks:
        return None
    chooser.choice(blocks).decompose()
    return _out(markup, tree)


def blocks_swapped(markup: str, chooser: random.Random) -> str | None:
    """Two neighbouring blocks in the other order."""
    tree = _tree(markup)
    pairs = []
    for first in _blocks(tree):
        second = first.next
        while second is not None and second.tag == "-text":
            second = second.next
        if second is not None and _words(second) and _words(second) != _words(first):
            pairs.append((first, second))
    if not pairs:
        return None
    first, second = chooser.choice(pairs)
    one, other = str(first.html), str(second.html)
    text = _out(markup, tree)
    at = text.find(one + _between(first) + other)
    if at < 0:
        return None
    return text[:at] + other + _between(first) + one + text[at + len(one + _between(first) + other) :]


def _between(first: LexborNode) -> str:
    node = first.next
    return str(node.html) if node is not None and node.tag == "-text" else ""


def _words(node: LexborNode) -> str:
    return " ".join(node.text().split())


def _blocks(tree: LexborHTMLParser) -> list[LexborNode]:
    assert tree.body is not None
    n_chars = len(_words(tree.body))
    return [node for node in tree.body.css(",".join(BLOCK_TAGS)) if 0 < len(_words(node)) <= n_chars / 2]


def background(markup: str, chooser: random.Random) -> str | None:
    """Another hue behind a section, box or button."""
    return _other_hue(markup, chooser, "bg")


def text_color(markup: str, chooser: random.Random) -> str | None:
    """Another colour of a text: another hue where it has one, else a hue where it has none."""
    changed = _other_hue(markup, chooser, "text")
    if changed is not None:
        return changed
    tree = _tree(markup)
    nodes = _texts(tree, TEXT_TAGS)
    if not nodes:
        return None
    element = chooser.choice(nodes).parent
    assert element is not None
    element.attrs["class"] = f"{element.attributes.get('class') or ''} text-{chooser.choice(HUES[:-1])}-600".strip()
    return _out(markup, tree)


def _other_hue(markup: str, chooser: random.Random, what: str) -> str | None:
    # Only in the body, and not what shows on hovering alone.
    spots = list(re.finditer(rf"(?<=[\"\s]){what}-([a-z]+)-(\d00)(?=[\"\s])", markup))
    if not spots:
        return None
    spot = chooser.choice(spots)
    hue = chooser.choice([hue for hue in HUES if hue != spot[1]])
    return f"{markup[: spot.start()]}{what}-{hue}-{spot[2]}{markup[spot.end() :]}"


def table_row_removed(markup: str, chooser: random.Random) -> str | None:
    """A row taken out of a table, or an item out of a list."""
    tree = _tree(markup)
    rows = [row for row in tree.css("tr,li") if _words(row)]
    if len(rows) < 2:
        return None
    chooser.choice(rows).decompose()
    return _out(markup, tree)


def button_removed(markup: str, chooser: random.Random) -> str | None:
    """A button or link taken out."""
    tree = _tree(markup)
    buttons = [node for node in tree.css("button,a") if _words(node)]
    if not buttons:
        return None
    chooser.choice(buttons).decompose()
    return _out(markup, tree)


def picture_removed(markup: str, chooser: random.Random) -> str | None:
    """A picture taken out."""
    tree = _tree(markup)
    pictures = tree.css("img")
    if not pictures:
        return None
    chooser.choice(pictures).decompose()
    return _out(markup, tree)


corruptions: dict[str, Corruption] = {
    "heading word": heading_word,
    "paragraph word": paragraph_word,
    "button label": button_label,
    "block removed": block_removed,
    "blocks swapped": blocks_swapped,
    "background colour": background,
    "text colour": text_color,
    "row or item removed": table_row_removed,
    "button removed": button_removed,
    "picture removed": picture_removed,
}
