"""Small data sets as strangers have them, in every kind of file, for tests of reports."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from curation.sample import IMAGE_TYPE

CAPTIONS = (
    "A man rides a brown horse on the beach.",
    "A dog sleeps on a red couch in the sun.",
    "A person holds a laptop at a wooden table.",
    "A dog sleeps on a red couch in the sun.",
    "=HYPERLINK(1) is what a cat has typed.",
    "Two women walk along a busy street today.",
)
ORIGINALS = (
    None,
    "A dog sleeps on a red couch in the sun.",
    "A woman holds a laptop at a wooden table.",
    None,
    None,
    None,
)
OBJECTS = (["horse", "person"], ["dog", "sofa", "bottle"], ["person"], ["dog"], None, [])
"""Of rows 1 and 3 text and picture are equal; the picture of row 5 is cut."""


def picture(number: int, size: tuple[int, int] = (24, 18)) -> bytes:
    """A picture of its own for each number, with edges in it."""
    image = Image.effect_noise(size, 60).convert("RGB")
    image.putdata(
        [((x * (number + 3)) % 256, (x * x + 31 * number) % 256, (x // 7) % 256) for x in range(size[0] * size[1])]
    )
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def pictures() -> list[bytes]:
    """The captions' pictures."""
    made = [picture(number) for number in (0, 1, 2, 1, 4, 5)]
    return [*made[:5], made[5][:60]]


def captions_table() -> pa.Table:
    """The captions as distilvit's data sets have them."""
    columns = {
        "image": pa.array([{"bytes": data, "path": None} for data in pictures()], IMAGE_TYPE),
        "alt_text": pa.array(CAPTIONS),
        "original_alt_text": pa.array(ORIGINALS, pa.string()),
        "objects": pa.array(OBJECTS, pa.list_(pa.string())),
        "image_id": pa.array([f"img-{number}" for number in range(6)]),
    }
    return pa.table(columns)


def write_parquet(folder: Path, table: pa.Table | None = None, name: str = "train.parquet") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(captions_table() if table is None else table, folder / name)
    return folder


def write_arrow(folder: Path, table: pa.Table | None = None) -> Path:
    """As `datasets.DatasetDict.save_to_disk` lays it out: Arrow's stream format in a folder for each split."""
    table = captions_table() if table is None else table
    (folder / "train").mkdir(parents=True)
    with pa.ipc.new_stream(folder / "train" / "data-00000-of-00001.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    (folder / "train" / "state.json").write_text("{}")
    (folder / "dataset_dict.json").write_text('{"splits": ["train"]}')
    return folder


def write_jsonl(folder: Path) -> Path:
    """An image folder with `datasets`' metadata."""
    folder.mkdir(parents=True)
    lines = []
    for number, (caption, data) in enumerate(zip(CAPTIONS, pictures(), strict=True)):
        (folder / f"{number}.png").write_bytes(data)
        lines.append(json.dumps({"file_name": f"{number}.png", "caption": caption, "objects": OBJECTS[number]}))
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def write_csv(folder: Path, rows: Sequence[tuple[str, bytes]]) -> Path:
    folder.mkdir(parents=True)
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["latex", "image"])
        writer.writerows([text, base64.b64encode(data).decode()] for text, data in rows)
    return folder


def markup_table(texts: Sequence[str], name: str = "html_table", **columns: Any) -> pa.Table:
    """Texts with a picture each."""
    image = pa.array([{"bytes": picture(number), "path": None} for number in range(len(texts))], IMAGE_TYPE)
    return pa.table({"image": image, name: pa.array(texts), **columns})
