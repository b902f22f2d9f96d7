"""What `learning.py` tells of its runs: tables, a curve, a sheet of rendered predictions."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from learning_intervals import mean_t, paired_t
from learning_rows import FONT_PX, MARKERS, SIDE_PX, Sample
from learning_runs import METRICS, log_of
from PIL import Image, ImageDraw, ImageFont

from rendering.renderer import Renderer
from rendering.result import Rendered
from rendering.spec import RenderSpec
from training.evaluation.evaluate import Evaluation, write_result
from training.evaluation.metrics import METRICS as TITLES

SHOWN_OF_EACH = 4
"""Rows of each kind on the sheet: the first of the test rows, chosen before anything was predicted."""
CELL_PX = 2 * SIDE_PX
TEXT_PX = 30


def tell_learn(folders: Sequence[Path], found: Evaluation, told: Mapping[str, Any], out: Path) -> None:
    """Write `learn.md`, `learn.json`, `curve.png`, `predictions.png` and the evaluation; print the table."""
    out.mkdir(parents=True, exist_ok=True)
    write_result(found, out / "evaluation")
    (result,) = found.tasks
    n = result.overall[0].n
    lines = [f"Scores on {n} held-out formulas, 95 % bootstrap intervals over them:", ""]
    lines += _table(
        ["model", *(TITLES[name].title for name in METRICS)],
        [
            [
                one.model,
                *(_interval(one.scores[name].value, one.scores[name].low, one.scores[name].high) for name in METRICS),
            ]
            for one in result.overall
        ],
    )
    lines += ["", "Exact match by kind:", ""]
    kinds = by_kind(found, "exact_match")
    lines += _table(
        ["model", *MARKERS], [[model, *(f"{of[kind]:.3f}" for kind in MARKERS)] for model, of in kinds.items()]
    )
    lines += [
        "",
        "Runs:",
        "",
        *_table(["run", *next(iter(told.values()))], [[name, *map(str, one.values())] for name, one in told.items()]),
    ]
    curves = {folder.name: log_of(folder) for folder in folders if (folder / "log.jsonl").is_file()}
    _draw_curve(curves, out / "curve.png")
    _draw_sheet([folder.name for folder in folders], found, out / "predictions.png")
    (out / "learn.json").write_text(json.dumps({"runs": told, "by_kind": kinds, "curves": curves}, indent=1) + "\n")
    (out / "learn.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def tell_claim(
    found: Evaluation,
    seeds: Sequence[int],
    rows: Sequence[Sample],
    workspace: Path,
    told: Mapping[str, Any],
    out: Path,
) -> None:
    """Write `claim.md`, `claim.json`, `claim.png` and the evaluation; print the tables."""
    out.mkdir(parents=True, exist_ok=True)
    write_result(found, out / "evaluation")
    dropped = dropped_against_planted(rows, workspace)
    of_kind = ", ".join(f"{sum(row.kind == kind for row in rows):,} {kind}" for kind in MARKERS)
    lines = [
        f"{len(rows):,} raw rows, by picture: {of_kind}.",
        "",
        "What the build left out, against what was planted:",
        "",
        *_table(["", *dropped[0]], [[name, *map(str, row)] for name, row in dropped[1]]),
    ]
    (result,) = found.tasks
    by_model = {one.model: {name: one.scores[name].value for name in METRICS} for one in result.overall}
    plain: dict[str, Any] = {
        "dropped": dropped,
        "runs": told,
        "seeds": list(seeds),
        "scores": by_model,
        "differences": {},
    }
    of_metric = []
    for name in METRICS:
        raw, better = ([by_model[f"{arm} {seed}"][name] for seed in seeds] for arm in ("raw", "gated"))
        of_metric.append([TITLES[name].title, *_row(raw, better)])
        plain["differences"][name] = vars(paired_t(raw, better))
    kinds = by_kind(found, "exact_match")
    for kind in MARKERS:
        raw, better = ([kinds[f"{arm} {seed}"][kind] for seed in seeds] for arm in ("raw", "gated"))
        of_metric.append([f"Exact match, {kind}", *_row(raw, better)])
    lines += [
        "",
        f"Held-out scores, {result.overall[0].n} formulas, {len(seeds)} seeds, t intervals of 95 % over seeds:",
        "",
    ]
    lines += _table(["metric", "raw", "gated", "gated - raw", "p"], of_metric)
    lines += ["", "By run:", ""]
    lines += _table(
        ["run", *(TITLES[name].title for name in METRICS), "rows", "CPU s"],
        [
            [
                model,
                *(f"{one[name]:.3f}" for name in METRICS),
                str(told[model]["rows"]),
                str(told[model]["train_cpu_s"]),
            ]
            for model, one in by_model.items()
        ],
    )
    _draw_claim(by_model, seeds, out / "claim.png")
    names = [f"{arm} {seeds[0]}" for arm in ("gated", "raw")]
    _draw_sheet(names, found, out / "predictions.png")
    (out / "claim.json").write_text(json.dumps(plain, indent=1) + "\n")
    (out / "claim.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def by_kind(found: Evaluation, metric: str) -> dict[str, dict[str, float]]:
    """By model, the mean of a metric over the rows of each kind, which the reference's command tells."""
    column = found.scores["formula_to_latex"].columns[metric]
    told: dict[str, dict[str, list[float]]] = {}
    for row, value in zip(found.rows, column, strict=True):
        kind = next(kind for kind, marker in MARKERS.items() if marker in row.reference.split(" "))
        told.setdefault(row.model, {one: [] for one in MARKERS})[kind].append(value or 0.0)
    return {model: {kind: float(np.mean(values)) for kind, values in kinds.items()} for model, kinds in told.items()}


