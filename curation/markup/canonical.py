"""Canonical form: the one text of a target that trains, by task. What is no valid target is a reject.

Two promises, both tested: `canonical` of a canonical text is that text, and canonical form never changes what
the render shows. What it had to leave out that a browser with scripts would have used is a warning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from curation.reasons import Reason, Reject
from curation.sample import Task


@dataclass(frozen=True)
class Canonical:
    """A target in canonical form, and what was left out on the way there (recorded, not fatal)."""

    text: str
    warnings: tuple[str, ...] = ()


_FENCED: Final = re.compile(r"\s*```[ \t]*[A-Za-z]*[ \t]*\n(.*?)\n?[ \t]*```\s*", re.DOTALL)
"""A whole answer inside one Markdown code fence, as language models write it."""


def canonical(task: Task, text: str) -> Canonical | Reject:
    """Canonical form of `text` as the target of `task`.

    Never raises for any text: what cannot be used is a `Reject` that says why.
    """
    # The forms are imported where they are wanted because they take `Canonical` from this module.
    if (unusable := unusable_text(text)) is not None:
        return unusable
    match task:
        case "page_to_html":
            from curation.markup.html import canonical_page  # noqa: PLC0415 - see above

            return canonical_page(text)
        case "table_to_html":
            from curation.markup.tables import canonical_table  # noqa: PLC0415 - see above

            return canonical_table(text)
        case "formula_to_latex":
            from curation.markup.latex import canonical_latex  # noqa: PLC0415 - see above

            return canonical_latex(text)
        case "image_to_caption" | "image_chat":
            return canonical_caption(text)


def canonical_batch(tasks: Sequence[str], texts: Sequence[str | None]) -> list[Canonical | Reject]:
    """Canonical form of each text as the target of its task; a missing text is a reject.

    The same as `canonical` one by one, and faster for formulas: KaTeX is called once for all.
    """
    results: list[Canonical | Reject] = [Reject(Reason.TEXT_MISSING)] * len(texts)
    formulas: dict[int, str] = {}
    for index, (task, text) in enumerate(zip(tasks, texts, strict=True)):
        if text is None:
            continue
        if task == "formula_to_latex":
            formulas[index] = text
        else:
            results[index] = canonical(cast("Task", task), text)
    if formulas:
        from curation.markup.latex import canonical_latex_batch  # noqa: PLC0415 - see `canonical`

        for index, result in zip(formulas, canonical_latex_batch(list(formulas.values())), strict=True):
            results[index] = result
    return results


def canonical_caption(text: str) -> Canonical | Reject:
    """One line in Unicode's composed form (NFC), words apart by single spaces."""
    if (unusable := unusable_text(text)) is not None:
        return unusable
    return Canonical(" ".join(unicodedata.normalize("NFC", text).split()))


def unusable_text(text: str) -> Reject | None:
    """The reject of a text that is blank or broken: half a surrogate pair, or a NUL, which each parser takes for
    something else. None for others.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return Reject(Reason.TEXT_NOT_UTF8, f"lone surrogate at character {error.start}")
    if "\0" in text:
        return Reject(Reason.MARKUP_INVALID, f"NUL at character {text.index(chr(0))}")
    return None if text.strip() else Reject(Reason.MARKUP_EMPTY, "no text")


def without_fence(text: str) -> str:
    """The markup without a byte-order mark and the Markdown code fence that a language model put around it."""
    text = text.removeprefix("\ufeff")
    fenced = _FENCED.fullmatch(text)
    return fenced[1] if fenced else text
