"""One author's hand: how quantities, indices, fractions and sums of terms are written in one notation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from curation.generate.choose import pick, pick_some
from curation.generate.formula_notation import Notation

Side = tuple["Term", ...]
"""Terms that are added."""


@dataclass(frozen=True)
class Term:
    """A node of a formula's structure: its kind (a key of `formula_terms.TERM_KINDS`) and the sides inside it."""

    kind: str
    parts: tuple[Side, ...] = ()


@dataclass(frozen=True)
class TermKind:
    """A kind of term: how common it is, how many sides it holds, and who writes it."""

    weight: float
    n_parts: int
    write: Callable[[FormulaWriter, Sequence[Side]], str]


class FormulaWriter:
    """Writes terms of the given kinds with one generator and notation."""

    def __init__(self, rng: Random, notation: Notation, kinds: Mapping[str, TermKind]) -> None:
        self.rng = rng
        self.notation = notation
        self.kinds = kinds

    def side(self, terms: Side, may_be_negative: bool = False) -> str:
        """Terms with signs between them."""
        text = "-" if may_be_negative and self.rng.random() < 0.1 else ""
        for i, term in enumerate(terms):
            if i:
                draw = self.rng.random()
                text += self.notation.plus if draw < 0.55 else self.notation.minus if draw < 0.99 else r" \pm "
            text = glue(text, self.kinds[term.kind].write(self, term.parts))
        return text

    def atom(self) -> str:
        """A quantity: a letter with or without accent, font, indices and arguments."""
        rng, notation = self.rng, self.notation
        letter = pick(rng, notation.letters)
        if rng.random() > notation.decoration:
            return letter
        draw = rng.random()
        if draw < 0.52:
            return letter + self.low(self.index())
        if draw < 0.62:
            return letter + self.low(self.index()) + self.high(self.index())
        if draw < 0.70:
            return letter + self.high(self.index())
        if draw < 0.80:
            return self._braced(notation.accent, letter) + (self.low(self.index()) if rng.random() < 0.4 else "")
        if draw < 0.88:
            return f"{letter}({self.argument()})"
        if draw < 0.92:
            return (notation.calligraphic if letter.isupper() else "%s") % letter
        if draw < 0.945:
            return letter + pick(
                rng, ("'", r"^{\prime}", "''", r"^\ast", "^*", r"^{\dagger}", r"^\dagger", r"^{(0)}", r"^{(1)}")
            )
        if draw < 0.975:
            word = notation.upright % notation.word
            return letter + (f"_{word}" if word[0] == "{" else f"_{{{word}}}")
        return notation.bold % letter if letter.isalpha() else letter

    def subject(self) -> str:
        """What a formula is about, as it stands left of the first relation."""
        rng, draw = self.rng, self.rng.random()
        letter = pick(rng, self.notation.letters)
        if draw < 0.45:
            return self.atom()
        if draw < 0.6:
            return f"{letter}{self.low(self.index())}({self.argument()})"
        if draw < 0.72:
            return self.kinds["derivative"].write(self, ())
        if draw < 0.8:
            return (self.notation.calligraphic % "LHSAFZMD"[int(rng.random() * 8)]) + (
                "" if rng.random() < 0.5 else self.low(self.index())
            )
        if draw < 0.88:
            return self.kinds["states"].write(self, ())
        if draw < 0.93:
            return f"{letter}[{pick(rng, self.notation.letters)}]"
        return self.factors(2)

    def factors(self, n: int) -> str:
        """`n` quantities side by side."""
        text = ""
        for _ in range(n):
            text = glue(text, self.atom())
        return text

    def index(self) -> str:
        """What stands below or above a letter."""
        indices = self.notation.indices
        text = pick(self.rng, indices)
        if self.rng.random() < 0.75:
            return text
        text, other = pick_some(self.rng, indices, 2)
        return f"{text},{other}" if len(text) > 1 and text[0] != "\\" else glue(text, other)

    def variable(self) -> str:
        """What is integrated or derived by."""
        return pick(self.rng, self.notation.variables)

    def argument(self) -> str:
        """What a function depends on."""
        first = self.variable()
        return first if self.rng.random() < 0.6 else f"{first},{pick(self.rng, self.notation.letters)}"

    def low(self, text: str) -> str:
        """A subscript."""
        return "_" + self._group(text)

    def high(self, text: str) -> str:
        """A superscript."""
        return "^" + self._group(text)

    def fraction(self, above: str, below: str) -> str:
        """A fraction in the author's way."""
        if self.notation.has_over:
            return f"{{{above} \\over {below}}}"
        return f"\\frac{{{above}}}{{{below}}}"

    def _group(self, text: str) -> str:
        is_single = len(text) == 1 or (text[0] == "\\" and text[1:].isalpha())
        return text if is_single and not self.notation.always_braces else f"{{{text}}}"

    def _braced(self, command: str, text: str) -> str:
        return f"{command}{{{text}}}" if self.notation.always_braces or text[0] == "\\" else f"{command} {text}"


def glue(left: str, right: str) -> str:
    """Both texts, with a space where the first ends in a command that would swallow the second's letter."""
    if not right or not right[0].isalpha():
        return left + right
    bare = left.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return f"{left} {right}" if len(bare) < len(left) and bare[-1:] == "\\" else left + right
