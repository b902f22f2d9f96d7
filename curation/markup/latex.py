r"""LaTeX canonical form: im2latex-style tokens, each apart by a space, that KaTeX takes.

    {a\over b}_2'  ->  { \frac { a } { b } } _ { 2 } ^ { \prime }

What stands around a formula in a document (`$…$`, `equation`, `\label`) is gone; what KaTeX lacks is written in what
it has, where that shows the same; a formula that KaTeX does not take is a reject with KaTeX's message.
"""

# ruff: noqa: S105 - a token here is LaTeX's, no secret
from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from curation.markup.canonical import Canonical, unusable_text, without_fence
from curation.markup.latex_reader import MAX_DEPTH, UnsupportedLatexError
from curation.markup.latex_rewrite import Rewriter
from curation.markup.latex_special import EQUATION_NUMBER_DROPPED
from curation.markup.latex_tokens import MACRO_COMMANDS, SPACE, has_open_comment, join_math, tokenize
from curation.reasons import Reason, Reject
from rendering.katex import MAX_FORMULA_CHARS, KatexError, shared_katex

_WRAPPERS: Final = ("equation", "equation*", "displaymath", "math", "subequations")
_DELIMITERS: Final = ((["$", "$"], ["$", "$"]), (["$"], ["$"]), ([r"\["], [r"\]"]), ([r"\("], [r"\)"]))
_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
COMMENT_CUT: Final = "latex_comment_cut"
"""What follows a `%` on the last line is left out, as TeX leaves it out: where a source has lost its line ends, its
picture may show more."""

_BROKEN_NORMALISER: Final = "[object Object]"
"""What im2latex's normaliser wrote in place of the index of a root."""


def canonical_latex(text: str) -> Canonical | Reject:
    """Canonical form of one formula; for many, `canonical_latex_batch` is several times as fast."""
    return canonical_latex_batch([text])[0]


def canonical_latex_batch(texts: Sequence[str]) -> list[Canonical | Reject]:
    """Canonical form of each formula, or why it has none; KaTeX is called once for all.

    Never raises for any text. Raises rendering.errors.AssetsMissingError where KaTeX is not installed.
    """
    results = [_rewritten(text) for text in texts]
    found = [(index, result) for index, result in enumerate(results) if isinstance(result, Canonical)]
    errors = shared_katex().parse_errors([result.text for _, result in found]) if found else []
    for (index, _), error in zip(found, errors, strict=True):
        if error is not None:
            results[index] = Reject(Reason.LATEX_INVALID, _in_words(error))
    return results


def _rewritten(text: str) -> Canonical | Reject:
    """Canonical form before KaTeX has seen it."""
    if (unusable := unusable_text(text)) is not None:
        return unusable
    text = without_fence(text)
    if len(text) > MAX_FORMULA_CHARS:
        return Reject(Reason.MARKUP_TOO_LARGE, f"{len(text)} characters, at most {MAX_FORMULA_CHARS}")
    if control := _CONTROL_CHARACTER.search(text):
        return Reject(Reason.LATEX_INVALID, f"control character U+{ord(control[0]):04X} at {control.start()}")
    if _BROKEN_NORMALISER in text:
        return Reject(Reason.LATEX_INVALID, f"{_BROKEN_NORMALISER} in place of what was there")
    tokens = tokenize(text)
    if macros := MACRO_COMMANDS.intersection(tokens):
        return Reject(Reason.LATEX_INVALID, f"{min(macros)} changes what other commands mean")
    try:
        tokens, number_dropped = _unwrapped(_without_labels(tokens))
        rewriter = Rewriter(tokens)
        out = rewriter.formula()
        if out and out[-1] == "\\":
            out[-1] = "~"  # as wide as a control space, and not lost when white space at the end is
        canonical = join_math(out)
        if rewriter.reader.deepest > MAX_DEPTH // 4:  # canonical form nests deeper than its source: is it too deep?
            Rewriter(tokenize(canonical)).formula()
    except UnsupportedLatexError as error:
        return Reject(Reason.LATEX_INVALID, " ".join(str(error).split()))
    if not canonical.strip():  # no-break spaces alone are no text either
        return Reject(Reason.MARKUP_EMPTY, "nothing but comments, labels and spaces")
    warnings = [EQUATION_NUMBER_DROPPED] * number_dropped + [COMMENT_CUT] * has_open_comment(text) + rewriter.warnings
    if len(canonical) > MAX_FORMULA_CHARS:
        return Reject(Reason.MARKUP_TOO_LARGE, f"{len(canonical)} characters, at most {MAX_FORMULA_CHARS}")
    return Canonical(canonical, tuple(dict.fromkeys(warnings)))


