"""Formulas with a command or environment that is asked for, where no formula of a reference shows how it is used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import Final

from curation.generate.choose import between, pick
from curation.generate.formula_notation import draw_notation
from curation.generate.formula_terms import TERM_KINDS
from curation.generate.formula_writer import FormulaWriter
from curation.generate.formulas import LAYOUTS, FormulaOptions, generate_formula
from curation.markup.latex_tokens import ARGUMENTS, FONT_SWITCHES, INFIXES, STYLE_SWITCHES

_SIZES: Final = ("0.5em", "1em", "2mm", "3pt", "0.2cm")
_COLOURS: Final = ("red", "blue", "teal", "gray")
_MATHS_SIZES: Final = ("3mu", "5mu", "9mu", "1em")
_WORDS: Final = ("if", "and", "for all", "where", "otherwise", "in", "with")
_LARGE: Final = re.compile(r"(\\[bB]igg?)([lrm]?)")
_DELIMITERS: Final = (("(", ")"), ("[", "]"), (r"\{", r"\}"), ("|", "|"))


def steered_formula(rng: Random, wanted: Sequence[str]) -> str:
    """A formula of the seeded generator with these classes (`cmd:`, `env:`), as far as they can be written."""
    environments = [name.removeprefix("env:") for name in wanted if name.startswith("env:")]
    layouts = [name for name in environments if name in LAYOUTS]
    parts = [environment(rng, name) for name in environments if name not in LAYOUTS or name != (layouts or [""])[0]]
    parts += [command(rng, name.removeprefix("cmd:")) for name in wanted if name.startswith("cmd:")]
    options = FormulaOptions(layouts=(layouts[0],)) if layouts else FormulaOptions()
    return with_parts(rng, generate_formula(rng, options), parts)


def with_parts(rng: Random, formula: str, parts: Sequence[str]) -> str:
    """The formula with more factors: after its first sign of equality where it is one line, else before it."""
    if not parts:
        return formula
    more = " ".join(parts)
    left, sign, right = formula.partition("=")
    if sign and "\\begin" not in formula and not left.endswith(":") and left.count("{") == left.count("}"):
        return f"{left}= {more} {right}" if rng.random() < 0.7 else f"{left.rstrip()} {more} = {right}"
    return f"{more} {formula}"


def command(rng: Random, name: str) -> str:
    r"""The command in use: with arguments of its kinds, between terms or before them; a symbol stands alone."""
    writer = FormulaWriter(rng, draw_notation(rng), TERM_KINDS)
    if name in ARGUMENTS:
        return name + "".join(_argument(rng, writer, kind) for kind in ARGUMENTS[name])
    if name in (r"\left", r"\right"):
        opening, closing = pick(rng, _DELIMITERS)
        return rf"\left{opening} {_terms(writer)} \right{closing}"
    if large := _LARGE.fullmatch(name):
        size, side = large.groups()
        opening, closing = pick(rng, _DELIMITERS)
        if side == "m":
            return rf"{size}l( {writer.atom()} {name}| {writer.atom()} {size}r)"
        return f"{size}{'l' if side else ''}{opening} {_terms(writer)} {size}{'r' if side else ''}{closing}"
    if name in INFIXES:
        return f"{{{writer.atom()} {name} {writer.atom()}}}"
    if name in FONT_SWITCHES or name in STYLE_SWITCHES:
        return f"{{{name} {writer.atom()}}}"
    if name == r"\\":
        return environment(rng, "aligned")
    if name in (r"\hline", r"\hdashline"):
        return rf"\begin{{array}}{{cc}} {writer.atom()} & {writer.atom()} \\ {name} {writer.atom()} & 1 \end{{array}}"
    if name in (r"\limits", r"\nolimits"):
        return rf"\sum{name}_{{{writer.variable()}}} {writer.atom()}"
    if name == r"\not":
        return rf"\not= {writer.atom()}"
    return f"{name} {writer.atom()}" if rng.random() < 0.8 else f"{writer.atom()} {name} {writer.atom()}"


def environment(rng: Random, name: str) -> str:
    """The environment with a few cells."""
    writer = FormulaWriter(rng, draw_notation(rng), TERM_KINDS)
    n_rows, n_columns = between(rng, 2, 3), 1 if name.startswith("gather") else between(rng, 1, 3)
    columns = "{" + "c" * n_columns + "}" if name in ("array", "darray", "subarray") else ""
    if name.startswith("alignat") or name == "alignedat":
        columns = f"{{{n_columns}}}"
    rows = [" & ".join(writer.atom() for _ in range(n_columns)) for _ in range(n_rows)]
    cells = r" \\ ".join(rows)
    return f"\\begin{{{name}}}{columns} {cells} \\end{{{name}}}"


def _terms(writer: FormulaWriter) -> str:
    return f"{writer.atom()} {pick(writer.rng, '+-')} {writer.atom()}"


def _argument(rng: Random, writer: FormulaWriter, kind: str) -> str:
    match kind:
        case "o" | "S" | "R":
            return ""
        case "t":
            return f"{{{pick(rng, _WORDS)}}}"
        case "s":
            return f"{{{pick(rng, _SIZES)}}}"
        case "k":
            return f" {pick(rng, _MATHS_SIZES)} "
        case "r":
            return f"{{{pick(rng, _COLOURS)}}}"
        case "p":
            return f"{{{writer.atom()}}}"
        case _:
            return f"{{{writer.atom() if rng.random() < 0.6 else _terms(writer)}}}"
