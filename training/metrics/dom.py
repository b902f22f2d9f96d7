"""DOM-node accuracy: how many elements of a document stand where they should, as a browser builds the trees.

Yang's Simple Tree Matching ("Identifying syntactic differences between two programs", Software: Practice and
Experience 21, 1991), as web data extraction uses it (Zhai and Liu, WWW 2005): the largest set of pairs of elements of
equal tag whose parents are a pair and whose order is kept. Text and attributes do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from curation.markup.tree import End, Start, events, parse, root_of
from curation.reasons import Reject
from training.metrics.compiling import compiled
from training.metrics.workers import Workers

MAX_PAIRS: Final = 20_000_000
"""Elements times elements, 4 bytes each; 4,400 in either are fine. Over it nothing counts as matched."""

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class DomMatch:
    """Elements below `body`: matched ones, those of the prediction and of the reference."""

    n_matched: int
    n_prediction: int
    n_reference: int

    @property
    def accuracy(self) -> float:
        """Matched ones among those of the larger document: too many elements cost as much as too few."""
        n_larger = max(self.n_prediction, self.n_reference)
        return self.n_matched / n_larger if n_larger else 1.0

    @property
    def recall(self) -> float:
        """Matched ones among the reference's."""
        return self.n_matched / self.n_reference if self.n_reference else float(not self.n_prediction)

    @property
    def precision(self) -> float:
        """Matched ones among the prediction's."""
        return self.n_matched / self.n_prediction if self.n_prediction else float(not self.n_reference)


NOTHING: Final = DomMatch(0, 0, 1)


def dom_match(prediction: str, reference: str) -> DomMatch:
    """Match the elements of two documents or fragments; a text over the parser's caps has none."""
    ours, theirs = _tree(prediction), _tree(reference)
    n_ours, n_theirs = len(ours.tags) - 1, len(theirs.tags) - 1
    if not n_ours or not n_theirs or n_ours * n_theirs > MAX_PAIRS:
        return DomMatch(0, n_ours, n_theirs)
    known: dict[str, int] = {}
    tags, true_tags = (
        np.array([known.setdefault(tag, len(known)) for tag in tree.tags], dtype=np.int32) for tree in (ours, theirs)
    )
    n_matched = int(_matcher()(tags, true_tags, ours.depths, theirs.depths, *ours.children, *theirs.children))
    return DomMatch(n_matched - 1, n_ours, n_theirs)  # the two bodies are a pair that nobody wrote


def dom_match_batch(predictions: Sequence[str], references: Sequence[str], workers: Workers) -> list[DomMatch]:
    """`dom_match` of each pair, on all cores."""
    return workers.map(_of_pair, list(zip(predictions, references, strict=True)), NOTHING)


def _of_pair(pair: tuple[str, str]) -> DomMatch:
    return dom_match(*pair)


@dataclass(frozen=True)
class _Tree:
    """Elements in post-order, `body` last; `children` are those of each, in order: ends in a list, and the list."""

    tags: tuple[str, ...]
    depths: Ints
    children: tuple[Ints, Ints]


def _tree(html: str) -> _Tree:
    tree = parse(html.encode("utf-8", "replace").decode())
    tags: list[str] = []
    depths: list[int] = []
    children: list[list[int]] = []
    body = None if isinstance(tree, Reject) else tree.body
    waiting: list[list[int]] = [[]]
    for event in events(root_of(tree)) if not isinstance(tree, Reject) else ():
        # What stands beside the body (head, frameset) is passed over.
        if isinstance(event, Start):
            if len(waiting) > 1 or event.tag == "body":
                waiting.append([])
        elif isinstance(event, End) and len(waiting) > 1:
            own = waiting.pop()
            waiting[-1].append(len(tags))
            tags.append(event.tag)
            depths.append(len(waiting))
            children.append(own)
    if body is None or not tags:
        tags, depths, children = ["body"], [1], [[]]
    ends = np.cumsum([0, *(len(own) for own in children)]).astype(np.int32)
    flat = np.array([child for own in children for child in own], dtype=np.int32)
    return _Tree(tuple(tags), np.array(depths, dtype=np.int32), (ends, flat))


@cache
def _matcher() -> Callable[..., Any]:
    return compiled(_simple_tree_matching)


def _simple_tree_matching(
    tags: Ints,
    true_tags: Ints,
    depths: Ints,
    true_depths: Ints,
    ends: Ints,
    children: Ints,
    true_ends: Ints,
    true_children: Ints,
) -> int:
    n, m = len(tags), len(true_tags)
    matched = np.zeros((n, m), dtype=np.int32)
    for i in range(n):
        for j in range(m):
            if tags[i] != true_tags[j] or depths[i] != true_depths[j]:
                continue
            own = children[ends[i] : ends[i + 1]]
            others = true_children[true_ends[j] : true_ends[j + 1]]
            # The best alignment of the children, in order.
            best = np.zeros((len(own) + 1, len(others) + 1), dtype=np.int32)
            for x in range(len(own)):
                for y in range(len(others)):
                    both = best[x, y] + matched[own[x], others[y]]
                    best[x + 1, y + 1] = max(both, best[x, y + 1], best[x + 1, y])
            matched[i, j] = 1 + best[len(own), len(others)]
    return int(matched[n - 1, m - 1])
