"""What a result is made with, as one hash: where it is another, old results are looked at anew."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from rendering.errors import RenderingError
from rendering.renderer import fingerprint
from rendering.spec import RenderSpec

ROOMS: Final = ("curation", "flows", "rendering", "training")


@cache
def programs_key() -> str:
    """SHA-256 over this code, the packages that are installed, browser, style sheets and fonts.

    Coarser than the keys of shards: it says that something may be different, they say what is.
    """
    digest = hashlib.sha256()
    for room in ROOMS:
        for path in sorted((Path(__file__).parents[1] / room).rglob("*.py")):
            digest.update(path.read_bytes())
    digest.update(" ".join(sorted(f"{one.name}={one.version}" for one in distributions())).encode())
    try:
        digest.update(fingerprint(RenderSpec("page")).encode())
    except RenderingError:  # where something is to be rendered, the run says what is missing
        digest.update(b"no browser")
    return digest.hexdigest()
