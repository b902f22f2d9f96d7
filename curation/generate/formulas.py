"""Formulas as papers write them: equations, chains, systems, matrices, case distinctions; all within what KaTeX parses.

The structure is a tree of terms (`formula_terms.Term`) in a layout; letters and habits come from one notation.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from curation.generate.choose import between, from_quantiles, pick, pick_weighted
from curation.generate.formula_notation import draw_notation
from curation.generate.formula_terms import TERM_KINDS
from curation.generate.formula_writer import FormulaWriter, Side, Term, glue

_SIZES: Final = ((0.0, 1.0), (0.05, 1.5), (0.25, 2.8), (0.5, 4.8), (0.75, 8.0), (0.95, 15.0), (0.99, 26.0), (1.0, 45.0))
"""(Share, number of terms on the right-hand side): set so that lengths come out as im2markup's."""
_MAX_DEPTH: Final = 3
_WEIGHTS: Final = {name: kind.weight for name, kind in TERM_KINDS.items()}
_FLAT_WEIGHTS: Final = {name: kind.weight for name, kind in TERM_KINDS.items() if not kind.n_parts}

LAYOUTS: Final = {
    "equation": 60.0,
    "chain": 10.0,
    "expression": 9.0,
    "pair": 7.0,
    "relation": 4.0,
    "aligned": 2.4,
    "split": 0.6,
    "gathered": 0.6,
    "align*": 0.5,
    "cases": 1.8,
    "array": 1.2,
    "pmatrix": 1.2,
    "bmatrix": 0.8,
    "matrix": 0.5,
    "vmatrix": 0.4,
    "smallmatrix": 0.2,
}
"""Layouts by how common they are; from `aligned` on they are environments, commoner here than in im2latex's data."""
_MATRICES: Final = ("pmatrix", "bmatrix", "matrix", "vmatrix", "smallmatrix")
_LINES: Final = ("aligned", "split", "gathered", "align*")

_RELATIONS: Final = {
    "=": 78.0,
    r"\equiv": 4.5,
    r"\sim": 2.0,
    r"\approx": 2.0,
    r"\rightarrow": 2.0,
    r"\to": 1.2,
    r"\simeq": 1.5,
    r"\leq": 1.5,
    ":=": 1.0,
    r"\geq": 1.0,
    r"\propto": 1.0,
    r"\neq": 0.8,
    "<": 0.8,
    ">": 0.8,
    r"\le": 0.5,
    r"\longrightarrow": 0.5,
    r"\ll": 0.3,
    r"\cong": 0.4,
    r"\Rightarrow": 0.4,
    r"\mapsto": 0.3,
    r"\subset": 0.4,
}
_SET_RELATIONS: Final = (
    r"\in",
    r"\in",
    r"\subset",
    r"\subseteq",
    r"\to",
    r"\perp",
    r"\parallel",
    r"\leftrightarrow",
    r"\ni",
    r"\supset",
)
_SETS: Final = (
    r"\mathbb{R}",
    r"\mathbb{Z}",
    r"\mathbb{C}^n",
    r"\mathbb{R}^{n}",
    r"{\cal H}",
    r"\mathcal{A}",
    r"{\bf R}^3",
    r"\{0,1\}",
    r"[0,1]",
    r"{\cal M}",
    r"SU(N)",
    r"L^2(\mathbb{R})",
    r"\emptyset",
)
_CONDITIONS: Final = (
    r"\text{if } %s > 0",
    r"\text{otherwise}",
    r"%s < 0",
    r"%s \geq 1",
    r"\text{for } %s = 0",
    r"%s \in \mathbb{Z}",
    r"\mathrm{if}\ %s \neq 0",
    r"\text{else}",
)
_BREAKS: Final = (
    r"\quad",
    r"\qquad",
    r",\quad",
    r",\qquad",
    r"\ ,\quad",
    r"\;,\;\;",
    r",\ ",
    r"~,~~",
    r"\,,\qquad",
    r"\quad\text{and}\quad",
    r",\quad \text{where}\quad",
)


@dataclass(frozen=True)
class FormulaOptions:
    """What formulas to generate.

    `layouts` are drawn from (keys of `LAYOUTS`); each of `terms` (keys of `formula_terms.TERM_KINDS`) is in every
    formula; `commands` are symbols without argument, with their backslash, that each formula has; `n_terms` is drawn
    when 0.
    """

    layouts: tuple[str, ...] = tuple(LAYOUTS)
    terms: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    n_terms: int = 0