def dropped_against_planted(rows: Sequence[Sample], workspace: Path) -> tuple[list[str], list[tuple[str, list[int]]]]:
    """Names of columns, and for each thing that was planted how many of its rows each reason left out."""
    reasons = _reasons(workspace)
    names = ["rows", "kept", *sorted(set(reasons.values()))]
    table = []
    planted = {
        "nothing": lambda one: not one.planted,
        "label of another row": lambda one: "shuffled" in one.planted,
        "copy, true label": lambda one: one.planted == ("copy",),
        "all": bool,
    }
    for name, is_it in planted.items():
        chosen = [one for one in rows if is_it(one)]
        of = [reasons.get(one.key, "kept") for one in chosen]
        table.append((name, [len(chosen), *(of.count(reason) for reason in names[1:])]))
    kept = (workspace / "releases").glob("*/data/*.parquet")
    n_kept = sum(pq.read_metadata(path).num_rows for path in kept)
    assert n_kept == table[-1][1][1], "what is kept is not what the release has"
    return names, table


def _reasons(workspace: Path) -> dict[str, str]:
    """By source key, why a selection left a row out."""
    samples = [pq.read_table(path, columns=["id", "source_key"]) for path in (workspace / "samples").glob("*.parquet")]
    keys = {row["id"]: row["source_key"] for table in samples for row in table.to_pylist()}
    found: dict[str, str] = {}
    for path in (workspace / "selections").glob("*.parquet"):
        for row in pq.read_table(path).to_pylist():
            if row["reason"] is not None:
                found[keys[row["id"]]] = row["reason"]
    return found


def _row(raw: Sequence[float], better: Sequence[float]) -> list[str]:
    difference = paired_t(raw, better)
    return [
        *(_interval(one.mean, one.low, one.high) for one in (mean_t(raw), mean_t(better), difference)),
        f"{difference.p:.2g}",
    ]


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    rule = "|---|" + "---:|" * (len(head) - 1)
    return [f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]


