"""What recipes of builds and of merges share. Imports no source and no measure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from rendering.errors import BadInputError


class RecipeError(BadInputError):
    """A recipe, or an override of one, cannot be used."""


class Strict(BaseModel):
    """Knows its keys, and takes no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PromptSettings(Strict):
    """Prompts that training will use; the task's own where not given."""

    system: str | None = None
    user: str | None = None
    template: str | None = None


class SplitSettings(Strict):
    """Shares that add up to 1, or numbers of rows."""

    train: float = 0.8
    validation: float = 0.1
    test: float = 0.1


def nearest(given: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, or all of them."""
    names = list(known)
    close = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(sorted(names))}"
