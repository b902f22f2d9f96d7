"""`markupmill plan`: what a build would do, as a page for people or as JSON. Writes no workspace, starts no Prefect."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from curation.measures.tokens import Tokens
from curation.plan import Plan, SourcePlan, make_plan, quantile
from flows.progress import BuildProgress
from flows.recipe import load_recipe

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
RARE_BELOW: Final = 50
"""Classes in fewer kept rows than this are told as rare (DESIGN: a class below the threshold)."""

_N_BARS: Final = 16
_BAR_CHARS: Final = 40
_CLASSES_SHOWN: Final = 12


@dataclass(frozen=True)
class PlanOptions:
    """The options of `markupmill plan`, as they were given."""

    recipe: str
    addresses: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    limit: int | None = None
    as_json: bool = False


def run_plan(options: PlanOptions) -> str:
    """Plan a build and return what to tell the user. Raises `MarkupmillError`."""
    recipe = load_recipe(options.recipe, options.overrides, options.addresses)
    settings = recipe.tokens
    tokens = Tokens.pinned(
        settings.tokenizer, settings.revision, recipe.build_prompt(), settings.image_tokens, settings.ceiling
    )
    sources = [(entry.build(), options.limit or entry.limit) for entry in recipe.sources]
    with BuildProgress() as progress:

        def tell(source: SourcePlan, rows_in: int, rows_kept: int) -> None:
            if source.rows_in == rows_in:
                progress.begin_source(f"{source.source} {source.task}", source.limit)
            progress.add(rows_in, rows_kept, made_now=True, completed_rows=source.rows_kept)

        plan = make_plan(sources, tokens, recipe.measures, recipe.rules(), recipe.rows_per_shard, tell)
    return as_json(recipe.name, plan) if options.as_json else as_text(recipe.name, plan)


def as_json(name: str, plan: Plan) -> str:
    """The plan for machines. `n_tokens` maps numbers of tokens to rows; `ceiling + 1` holds all above the ceiling."""
    told = {
        "recipe": name,
        "rows_in": plan.rows_in,
        "rows_kept_at_most": plan.rows_kept,
        "rows_rejected": plan.rejected,
        "tokens": {"ceiling": plan.ceiling, "max_seq_length": plan.max_seq_length, **_quantiles(plan.n_tokens)},
        "sources": [_source_json(source) for source in plan.sources],
        "open_questions": list(plan.open_questions),
    }
    return json.dumps(told, indent=2, ensure_ascii=False)


def as_text(name: str, plan: Plan) -> str:
    """The plan on a page: rows, reasons, token histogram, classes, bytes."""
    lines = [
        f"Plan of {name}: no picture was fetched, nothing is kept",
        f"{plan.rows_in:,} rows in = at most {plan.rows_kept:,} kept + {sum(plan.rejected.values()):,} rejected",
        *(f"  {n:>9,}  {reason}" for reason, n in sorted(plan.rejected.items(), key=lambda r: (-r[1], r[0]))),
    ]
    for source in plan.sources:
        lines += ["", *_source_lines(source)]
    lines += ["", *_histogram(plan.n_tokens, plan.ceiling, plan.max_seq_length)]
    if plan.open_questions:
        lines += ["", "Not decided here:", *(f"  {question}" for question in plan.open_questions)]
    return "\n".join(lines)


def _source_lines(source: SourcePlan) -> list[str]:
    at = f" at {source.revision}" if source.revision and source.revision not in source.address else ""
    whole = f"the limit of {source.limit:,} is met here" if source.is_cut_short else "all of it"
    if source.image_bytes is None:
        pictures = f"{source.n_pictures:,} pictures, whose sizes are not known before they are read"
    elif source.n_pictures:
        pictures = f"{_size(source.image_bytes)} with {source.n_pictures:,} pictures (row groups are fetched whole)"
    else:
        pictures = "no pictures: they are rendered"
    lines = [
        f"{source.source} ({source.task}) {source.address}{at}".rstrip(),
        f"  rows      {source.rows_in:,}, {whole}; at most {source.rows_kept:,} kept",
        f"  to fetch  texts {_size(source.text_bytes)}; {pictures}",
    ]
    if source.classes:
        n_rare = sum(n < RARE_BELOW for n in source.classes.values())
        common = ", ".join(f"{name} {n:,}" for name, n in _most_common(source)[:_CLASSES_SHOWN])
        lines += [
            f"  classes   {len(source.classes):,}, of which {n_rare:,} are in fewer than {RARE_BELOW} rows",
            f"            {common}",
        ]
    return lines


def _source_json(source: SourcePlan) -> dict[str, Any]:
    return {
        "type": source.source,
        "task": source.task,
        "address": source.address,
        "revision": source.revision,
        "limit": source.limit,
        "stopped_by_limit": source.is_cut_short,
        "rows_in": source.rows_in,
        "rows_kept_at_most": source.rows_kept,
        "rows_rejected": dict(sorted(source.rejected.items())),
        "n_pictures": source.n_pictures,
        "text_bytes": source.text_bytes,
        "image_bytes": source.image_bytes,
        "n_tokens": dict(sorted(source.n_tokens.items())),
        "classes": dict(_most_common(source)),
    }


def _most_common(source: SourcePlan) -> list[tuple[str, int]]:
    return sorted(source.classes.items(), key=lambda entry: (-entry[1], entry[0]))


def _quantiles(n_tokens: Mapping[int, int]) -> dict[str, int]:
    return {f"p{share * 100:g}": quantile(n_tokens, share) for share in QUANTILES} if n_tokens else {}


def _histogram(n_tokens: Mapping[int, int], ceiling: int, limit: int | None) -> list[str]:
    """Bars of equal width up to the ceiling, and one for all above it; then exact quantiles."""
    if not n_tokens:
        return ["Tokens: no row was counted"]
    width = -(-ceiling // _N_BARS)
    bars: Counter[int] = Counter()
    for n, rows in n_tokens.items():
        bars[min((n - 1) // width, _N_BARS) if n <= ceiling else _N_BARS] += rows
    highest = max(bars.values())
    marks = [f"{number * width + 1:,}-{min((number + 1) * width, ceiling):,}" for number in range(_N_BARS)]
    lines = [f"Tokens a row ({sum(n_tokens.values()):,} rows counted; kept up to {limit or ceiling:,})"]
    for number, mark in enumerate([*marks, f"over {ceiling:,}"]):
        if n := bars[number]:
            lines.append(f"  {mark:>15}  {'█' * max(1, round(_BAR_CHARS * n / highest)):<{_BAR_CHARS}} {n:>9,}")
    told = ((share, quantile(n_tokens, share)) for share in QUANTILES)
    exact = ", ".join(f"{share:.0%} {f'over {ceiling:,}' if n > ceiling else f'{n:,}'}" for share, n in told)
    return [*lines, f"  exact quantiles: {exact}"]


def _size(n_bytes: int) -> str:
    """As people read it, in powers of ten."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{n_bytes / size:,.1f} {unit}"
    return f"{n_bytes} B"
