"""Whether two formulas mean the same, by SymPy: where it reads both, and with how many that is.

SymPy reads school mathematics, not notation: of published formulas it reads a small share, which is why the share is
part of the result. Reading and simplifying can take for ever, so each pair has its time in a process of its own.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from training.metrics.latex import latex_tokens
from training.metrics.workers import Workers

Meaning = Literal["equal", "different", "reference_not_read", "prediction_not_read", "not_decided"]

TIMEOUT_S: Final = 10.0
MAX_CHARS: Final = 1_000
"""SymPy's grammar is ambiguous: reading costs by the cube of the length."""
_POINTS: Final = (0.73, 1.31, 0.41, 2.17, 1.83, 0.59, 1.09, 0.37)
"""Values for the symbols, shifted from try to try: with no pattern that a wrong formula could share."""
_N_TRIES: Final = 4
_AGREEMENT: Final = 1e-8
"""Relative, of values with 30 digits."""

_SPACING: Final = re.compile(
    r"\\(?:left|right|bigl?|bigr?|Bigl?|Bigr?|displaystyle|textstyle|limits|nolimits|quad|qquad)(?![a-zA-Z])"
    r"|\\[,;:! ]|~"
)


@dataclass(frozen=True)
class MeaningShare:
    """Of a corpus: pairs that SymPy reads and decides, and among them those that mean the same."""

    n_pairs: int
    n_decided: int
    n_equal: int

    @property
    def decided(self) -> float:
        """The share of pairs that could be compared."""
        return self.n_decided / self.n_pairs if self.n_pairs else 0.0

    @property
    def equal(self) -> float | None:
        """The share that means the same, of those that could be compared; None where there are none."""
        return self.n_equal / self.n_decided if self.n_decided else None


def meanings(predictions: Sequence[str], references: Sequence[str], workers: Workers) -> list[Meaning]:
    """The verdict on each pair, on all cores; `not_decided` after `TIMEOUT_S`."""
    default: Meaning = "not_decided"
    pairs = list(zip(predictions, references, strict=True))
    return workers.map(meaning_of_pair, pairs, default, TIMEOUT_S, prepare=load_sympy)


def load_sympy() -> None:
    """Import SymPy and its grammar, which takes seconds."""
    _read("x")


def share_of(found: Sequence[Meaning]) -> MeaningShare:
    """What the verdicts come to. A prediction that cannot be read counts as different: the reference can."""
    n_equal = found.count("equal")
    n_decided = n_equal + found.count("different") + found.count("prediction_not_read")
    return MeaningShare(len(found), n_decided, n_equal)


def meaning_of_pair(pair: tuple[str, str]) -> Meaning:
    """The verdict on a pair, without a limit in time: for a process that can be ended.

    Equal are: the same expression; expressions whose difference is 0 at several points, to 30 digits, or by
    `simplify`; equations whose sides differ by the same expression but for a constant factor.
    """
    prediction, reference = pair
    theirs = _read(reference)
    if theirs is None:
        return "reference_not_read"
    ours = _read(prediction)
    if ours is None:
        return "prediction_not_read"
    if ours == theirs:
        return "equal"
    import sympy  # type: ignore[import-untyped]  # noqa: PLC0415 - a second

    if isinstance(ours, sympy.Equality) != isinstance(theirs, sympy.Equality):
        return "different"
    if isinstance(ours, sympy.Equality):
        return _decided(_same_equation(ours.lhs - ours.rhs, theirs.lhs - theirs.rhs))
    if isinstance(ours, sympy.Expr) and isinstance(theirs, sympy.Expr):
        return _decided(_is_zero(ours - theirs))
    if isinstance(ours, sympy.Rel) and isinstance(theirs, sympy.Rel):
        return _decided(bool(ours.canonical == theirs.canonical) or None)
    return "different"  # logic, sets: only the same one is the same


def _decided(verdict: bool | None) -> Meaning:
    if verdict is None:
        return "not_decided"
    return "equal" if verdict else "different"


def _read(latex: str) -> Any | None:
    """A SymPy expression; None where the grammar does not take the formula, or takes it in several ways."""
    from sympy import Basic  # noqa: PLC0415 - a second
    from sympy.parsing.latex import parse_latex  # type: ignore[import-untyped]  # noqa: PLC0415 - as above

    if len(latex) > 4 * MAX_CHARS:
        return None
    text = _written_closely(_SPACING.sub(" ", latex.strip().strip("$"))).rstrip(".,;")
    if not text or len(text) > MAX_CHARS:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read = parse_latex(text, backend="lark")
        except Exception:  # noqa: BLE001 - the parser raises a dozen kinds for what it does not take
            return None
    return read if isinstance(read, Basic) else None


def _written_closely(latex: str) -> str:
    """Tokens with a space only where a command's name would run into a letter: the grammar wants `x_{i}`."""
    text = ""
    after_command = False
    for token in latex_tokens(latex):
        text += f" {token}" if after_command and token[:1].isalpha() else token
        after_command = token.startswith("\\") and token[-1].isalpha()
    return text


def _is_zero(expression: Any) -> bool | None:
    values = _values(expression)
    if values is not None:
        scale = _scale(expression)
        return all(abs(value) <= _AGREEMENT * max(1.0, scale) for value in values)
    import sympy  # noqa: PLC0415 - a second

    try:
        return bool(sympy.simplify(expression) == 0) or None
    except Exception:  # noqa: BLE001 - simplify raises anything for expressions it has no rule for
        return None


def _same_equation(ours: Any, theirs: Any) -> bool | None:
    """Whether the two, each = 0, say the same: one is a multiple of the other."""
    if ours == 0 or theirs == 0:
        return bool(ours == theirs)
    values, true_values = _values(ours), _values(theirs, ours)
    values = _values(ours, theirs) if values is not None else None
    if values is None or true_values is None:
        return _is_zero(ours - theirs) or _is_zero(ours + theirs)
    if any(abs(value) < _AGREEMENT for value in true_values):
        return _is_zero(ours - theirs)
    quotients = [value / other for value, other in zip(values, true_values, strict=True)]
    return all(abs(one - quotients[0]) <= _AGREEMENT * abs(quotients[0]) for one in quotients) and abs(quotients[0]) > 0


def _values(expression: Any, other: Any = None) -> list[complex] | None:
    """Its values at the fixed points; None where it has none there (an unknown function, a divergent sum).

    Symbols are those of `other` too, so that two expressions are taken at the same points.
    """
    both = expression.free_symbols | (other.free_symbols if other is not None else set())
    symbols = sorted(both, key=str)
    values = []
    for number in range(_N_TRIES):
        point = {
            symbol: _POINTS[(at + number) % len(_POINTS)] + 0.017 * number + 0.003 * at
            for at, symbol in enumerate(symbols)
        }
        try:
            value = expression.subs(point).evalf(30, maxn=200)
            values.append(complex(value))
        except Exception:  # noqa: BLE001 - as in `_is_zero`
            return None
        if abs(values[-1]) == float("inf") or values[-1] != values[-1]:
            return None
    return values


def _scale(expression: Any) -> float:
    """How large the parts of a sum are, so that their difference is judged by it."""
    parts = [_values(part, expression) for part in getattr(expression, "args", ())[:2]]
    return max((abs(value) for values in parts if values for value in values), default=1.0)
