"""The offline backend: the seeded generator, steered to what is asked for and, with a reference, made like its rows.

Of formulas and tables with a reference most are put together from its pieces; what it does not show is written by the
generator and then given its words. Pages are the generator's, as long as those of the reference are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from random import Random
from typing import Final

from curation.classes.sample_classes import classes_of
from curation.generate import GENERATOR_VERSION
from curation.generate.choose import pick
from curation.generate.tables import generate_table
from curation.reasons import Reject
from curation.sample import sha256_hex
from curation.synthesize.candidate import Ask, Draft
from curation.synthesize.formula_recombination import FormulaPieces
from curation.synthesize.formula_steering import command, environment, steered_formula, with_parts
from curation.synthesize.likeness import Reference
from curation.synthesize.page_steering import steered_page
from curation.synthesize.table_grid import TableGrid, read_table
from curation.synthesize.table_recombination import TableParts
from curation.synthesize.table_steering import edited, options_of

TEMPLATES_VERSION: Final = 1
ATTEMPTS: Final = 24
"""Drafts of one sample: a class that one draft in eight has is missed by all of them in one case of 25."""

_DRAWS: Final = 6
"""Of which one draft is chosen where there is a reference."""

_LOOKED_AT: Final = 1_000
"""Rows of the reference, about, whose classes are counted as known."""

_FROM_PIECES: Final = 0.6
"""Share of the drafts that begin from rows of the reference with the class, where it has any; the others from the
generator's plan, so that a class of three rows does not give their three frames again and again."""


class Templates:
    """Drafts by seed: the same ask gives the same draft."""

    n_attempts = ATTEMPTS
    spent = ""

    def __init__(self, reference: Reference, seed: int) -> None:
        self._reference, self._seed = reference, seed
        self._classes: dict[str, frozenset[str]] = {}

    def drafts(self, asks: Sequence[Ask]) -> list[Draft | Reject]:
        """A draft for each ask."""
        made: list[Draft | Reject] = []
        for ask in asks:
            lineage = {
                "generator": "markupmill templates",
                "generator_version": f"{GENERATOR_VERSION}.{TEMPLATES_VERSION}",
                "seed": self._seed,
                "draft": f"{ask.number}.{ask.attempt}",
                "like": len(self._reference.rows(ask.prompt.task)),
            }
            made.append(Draft(self.familiar(ask.prompt.task, ask.prompt.classes, ask.key), lineage))
        return made

    def familiar(self, task: str, wanted: Sequence[str], key: str) -> str:
        """Of several draws the first with nothing that is neither asked for nor in the reference, or that with least.

        What comes along unasked is rare again at once.
        """
        known = self._known(task)
        if not known:
            return self.draw(task, wanted, key)
        best, least = "", -1
        for n in range(_DRAWS):
            text = self.draw(task, wanted, f"{key} {n}" if n else key)
            found = set(classes_of(task, text, None) or ())
            strange = len(found - known - set(wanted)) + len(set(wanted) - found) * _DRAWS
            if least < 0 or strange < least:
                best, least = text, strange
            if not strange:
                break
        return best

    def _known(self, task: str) -> frozenset[str]:
        """Classes that the reference has; empty without one."""
        if task not in self._classes:
            rows = self._reference.rows(task)
            some = rows[:: max(1, len(rows) // _LOOKED_AT)]
            found = (name for row in some for name in classes_of(task, row, None) or ())
            self._classes[task] = frozenset(found)
        return self._classes[task]

    def draw(self, task: str, wanted: Sequence[str], key: str) -> str:
        """Markup for a task with these classes, as far as they can be had; not in canonical form yet."""
        rng = Random(int(sha256_hex(f"{TEMPLATES_VERSION} {self._seed} {task} {key}"), 16))  # noqa: S311 - to give the same again
        if task == "formula_to_latex":
            return self._formula(rng, wanted)
        if task == "table_to_html":
            return self._table(rng, wanted)
        return self._page(rng, wanted)

    @cached_property
    def _formulas(self) -> FormulaPieces:
        return FormulaPieces(self._reference.rows("formula_to_latex"))

    @cached_property
    def _tables(self) -> TableParts:
        return TableParts(self._reference.rows("table_to_html"))

    @cached_property
    def _page_bytes(self) -> list[int]:
        return [len(row.encode()) for row in self._reference.rows("page_to_html")]

    def _formula(self, rng: Random, wanted: Sequence[str]) -> str:
        pieces = self._formulas
        if not len(pieces):
            return steered_formula(rng, wanted)
        shown = [name for name in wanted if pieces.has(name) and rng.random() < _FROM_PIECES]
        text = pieces.make(rng, shown)
        others = [name.partition(":")[::2] for name in wanted if name not in shown]
        return with_parts(
            rng, text, [command(rng, name) if kind == "cmd" else environment(rng, name) for kind, name in others]
        )

    def _table(self, rng: Random, wanted: Sequence[str]) -> str:
        parts = self._tables
        if len(parts) and (not wanted or (any(map(parts.has, wanted)) and rng.random() < _FROM_PIECES)):
            return edited(rng, parts.make(rng, wanted), () if not wanted else _unseen(wanted, parts)).write()
        grid = read_table(generate_table(rng, options_of(rng, wanted)))
        assert grid is not None, "the generator writes tables"
        if len(parts):
            grid = parts.filled(rng, grid)
        return edited(rng, _short_words(rng, grid, wanted), wanted).write()

    def _page(self, rng: Random, wanted: Sequence[str]) -> str:
        n_bytes = int(pick(rng, self._page_bytes) * (0.85 + 0.3 * rng.random())) if self._page_bytes else 0
        return steered_page(rng, wanted, n_bytes)


def _unseen(wanted: Sequence[str], parts: TableParts) -> list[str]:
    """Classes that no row of the reference shows, of those that can be made by changing cells."""
    return [name for name in wanted if not parts.has(name)]


def _short_words(rng: Random, grid: TableGrid, wanted: Sequence[str]) -> TableGrid:
    """Few rows as asked for: the generator's least is two below the header."""
    few = [name for name in wanted if name.startswith("shape:1x")]
    if not few or not grid.body:
        return grid
    row = pick(rng, grid.body)
    return replace(grid, head=(), body=(tuple(replace(cell, rowspan=1) for cell in row),))
