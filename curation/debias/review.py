"""Changes for a person to look at: a CSV that is edited and read back.

A row for each caption that was changed. In `caption` stands what it is to be: it can be edited. A row that is struck
(taken out, or its `caption` emptied) keeps the original. Nothing else may be changed: a row that does not fit the data
is an error that names it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from curation.errors import BadInputError, StoreError
from curation.report.files import cell

COLUMNS: Final = ("id", "original_caption", "caption", "terms", "terms_left", "bertscore_f1", "made_by", "note")

_ESCAPED: Final = re.compile(r"'(?=\s*[=+\-@\t\r＝＋－＠])")


@dataclass(frozen=True)
class Change:
    """One changed caption: what it was and is, what was found in it before and after, and what that cost.

    `made_by` is `rules` or a model's name; `note` says what was wrong with a model's answer.
    """

    id: str
    original: str
    caption: str
    terms: tuple[str, ...] = ()
    terms_left: tuple[str, ...] = ()
    bertscore_f1: float | None = None
    made_by: str = "rules"
    note: str = ""


def write_review(changes: Sequence[Change], path: str | Path) -> None:
    """Write the changes, in the order they have. Raises `StoreError` where that cannot be done."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in changes:
        row = (one.id, one.original, one.caption, "; ".join(one.terms), "; ".join(one.terms_left), one.bertscore_f1)
        writer.writerow([cell(value) for value in (*row, one.made_by, one.note)])
    target = Path(path).expanduser()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.getvalue(), encoding="utf-8", newline="")
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}", "Choose another --review") from error


def read_review(path: str | Path, captions: Mapping[str, str]) -> dict[str, str]:
    """New captions by id, from an edited review of these captions (by id, as they are in the data).

    Raises:
        BadInputError: the file is no review, or a row of it does not fit the data; the row is named.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"{path} cannot be read: {getattr(error, 'strerror', error)}", "Name a review file"
        ) from error
    rows = csv.DictReader(io.StringIO(text, newline=""))
    if not {"id", "original_caption", "caption"} <= set(rows.fieldnames or ()):
        raise BadInputError(f"{path} is no review: it lacks id, original_caption or caption", "Write it with --review")
    accepted: dict[str, str] = {}
    seen: set[str] = set()
    for row in rows:
        place = f"{path}, line {rows.line_num}"
        which, original, caption = ((row[name] or "") for name in ("id", "original_caption", "caption"))
        if not which.strip() and not original.strip() and not caption.strip():
            continue
        which = which if which in captions else _plain(which)
        if which not in captions:
            raise BadInputError(f"{place}: the data has no caption {which!r}", "Apply it to what it was written of")
        was = captions[which]
        if original not in (was, str(cell(was))):
            problem = f"{place}: caption {which!r} is {_short(was)!r} in the data, and not {_short(original)!r}"
            raise BadInputError(problem, "Leave original_caption as it is, and apply it to what it was written of")
        if which in seen:
            raise BadInputError(f"{place}: caption {which!r} is there twice", "Leave one of them")
        seen.add(which)
        new = _plain(caption)
        if new.strip() and new != was:
            accepted[which] = new
    return accepted


def _plain(shown: str) -> str:
    """A cell without the apostrophe that keeps spreadsheets from running it."""
    return _ESCAPED.sub("", shown, count=1) if _ESCAPED.match(shown) else shown


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[:most] + "…"
