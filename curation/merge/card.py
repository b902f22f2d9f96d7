"""What the card of a merge says beside the card of any release: composition, columns, what was left out, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from curation.card import cell
from curation.layouts import Layout
from curation.merge.opened import ColumnFate
from curation.merge.spec import MergeSpec
from curation.split import SPLITS

COLUMN_HEAD: Final = ("source", "column", "type", "", "here", "why")

HOW: Final = (
    "Made with `markupmill merge`: `recipe.yaml` makes it again, `quality.json` has the counts and `manifest.json` "
    "the SHA-256 of every file."
)

_LAYOUTS: Final[dict[Layout, str]] = {
    "image_text": "`image` and `text` (conversations: `messages`)",
    "messages": "`images` and `messages`, as TRL's trainers take conversations",
    "prompt_completion": "`images`, `prompt` and `completion` (the last answer), as TRL's trainers take them",
}


@dataclass(frozen=True)
class Story:
    """What there is to tell: rows by source and split, every column's fate, rows left out, what rules did."""

    composition: Mapping[str, Mapping[str, int]]
    columns: Sequence[ColumnFate]
    rejected: Mapping[str, int]
    told: Sequence[str]
    pictures: Mapping[str, str]
    tasks: Sequence[str]


def sections(spec: MergeSpec, story: Story) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Titles and lines, in the order of the card."""
    return (
        ("Composition", (*composition_table(story.composition), *_pictures(story.pictures))),
        ("Columns", (f"A row has {_LAYOUTS[spec.layout]}, then lineage.", "", *column_table(story.columns))),
        ("How it was made", _how(spec, story)),
        ("Known limits", _limits(spec, story)),
    )


def composition_table(rows: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Rows by source and split, with sums."""
    head, *body = composition_rows(rows)
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return [*lines, *(f"| {cell(name)} | {' | '.join(counts)} |" for name, *counts in body)]


def composition_rows(rows: Mapping[str, Mapping[str, int]]) -> list[tuple[str, ...]]:
    """The cells of that table, the head first."""
    body = [(name, *(f"{of.get(s, 0):,}" for s in SPLITS), f"{sum(of.values()):,}") for name, of in rows.items()]
    sums = [sum(of.get(split, 0) for of in rows.values()) for split in SPLITS]
    return [("source", *SPLITS, "all"), *body, ("all", *(f"{n:,}" for n in sums), f"{sum(sums):,}")]


def column_table(columns: Sequence[ColumnFate]) -> list[str]:
    """What became of every column of every source."""
    lines = [f"| {' | '.join(COLUMN_HEAD)} |", "|---|---|---|---|---|---|"]
    return [*lines, *(f"| {' | '.join(map(cell, row))} |" for row in column_rows(columns))]


def column_rows(columns: Sequence[ColumnFate]) -> list[tuple[str, ...]]:
    """The cells of that table, under `COLUMN_HEAD`."""
    return [(one.source, one.theirs, one.type, one.fate, one.ours, one.why) for one in columns]


def _pictures(pictures: Mapping[str, str]) -> list[str]:
    return [line for name, said in pictures.items() for line in ("", f"![{said}]({name})")]


def _how(spec: MergeSpec, story: Story) -> tuple[str, ...]:
    rule = spec.splits
    numbers = (rule.train, rule.validation, rule.test)
    shares = "/".join(f"{value:,.0f} rows" if rule.by_count else f"{value:.4g}" for value in numbers)
    duplicates = {
        "exact": "Of equal rows (equal texts; of captions, equal pictures too) the first is kept.",
        "near": "Of equal and nearly equal rows the best of each cluster is kept, earlier sources first.",
        "none": "Duplicates were not looked for.",
    }
    lines = [
        f"- {duplicates[spec.dedup]}",
        f"- Splits {shares} (train/validation/test), seed {spec.seed}: the hash of a row's text or picture decides.",
        "- Equal rows, captions of one picture and what was made from one row are in one split.",
        "- What a source holds out (its validation and test rows) is never in train.",
        "- Pictures are the sources' own bytes. Texts are as the sources have them.",
        "- Rows are shuffled in blocks of some 50 places of the sources: shuffle again where order matters.",
    ]
    if spec.decontaminate:
        names = ", ".join(cell(one.name) for one in spec.decontaminate)
        lines.append(
            f"- Left out is what these evaluation sets have, the same or nearly, or {spec.overlap:.0%} of its runs of "
            f"13 words: {names}."
        )
    lines += [f"- {cell(line)}" for line in story.told]
    return tuple(lines)


def _limits(spec: MergeSpec, story: Story) -> tuple[str, ...]:
    lines = [
        "- What a source says wrongly is said wrongly here: the merge held no text against its picture.",
        "- Nothing was measured but lengths: `markupmill report` measures the rest.",
        "- Licences are those that the sources state; each row names its own.",
    ]
    if len(story.tasks) > 1:
        lines.append("- Tasks are of different sizes: see the composition, and weigh them in training.")
    if spec.dedup != "near":
        lines.append("- Near duplicates were not looked for.")
    if not spec.decontaminate:
        lines.append("- No evaluation set was held against it: benchmarks of these tasks may be in it.")
    held_out = [split for split in SPLITS if not any(of.get(split) for of in story.composition.values())]
    if held_out:
        lines.append(f"- There is no {' and no '.join(held_out)} split: too few rows.")
    return tuple(lines)


def dropped_line(rejected: Mapping[str, int], path: str) -> str:
    """Where what was left out is listed."""
    n_rows: Any = sum(rejected.values())
    return f"{n_rows:,} rows left out are listed in {path}"
