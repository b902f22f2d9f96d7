"""Sizes in LaTeX (`1.5cm`, `-.2em`) in the one form that KaTeX and TeX both read."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = "pt|mm|cm|in|bp|pc|dd|cc|nd|nc|sp|px|ex|em|mu"
_NUMBER: Final = r"\d+[.,]?\d*|[.,]\d+"
_SIZE: Final = re.compile(rf"([-+]?)({_NUMBER})(?:true)?({_UNITS})")
_STRETCH: Final = re.compile(rf"(?:(?:plus|minus)[-+]?(?:{_NUMBER})(?:{_UNITS}))+")
_MAX_SIZE_CHARS: Final = 60


class LatexSizeError(ValueError):
    """What stands where a size is wanted is none."""


def size(text: str) -> str:
    """`text` (without white space) as a size: decimal point, no `true`, no stretch; empty stays empty.

    Stretch and shrink of a space do nothing in a displayed formula, which is as wide as what it holds; infinite
    stretch is refused.
    """
    if not text:
        return ""
    written, end = _leading_size(text)
    if end != len(text):
        raise LatexSizeError(f"invalid size {text}")
    return written


def bare_size(tokens: list[str], start: int) -> tuple[str, int]:
    """The size written without braces from `tokens[start]` on, and the index behind it."""
    text = ""
    behind: list[int] = []
    for index in range(start, min(start + _MAX_SIZE_CHARS, len(tokens))):
        if tokens[index] == " ":
            continue
        if len(tokens[index]) != 1:
            break
        text += tokens[index]
        behind.append(index + 1)
    written, end = _leading_size(text)
    return written, behind[end - 1]


def _leading_size(text: str) -> tuple[str, int]:
    match = _SIZE.match(text)
    if match is None:
        raise LatexSizeError(f"invalid size {text[:20]}")
    end = match.end()
    if stretch := _STRETCH.match(text, end):
        end = stretch.end()
    if text.startswith(("plus", "minus"), end):
        raise LatexSizeError("a space that stretches without limit")
    return match[1] + match[2].replace(",", ".") + match[3], end
