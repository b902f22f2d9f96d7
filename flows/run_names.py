"""Names of runs and of their artifacts: where they come from, and how Prefect wants them."""

from __future__ import annotations

import re
from pathlib import Path


def short_name(recipe: str) -> str:
    """What a recipe, release or data set is called where room is little: `websight` for `recipes/websight.yaml`."""
    name = recipe.rstrip("/")
    if name.endswith((".yaml", ".yml")):
        return Path(name).stem
    return name.partition("@")[0].rpartition("/")[2]


def artifact_key(*words: str) -> str:
    """A key as Prefect wants it: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")
