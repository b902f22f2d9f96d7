"""A release folder with rows of one's choice, written by what writes releases."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from PIL import Image

from curation.conversation import Prompt
from curation.layouts import Layout, laid_out
from curation.release_files import SplitWriter, with_features
from curation.sample import IMAGE_TYPE, MESSAGES_TYPE


def png(color: str = "red", size: tuple[int, int] = (4, 3)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "PNG")
    return out.getvalue()


def write_release(
    folder: Path,
    texts: Sequence[str],
    *,
    task: str = "formula_to_latex",
    split: str = "train",
    images: Sequence[bytes] | None = None,
    chats: Sequence[list[dict[str, str]]] | None = None,
    layout: Layout = "image_text",
    prompt: Prompt | None = None,
    rename: dict[str, str] | None = None,
    beside: dict[str, pa.Array] | None = None,
    in_task_folder: bool = False,
) -> Path:
    """Add a split to a release; returns its folder. Ids are `<split>-<number>`."""
    n = len(texts)
    pictures = images if images is not None else [png(f"#{i % 2**24:06x}") for i in range(n)]
    columns: dict[str, Any] = {
        "image": pa.array([{"bytes": one, "path": None} for one in pictures], IMAGE_TYPE),
        "text": pa.array([None if chats else text for text in texts], pa.string()),
        **({"messages": pa.array(chats, MESSAGES_TYPE)} if chats else {}),
        "task": pa.array([task] * n),
        "id": pa.array([f"{split}-{i}" for i in range(n)]),
        **(beside or {}),
    }
    said, renamed = prompt or Prompt(), rename or {}
    table = laid_out(pa.table(columns), layout, said)
    table = table.rename_columns([renamed.get(name, name) for name in table.column_names])
    schema = with_features(table.schema)
    writer = SplitWriter(folder / "data" / task if in_task_folder else folder / "data", split, schema)
    writer.write(table.cast(schema))
    writer.finish()
    recipe = {
        "name": folder.name,
        "prompt": {"system": said.system, "user": said.user, "template": None},
        "release": {"layout": layout, "rename": renamed},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    (folder / "manifest.json").write_text(json.dumps({"name": folder.name}))
    return folder
