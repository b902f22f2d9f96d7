"""LaTeX commands and environments of a formula."""

from __future__ import annotations

import re
from typing import Final

from curation.markup.latex_tokens import STARRED, tokenize

_ENVIRONMENT: Final = re.compile(r"\\begin\s*\{\s*([A-Za-z]+\*?)\s*\}")
_NAME: Final = re.compile(r"\\(?:[A-Za-z@]+\*?|.)", re.DOTALL)
_STRUCTURE: Final = frozenset({r"\begin", r"\end"})


def environments_of(formula: str) -> set[str]:
    """Names of the environments: `aligned`."""
    return set(_ENVIRONMENT.findall(formula))


def commands_of(formula: str) -> set[str]:
    r"""Commands with their backslash: `\frac`, `\,`, `\\`; no `\begin` or `\end`, no arguments (`\verb|x|` is `\verb`).

    A star belongs to the command where canonical form writes it so (`\operatorname*`).
    """
    names = (_NAME.match(token) for token in _starred(tokenize(formula)) if token.startswith("\\"))
    return {name[0] for name in names if name is not None} - _STRUCTURE


def _starred(tokens: list[str]) -> list[str]:
    following = [*tokens[1:], ""]
    return [f"{a}*" if a in STARRED and b == "*" else a for a, b in zip(tokens, following, strict=True)]
