"""Small sets of pictures and texts in Parquet, and a merge of them with everything left at its default."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.merge.merging import MergeResult, merge
from curation.merge.opening import entry_of
from curation.merge.spec import MergeEntry, MergeSpec
from curation.sample import IMAGE_TYPE
from tests.curation.making import png

CAPTIONS = "a caption of picture number"
PAGES = "<!DOCTYPE html><html><body><h1>Heading</h1><p>Words of page number"


def picture(number: int) -> bytes:
    return png(f"#{number * 40_503 % 0xFFFFFF:06x}", (6 + number % 5, 4))


def texts(n: int, first: int = 0, said: str = PAGES) -> list[str]:
    return [f"{said} {index}" for index in range(first, first + n)]


def write_set(
    path: Path,
    said: Sequence[str | None],
    pictures: Sequence[bytes | None] | None = None,
    row_group_size: int = 7,
    text: str = "text",
    **more: Any,
) -> Path:
    """A Parquet file with `image`, a column of texts and more; each row has its own picture where none are given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = pictures if pictures is not None else [picture(hash_of(one or "")) for one in said]
    columns = {
        "image": pa.array([{"bytes": image, "path": None} for image in images], IMAGE_TYPE),
        text: pa.array(said, pa.string()),
        **{name: values if isinstance(values, pa.Array) else pa.array(values) for name, values in more.items()},
    }
    pq.write_table(pa.table(columns), path, row_group_size=row_group_size)
    return path


def hash_of(text: str) -> int:
    return sum(ord(char) * (place + 1) for place, char in enumerate(text))


def entries(*addresses: Path | MergeEntry) -> tuple[MergeEntry, ...]:
    return tuple(one if isinstance(one, MergeEntry) else entry_of(str(one)) for one in addresses)


def merged(
    tmp_path: Path, *addresses: Path | MergeEntry, out: str = "out", dry_run: bool = False, **settings: Any
) -> MergeResult:
    """Merge into `tmp_path/out` by `MergeSpec` with these settings."""
    spec = MergeSpec(settings.pop("name", "small"), entries(*addresses), **settings)
    return merge(spec, str(tmp_path / out), str(tmp_path / "cache"), "name: small\n", lambda *_: None, dry_run=dry_run)


def rows_of(folder: str | Path) -> list[dict[str, Any]]:
    """All rows of a release, each with the split that its file says."""
    rows = []
    for file in sorted(Path(folder).glob("data/**/*.parquet")):
        split = file.name.partition("-")[0]
        rows += [{**row, "split": split} for row in pq.ParquetFile(file).read().to_pylist()]
    return rows


def split_of(folder: str | Path, key: str = "text") -> dict[Any, str]:
    return {row[key]: row["split"] for row in rows_of(folder)}


def dropped(result: MergeResult) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(result.dropped_path).to_pylist()
    return rows


def content(folder: str | Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}