@dataclass(frozen=True)
class FormulaPlan:
    """The structure of a formula: its layout, and the sides that it puts together.

    `rows` holds lines of a multi-line layout, entries of a matrix, branches of cases; else one row whose sides
    stand between relations. `commands` are written as factors of the first side.
    """

    layout: str
    rows: tuple[tuple[Side, ...], ...]
    commands: tuple[str, ...]


def generate_formula(rng: Random, options: FormulaOptions) -> str:
    """One formula in LaTeX, without delimiters."""
    return write_formula(rng, plan_formula(rng, options))


def plan_formula(rng: Random, options: FormulaOptions) -> FormulaPlan:
    """Decide the layout and the tree of terms."""
    layout = pick_weighted(rng, {name: LAYOUTS[name] for name in options.layouts})
    n_terms = options.n_terms or round(from_quantiles(rng, _SIZES))
    wanted = tuple(_term(rng, name, 2, _MAX_DEPTH - 1) for name in options.terms)
    if layout in _MATRICES:
        n_rows, n_columns = between(rng, 2, 4), pick(rng, (1, 2, 2, 2, 3, 3, 4))
        rows = [tuple(_side(rng, 1, _MAX_DEPTH) for _ in range(n_columns)) for _ in range(n_rows)]
        rows.append((wanted or _side(rng, 1, _MAX_DEPTH),))
        return FormulaPlan(layout, tuple(rows), options.commands)
    if layout in {*_LINES, "cases", "array"}:
        n_lines = pick(rng, (2, 2, 3)) if layout == "cases" else pick(rng, (2, 2, 2, 3, 3, 4))
        rows = [(_side(rng, 1, _MAX_DEPTH), _side(rng, max(1, n_terms // n_lines), 1)) for _ in range(n_lines)]
        rows[0] = (rows[0][0], rows[0][1] + wanted)
        return FormulaPlan(layout, tuple(rows), options.commands)
    n_sides = {"expression": 1, "chain": pick(rng, (3, 3, 4)), "pair": 4}.get(layout, 2)
    sides = [
        _side(rng, 1 if i % 2 == 0 and n_sides > 1 else max(1, 2 * n_terms // max(2, n_sides)), 0)
        for i in range(n_sides)
    ]
    return FormulaPlan(layout, ((*sides[:-1], sides[-1] + wanted),), options.commands)


def _side(rng: Random, n_terms: int, depth: int) -> Side:
    """Terms that hold about `n_terms` terms, those inside them counted."""
    terms: list[Term] = []
    while n_terms > 0:
        if n_terms < 2 or depth >= _MAX_DEPTH:
            terms.append(Term(pick_weighted(rng, _FLAT_WEIGHTS) if depth else "product"))
            n_terms -= 1
            continue
        kind = pick_weighted(rng, _WEIGHTS)
        inner = between(rng, 1, max(1, min(n_terms - 1, 5)))
        terms.append(_term(rng, kind, inner, depth))
        n_terms -= 1 + (inner if TERM_KINDS[kind].n_parts else 0)
    return tuple(terms)


def _term(rng: Random, kind: str, inner: int, depth: int) -> Term:
    """A term of this kind with about `inner` terms inside."""
    n_parts = TERM_KINDS[kind].n_parts
    return Term(kind, tuple(_side(rng, max(1, inner // n_parts), depth + 1) for _ in range(n_parts)))


def write_formula(rng: Random, plan: FormulaPlan) -> str:
    """Fill a plan with letters, in one notation."""
    writer = FormulaWriter(rng, draw_notation(rng), TERM_KINDS)
    extra = " ".join(plan.commands)
    extra += " " if extra else ""
    layout = plan.layout
    if layout in _MATRICES:
        return extra + _matrix(writer, layout, plan.rows)
    if layout == "cases":
        return extra + _cases(writer, plan.rows)
    if layout == "array":
        return extra + _array(writer, plan.rows)
    if layout in _LINES:
        return _lines(writer, layout, plan.rows, extra)
    has_subject = layout in {"equation", "chain", "pair"}
    sides = [
        writer.subject()
        if has_subject and i % 2 == 0 and (i == 0 or layout == "pair")
        else writer.side(side, may_be_negative=True)
        for i, side in enumerate(plan.rows[0])
    ]
    end = writer.notation.end
    if layout == "pair":
        first = _related(writer, sides[:2])
        return extra + glue(f"{first} {pick(rng, _BREAKS)} ", _related(writer, sides[2:])) + end
    if layout == "relation":
        return extra + f"{sides[1]} {pick(rng, _SET_RELATIONS)} {pick(rng, _SETS)}{end}"
    return extra + _related(writer, sides) + end


def _related(writer: FormulaWriter, sides: list[str]) -> str:
    """Sides with relations between them; a chain goes on with the first one's kind."""
    gap = writer.notation.relation_gap
    relation = pick_weighted(writer.rng, _RELATIONS)
    text = sides[0]
    for i, side in enumerate(sides[1:]):
        sign = relation if i == 0 or relation in {"<", r"\leq"} else "="
        text = glue(f"{text}{gap or (' ' if sign[0] == chr(92) else '')}{sign}{gap}", side)
    return text


def _matrix(writer: FormulaWriter, layout: str, rows: tuple[tuple[Side, ...], ...]) -> str:
    rng, gap = writer.rng, writer.notation.relation_gap
    zeros = 0.35 if len(rows[0]) > 1 else 0.0
    entries = [
        ["0" if rng.random() < zeros else "1" if rng.random() < zeros / 3 else writer.side(side) for side in row]
        for row in rows[:-1]
    ]
    if len(entries) == len(entries[0]) == 3 and rng.random() < 0.15:
        entries[1] = [r"\vdots", r"\ddots", r"\vdots"]
    body = r" \\ ".join([" & ".join(row) for row in entries])
    matrix = f"\\begin{{{layout}}} {body} \\end{{{layout}}}"
    if layout in {"matrix", "smallmatrix"}:
        opening, closing = pick(rng, (("(", ")"), ("[", "]"), (r"\{", r"\}"), ("|", "|")))
        matrix = f"\\left{opening} {matrix} \\right{closing}"
    name = writer.atom()
    power = pick(rng, ("", "", "", "^T", "^{-1}")) if layout != "smallmatrix" else ""
    form = rng.random()
    if form < 0.6:
        return f"{name}{gap}={gap}{matrix}{power}{writer.notation.end}"
    if form < 0.8:
        return f"{matrix}{power}{gap}={gap}{writer.side(rows[-1][0])}{writer.notation.end}"
    return f"{name}{gap}={gap}{writer.side(rows[-1][0])} {matrix}{power}{writer.notation.end}"


def _cases(writer: FormulaWriter, rows: tuple[tuple[Side, ...], ...]) -> str:
    conditions = [pick(writer.rng, _CONDITIONS).replace("%s", writer.variable()) for _ in rows]
    mark = pick(writer.rng, ("", ",", r",\quad"))
    branches = [f"{writer.side(row[1])}{mark} & {condition}" for row, condition in zip(rows, conditions, strict=True)]
    body = r" \\ ".join(branches)
    return f"{writer.subject()} = \\begin{{cases}} {body} \\end{{cases}}"


def _array(writer: FormulaWriter, rows: tuple[tuple[Side, ...], ...]) -> str:
    sign = pick(writer.rng, ("=", "=", "=", r"\equiv", r"\rightarrow"))
    body = r" \\ ".join([f"{writer.subject()} & {sign} & {writer.side(right)}" for _, right in rows])
    array = f"\\begin{{array}}{{{pick(writer.rng, ('rcl', 'rcl', 'lll', 'ccc', 'lcl'))}}} {body} \\end{{array}}"
    return pick(writer.rng, ("%s", "%s", r"\left\{ %s \right.")).replace("%s", array)


def _lines(writer: FormulaWriter, layout: str, rows: tuple[tuple[Side, ...], ...], extra: str) -> str:
    """Equations below one another, each with its own left-hand side or going on with the one above."""
    goes_on = writer.rng.random() < 0.5
    mark = "" if layout == "gathered" else "&"
    lines: list[str] = []
    for i, (_, right) in enumerate(rows):
        begin = extra + writer.subject() if i == 0 else "" if goes_on else writer.subject()
        sign = pick(writer.rng, ("=", "=", r"+\,", r"-\,")) if goes_on and i else "="
        lines.append(f"{begin} {mark}{sign} {writer.side(right)}".strip())
    gap = pick(writer.rng, (r" \\ ", r" \\ ", r" \\[4pt] ", " \\\\\n"))
    return f"\\begin{{{layout}}} {gap.join(lines)}{writer.notation.end} \\end{{{layout}}}"
