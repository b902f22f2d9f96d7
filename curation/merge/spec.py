"""What a merge is asked for: its sources and settings. What they mean is for the modules beside this one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from curation.balance_rules import BalanceRule
from curation.conversation import Prompt
from curation.duplicates import Mode
from curation.layouts import Layout
from curation.split import SplitRule

MERGE_VERSION: Final = 1
"""Raise it when the same sources and settings give other bytes."""

Origin = Literal["source", "rendered", "synthetic"]


@dataclass(frozen=True)
class MergeEntry:
    """One source of a merge.

    `preset` names a known data set, or `address` says where rows are (both: the preset's rows, read from here).
    `columns` are pairs of our column and theirs; those not named are found by name and type. `limit` reads so many
    rows from the start; `weight` is its share of the merge's `rows`. `settings` are the preset's own.
    """

    name: str
    address: str = ""
    preset: str = ""
    columns: tuple[tuple[str, str], ...] = ()
    task: str = ""
    license: str = ""
    split: str = "all"
    limit: int | None = None
    weight: float | None = None
    settings: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class MergeSpec:
    """A whole merge. `rows`, where given, are shared out to the sources by their weights (1 each where none is set).

    `decontaminate` are addresses of evaluation sets; a row that has at least `overlap` of its runs of 13 words in
    common with them is left out, too. `carry` names columns to take along that not all sources have.
    """

    name: str
    entries: tuple[MergeEntry, ...]
    rows: int | None = None
    seed: int = 42
    splits: SplitRule = field(default_factory=SplitRule)
    dedup: Mode = "exact"
    decontaminate: tuple[MergeEntry, ...] = ()
    overlap: float = 0.5
    balance: tuple[BalanceRule, ...] = ()
    layout: Layout = "image_text"
    prompt: Prompt = field(default_factory=Prompt)
    carry: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
