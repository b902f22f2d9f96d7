"""TEDS and TEDS-S: tree edit distance of tables, as PubTabNet's reference code has it, and some 90 times as fast.

Zhong, ShafieiBavani, Jimeno Yepes, "Image-based table recognition: data, model, and evaluation", ECCV 2020; code:
ibm-aur-nlp/PubTabNet, `src/metric.py`. 1 − TED / max(elements below either `table`); insert and delete cost 1; rename
1 where tag, colspan or rowspan differ, else for `td` the normalised Levenshtein distance of the cells' characters and
inline tags. `th` is a structural node without text; elements in cells count among the elements and are no nodes; a text
without `body/table` scores 0. TEDS-S empties the cells.

The distance is Zhang and Shasha's ("Simple fast algorithms for the editing distance between trees and related
problems", SIAM J. Comput. 18, 1989), compiled, over one table of costs for all pairs of different cells. Trees are
libxml2's, as the reference's are: a browser's have `tbody` elements more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from training.metrics.compiling import compiled
from training.metrics.html_text import is_bounded
from training.metrics.workers import Workers

MAX_PAIRS: Final = 20_000_000
"""Nodes times nodes, of 8 bytes each: 160 MB. The largest pair of PubTabNet's is some 2 million."""
MAX_STEPS: Final = 5_000_000_000
"""Of the distance, some seconds."""
MAX_CELL_STEPS: Final = 20_000_000_000
"""Characters times characters of all cells, 64 of which are one step."""

_DOCUMENT: Final = re.compile(r"\s*(?:<!doctype|<html|<body)", re.IGNORECASE)

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TableTree:
    """A table's nodes in post-order.

    `kinds` numbers tag, colspan and rowspan together; `cells` are indices into `contents`, -1 for other nodes.
    """

    kinds: tuple[tuple[str, int, int], ...]
    leftmost: Ints
    """Of each node, the index of the leftmost leaf under it."""
    cells: Ints
    contents: tuple[tuple[str, ...], ...]
    n_elements: int
    """Below `table`, those in cells too."""


def teds(prediction: str, reference: str, *, structure_only: bool = False) -> float:
    """TEDS of a pair in [0, 1]; 0 where either has no table in its body, or is over a cap. See `as_document`."""
    ours, theirs = (table_tree(html, structure_only=structure_only) for html in (prediction, reference))
    if ours is None or theirs is None:
        return 0.0
    n_elements = max(ours.n_elements, theirs.n_elements)
    if not n_elements:  # two empty tables; the reference code divides by zero
        return 1.0
    distance = edit_distance(ours, theirs)
    return 0.0 if distance is None else 1.0 - distance / n_elements


def teds_batch(
    predictions: Sequence[str], references: Sequence[str], workers: Workers, *, structure_only: bool = False
) -> list[float]:
    """`teds` of each pair, on all cores."""
    pairs = list(zip(predictions, references, strict=True))
    return workers.map(partial(_of_pair, structure_only), pairs, 0.0)


def as_document(html: str) -> str:
    """A fragment as the body of a document: models taught tables alone write no `body`, without which TEDS is 0."""
    return html if _DOCUMENT.match(html) or "<body" in html.lower() else f"<html><body>{html}</body></html>"


def table_tree(html: str, *, structure_only: bool = False) -> TableTree | None:
    """The first table in the body; None where there is none, or the text is over a cap."""
    from lxml import etree  # type: ignore[import-untyped]  # noqa: PLC0415 - the full set's
    from lxml import html as lxml_html  # noqa: PLC0415 - as above

    if not html.strip() or not is_bounded(html):
        return None
    parser = lxml_html.HTMLParser(remove_comments=True, encoding="utf-8")
    try:
        root = lxml_html.fromstring(html, parser=parser)
        tables = root.xpath("body/table")
    except (etree.LxmlError, ValueError, AssertionError, TypeError, IndexError):  # NUL, nothing but comments, …
        return None
    return _tree_of(tables[0], structure_only=structure_only) if tables else None


def _tree_of(table: Any, *, structure_only: bool) -> TableTree:
    kinds: list[tuple[str, int, int]] = []
    leftmost: list[int] = []
    cells: list[int] = []
    known: dict[tuple[str, ...], int] = {}
    # Post-order without recursion: a node comes back once what is under it is numbered.
    todo: list[tuple[Any, int]] = [(table, -1)]
    while todo:
        node, first = todo.pop()
        is_cell = node.tag == "td"
        if first < 0 and not is_cell and len(node):
            todo.append((node, len(kinds)))
            todo.extend((child, -1) for child in reversed(node))
            continue
        leftmost.append(first if first >= 0 else len(kinds))
        if is_cell:
            tokens = () if structure_only else tuple(_tokens(node))
            cells.append(known.setdefault(tokens, len(known)))
            kinds.append(("td", _span(node, "colspan"), _span(node, "rowspan")))
        else:
            cells.append(-1)
            kinds.append((_tag(node), 0, 0))
    return TableTree(
        tuple(kinds),
        np.array(leftmost, dtype=np.int32),
        np.array(cells, dtype=np.int32),
        tuple(known),
        int(table.xpath("count(.//*)")),
    )


def _tag(node: Any) -> str:
    return node.tag if isinstance(node.tag, str) else "?"  # a processing instruction's is a function


