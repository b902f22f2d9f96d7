"""Generated beside real: can a classifier tell them apart, are real rows replayed, are they as varied.

    python benchmarks/synthesize.py [--data ../shared/data] [--n 600] [--tasks formula_to_latex table_to_html …]

The reference is cut in two: the generator sees one half, and the other is told from what it makes. AUC is of held-out
rows, in five folds: of a logistic regression and of gradient-boosted trees, over simple features (counts, lengths,
depths, shares of kinds of tokens). 0.5 is a coin; two real halves told apart give the floor. Distance to the nearest
row is 1 - the largest share of a row's shingles that one row of the generator's half has; that of real held-out rows is
beside it. Distinct shares are over all words or tokens, and over runs of four of them.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import mean, median, pstdev

import numpy as np
import pyarrow.parquet as pq
from selectolax.lexbor import LexborHTMLParser, LexborNode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from curation.markup.canonical import canonical_batch
from curation.reasons import Reject
from curation.sample import Task
from curation.shingles import text_tokens
from curation.synthesize.likeness import Reference
from curation.synthesize.templates import Templates

GROUPS = {
    "lower": "abcdefghijklmnopqrstuvwxyz",
    "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "digit": "0123456789",
    "bracket": "()[]",
    "stop": ".,;",
    "sign": "+-=<>",
    "script": "_^",
    "brace": "{",
}
COMMANDS = [
    *(r"\frac", r"\sqrt", r"\sum", r"\int", r"\partial", r"\mu", r"\nu", r"\alpha", r"\beta", r"\phi", r"\pi"),
    *(r"\left(", r"\left[", r"\begin{array}", "&", r"\\", r"\,", r"\;", r"\!", r"\quad", r"\bar", r"\hat", r"\tilde"),
    *(r"\cal", r"\bf", r"\rm", r"\mathrm", r"\operatorname", r"\prime", r"\infty", r"\equiv", r"\right.", "~", "\\"),
]


def formula_features(text: str) -> list[float]:
    """Lengths, depth, repetition, shares of kinds of tokens and of the usual commands."""
    tokens = text.split(" ")
    n = len(tokens)
    depths, depth = [], 0
    scripts: list[int] = []
    for i, token in enumerate(tokens):
        depth += (token == "{") - (token == "}")
        depths.append(depth)
        if token in ("_", "^") and i + 1 < n and tokens[i + 1] == "{":
            scripts.append(next((j for j in range(i + 2, n) if depths[i] >= 0 and tokens[j] == "}"), n) - i)
    letters = [token for token in tokens if len(token) == 1 and token.isalpha()]
    commands = [token for token in tokens if token.startswith("\\")]
    return [
        n,
        len(text),
        max(depths),
        mean(depths),
        len(set(tokens)) / n,
        len(set(letters)) / max(1, len(letters)),
        len(set(letters)),
        len(set(commands)),
        len(commands) / n,
        mean(scripts) if scripts else 0,
        max(scripts, default=0),
        tokens[-1] in ".,;",
        tokens[0].startswith("\\"),
        tokens.count("="),
        *(sum(token in members for token in tokens if len(token) == 1) / n for members in GROUPS.values()),
        *(tokens.count(name) / n for name in COMMANDS),
    ]


def table_features(text: str) -> list[float]:
    """Rows, columns, header, spans, empty cells, lengths and kinds of cells, tags."""
    root = LexborHTMLParser(text)
    rows = root.css("tr")
    cells = root.css("td, th")
    texts = [cell.text(strip=True) for cell in cells]
    lengths = [len(one) for one in texts]
    filled = [one for one in texts if one]
    numeric = [sum(ch.isdigit() for ch in one) > len(one) / 2 for one in filled]
    spans = [int(cell.attributes.get("colspan") or 1) for cell in cells]
    row_spans = [int(cell.attributes.get("rowspan") or 1) for cell in cells]
    first = [len(row.css_first("td, th").text(strip=True)) for row in rows if row.css_first("td, th")]
    head = root.css("thead tr")
    joined = "".join(filled)
    return [
        len(rows),
        max((sum(int(c.attributes.get("colspan") or 1) for c in row.css("td, th")) for row in rows), default=0),
        len(head),
        len(cells),
        len(text),
        len(joined),
        sum(span > 1 for span in spans),
        max(spans),
        sum(span > 1 for span in row_spans),
        1 - len(filled) / max(1, len(texts)),
        mean(lengths),
        pstdev(lengths),
        max(lengths),
        mean(first) if first else 0,
        mean([len(cell.text(strip=True)) for row in head for cell in row.css("td, th")] or [0]),
        mean(numeric) if numeric else 0,
        sum(ch.isdigit() for ch in joined) / max(1, len(joined)),
        sum(ch.isupper() for ch in joined) / max(1, len(joined)),
        sum(ch in "().,%-±" for ch in joined) / max(1, len(joined)),
        len(set(filled)) / max(1, len(filled)),
        sum("." in one for one in filled) / max(1, len(filled)),
        sum("(" in one for one in filled) / max(1, len(filled)),
        *(len(root.css(tag)) / max(1, len(cells)) for tag in ("b", "i", "sup", "sub", "br", "th")),
    ]


def page_features(text: str) -> list[float]:
    """Lengths, nodes, depth, classes, words, and shares of the usual tags."""
    root = LexborHTMLParser(text)
    nodes = root.css("body *")
    tags = [node.tag for node in nodes]
    words = (root.body.text(separator=" ") if root.body else "").split()
    classes = [name for node in nodes for name in (node.attributes.get("class") or "").split()]

    def depth(node: LexborNode) -> int:
        n = 0
        while node.parent is not None:
            node, n = node.parent, n + 1
        return n

    depths = [depth(node) for node in nodes] or [0]
    names = "div p a h1 h2 h3 ul li img button section header footer nav main span input form table td".split()  # noqa: SIM905
    return [
        len(text),
        len(nodes),
        max(depths),
        mean(depths),
        len(set(tags)),
        len(words),
        len(set(words)) / max(1, len(words)),
        len(words) / max(1, len(nodes)),
        len(classes),
        len(set(classes)),
        len(classes) / max(1, len(nodes)),
        text.count("<!--"),
        *(tags.count(name) / max(1, len(tags)) for name in names),
    ]


FEATURES: dict[str, Callable[[str], list[float]]] = {
    "formula_to_latex": formula_features,
    "table_to_html": table_features,
    "page_to_html": page_features,
}


def real(task: str, data: Path, n: int, seed: int) -> list[str]:
    """Real rows in canonical form, shuffled; twice `n` at most."""
    if task == "formula_to_latex":
        texts = (data / "latex-formulas/formulas.txt").read_text("utf-8").splitlines()
    elif task == "table_to_html":
        folders = ("pubtabnet-markup-only", "pubtabnet-html")
        texts = [t for f in folders for t in pq.read_table(data / f, columns=["html_table"]).column(0).to_pylist()]
    else:
        texts = pq.read_table(data / "websight", columns=["text"]).column(0).to_pylist()
    Random(seed).shuffle(texts)
    found = canonical_batch([task] * len(texts[: 2 * n]), texts[: 2 * n])
    return list(dict.fromkeys(one.text for one in found if not isinstance(one, Reject)))


def auc(task: str, a: Sequence[str], b: Sequence[str], seed: int) -> dict[str, float]:
    """Held-out AUC of telling `a` from `b`, by two classifiers."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = np.array([FEATURES[task](text) for text in (*a, *b)], dtype=float)
    labels = np.array([0] * len(a) + [1] * len(b))
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    models = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000, C=0.1)),
        "trees": HistGradientBoostingClassifier(max_iter=80, max_leaf_nodes=8, min_samples_leaf=8, random_state=seed),
    }
    scores = {}
    for name, model in models.items():
        said = cross_val_predict(model, features, labels, cv=folds, method="predict_proba")[:, 1]
        scores[name] = float(roc_auc_score(labels, said))
    return scores


