"""Generated formulas: KaTeX takes every one, layouts, terms and commands can be asked for, statistics near arXiv's."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random
from statistics import median

import pyarrow.parquet as pq
import pytest

from curation.generate.formula_terms import TERM_KINDS
from curation.generate.formula_writer import Term, glue
from curation.generate.formulas import LAYOUTS, FormulaOptions, generate_formula, plan_formula, write_formula
from rendering.assets import KATEX_JS
from rendering.katex import Katex

ENVIRONMENTS = [name for name in LAYOUTS if name not in {"equation", "chain", "expression", "pair", "relation"}]


@pytest.fixture(scope="module")
def formulas() -> list[str]:
    return [generate_formula(Random(i), FormulaOptions()) for i in range(2_000)]


def commands(formula: str) -> list[str]:
    return re.findall(r"\\[A-Za-z]+|\\.", formula)


def kinds_in(terms: tuple[Term, ...]) -> set[str]:
    return {term.kind for term in terms} | {kind for term in terms for part in term.parts for kind in kinds_in(part)}


def check_katex(formulas: list[str]) -> None:
    if not KATEX_JS.is_file():
        pytest.skip("needs KaTeX from npm: run `make setup`")
    with Katex() as katex:
        errors = katex.parse_errors(formulas)
    assert [(formula, error) for formula, error in zip(formulas, errors, strict=True) if error] == []


def test_katex_takes_every_formula(formulas: list[str]) -> None:
    check_katex(formulas)


def test_formulas_differ(formulas: list[str]) -> None:
    assert len(set(formulas)) > 0.995 * len(formulas)


def test_formulas_are_plain_latex_without_delimiters(formulas: list[str]) -> None:
    assert all(formula == formula.strip() and "$" not in formula and formula.isascii() for formula in formulas)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_can_be_asked_for(layout: str) -> None:
    drawn = [generate_formula(Random(i), FormulaOptions(layouts=(layout,))) for i in range(60)]
    check_katex(drawn)
    if layout in ENVIRONMENTS:
        assert all(f"\\begin{{{layout}}}" in formula for formula in drawn)


@pytest.mark.parametrize("kind", TERM_KINDS)
def test_each_kind_of_term_can_be_asked_for(kind: str) -> None:
    options = FormulaOptions(terms=(kind,))
    for i in range(40):
        plan = plan_formula(Random(i), options)
        assert kind in {kind for row in plan.rows for side in row for kind in kinds_in(side)}
    check_katex([generate_formula(Random(i), options) for i in range(40)])


def test_commands_can_be_asked_for() -> None:
    options = FormulaOptions(commands=(r"\kappa", r"\aleph"))
    drawn = [generate_formula(Random(i), options) for i in range(300)]
    check_katex(drawn)
    assert all(r"\kappa" in commands(formula) and r"\aleph" in commands(formula) for formula in drawn)


def test_structure_and_letters_are_apart() -> None:
    plan = plan_formula(Random(4), FormulaOptions(layouts=("equation",), n_terms=6))
    assert plan == plan_formula(Random(4), FormulaOptions(layouts=("equation",), n_terms=6))
    assert write_formula(Random(1), plan) != write_formula(Random(2), plan)


@pytest.mark.parametrize(
    ("left", "right", "whole"),
    [
        (r"\alpha", "x", r"\alpha x"),
        (r"\alpha", r"\beta", r"\alpha\beta"),
        (r"\alpha_i", "x", r"\alpha_ix"),
        ("ab", "c", "abc"),
        (r"\,", "x", r"\,x"),
        ("", "x", "x"),
    ],
)
def test_no_command_swallows_the_letter_after_it(left: str, right: str, whole: str) -> None:
    assert glue(left, right) == whole


def test_formulas_are_near_im2markup(formulas: list[str], shared_data: Path) -> None:
    files = sorted((shared_data / "latex-im2markup").glob("*.parquet"))
    texts = [text for file in files for text in pq.read_table(file, columns=["text"]).column("text").to_pylist()]
    real = [re.sub(r"\\label\{[^}]*\}", "", text) for text in texts]
    for measure in (lambda formula: len("".join(formula.split())), lambda formula: len(commands(formula))):
        assert 0.75 < median(map(measure, formulas)) / median(map(measure, real)) < 1.3
    for command in (r"\frac", r"\left", r"\int", r"\sum", r"\sqrt", r"\partial", r"\mu", r"\pi"):
        shares = [sum(command in commands(formula) for formula in group) / len(group) for group in (formulas, real)]
        assert 0.4 < shares[0] / shares[1] < 2.5, command