def _without_labels(tokens: list[str]) -> list[str]:
    r"""Without each `\label` and its argument, which never show."""
    if r"\label" not in tokens:
        return tokens
    kept: list[str] = []
    at = 0
    while at < len(tokens):
        if tokens[at] == r"\label":
            at = _argument_end(tokens, at + 1)
        else:
            kept.append(tokens[at])
            at += 1
    return kept


def _argument_end(tokens: list[str], at: int) -> int:
    """The index behind the argument that starts at `at` or after spaces."""
    while at < len(tokens) and tokens[at] == SPACE:
        at += 1
    depth = 0
    while at < len(tokens):
        depth += (tokens[at] == "{") - (tokens[at] == "}")
        at += 1
        if depth <= 0:
            return at
    raise UnsupportedLatexError(r"\label ends too early")


def _unwrapped(tokens: list[str]) -> tuple[list[str], bool]:
    """Without what makes it a displayed or inline formula of a document; whether that showed a number."""
    number_dropped = False
    while True:
        tokens = _stripped(tokens)
        if (inner := _without_delimiters(tokens)) is not None:
            tokens = inner
        elif (found := _without_environment(tokens)) is not None:
            name, tokens = found
            unnumbered = not {r"\nonumber", r"\notag", r"\tag"}.isdisjoint(tokens)
            number_dropped = number_dropped or (name == "equation" and not unnumbered)
        else:
            return tokens, number_dropped


def _stripped(tokens: list[str]) -> list[str]:
    start, end = 0, len(tokens)
    while start < end and tokens[start] == SPACE:
        start += 1
    while end > start and tokens[end - 1] == SPACE:
        end -= 1
    return tokens[start:end]


def _without_delimiters(tokens: list[str]) -> list[str] | None:
    for opening, closing in _DELIMITERS:
        n = len(opening)
        if len(tokens) >= 2 * n and tokens[:n] == opening and tokens[-n:] == closing:
            inner = tokens[n:-n]
            # `$a$ and $b$` is two formulas; a `$` within braces is math in text.
            return None if _at_top_level(inner, {opening[0], closing[0]}) else inner
    return None


def _at_top_level(tokens: list[str], wanted: set[str]) -> bool:
    depth = 0
    for token in tokens:
        depth += (token == "{") - (token == "}")
        if depth == 0 and token in wanted:
            return True
    return False


def _without_environment(tokens: list[str]) -> tuple[str, list[str]] | None:
    """Name and inside of an environment that is the whole formula and only says where it stands."""
    if not tokens or tokens[0] != r"\begin":
        return None
    for name in _WRAPPERS:
        opening, closing = [r"\begin", "{", *name, "}"], [r"\end", "{", *name, "}"]
        n, m = len(opening), len(closing)
        inner = tokens[n:-m]
        if tokens[:n] == opening and tokens[-m:] == closing and len(tokens) >= n + m:
            return (name, inner) if r"\begin{" + name + "}" not in "".join(inner) else None
    return None


def _in_words(error: KatexError) -> str:
    return error.message if error.position is None else f"{error.message} at character {error.position}"
