"""The root of the error tree, and what can go wrong with the machinery of rendering.

It lives in the leaf room because every other room may import from here::

    MarkupmillError                 one line, with the mend; exit 1
    +-- BadInputError               the user's input is wrong; exit 2
    |   (curation.errors and flows.errors add kinds)
    +-- RenderingError
        +-- BrowserNotFoundError    no Chromium on this machine
        +-- AssetsMissingError      KaTeX, Tailwind or fonts are not installed

A *markup* that does not render is not an error but a `rendering.result.RenderFailure`.
"""

from __future__ import annotations

import re
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class MarkupmillError(Exception):
    """Base of all errors that markupmill raises on purpose.

    `problem` says what is wrong and what it is about; `mend` says what the reader can do.
    Pickles across processes because both are positional arguments.
    """

    exit_code = 1

    def __init__(self, problem: str, mend: str = "") -> None:
        super().__init__(problem, mend)
        self.problem = problem
        self.mend = mend

    def __str__(self) -> str:
        said = f"{self.problem}. {self.mend}" if self.mend else self.problem
        return _CONTROL.sub(" ", said)  # names out of strangers' files may hold line breaks and worse


class BadInputError(MarkupmillError):
    """What the user gave cannot be used: a file, an address, a recipe, an option."""

    exit_code = 2


class RenderingError(MarkupmillError):
    """The machinery of rendering cannot work."""


class BrowserNotFoundError(RenderingError):
    """No Chromium was found on this machine."""


class AssetsMissingError(RenderingError):
    """KaTeX, Tailwind or the fonts are not installed."""
