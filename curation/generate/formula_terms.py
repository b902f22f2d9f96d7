"""The terms that generated formulas are built from, and how each is written in one author's notation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from curation.generate.choose import between, pick
from curation.generate.formula_writer import FormulaWriter, Side, TermKind, glue


def _product(writer: FormulaWriter, _parts: Sequence[Side]) -> str:
    rng = writer.rng
    draw = rng.random()
    coefficient = (
        str(between(rng, 2, 16))
        if draw < 0.14
        else "i"
        if draw < 0.2
        else writer.fraction("1", pick(rng, "223448"))
        if draw < 0.28
        else r"2\pi"
        if draw < 0.31
        else ""
    )
    text = glue(coefficient, writer.factors(1 + int(rng.random() ** 2 * 3)))
    return (
        glue(
            text,
            pick(rng, (r" \cdot ", r" \times ", r" \wedge ", r" \otimes ", r"\ ", r"\, ", r"\, ", r" \cdot ", r"\; "))
            + writer.atom(),
        )
        if rng.random() < 0.05
        else text
    )


def _fraction(writer: FormulaWriter, parts: Sequence[Side]) -> str:
    above = "1" if writer.rng.random() < 0.2 else writer.side(parts[0])
    return writer.fraction(above, writer.side(parts[1]))


def _power(writer: FormulaWriter, parts: Sequence[Side]) -> str:
    rng = writer.rng
    exponent = pick(rng, ("2", "2", "2", "3", "4", "n", "-1", "-1", "-2", "1/2", "k", "n-1"))
    if rng.random() < 0.55:
        return (
            pick(rng, writer.notation.letters)
            + (f"_{between(rng, 0, 3)}" if rng.random() < 0.3 else "")
            + writer.high(exponent)
        )
    if rng.random() < 0.4:
        return "e" + f"^{{{writer.side(parts[0])}}}"
    return f"({writer.side(parts[0])}){writer.high(exponent)}"


def _root(writer: FormulaWriter, parts: Sequence[Side]) -> str:
    degree = "[3]" if writer.rng.random() < 0.06 else ""
    return f"\\sqrt{degree}{{{writer.side(parts[0])}}}"


_FENCES: Final = (
    *(
        (r"\left(", r"\right)"),
        (r"\left(", r"\right)"),
        (r"\left(", r"\right)"),
        (r"\left[", r"\right]"),
        (r"\left[", r"\right]"),
    ),
    *(
        (r"\left\{", r"\right\}"),
        ("(", ")"),
        ("(", ")"),
        ("[", "]"),
        (r"\{", r"\}"),
        (r"\left|", r"\right|"),
        (r"\Big(", r"\Big)"),
    ),
    *(
        (r"\bigl(", r"\bigr)"),
        (r"\left.", r"\right|_{0}"),
        (r"\lfloor", r"\rfloor"),
        (r"\|", r"\|"),
        (r"\Bigl[", r"\Bigr]"),
        (r"\left\langle", r"\right\rangle"),
    ),
)


def _bracket(writer: FormulaWriter, parts: Sequence[Side]) -> str:
    opening, closing = pick(writer.rng, _FENCES)
    inner = (
        f"{opening} {writer.side(parts[0])} {closing}"
        if writer.rng.random() < 0.7
        else glue(opening, writer.side(parts[0])) + closing
    )
    before = writer.atom() if writer.rng.random() < 0.5 else ""
    after = writer.high("2") if writer.rng.random() < 0.12 and "|_" not in closing else ""
    return f"{before}{inner}{after}"


def _integral(writer: FormulaWriter, parts: Sequence[Side]) -> str:
    rng, notation = writer.rng, writer.notation
    variable = writer.variable()
    sign = r"\int" if rng.random() < 0.93 else pick(rng, (r"\oint", r"\iint"))
    bounds = pick(
        rng,
        (
            "",
            "_0^{\\infty}",
            "_{0}^{1}",
            "_0^t",
            "_{-\\infty}^{\\infty}",
            "_{M}",
            "_0^{2\\pi}",
            "_{\\Sigma}",
            "_a^b",
            "",
            "_{\\partial M}",
        ),
    )
    power = f"^{pick(rng, '22344D')}" if rng.random() < 0.35 else ""
    differential = glue(notation.differential + power, variable)
    body = writer.side(parts[0])
    body = f"({body})" if len(parts[0]) > 1 else body
    if rng.random() < 0.55:
        return glue(f"{sign}{bounds} {differential}{notation.gap}", body)
    return f"{sign}{bounds} {body}" + (notation.gap or " ") + differential


def _sum(writer: FormulaWriter, parts: Sequence[Side]) -> str:
    rng = writer.rng
    index = pick(rng, ("n", "i", "k", "j", "m", "l"))
    sign = r"\sum" if rng.random() < 0.85 else pick(rng, (r"\prod", r"\prod", r"\prod", r"\bigoplus", r"\bigcup"))
    start = pick(
        rng,
        (
            f"{index}=0",
            f"{index}=1",
            f"{index}=1",
            index,
            f"{index}>0",
            f"{index}=1",
            f"{index}=0",
            f"{index} \\neq 0",
            f"{index} \\in {pick(rng, 'SIJZ')}",
            f"{index},j",
        ),
    )
    end = pick(rng, (r"^{\infty}", r"^\infty", "^N", "^{N}", "^n", "^{N-1}", "^3")) if "=" in start else ""
    body = writer.side(parts[0])
    return f"{sign}_{{{start}}}{end} " + (rf"\left({body}\right)" if len(parts[0]) > 1 else body)


def _derivative(writer: FormulaWriter, _parts: Sequence[Side]) -> str:
    rng, what, by = writer.rng, writer.atom(), writer.variable()
    draw = rng.random()
    if draw < 0.3:
        return f"\\partial{writer.low(pick(rng, writer.notation.indices))} {what}"
    if draw < 0.4:
        return f"\\nabla{pick(rng, ('', '^2', ' ' + chr(92) + 'cdot', writer.low(writer.index())))} {what}"
    sign = pick(rng, (r"\partial", r"\partial", "d", "d", r"\delta"))
    if draw < 0.75:
        return writer.fraction(glue(f"{sign} ", what), glue(sign + ("" if sign == "d" else " "), by))
    if draw < 0.88:
        letter = pick(rng, writer.notation.letters)
        return writer.fraction(glue(f"{sign}^2 ", letter), glue(sign + ("" if sign == "d" else " "), by) + "^2")
    return writer.fraction(
        glue(sign + ("" if sign == "d" else " "), pick(rng, writer.notation.letters)),
        glue(sign + ("" if sign == "d" else " "), by),
    )


def _function(writer: FormulaWriter, parts: Sequence[Side]) -> str:
    rng, name = writer.rng, writer.notation.function
    body, draw = writer.side(parts[0]), rng.random()
    if draw < 0.3:
        return f"{name}({body})"
    if draw < 0.55:
        return f"{name} \\left( {body} \\right)"
    if draw < 0.7:
        return f"{name}\\left[{body}\\right]"
    if draw < 0.8:
        return f"{name}^2 {writer.variable()}"
    return glue(f"{name} ", writer.atom())


def _states(writer: FormulaWriter, _parts: Sequence[Side]) -> str:
    first, second, draw = writer.atom(), writer.atom(), writer.rng.random()
    if draw < 0.3:
        return rf"\langle {first} \rangle"
    if draw < 0.5:
        return rf"\langle {first} | {second} \rangle"
    if draw < 0.6:
        return rf"|{first}\rangle"
    if draw < 0.8:
        return f"[{first}, {second}]"
    return rf"\{{ {first}, {second} \}}"


def _named(writer: FormulaWriter, parts: Sequence[Side]) -> str:
    """An operator with an upright name."""
    name = pick(writer.rng, ("Tr", "tr", "Re", "Im", "Res", "diag", "sgn", "rank", "Tr", "vol", "Li"))
    return rf"{writer.notation.upright % name}({writer.side(parts[0])})"


def _delta(writer: FormulaWriter, _parts: Sequence[Side]) -> str:
    rng, variable = writer.rng, writer.variable()
    if rng.random() < 0.5:
        return rf"\delta{writer.low(glue(writer.index(), writer.index()))}"
    return rf"\delta({glue(variable + '-', variable)}{pick(rng, (chr(39), '_0', '_1'))})"


def _list(writer: FormulaWriter, _parts: Sequence[Side]) -> str:
    rng, letter = writer.rng, pick(writer.rng, writer.notation.letters)
    dots = pick(rng, (r"\ldots", r"\cdots", r"\dots"))
    return f"({letter}_1, {dots}, {letter}_{pick(rng, 'nNkm')})"


def _big_o(writer: FormulaWriter, _parts: Sequence[Side]) -> str:
    letter = pick(writer.rng, writer.notation.letters)
    return (writer.notation.calligraphic % "O") + f"({letter}^{between(writer.rng, 2, 5)})"


def _binomial(writer: FormulaWriter, _parts: Sequence[Side]) -> str:
    return pick(writer.rng, (r"\binom{n}{k}", r"{n \choose k}", r"\binom{N}{m}", r"\binom{n+k}{k}"))


def _limit(writer: FormulaWriter, parts: Sequence[Side]) -> str:
    target = pick(writer.rng, ("0", r"\infty", "1", "0^+"))
    return rf"\lim_{{{writer.variable()} \to {target}}} {writer.side(parts[0])}"


def _overset(writer: FormulaWriter, parts: Sequence[Side]) -> str:
    if writer.rng.random() < 0.5:
        return rf"\underbrace{{{writer.side(parts[0])}}}_{{{writer.index()}}}"
    return rf"\overline{{{writer.side(parts[0])}}}"


TERM_KINDS: Final = {
    "product": TermKind(30.0, 0, _product),
    "fraction": TermKind(9.0, 2, _fraction),
    "power": TermKind(7.0, 1, _power),
    "bracket": TermKind(8.0, 1, _bracket),
    "derivative": TermKind(3.4, 0, _derivative),
    "integral": TermKind(4.2, 1, _integral),
    "sum": TermKind(4.0, 1, _sum),
    "root": TermKind(2.6, 1, _root),
    "function": TermKind(2.6, 1, _function),
    "states": TermKind(0.7, 0, _states),
    "named": TermKind(1.2, 1, _named),
    "delta": TermKind(0.6, 0, _delta),
    "list": TermKind(0.6, 0, _list),
    "big_o": TermKind(0.35, 0, _big_o),
    "binomial": TermKind(0.25, 0, _binomial),
    "limit": TermKind(0.25, 1, _limit),
    "overset": TermKind(0.25, 1, _overset),
}
