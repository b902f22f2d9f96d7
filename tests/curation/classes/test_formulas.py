from __future__ import annotations

from pathlib import Path

from curation.classes.formulas import commands_of, environments_of
from curation.markup.canonical import Canonical, canonical


def test_commands_with_their_backslash() -> None:
    assert commands_of(r"\frac { a } { \sqrt[3] b } \, \{ x \}") == {r"\frac", r"\sqrt", r"\,", r"\{", r"\}"}
    assert commands_of("a + b") == set()


def test_environments_are_no_commands() -> None:
    formula = r"\begin{array} { c c } a & b \\ c & d \end{array} \begin {align*} x \end {align*}"
    assert environments_of(formula) == {"array", "align*"}
    assert commands_of(formula) == {"\\\\"}


def test_arguments_are_no_part_of_a_command() -> None:
    assert commands_of(r"\verb|\frac| \char65") == {r"\verb", r"\char"}


def test_a_star_belongs_to_the_command() -> None:
    assert commands_of(r"\operatorname* { m a x } \operatorname { m i n } \alpha * 2") == {
        r"\operatorname*",
        r"\operatorname",
        r"\alpha",
    }


def test_commands_of_real_formulas_are_words_or_signs(shared_data: Path) -> None:
    lines = (shared_data / "latex-formulas" / "formulas.txt").read_text("utf-8").splitlines()[:300]
    forms = [canonical("formula_to_latex", line) for line in lines]
    texts = [form.text for form in forms if isinstance(form, Canonical)]
    commands = set().union(*map(commands_of, texts))
    assert {r"\frac", r"\partial", r"\left", r"\right"} <= commands
    assert all(name.startswith("\\") and (name[1:].rstrip("*").isalpha() or len(name) == 2) for name in commands)
    assert "array" in set().union(*map(environments_of, texts))
