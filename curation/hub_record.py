"""Where pushes are noted: beside the release, never in it, so that a push does not change what it pushed.

    <workspace>/pushes/<name>.json     of <workspace>/releases/<name>
    <folder>.pushes.json               of any other folder

Each entry says when, which repository and branch, the revision, the tag, and what the gate said. A push that
finds nothing to do adds none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from curation.errors import StoreError
from curation.store import Workspace

_BRANCH: Final = ("repo_type", "repo_id", "branch")
_SAME: Final = (*_BRANCH, "revision", "tag", "no_gate")
"""A push that agrees with the latest one to its branch in all of these was noted already."""


def record_place(folder: str) -> tuple[Workspace, str]:
    """The store in which pushes of `folder` are noted, and the path in it."""
    whole = folder.rstrip("/") if "://" in folder else os.path.abspath(folder)  # noqa: PTH100  # keeps links' names
    parent, _, name = whole.rpartition("/")
    above, _, kind = parent.rpartition("/")
    if kind == "releases":
        return Workspace(above), f"pushes/{name}.json"
    return Workspace(parent), f"{name}.pushes.json"


def recorded_pushes(folder: str) -> list[dict[str, Any]]:
    """All pushes of `folder` that are noted, the latest last."""
    place, path = record_place(folder)
    pushes = (place.read_json(path) or {}).get("pushes", [])
    return list(pushes) if isinstance(pushes, list) else []


def record_push(folder: str, entry: Mapping[str, Any]) -> str:
    """Note a push; where.

    Raises:
        StoreError: it cannot be written. The push stands.
    """
    place, path = record_place(folder)
    try:
        pushes = recorded_pushes(folder)
        branch = [one for one in pushes if all(one.get(name) == entry[name] for name in _BRANCH)]
        if not branch or any(branch[-1].get(name) != entry[name] for name in _SAME):
            entry = {**entry, "at": datetime.now(UTC).isoformat(timespec="seconds")}
            place.write_json(path, {"pushes": [*pushes, entry]})
    except (StoreError, OSError) as error:
        problem = f"pushed as {entry['revision']}, but that cannot be noted in {place.url}/{path}"
        raise StoreError(problem, "Make that place writable, then push again: nothing is sent twice") from error
    return f"{place.url.rstrip('/')}/{path}"
