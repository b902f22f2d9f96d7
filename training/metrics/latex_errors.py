"""Why a formula is wrong: the causes of each wrong prediction, from a closed list, so that they can be counted."""

# ruff: noqa: S105 - a token here is LaTeX's, no secret
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal, get_args

from rapidfuzz.distance import Levenshtein

from curation.markup.canonical import Canonical
from curation.markup.latex import canonical_latex
from training.metrics.latex import latex_tokens

Cause = Literal[
    "empty",
    "too_long",
    "repeating",
    "cut_off",
    "missing_brace",
    "extra_brace",
    "unbalanced_delimiter",
    "unbalanced_environment",
    "double_script",
    "unknown_command",
    "otherwise_invalid",
    "missing_command",
    "extra_command",
    "wrong_command",
    "missing_symbol",
    "extra_symbol",
    "wrong_symbol",
    "wrong_script",
    "wrong_grouping",
]
CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)

MAX_TOKENS: Final = 20_000
_MAX_CHARS: Final = 5 * MAX_TOKENS
_MAX_PERIOD: Final = 40
_LEAST_REPEATS: Final = 4
_BRACES: Final = ("{", "}")
_SCRIPTS: Final = ("^", "_")


def latex_causes(prediction: str, reference: str) -> tuple[Cause, ...]:
    """All causes that apply, in the order of `CAUSES`; none where the canonical forms are equal.

    What KaTeX does not take has the cause of that, and those that its tokens show. A symbol that is there, but in
    another place of a script (`x_2` for `x^2`), is `wrong_script` and neither missing nor too many.
    """
    if not prediction.strip():
        return ("empty",)
    ours, theirs = canonical_latex(prediction), canonical_latex(reference)
    is_valid = isinstance(ours, Canonical)
    if isinstance(ours, Canonical) and isinstance(theirs, Canonical) and ours.text == theirs.text:
        return ()
    true_text = theirs.text if isinstance(theirs, Canonical) else reference
    # Both in canonical form or neither: notation is no error.
    texts = (ours.text, true_text) if isinstance(ours, Canonical) else (prediction, reference)
    tokens, true_tokens = (latex_tokens(text[:_MAX_CHARS])[:MAX_TOKENS] for text in texts)
    found: set[Cause] = set()
    if not is_valid:
        found.add(_invalid(tokens, ours.detail if not isinstance(ours, Canonical) else "", prediction))
    if _is_repeating(tokens, len(true_tokens)):
        found.add("repeating")
    elif len(tokens) < len(true_tokens) and tokens == true_tokens[: len(tokens)]:
        found.add("cut_off")
    else:
        found |= _differences(tokens, true_tokens)
    if is_valid and not found:
        found.add("wrong_grouping")
    return tuple(cause for cause in CAUSES if cause in found)


def count_causes(causes: Iterable[tuple[Cause, ...]]) -> dict[str, int]:
    """In how many predictions each cause is found, most frequent first."""
    counted = Counter(cause for some in causes for cause in some)
    return dict(sorted(counted.items(), key=lambda one: (-one[1], one[0])))


def _invalid(tokens: list[str], detail: str, text: str) -> Cause:
    n_open, n_closed = tokens.count("{"), tokens.count("}")
    if len(text) > MAX_TOKENS:
        return "too_long"
    if n_open != n_closed:
        return "missing_brace" if n_open > n_closed else "extra_brace"
    if tokens.count(r"\left") != tokens.count(r"\right"):
        return "unbalanced_delimiter"
    if tokens.count(r"\begin") != tokens.count(r"\end"):
        return "unbalanced_environment"
    said = detail.lower()
    if "double s" in said:
        return "double_script"
    if "undefined control sequence" in said:
        return "unknown_command"
    return "otherwise_invalid"


def _is_repeating(tokens: list[str], n_true: int) -> bool:
    """Whether a text that is too long ends in the same few tokens again and again: a model that has lost its way."""
    if len(tokens) <= n_true:
        return False
    for period in range(1, _MAX_PERIOD + 1):
        n = period * _LEAST_REPEATS
        if n > len(tokens) - n_true // 2:
            return False
        tail = tokens[-n:]
        if n >= 8 and tail == tail[:period] * _LEAST_REPEATS:
            return True
    return False


def _differences(tokens: list[str], true_tokens: list[str]) -> set[Cause]:
    ours, theirs = _placed(tokens), _placed(true_tokens)
    words, true_words = [word for word, _ in ours], [word for word, _ in theirs]
    found: set[Cause] = set()
    for step in Levenshtein.opcodes(words, true_words):
        here, there = ours[step.src_start : step.src_end], theirs[step.dest_start : step.dest_end]
        if step.tag == "equal":
            if any(one[1] != other[1] for one, other in zip(here, there, strict=True)):
                found.add("wrong_script")
        elif step.tag == "replace":
            for (word, _), (true_word, _) in zip(here, there, strict=True):
                found.add("wrong_command" if _is_command(word) or _is_command(true_word) else "wrong_symbol")
        else:
            is_missing = step.tag == "insert"
            for word, _ in there if is_missing else here:
                if _is_command(word):
                    found.add("missing_command" if is_missing else "extra_command")
                else:
                    found.add("missing_symbol" if is_missing else "extra_symbol")
    return found


def _placed(tokens: list[str]) -> list[tuple[str, str]]:
    """Tokens that show, each with the scripts that it stands in (`^_` for a subscript of a superscript)."""
    placed: list[tuple[str, str]] = []
    open_groups: list[str] = []
    path = ""
    coming = ""  # the script whose argument is next
    for token in tokens:
        if token in _SCRIPTS:
            coming = token
        elif token == "{":
            open_groups.append(path)
            path, coming = path + coming, ""
        elif token == "}":
            path = open_groups.pop() if open_groups else ""
        else:
            placed.append((token, path + coming))
            coming = ""
    return placed


def _is_command(token: str) -> bool:
    return token.startswith("\\") and len(token) > 1
