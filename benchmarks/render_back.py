"""How well render-back tells true labels from false ones: detection curves, and what a threshold costs.

    python benchmarks/render_back.py --task page|table|formula --out FOLDER [--n 140] [--cache FOLDER]

Each true pair (a picture and its markup, see `render_back_<task>s.py`) is scored as it is, with another sample's
markup, and with each corruption of its own. A corruption that changes no pixel of the render is none, and is left out
and counted; so is one that changes no pixel of a picture of ours, made again as it was made. The area under the curve
(AUC) is the chance that a true pair scores higher than a false one; 95 % intervals are of 1,000 bootstrap samples of
pairs. What was chosen on every second pair (`--half chosen`) is told of the others (`--half held-out`, the default).
The comparison of pages was made on pairs 0 to 139: their figures are of `--skip 140 --n 240 --half all`. Writes
`<task>.json`, `<task>.png` and, while it goes, every score (`<task>_scores.jsonl`).
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from render_back_pair import Corruption, Pair

from rendering.compare.comparison import DEFAULT_THRESHOLD, compare, read_source, spec_like
from rendering.compare.reading import TextLine, reader_version
from rendering.renderer import Renderer
from rendering.result import Rendered
from rendering.spec import MarkupKind

CHUNK = 12
N_THREADS = 2
N_BOOTSTRAP = 1_000
TRUE, OTHER = "true", "another sample's"
Half = Literal["held-out", "chosen", "all"]


@dataclass(frozen=True)
class Scored:
    """One comparison: of which pair, under which condition, with which change."""

    pair: int
    condition: str
    change: str
    score: float
    parts: dict[str, float] = field(default_factory=dict)


@dataclass
class Tally:
    """What gave no score, and what the comparisons cost."""

    no_effect: Counter[str] = field(default_factory=Counter)
    no_render: Counter[str] = field(default_factory=Counter)
    read_s: float = 0.0
    n_read: int = 0
    compare_s: float = 0.0
    n_compared: int = 0


def score_pairs(
    kind: MarkupKind, n: int, seed: int, half: Half, cache: Path | None, out: Path, skip: int = 0
) -> tuple[list[Scored], Tally]:
    """Score true pairs of a half and their corruptions; every score is written to `out`, a line each, as it is made."""
    task = importlib.import_module(f"render_back_{kind}s")
    corruptions: dict[str, Corruption] = task.corruptions
    every: Iterator[tuple[int, Pair]] = islice(enumerate(task.true_pairs(n, seed)), skip, None)
    pairs = ((index, pair) for index, pair in every if is_in(index, half))
    scored: list[Scored] = []
    tally = Tally()
    with Renderer() as renderer, ThreadPoolExecutor(N_THREADS) as pool, out.open("w") as file:
        while chunk := list(islice(pairs, CHUNK)):
            tasks = []
            for at, (index, pair) in enumerate(chunk):
                changes = {TRUE: pair.markup, OTHER: chunk[at - 1][1].markup}
                for name, corrupt in corruptions.items():
                    changed = corrupt(pair.markup, random.Random(f"{seed} {index} {name}"))
                    if changed is not None and changed != pair.markup:
                        changes[name] = changed
                results = renderer.render(list(changes.values()), spec_like(pair.source, kind))
                rendered = dict(zip(changes, results, strict=True))
                tasks.append((index, pair, _seen(renderer, pair, changes, _with_effect(rendered, tally), tally)))
            for told in pool.map(lambda task: _score(kind, *task, cache, tally), tasks):
                scored += told
                file.writelines(json.dumps(asdict(one)) + "\n" for one in told)
                file.flush()
            print(f"{len({one.pair for one in scored})} pairs", flush=True)
    return scored, tally


def _with_effect(rendered: dict[str, Any], tally: Tally) -> dict[str, Rendered]:
    kept = {}
    for name, result in rendered.items():
        if not isinstance(result, Rendered):
            tally.no_render[name] += 1
        elif name != TRUE and isinstance(rendered[TRUE], Rendered) and result.png == rendered[TRUE].png:
            tally.no_effect[name] += 1
        else:
            kept[name] = result
    return kept


def _seen(
    renderer: Renderer, pair: Pair, changes: dict[str, str], renders: dict[str, Rendered], tally: Tally
) -> dict[str, Rendered]:
    """`renders` without those whose change does not show in the picture, made again as it was made."""
    if pair.made_by is None:
        return renders
    first, *others = renderer.render([changes[name] for name in (TRUE, *renders)], pair.made_by)
    kept = {}
    for (name, rendered), other in zip(renders.items(), others, strict=True):
        shows = isinstance(first, Rendered) and isinstance(other, Rendered) and other.png != first.png
        if name == TRUE or shows:
            kept[name] = rendered
        else:
            tally.no_effect[name] += 1
    return kept


def _score(
    kind: MarkupKind, index: int, pair: Pair, renders: dict[str, Rendered], cache: Path | None, tally: Tally
) -> list[Scored]:
    lines = _read_once(pair.source, kind, cache, tally)
    scored = []
    for name, rendered in renders.items():
        start = time.thread_time()
        told = compare(pair.source, rendered, kind, lines)
        tally.compare_s += time.thread_time() - start
        tally.n_compared += 1
        scored.append(Scored(index, pair.condition, name, told.score, told.parts))
    return scored


def _read_once(source: Image.Image, kind: MarkupKind, cache: Path | None, tally: Tally) -> tuple[TextLine, ...]:
    """What stands in a picture; read once, also over several runs where there is a cache folder."""
    digest = hashlib.sha256(f"{kind} {source.size} {reader_version()}".encode() + source.tobytes()).hexdigest()
    file = cache / f"{digest}.json" if cache else None
    if file and file.exists():
        return tuple(TextLine(**line) for line in json.loads(file.read_text()))
    start = time.thread_time()
    lines = read_source(source, kind)
    tally.read_s += time.thread_time() - start
    tally.n_read += 1
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps([asdict(line) for line in lines]))
    return lines


Scores = npt.NDArray[np.float64]


def area_under_curve(true: Scores, false: Scores) -> float:
    """The chance that one of `true` is higher than one of `false`, ties counting half (Mann-Whitney U / n m)."""
    ranked = np.sort(false)
    below = np.searchsorted(ranked, true, "left")
    not_above = np.searchsorted(ranked, true, "right")
    return float((below + not_above).mean() / (2 * len(false)))


def interval(true: dict[int, float], false: dict[int, float]) -> list[float]:
    """95 % of the AUC over bootstrap samples of pairs: a pair comes with its true score and its false one."""
    chooser = np.random.default_rng(0)
    pairs = sorted(true.keys() | false.keys())
    values = []
    for _ in range(N_BOOTSTRAP):
        drawn = [pairs[at] for at in chooser.integers(len(pairs), size=len(pairs))]
        some_true = np.array([true[pair] for pair in drawn if pair in true])
        some_false = np.array([false[pair] for pair in drawn if pair in false])
        if len(some_true) and len(some_false):
            values.append(area_under_curve(some_true, some_false))
    low, high = np.quantile(values, [0.025, 0.975])
    return [round(float(low), 4), round(float(high), 4)]


def share(flags: list[bool]) -> dict[str, Any]:
    """A share with its 95 % interval (Wilson, 1927)."""
    n, p, z = len(flags), sum(flags) / max(1, len(flags)), 1.96
    if n == 0:
        return {"share": None, "n": 0}
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    spread = z / (1 + z * z / n) * ((p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5)
    return {
        "share": round(p, 4),
        "interval": [round(max(0.0, middle - spread), 4), round(min(1.0, middle + spread), 4)],
        "n": n,
    }


def report(scored: list[Scored], threshold: float) -> dict[str, Any]:
    """AUC by corruption, with the parts alone beside the score, and what `threshold` rejects."""
    by_change: dict[str, dict[int, float]] = defaultdict(dict)
    by_part: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    by_condition: dict[str, list[bool]] = defaultdict(list)
    for one in scored:
        by_change[one.change][one.pair] = one.score
        for name, value in one.parts.items():
            by_part[name][one.change].append(value)
        if one.change == TRUE:
            by_condition[one.condition].append(one.score < threshold)
    true = by_change.pop(TRUE)
    true_scores = np.array(list(true.values()))
    changes = {}
    for change, false in by_change.items():
        changes[change] = {
            "auc": round(area_under_curve(true_scores, np.array(list(false.values()))), 4),
            "interval": interval(true, false),
            "caught": share([score < threshold for score in false.values()]),
            "auc_of_parts": {
                name: round(area_under_curve(np.array(values[TRUE]), np.array(values[change])), 4)
                for name, values in by_part.items()
                if values[TRUE] and values[change]
            },
        }
    single = {
        (pair, change): score for change in by_change if change != OTHER for pair, score in by_change[change].items()
    }
    return {
        "threshold": threshold,
        "true_rejected": share([score < threshold for score in true.values()]),
        "true_rejected_by_condition": {name: share(flags) for name, flags in sorted(by_condition.items())},
        "true_score_quantiles": {
            str(q): round(float(np.quantile(true_scores, q)), 4) for q in (0.01, 0.05, 0.1, 0.25, 0.5, 0.75)
        },
        "all single corruptions": round(area_under_curve(true_scores, np.array(list(single.values()))), 4),
        "changes": changes,
    }


def draw(scored: list[Scored], title: str, file: Path) -> None:
    """Detection curves: false pairs caught against true pairs rejected, a line a change."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    by_change: dict[str, list[float]] = defaultdict(list)
    for one in scored:
        by_change[one.change].append(one.score)
    true = np.sort(by_change.pop(TRUE))
    figure, axes = pyplot.subplots(figsize=(8, 6), dpi=110)
    for index, (change, scores) in enumerate(by_change.items()):
        false = np.sort(scores)
        thresholds = np.concatenate([[-1.0], np.unique(np.concatenate([true, false])), [2.0]])
        rejected = np.searchsorted(true, thresholds, "left") / len(true)
        caught = np.searchsorted(false, thresholds, "left") / len(false)
        auc = area_under_curve(true, false)
        axes.plot(
            rejected,
            caught,
            label=f"{change}: {auc:.3f} (n = {len(false)})",
            linewidth=1.5,
            linestyle="-" if index < 10 else "--",
        )
    axes.set(xlabel="share of true pairs rejected", ylabel="share of false pairs caught", title=title)
    axes.set_xlim(-0.01, 0.5)
    axes.set_ylim(0, 1.01)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(file)
    pyplot.close(figure)


