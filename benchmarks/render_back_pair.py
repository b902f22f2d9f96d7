"""What the tasks of `render_back.py` hand it: true pairs of a picture and its markup, and ways to make a markup false.

Each task has a module (`render_back_pages.py`, `render_back_tables.py`, `render_back_formulas.py`) with

    def true_pairs(n: int, seed: int) -> Iterator[Pair]      # at most n; the same for the same seed
    corruptions: dict[str, Corruption]                       # name -> one change

A corruption edits canonical markup with the chooser it is given, and returns None where there is nothing to change.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from rendering.spec import RenderSpec

DATA = Path(__file__).resolve().parents[1] / "../shared/data"

Corruption = Callable[[str, random.Random], str | None]


@dataclass(frozen=True)
class Pair:
    """A picture (RGB) and the markup that it truly shows; `condition` says how the picture was made.

    `made_by` is how it was rendered, where that is to tell which changes can be seen in it at all.
    """

    source: Image.Image
    markup: str
    condition: str
    made_by: RenderSpec | None = None
