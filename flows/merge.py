"""`markupmill merge`: several sets into one release, and onto the Hub; what is told of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from curation.merge.card import COLUMN_HEAD, column_rows, composition_rows
from curation.merge.merging import MergeResult, merge
from curation.sources.address import resolved_once
from curation.workers import close_workers
from flows.merge_recipe import MergeRecipe, load_merge_recipe, with_addresses

DEFAULT_DATASETS: Final = ("coco", "flickr", "pexels", "docornot", "validation")
"""What distilvit merges where nothing is named."""

DEFAULT_SAVE_PATH: Final = "merged_dataset"
DEFAULT_CACHE: Final = "build/merge"


@dataclass(frozen=True)
class MergeOptions:
    """The options of `markupmill merge`, as they were given: None and empty say nothing, the recipe then does."""

    recipe: str | None = None
    datasets: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    sample: int | None = None
    rows: int | None = None
    cache_dir: str | None = None
    save_path: str = DEFAULT_SAVE_PATH
    push_to_hub: str | None = None
    private: bool = False
    no_gate: bool = False
    seed: int | None = None
    splits: str | None = None
    dedup: str | None = None
    decontaminate: tuple[str, ...] = ()
    balance: tuple[str, ...] = ()
    layout: str | None = None
    carry: tuple[str, ...] = ()
    dry_run: bool = False

    def resolved(self) -> MergeRecipe:
        """The recipe with what was given on the command line in it. Raises `RecipeError`."""
        names = ("sample", "rows", "seed", "splits", "dedup", "decontaminate", "balance", "layout", "carry")
        given: dict[str, Any] = {name: value for name in names if (value := getattr(self, name)) not in (None, ())}
        if self.datasets or self.recipe is None:
            given["sources"] = list(self.datasets or DEFAULT_DATASETS)
        if self.addresses:
            sources = given.get("sources") or _written_sources(self.recipe)
            given["sources"] = with_addresses(sources, self.addresses)
        if self.save_path != DEFAULT_SAVE_PATH or self.recipe is None:
            given.setdefault(
                "name", re.sub(r"[^A-Za-z0-9._-]+|^[^A-Za-z0-9]+", "-", Path(self.save_path).name).lstrip("-")
            )
        return load_merge_recipe(self.recipe, given)


def run_merge(options: MergeOptions, echo: Callable[[str], None]) -> MergeResult:
    """Merge, tell of it, and push where that is asked for. Raises `MarkupmillError`."""
    recipe = options.resolved()
    reading = _Reading(echo)
    try:
        with resolved_once():
            result = merge(
                recipe.spec(),
                options.save_path,
                options.cache_dir or DEFAULT_CACHE,
                recipe.to_yaml(),
                reading.tell,
                dry_run=options.dry_run,
            )
    finally:
        close_workers()
    for line in told(result):
        echo(line)
    if options.push_to_hub:
        echo(_pushed(options, result))
    return result


def told(result: MergeResult) -> list[str]:
    """What a person wants to know of a merge."""
    n_rejected = sum(result.rejected.values())
    lines = [
        *_aligned([COLUMN_HEAD, *column_rows(result.columns)]),
        "",
        *_aligned(composition_rows(result.composition), numbers=True),
        "",
        f"{result.rows_in:,} rows in = {result.rows_kept:,} kept + {n_rejected:,} left out",
        *(f"  {n:>9,}  {reason}" for reason, n in sorted(result.rejected.items(), key=lambda r: (-r[1], r[0]))),
        *result.told,
    ]
    if result.not_compared:
        lines.append(f"{result.not_compared:,} remote rows were looked at without fetching a picture")
    if result.dry_run and not result.made_now and not result.manifest:
        about = f"about {_mb(result.bytes_kept)} of {_mb(result.bytes_in)} of pictures would be kept"
        return [*lines, f"Dry run: {about}; nothing was written. It would be {result.path}"]
    lines.append(f"Pictures: {_mb(result.bytes_kept)}")
    if not result.made_now:
        return [*lines, f"Nothing new: {result.path} is as it would be made"]
    lines.append(f"Left out, by id: {result.dropped_path}")
    return [*lines, f'Merged: {result.path}; load it: from datasets import load_dataset; load_dataset("{result.path}")']


def _pushed(options: MergeOptions, result: MergeResult) -> str:
    assert options.push_to_hub is not None
    if options.dry_run and not result.manifest:
        return f"It would be pushed to {options.push_to_hub}, of which nothing is known before it is made"
    from flows.push import PushOptions, run_push  # noqa: PLC0415 - only who pushes pays for it

    push = PushOptions(
        result.path,
        options.push_to_hub,
        private=options.private,
        no_gate=options.no_gate,
        dry_run=options.dry_run,
    )
    return run_push(push)


class _Reading:
    """Tells how far it is, a line for each source and then now and again while rows are written."""

    _EVERY: Final = 50_000

    def __init__(self, echo: Callable[[str], None]) -> None:
        self._echo = echo
        self._counts: dict[tuple[str, str], int] = {}

    def tell(self, what: str, source: str, n_rows: int) -> None:
        """Count rows; say so at every `_EVERY`."""
        before = self._counts.get((what, source), 0)
        self._counts[what, source] = before + n_rows
        if before // self._EVERY != (before + n_rows) // self._EVERY:
            self._echo(f"{what} {before + n_rows:,} rows{' of ' + source if source else ''}")


def _aligned(rows: Sequence[Sequence[str]], *, numbers: bool = False) -> list[str]:
    """Rows as lines of a table; with `numbers` all columns but the first are flush right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            one.rjust(width) if numbers and place else one.ljust(width)
            for place, (one, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _written_sources(recipe: str | None) -> Sequence[Mapping[str, Any]]:
    return [source.model_dump(mode="json") for source in load_merge_recipe(recipe, {}).sources]


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"