def _draw_curve(curves: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for (name, log), color in zip(curves.items(), ("tab:blue", "tab:orange"), strict=False):
        for key, style, what in (("loss", ":", "training rows"), ("eval_loss", "-", "held-out rows")):
            points = [(line["step"], line[key]) for line in log if line.get(key) is not None]
            axes.plot(
                *zip(*points, strict=True),
                style,
                color=color,
                marker="o" if style == "-" else "",
                ms=3,
                label=f"{name}: {what}",
            )
    axes.set(
        xlabel="optimiser steps",
        ylabel="cross-entropy per symbol",
        ylim=(0, 3.5),
        title="A small model learns to read formulas",
    )
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _draw_claim(by_model: Mapping[str, Mapping[str, float]], seeds: Sequence[int], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    shown = ("exact_match", "picture_similarity", "edit_distance")
    figure, all_axes = plt.subplots(1, len(shown), figsize=(9, 3.6), layout="constrained")
    for axes, name in zip(all_axes, shown, strict=True):
        sides = [[by_model[f"{arm} {seed}"][name] for seed in seeds] for arm in ("raw", "gated")]
        for pair in zip(*sides, strict=True):
            axes.plot((0, 1), pair, "-o", color="grey", alpha=0.6)
        for place, values in zip((-0.15, 1.15), sides, strict=True):
            one = mean_t(values)
            axes.errorbar(
                place, one.mean, [[one.mean - one.low], [one.high - one.mean]], fmt="s", color="black", capsize=4
            )
        axes.set(title=TITLES[name].title, xticks=(0, 1), xticklabels=("raw", "gated"), xlim=(-0.4, 1.4))
        axes.set_ylim(0, max(1.0, *sides[0], *sides[1]))
        axes.grid(alpha=0.3, axis="y")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _draw_sheet(models: Sequence[str], found: Evaluation, path: Path) -> None:
    """Rows of the sheet: picture and truth, then each model's prediction, rendered, its text below."""
    of = {(row.model, row.id): row for row in found.rows}
    ids = list(_first_of_kinds([row for row in found.rows if row.model == models[0]]))
    texts = [of[model, key].prediction for key in ids for model in models]
    renders = iter(_renders(texts))
    width = CELL_PX + 2 * CELL_PX * len(models) + CELL_PX
    sheet = Image.new("RGB", (width, TEXT_PX + len(ids) * (SIDE_PX + 20)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for place, title in enumerate(("picture and truth", *models)):
        draw.text((8 + 2 * CELL_PX * place, 6), title, "black", ImageFont.load_default(14))
    for line, key in enumerate(ids):
        top = TEXT_PX + line * (SIDE_PX + 20)
        draw.line((0, top - 4, width, top - 4), "#cccccc")
        truth = of[models[0], key]
        assert truth.image is not None
        with Image.open(io.BytesIO(truth.image)) as picture:
            sheet.paste(picture.convert("RGB").crop((0, 8, SIDE_PX, SIDE_PX - 8)), (8, top))
        draw.text((8, top + SIDE_PX - 13), _folded(truth.reference), "black", font)
        for place, model in enumerate(models, 1):
            prediction, made = of[model, key].prediction, next(renders)
            left = 8 + 2 * CELL_PX * place
            if made is not None:
                sheet.paste(made, (left, top + max(0, (SIDE_PX - 16 - made.height) // 2)))
            right = prediction == truth.reference
            text = _folded(prediction) if made is not None else f"no render: {_folded(prediction)}"
            draw.text((left, top + SIDE_PX - 13), text, "#0a7d32" if right else "#b00020", font)
    sheet.save(path)


def _first_of_kinds(rows: Sequence[Any]) -> Iterator[str]:
    for marker in MARKERS.values():
        yield from [row.id for row in rows if marker in row.reference.split(" ")][:SHOWN_OF_EACH]


def _renders(texts: Sequence[str]) -> list[Image.Image | None]:
    spec = RenderSpec(kind="formula", font_size_px=FONT_PX, padding_px=1)
    with Renderer() as renderer:
        made = renderer.render(list(texts), spec)
    return [Image.open(io.BytesIO(one.png)).convert("RGB") if isinstance(one, Rendered) else None for one in made]


def _folded(text: str) -> str:
    text = text.replace(" ", "")
    return "\n".join(text[start : start + 38] for start in range(0, min(len(text), 76), 38))