def is_in(pair: int, half: Half) -> bool:
    """Every second pair is for choosing, by the hash of its number: conditions, which take turns, are in both."""
    return half == "all" or (hashlib.sha256(str(pair).encode()).digest()[0] % 2 == 1) == (half == "held-out")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=["page", "table", "formula"], required=True)
    parser.add_argument("--n", type=int, default=140)
    parser.add_argument(
        "--skip", type=int, default=0, help="leave out the first pairs: those that weights were chosen on"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--half", choices=["held-out", "chosen", "all"], default="held-out")
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--cache", type=Path, help="a folder that keeps what was read in each picture")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    start = time.perf_counter()
    options.out.mkdir(parents=True, exist_ok=True)
    scores = options.out / f"{options.task}_scores.jsonl"
    told, tally = score_pairs(options.task, options.n, options.seed, options.half, options.cache, scores, options.skip)
    threshold = DEFAULT_THRESHOLD[options.task] if options.threshold is None else options.threshold
    result = {
        "task": options.task,
        "half": options.half,
        "n_pairs": len({one.pair for one in told}),
        **report(told, threshold),
        "no_effect": dict(tally.no_effect),
        "no_render": dict(tally.no_render),
        "cpu_s_per_picture_read": round(tally.read_s / max(1, tally.n_read), 3),
        "n_read": tally.n_read,
        "cpu_s_per_comparison": round(tally.compare_s / max(1, tally.n_compared), 4),
        "wall_s": round(time.perf_counter() - start, 1),
    }
    (options.out / f"{options.task}.json").write_text(json.dumps(result, indent=1) + "\n")
    draw(told, f"render-back of {options.task}s, {options.half} pairs", options.out / f"{options.task}.png")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
