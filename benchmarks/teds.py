"""TEDS against the way its reference code computes it: the same values, and how much faster.

    uv pip install --target build/teds-reference --no-deps apted==1.0.3 distance==0.1.3
    PYTHONPATH=build/teds-reference .venv/bin/python -m benchmarks.teds

The reference is APTED with the pure-Python `distance` package, as PubTabNet's `src/metric.py` uses them, over the trees
that ours are made of (one parser for both). CPU time of this process, the best of several rounds, pair by pair, both
in one run. Pairs: `../shared/data/teds` (10 of PubTabNet's, with the values of the reference code).
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from apted import APTED, Config
from distance import levenshtein

from training.metrics.teds import TableTree, table_tree, teds

PAIRS = Path(__file__).resolve().parents[2] / "shared" / "data" / "teds" / "pubtabnet_pairs.json"
ROUNDS = 5
ROUNDS_REFERENCE = 2


class Node:
    """A node as APTED wants it."""

    def __init__(self, kind: tuple[str, int, int], content: list[str]) -> None:
        self.kind, self.content, self.children = kind, content, list[Node]()


class Costs(Config):  # type: ignore[misc]  # the package has no types
    """The published costs; insert and delete are APTED's own 1."""

    def rename(self, node1: Node, node2: Node) -> float:  # noqa: D102 - APTED's
        if node1.kind != node2.kind:
            return 1.0
        if node1.kind[0] == "td" and (node1.content or node2.content):
            longer = max(len(node1.content), len(node2.content))
            return float(levenshtein(node1.content, node2.content)) / longer
        return 0.0

    def children(self, node: Node) -> list[Node]:  # noqa: D102 - APTED's
        return node.children


def as_nodes(tree: TableTree) -> Node:
    """The tree's root: in post-order a node's children are the last subtrees before it."""
    waiting: list[tuple[int, Node]] = []
    for index, kind in enumerate(tree.kinds):
        cell = tree.cells[index]
        node = Node(kind, list(tree.contents[cell]) if cell >= 0 else [])
        while waiting and waiting[-1][0] >= tree.leftmost[index]:
            node.children.insert(0, waiting.pop()[1])
        waiting.append((index, node))
    return waiting[0][1]


def reference_teds(prediction: str, reference: str) -> float:
    ours, theirs = table_tree(prediction), table_tree(reference)
    assert ours is not None
    assert theirs is not None
    distance = APTED(as_nodes(ours), as_nodes(theirs), Costs()).compute_edit_distance()
    return 1.0 - float(distance) / max(ours.n_elements, theirs.n_elements)


def best_s(run: Callable[[], Any], rounds: int) -> tuple[Any, float]:
    """What it gives, and the least CPU seconds of a round."""
    result, least = None, float("inf")
    for _ in range(rounds):
        started = time.process_time()
        result = run()
        least = min(least, time.process_time() - started)
    return result, least


def main() -> None:
    pairs = json.loads(PAIRS.read_text(encoding="utf-8"))
    started = time.process_time()
    teds(pairs[0]["prediction"], pairs[0]["reference"])
    took_s = time.process_time() - started
    print(f"{platform.machine()}, Python {platform.python_version()}; first call {took_s:.2f} s CPU")
    print(f"{'pair':<36} {'nodes':>11} {'ours ms':>9} {'apted ms':>10} {'ratio':>7} {'error':>9}")
    totals = [0.0, 0.0]
    for pair in pairs:
        texts = pair["prediction"], pair["reference"]
        ours, ours_s = best_s(lambda texts=texts: teds(*texts), ROUNDS)
        theirs, theirs_s = best_s(lambda texts=texts: reference_teds(*texts), ROUNDS_REFERENCE)
        error = max(abs(ours - pair["teds"]), abs(ours - theirs))
        trees = [table_tree(text) for text in texts]
        sizes = " x ".join(str(len(tree.kinds)) for tree in trees if tree is not None)
        figures = f"{1e3 * ours_s:9.2f} {1e3 * theirs_s:10.1f} {theirs_s / ours_s:7.1f} {error:9.1e}"
        print(f"{str(pair['name'])[:36]:<36} {sizes:>11} {figures}")
        totals[0] += ours_s
        totals[1] += theirs_s
    print(f"{'all':<48} {1e3 * totals[0]:9.2f} {1e3 * totals[1]:10.1f} {totals[1] / totals[0]:7.1f}")


if __name__ == "__main__":
    main()
