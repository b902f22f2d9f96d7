"""A folder as a release has it, of a few real rows; the release's own code is not needed to read one."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageOps

from curation.sample import IMAGE_TYPE, sha256_hex
from rendering.pixels import decode_rgb

Sample = tuple[bytes, str]
"""Encoded picture and text."""


def release_of(folder: Path, task: str, splits: dict[str, Iterable[Sample]]) -> Path:
    """Write `data/<split>-00000-of-00001.parquet` for each split; ids are hashes of the texts."""
    (folder / "data").mkdir(parents=True)
    for split, samples in splits.items():
        rows = [
            {"image": {"bytes": image, "path": None}, "text": text, "task": task, "id": sha256_hex(text)}
            for image, text in samples
        ]
        schema = pa.schema([("image", IMAGE_TYPE), ("text", pa.string()), ("task", pa.string()), ("id", pa.string())])
        pq.write_table(pa.Table.from_pylist(rows, schema), folder / "data" / f"{split}-00000-of-00001.parquet")
    return folder


def sealed(folder: Path, splits: dict[str, int], **quality: Any) -> Path:
    """What makes a folder of data a release: the checks in `quality.json`, and a manifest of all files."""
    (folder / "quality.json").write_text(json.dumps({"checks": [], **quality}))
    if not (folder / "recipe.yaml").is_file():
        (folder / "recipe.yaml").write_text("name: small\n")
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "manifest.json":
            data = path.read_bytes()
            name = path.relative_to(folder).as_posix()
            files[name] = {"sha256": hashlib.sha256(data).hexdigest(), "n_bytes": len(data)}
    (folder / "manifest.json").write_text(json.dumps({"key": "k1", "files": files, "splits": splits}))
    return folder


def real_samples(folder: Path, text: str, n: int, max_chars: int, side_px: int = 200) -> list[Sample]:
    """The first `n` rows of a data set in `folder` with short texts; pictures cut to their content and made smaller."""
    found: list[Sample] = []
    for file in sorted(folder.glob("*.parquet")):
        for row in pq.read_table(file, columns=["image", text]).to_pylist():
            if len(row[text]) > max_chars or len(found) == n:
                continue
            small = decode_rgb(row["image"]["bytes"])
            assert isinstance(small, Image.Image)
            small = small.crop(ImageOps.invert(small).getbbox())  # im2markup's are whole A4 pages
            small.thumbnail((side_px, side_px))
            held = io.BytesIO()
            small.save(held, "PNG")
            found.append((held.getvalue(), row[text]))
    assert len(found) == n, f"{folder.name} has {len(found)} such rows"
    return found