def _span(node: Any, name: str) -> int:
    try:
        return int(node.attrib.get(name, "1"))
    except ValueError:  # the reference code ends here; a browser takes 1
        return 1


def _tokens(cell: Any) -> list[str]:
    """Characters and inline tags of a cell, without the cell's own tags."""
    tokens = list(cell.text or "")
    todo: list[tuple[Any, bool]] = [(child, False) for child in reversed(cell)]
    while todo:
        node, is_left = todo.pop()
        tag = _tag(node)
        if is_left:
            if tag != "unk":  # PubTabNet's unknown token has no end
                tokens.append(f"</{tag}>")
            if tag != "td":
                tokens += node.tail or ""
            continue
        tokens.append(f"<{tag}>")
        tokens += node.text or ""
        todo.append((node, True))
        todo.extend((child, False) for child in reversed(node))
    return tokens


def edit_distance(ours: TableTree, theirs: TableTree) -> float | None:
    """The tree edit distance; None where it would go over a cap."""
    if len(ours.kinds) * len(theirs.kinds) > MAX_PAIRS:
        return None
    costs = _cell_costs(ours.contents, theirs.contents)
    if costs is None:
        return None
    known: dict[tuple[str, int, int], int] = {}
    kinds, true_kinds = (
        np.array([known.setdefault(kind, len(known)) for kind in tree.kinds], dtype=np.int32) for tree in (ours, theirs)
    )
    found = _distance()(kinds, true_kinds, ours.leftmost, theirs.leftmost, ours.cells, theirs.cells, costs, MAX_STEPS)
    return None if found < 0 else float(found)


def _cell_costs(ours: Sequence[Sequence[str]], theirs: Sequence[Sequence[str]]) -> Floats | None:
    """Normalised Levenshtein distances of all different cells, shape (ours, theirs); one row or column at least."""
    from rapidfuzz.distance import Levenshtein  # noqa: PLC0415 - beside what it is used with
    from rapidfuzz.process import cdist  # noqa: PLC0415 - as above

    lengths, true_lengths = (np.array([len(cell) for cell in side] or [0], dtype=np.float64) for side in (ours, theirs))
    if lengths.sum() * true_lengths.sum() > MAX_CELL_STEPS or len(lengths) * len(true_lengths) > MAX_PAIRS:
        return None
    distances = cdist(ours or [()], theirs or [()], scorer=Levenshtein.distance, dtype=np.int32, workers=1)
    longer = np.maximum(np.maximum(lengths[:, None], true_lengths[None]), 1.0)
    return np.asarray(distances / longer)


@cache
def _distance() -> Callable[..., Any]:
    return compiled(_zhang_shasha)


def _zhang_shasha(
    kinds: Ints,
    true_kinds: Ints,
    leftmost: Ints,
    true_leftmost: Ints,
    cells: Ints,
    true_cells: Ints,
    costs: Floats,
    max_steps: int,
) -> float:
    """Zhang and Shasha's distance over nodes in post-order; -1 where it takes more than `max_steps`."""
    n, m = len(kinds), len(true_kinds)
    # Key roots: of the nodes with the same leftmost leaf, the highest.
    is_key, is_true_key = np.zeros(n, dtype=np.bool_), np.zeros(m, dtype=np.bool_)
    seen, true_seen = np.zeros(n, dtype=np.bool_), np.zeros(m, dtype=np.bool_)
    size, true_size = 0.0, 0.0
    for i in range(n - 1, -1, -1):
        if not seen[leftmost[i]]:
            is_key[i] = seen[leftmost[i]] = True
            size += i - leftmost[i] + 1
    for j in range(m - 1, -1, -1):
        if not true_seen[true_leftmost[j]]:
            is_true_key[j] = true_seen[true_leftmost[j]] = True
            true_size += j - true_leftmost[j] + 1
    if size * true_size > max_steps:
        return -1.0
    trees = np.zeros((n, m))
    forests = np.zeros((n + 1, m + 1))
    for root in range(n):
        if not is_key[root]:
            continue
        for true_root in range(m):
            if not is_true_key[true_root]:
                continue
            left, true_left = leftmost[root], true_leftmost[true_root]
            rows, columns = root - left + 1, true_root - true_left + 1
            forests[0, 0] = 0.0
            for x in range(1, rows + 1):
                forests[x, 0] = x
            for y in range(1, columns + 1):
                forests[0, y] = y
            for x in range(1, rows + 1):
                i = left + x - 1
                for y in range(1, columns + 1):
                    j = true_left + y - 1
                    best = min(forests[x - 1, y], forests[x, y - 1]) + 1.0
                    if leftmost[i] == left and true_leftmost[j] == true_left:
                        if kinds[i] != true_kinds[j]:
                            rename = 1.0
                        elif cells[i] >= 0:
                            rename = costs[cells[i], true_cells[j]]
                        else:
                            rename = 0.0
                        best = min(best, forests[x - 1, y - 1] + rename)
                        trees[i, j] = best
                    else:
                        best = min(best, forests[leftmost[i] - left, true_leftmost[j] - true_left] + trees[i, j])
                    forests[x, y] = best
    return float(trees[n - 1, m - 1])


def _of_pair(structure_only: bool, pair: tuple[str, str]) -> float:
    return teds(*pair, structure_only=structure_only)
