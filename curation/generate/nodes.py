"""Elements of a generated page before they are written out with their indentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

Node = str | tuple[str, Sequence["Node"], str]
"""A line of markup, or an element as (opening tag, children, closing tag)."""

_LONG_CHARS: Final = 90
"""From here on a paragraph's text stands on its own line, as people format it."""


def box(tag: str, classes: str, children: Sequence[Node], attributes: str = "") -> Node:
    """An element whose children stand on lines of their own. `attributes` is written as it is."""
    extra = f" {attributes}" if attributes else ""
    return (f'<{tag}{extra} class="{classes}">' if classes else f"<{tag}{extra}>", children, f"</{tag}>")


def leaf(tag: str, classes: str, text: str, attributes: str = "") -> Node:
    """An element that holds nothing but text; long text gets a line of its own."""
    extra = f" {attributes}" if attributes else ""
    opening = f'<{tag}{extra} class="{classes}">' if classes else f"<{tag}{extra}>"
    if len(text) > _LONG_CHARS:
        return (opening, (text,), f"</{tag}>")
    return f"{opening}{text}</{tag}>"


def image(source: str, alt: str, classes: str) -> Node:
    """A picture."""
    return f'<img src="{source}" alt="{alt}" class="{classes}">' if classes else f'<img src="{source}" alt="{alt}">'


def write_lines(nodes: Sequence[Node], margin: str, step: str, lines: list[str]) -> None:
    """Append the nodes' lines to `lines`, indented by `margin` and `step` more for each level below."""
    for node in nodes:
        if isinstance(node, str):
            lines.append(margin + node)
        else:
            opening, children, closing = node
            if children:
                lines.append(margin + opening)
                write_lines(children, margin + step, step, lines)
                lines.append(margin + closing)
            else:
                lines.append(margin + opening + closing)
