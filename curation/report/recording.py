"""Checks put into a release: into its `quality.json`, and that file's hash into its manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from curation.errors import BadInputError
from curation.report.facts import Check
from curation.store import Workspace


def record_checks(folder: str, checks: Sequence[Check]) -> None:
    """Put `checks` into the release at `folder` (a path, or any fsspec URL), in place of those that are there.

    Each file appears whole or not at all. Killed between the two, the release no longer verifies, and the next build of
    it writes it again.

    Raises:
        BadInputError: there is no release.
        StoreError: it cannot be written.
    """
    release = Workspace(folder)
    quality, manifest = release.read_json("quality.json"), release.read_json("manifest.json")
    if quality is None or manifest is None:
        raise BadInputError(f"{folder} is no release: it has no quality.json or manifest.json", "Build it first")
    quality["checks"] = [asdict(check) for check in checks]
    data = _pretty(quality)
    manifest["files"]["quality.json"] = {"sha256": hashlib.sha256(data).hexdigest(), "n_bytes": len(data)}
    for name, content in (("quality.json", data), ("manifest.json", _pretty(manifest))):
        with release.new_file(name) as file:
            file.write(content)


def _pretty(value: dict[str, Any]) -> bytes:
    """As a release writes its JSON (`curation.release`)."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
