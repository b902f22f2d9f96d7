"""The letters and habits of one generated formula: an author keeps to them from its first symbol to its last."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from curation.generate.choose import pick, pick_some

_GREEK: Final = (
    *(
        r"\mu",
        r"\mu",
        r"\pi",
        r"\alpha",
        r"\alpha",
        r"\phi",
        r"\phi",
        r"\beta",
        r"\lambda",
        r"\theta",
        r"\psi",
        r"\sigma",
        r"\delta",
    ),
    *(
        r"\gamma",
        r"\rho",
        r"\omega",
        r"\eta",
        r"\tau",
        r"\xi",
        r"\epsilon",
        r"\Phi",
        r"\Delta",
        r"\Omega",
        r"\Lambda",
        r"\Gamma",
    ),
    *(
        r"\chi",
        r"\kappa",
        r"\varphi",
        r"\Psi",
        r"\zeta",
        r"\varepsilon",
        r"\Sigma",
        r"\nu",
        r"\ell",
        r"\hbar",
        r"\Theta",
        r"\Pi",
    ),
)
_LATIN: Final = tuple("AABCDEFFGHHJKLLMNPQRSSTUVWXYZabcfghkmpqrstuvwxyz")
_VARIABLES: Final = (
    "x",
    "x",
    "x",
    "y",
    "z",
    "t",
    "r",
    "k",
    "p",
    "s",
    "u",
    r"\tau",
    r"\sigma",
    r"\theta",
    r"\phi",
    r"\lambda",
    r"\omega",
    r"\xi",
)
_INDEX_SETS: Final = (
    *((r"\mu", r"\nu", r"\rho", r"\sigma"), (r"\mu", r"\nu"), ("i", "j"), ("1", "2", "3")),
    *(("i", "j", "k", "l"), ("i", "j", "k"), ("n", "m", "k"), ("a", "b", "c"), (r"\alpha", r"\beta", r"\gamma")),
    *(
        ("0", "1", "2", "3"),
        ("1", "2"),
        ("0", "1"),
        ("n", "n+1", "n-1"),
        ("L", "R"),
        ("+", "-"),
        ("s", "t"),
        ("A", "B"),
    ),
)
_WORDS: Final = (
    "eff",
    "tot",
    "int",
    "max",
    "min",
    "in",
    "out",
    "ext",
    "phys",
    "cl",
    "vac",
    "free",
    "eq",
    "bulk",
    "YM",
    "CS",
    "D",
    "H",
)
_ACCENTS: Final = (
    r"\bar",
    r"\tilde",
    r"\hat",
    r"\dot",
    r"\vec",
    r"\bar",
    r"\tilde",
    r"\overline",
    r"\widetilde",
    r"\hat",
    r"\ddot",
    r"\widehat",
    r"\underline",
)
_CALLIGRAPHIC: Final = (r"{\cal %s}", r"{\cal %s}", r"\mathcal{%s}")
_UPRIGHT: Final = (r"{\rm %s}", r"\mathrm{%s}", r"\text{%s}", r"{\rm %s}", r"\mathrm{%s}", r"\operatorname{%s}")
_BOLD: Final = (r"{\bf %s}", r"\mathbf{%s}", r"\boldsymbol{%s}", r"{\bf %s}", r"\mathbb{%s}", r"\mathfrak{%s}")
_FUNCTIONS: Final = (
    r"\sin",
    r"\cos",
    r"\exp",
    r"\exp",
    r"\ln",
    r"\log",
    r"\sinh",
    r"\cosh",
    r"\tan",
    r"\tanh",
    r"\det",
    r"\arg",
    r"\cot",
    r"\coth",
    r"\max",
    r"\min",
    r"\arctan",
    r"\dim",
)


@dataclass(frozen=True)
class Notation:
    """Symbols and habits of one formula.

    `letters` are its quantities, `variables` what it integrates and derives by, `indices` stand below and above;
    `accent`, `calligraphic`, `upright`, `bold` are how it marks letters; `plus`, `minus`, `relation_gap` its
    spacing; `gap` what stands before a differential and `end` after the last symbol.
    """

    letters: tuple[str, ...]
    variables: tuple[str, ...]
    indices: tuple[str, ...]
    accent: str
    calligraphic: str
    upright: str
    bold: str
    function: str
    word: str
    plus: str
    minus: str
    relation_gap: str
    gap: str
    differential: str
    has_over: bool
    always_braces: bool
    decoration: float
    end: str


def draw_notation(rng: Random) -> Notation:
    """The notation of one author and formula."""
    is_wide = rng.random() < 0.6
    greek = pick_some(rng, _GREEK, 2)
    latin = pick_some(rng, _LATIN, 3)
    return Notation(
        letters=tuple(greek[: 1 + int(rng.random() * 2)] + latin),
        variables=tuple(pick_some(rng, _VARIABLES, 2)),
        indices=pick(rng, _INDEX_SETS),
        accent=pick(rng, _ACCENTS),
        calligraphic=pick(rng, _CALLIGRAPHIC),
        upright=pick(rng, _UPRIGHT),
        bold=pick(rng, _BOLD),
        function=pick(rng, _FUNCTIONS),
        word=pick(rng, _WORDS),
        plus=" + " if is_wide else "+",
        minus=" - " if is_wide else "-",
        relation_gap=" " if is_wide else "",
        gap=pick(rng, (r"\,", r"\,", r"\;", " ", "", r"\!", r"\: ")),
        differential=r"{\rm d}" if rng.random() < 0.12 else "d",
        has_over=rng.random() < 0.13,
        always_braces=rng.random() < 0.45,
        decoration=0.35 + 0.55 * rng.random(),
        end=pick(rng, ("", "", ".", ",", " .", " ,", r"\,.", r"\ ,", r" \; .", r"\ .", "~.", r"\,,")),
    )
