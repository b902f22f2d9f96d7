"""Releases to push, small and made by hand, and a Hub to push them to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

FAILED = {
    "metric": "valid.share", "comparison": "==", "limit": 1.0, "value": 0.5, "severity": "fail", "passed": False,
    "task": None, "split": None,
}  # fmt: skip
PASSED = {**FAILED, "value": 1.0, "passed": True}


def noise(n_bytes: int, seed: int) -> bytes:
    """Bytes that no other seed gives."""
    return Random(seed).randbytes(n_bytes)


def files_of(*seeds: int, n_bytes: int = 200_000, card: str = "# small\n", **quality: Any) -> dict[str, bytes]:
    """A release of one file of data for each seed, with texts beside them."""
    data = {
        f"data/train-{index:05d}-of-{len(seeds):05d}.parquet": noise(n_bytes, seed) for index, seed in enumerate(seeds)
    }
    texts = {"README.md": card.encode(), "quality.json": json.dumps(quality).encode(), "recipe.yaml": b"name: small\n"}
    return data | texts


def write_release(folder: Path, files: Mapping[str, bytes], rows_kept: int = 1234) -> Path:
    """The folder, with these files and a manifest of them, and nothing else."""
    for old in folder.rglob("*") if folder.exists() else ():
        if old.is_file():
            old.unlink()
    entries = {}
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        entries[path] = {"sha256": hashlib.sha256(data).hexdigest(), "n_bytes": len(data)}
    (folder / "manifest.json").write_text(json.dumps({"key": "k", "rows_kept": rows_kept, "files": entries}))
    return folder


def in_folder(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
