"""Numbers and strangers' text as a reader sees them: one way for the page, the pictures and the terminal."""

from __future__ import annotations

import math
import re
from typing import Final

from curation.report.facts import Severity, Share

NO_NUMBER: Final = "–"
PERCENT: Final = "\u00a0%"
MINUS: Final = "\u2212"

VERDICTS: Final[dict[Severity, str]] = {
    "good": "No problem found",
    "note": "No problem found, with notes",
    "warn": "Look at these before you train",
    "fail": "Not fit to train on yet",
}
TAGS: Final[dict[Severity, str]] = {"good": "good", "note": "note", "warn": "warning", "fail": "failure"}

# NUL and escapes are to be seen, not obeyed; the C1 controls have no symbols of their own.
_CONTROL_PICTURES: Final = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | {0x7F: 0x2421}
# Marks that turn the direction of what follows: shown by name, or they would re-order the page's own words too.
_DIRECTION_MARKS: Final = {
    code: f"‹U+{code:04X}›" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F)
}
_UNSHOWABLE: Final = re.compile("[\x80-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_SYMBOLS: Final[dict[int, int | str]] = {**_CONTROL_PICTURES, **_DIRECTION_MARKS}


def visible(text: str) -> str:
    """`text` as UTF-8 can hold it and HTML allows it: controls as their symbols, half surrogate pairs as U+FFFD."""
    return _UNSHOWABLE.sub("\ufffd", text.translate(_SYMBOLS))


def cut(text: str, limit_chars: int) -> str:
    """The beginning of `text`, saying how much more there is."""
    if len(text) <= limit_chars:
        return text
    return f"{text[:limit_chars]}… ({len(text) - limit_chars:,} more characters)"


def short(text: str, limit_chars: int = 80) -> str:
    """`text` in one line of at most `limit_chars`, an ellipsis where it was longer."""
    line = " ".join(text[: 4 * limit_chars].split())
    return line if len(line) <= limit_chars and len(text) <= 4 * limit_chars else f"{line[: limit_chars - 1]}…"


def number(value: float | None) -> str:
    """A value of a measure to three significant digits, whole numbers whole; `NO_NUMBER` where there is none."""
    if value is None or not math.isfinite(value):
        return NO_NUMBER
    if value == int(value) or abs(value) >= 100:
        return _signed(f"{abs(value):,.0f}", value)
    decimals = 2 - math.floor(math.log10(abs(value)))
    if decimals > 6:
        return f"{value:.2g}"
    return _signed(_without_zeros(f"{abs(value):.{max(decimals, 1)}f}"), value)


def percent(share: float | None) -> str:
    """A share as per cent: two decimals below 1 %, else one."""
    if share is None or not math.isfinite(share):
        return NO_NUMBER
    if 0 < share < 0.0001:
        return f"<0.01{PERCENT}"
    digits = f"{100 * abs(share):.{2 if abs(share) < 0.01 else 1}f}"
    return _signed(_without_zeros(digits), share) + PERCENT


def rate(share: Share | None) -> str:
    """A share with its 95 % interval: `1.2 % (0.9 to 1.6)`."""
    if share is None or share.n == 0:
        return NO_NUMBER
    low, high = (percent(end).removesuffix(PERCENT) for end in (share.low, share.high))
    return f"{percent(share.share)} ({low} to {high})"


def difference(mine: float | None, other: float | None) -> str:
    """What `mine` has more than `other`, with its sign: of the two as they are shown, so that a reader can check it."""
    if mine is None or other is None or not math.isfinite(mine - other):
        return NO_NUMBER
    decimals = max(len(number(value).partition(".")[2]) for value in (mine, other))
    more = round(round(mine, decimals) - round(other, decimals), decimals)
    return _with_plus(_signed(_without_zeros(f"{abs(more):,.{decimals}f}"), more), more)


def difference_in_points(mine: float | None, other: float | None) -> str:
    """The same of two shares, in percentage points."""
    if mine is None or other is None:
        return NO_NUMBER
    digits = percent(round(mine - other, 4)).removesuffix(PERCENT)
    return f"{_with_plus(digits, mine - other)}\u00a0pp"


def rows(n: int) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{n:,} row{'' if n == 1 else 's'}"


def human(name: str) -> str:
    """A category's or column's name in words: `sexual_orientation` as `sexual orientation`."""
    return "race or ethnicity" if name == "race_ethnicity" else name.replace("_", " ")


def bare(name: str, namespace: str) -> str:
    """A class without its namespace, where that is told already: `dog` of `object:dog`."""
    return name.removeprefix(f"{namespace}:")


def _without_zeros(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _signed(digits: str, value: float) -> str:
    return MINUS + digits if value < 0 and digits.strip("0.,") else digits


def _with_plus(digits: str, value: float) -> str:
    return digits if value <= 0 or not digits.strip("0.,") else f"+{digits}"