def variety(task: str, texts: Sequence[str]) -> tuple[float, float]:
    """Distinct share of tokens, and of runs of four."""
    ones: list[str] = []
    fours: list[tuple[str, ...]] = []
    for text in texts:
        tokens = text_tokens(task, text)  # type: ignore[arg-type]
        ones += tokens
        fours += zip(*(tokens[i:] for i in range(4)), strict=False)
    return len(set(ones)) / max(1, len(ones)), len(set(fours)) / max(1, len(fours))


def quantiles(values: Sequence[float]) -> str:
    ordered = sorted(values)
    p05 = ordered[int(0.05 * (len(ordered) - 1))]
    return f"min {ordered[0]:.2f}  p05 {p05:.2f}  median {median(ordered):.2f}"


def make(templates: Templates, reference: Reference, task: Task, n: int) -> list[str]:
    """`n` in canonical form, as a data set has them."""
    made: list[str] = []
    number = 0
    while len(made) < n and number < 4 * n:
        drafts = [templates.familiar(task, (), f"{number + i}") for i in range(min(64, 2 * (n - len(made))))]
        number += len(drafts)
        forms = canonical_batch([task] * len(drafts), drafts)
        good = [one.text for one in forms if not isinstance(one, Reject)]
        made += [text for text in good if not reference.replays(task, text)]
    return made[:n]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data")
    parser.add_argument("--n", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tasks", nargs="*", default=list(FEATURES))
    parser.add_argument("--show", type=int, default=0)
    arguments = parser.parse_args()
    for task in arguments.tasks:
        rows = real(task, arguments.data, arguments.n, arguments.seed)
        seen, held = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        print(f"\n{task}: {len(seen)} seen by the generator, {len(held)} held out")
        floor = auc(task, seen, held, arguments.seed)
        print("  real halves      AUC", {k: round(v, 3) for k, v in floor.items()})
        for name, reference in (("unfitted", Reference({})), ("fitted", Reference({task: seen}))):
            started_s = time.perf_counter()
            made = make(Templates(reference, arguments.seed), reference, task, len(held))
            took_s = time.perf_counter() - started_s
            scores = {k: round(v, 3) for k, v in auc(task, held, made, arguments.seed).items()}
            print(f"  {name:<16} AUC {scores}  n={len(made)}  {len(made) / took_s:.0f} a second")
            nearest = Reference({task: seen})
            distances = [1 - nearest.overlap(task, text) for text in made]
            ones, fours = variety(task, made)
            exact = len(set(made) & set(rows))
            print(f"    distance to the nearest seen row: {quantiles(distances)}; equal to a real row: {exact}")
            print(f"    distinct tokens {ones:.3f}, runs of four {fours:.3f}; twice: {len(made) - len(set(made))}")
            for text in made[: arguments.show]:
                print("     ", text[:400])
        distances = [1 - Reference({task: seen}).overlap(task, text) for text in held]
        ones, fours = variety(task, held)
        print(f"  real held out: distance {quantiles(distances)}; distinct tokens {ones:.3f}, runs of four {fours:.3f}")


if __name__ == "__main__":
    main()
