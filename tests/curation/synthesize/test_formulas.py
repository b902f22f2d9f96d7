r"""Formulas cut into pieces and put together; commands and environments written on demand."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from curation.classes.sample_classes import classes_of
from curation.markup.canonical import canonical_batch
from curation.reasons import Reject
from curation.synthesize.formula_recombination import FormulaPieces
from curation.synthesize.formula_steering import steered_formula
from curation.synthesize.latex_pieces import read_formula, tokens_of, units_of, write_formula

FRACTION = r"\frac { a } { b _ { i } } + \sqrt [ 3 ] { c } = \left( x ^ { 2 } \right) ."
ARRAY = r"\left\{ \begin{array} { c c } { a } & { b } \\ { c } & { d } \\ \end{array} \right."


@pytest.mark.parametrize("text", [FRACTION, ARRAY, r"a \leftarrow b \rightarrow c"])
def test_a_formula_is_read_and_written_as_it_was(text: str) -> None:
    tree = read_formula(text)
    assert tree is not None
    assert write_formula(tree) == text


@pytest.mark.parametrize("text", ["{ a", "a }", r"\left( a", r"\left( a }", r"\begin{array} { c } a \right)"])
def test_groups_that_do_not_close_are_no_formula(text: str) -> None:
    assert read_formula(text) is None


def test_arguments_and_scripts_stay_with_what_they_belong_to() -> None:
    tree = read_formula(FRACTION)
    assert tree is not None
    assert [" ".join(tokens_of(unit)) for unit in units_of(tree)] == [
        r"\frac { a } { b _ { i } }", "+", r"\sqrt [ 3 ] { c }", "=", r"\left( x ^ { 2 } \right)", ".",
    ]  # fmt: skip


def test_what_is_put_together_is_valid_new_and_the_same_for_a_seed(shared_data: Path) -> None:
    lines = (shared_data / "latex-formulas/formulas.txt").read_text("utf-8").splitlines()[:150]
    rows = [one.text for one in canonical_batch(["formula_to_latex"] * 150, lines) if not isinstance(one, Reject)]
    pieces = FormulaPieces(rows)
    made = [pieces.make(Random(seed)) for seed in range(40)]
    assert made == [pieces.make(Random(seed)) for seed in range(40)]
    valid = [one for one in canonical_batch(["formula_to_latex"] * 40, made) if not isinstance(one, Reject)]
    assert len(valid) >= 36
    assert not {one.text for one in valid} & set(rows)
    assert len({one.text for one in valid}) == len(valid)


def test_a_class_of_the_reference_is_put_in(shared_data: Path) -> None:
    lines = (shared_data / "latex-formulas/formulas.txt").read_text("utf-8").splitlines()[:150]
    rows = [one.text for one in canonical_batch(["formula_to_latex"] * 150, lines) if not isinstance(one, Reject)]
    pieces = FormulaPieces(rows)
    made = [pieces.make(Random(seed), ["cmd:\\nabla"]) for seed in range(20)]
    assert pieces.has("cmd:\\nabla")
    assert sum("cmd:\\nabla" in (classes_of("formula_to_latex", text, None) or ()) for text in made) >= 18


@pytest.mark.parametrize(
    "name",
    [
        *(r"cmd:\underbrace", r"cmd:\xrightarrow", r"cmd:\hspace", r"cmd:\textcolor"),
        *(r"cmd:\bigl", r"cmd:\Big", r"cmd:\bigcup"),
        *(r"cmd:\left", r"cmd:\hline", r"cmd:\limits", r"cmd:\aleph", r"cmd:\text"),
        *(r"cmd:\genfrac", r"cmd:\scriptstyle"),
        *("env:cases", "env:array", "env:alignedat", "env:Vmatrix", "env:gathered"),
    ],
)  # fmt: skip
def test_commands_and_environments_are_written_in_use(name: str) -> None:
    made = [steered_formula(Random(seed), [name]) for seed in range(6)]
    forms = canonical_batch(["formula_to_latex"] * 6, made)
    good = [one.text for one in forms if not isinstance(one, Reject)]
    assert sum(name in (classes_of("formula_to_latex", text, None) or ()) for text in good) >= 3, forms
