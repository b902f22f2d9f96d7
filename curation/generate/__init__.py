"""Seeded generators of web pages, tables and formulas, authored here: no corpus is copied.

Each kind has a `plan_…` function, which takes the decisions of structure, and a `write_…` function, which fills
the plan with text; both draw from the `random.Random` that they are given and from nothing else.
"""

from typing import Final

GENERATOR_VERSION: Final = 1
"""Part of every generated row's identity: bump it with every change that changes a row."""
