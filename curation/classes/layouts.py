"""How a page's content is laid out, as far as tags and Tailwind's classes tell; what style sheets place is not seen."""

from __future__ import annotations

from collections.abc import Sequence

from curation.classes.page_rules import is_sidebar
from curation.classes.page_tree import Element


def layouts_of(elements: Sequence[Element]) -> set[str]:
    """Names of the layouts that a page uses.

    - `sidebar-left`, `sidebar-right`: a side column (see `curation.classes.page_rules`) before or after the content;
    - `split`: two columns of one width that hold half of the page's words or more;
    - `grid-2`, `grid-3`, …: two or more things side by side in so many columns, for sections inside a page;
    - `centered`: everything in the middle of the window;
    - `stacked`: none of side column, split and centered.
    """
    body = next((element for element in elements if element.tag == "body"), elements[0])
    found = {f"grid-{n}" for element in elements if (n := _columns(element))}
    found |= {_side(element) for element in elements if is_sidebar(element)}
    whole = set()
    for element in elements:
        if _columns(element) == 2 and len(element.children) == 2 and 2 * element.n_words >= max(1, body.n_words):
            whole.add("split")
        if _is_centered(element) and element.n_words == body.n_words:
            whole.add("centered")
    if not whole and not found & {"sidebar-left", "sidebar-right"}:
        whole.add("stacked")
    return found | whole


def _columns(element: Element) -> int:
    """In how many equal columns the children of a row stand; 0 where they do not."""
    shown = [child for child in element.children if child.n_words or child.n_images]
    if not element.is_row or len(shown) < 2:
        return 0
    if "grid" in element.classes:
        return int(element.styled("grid-cols-"))
    width = shown[0].styled("w-")
    if any(child.styled("w-") != width for child in shown):
        return 0
    part, _, whole = width.partition("/")
    return int(whole) if part == "1" and whole.isdigit() and 1 < int(whole) <= 6 else 0


def _side(element: Element) -> str:
    siblings = [child for child in element.parent.children if child.n_words or child.n_images] if element.parent else []
    return "sidebar-right" if len(siblings) > 1 and siblings[-1] is element else "sidebar-left"


def _is_centered(element: Element) -> bool:
    is_tall = element.styled("min-h-") == "screen" or element.styled("h-") == "screen"
    return is_tall and element.styled("items-") == "center" and element.styled("justify-") == "center"
