"""Rows with the hashes that duplicates are found by, made by hand for tests."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from curation.ingest import MeasureRef, ShardRef, measure_path, samples_path
from curation.measures.hashes import Hashes
from curation.measuring import measure_schema
from curation.near_pairs import SIGNATURE_BYTES
from curation.sample import SAMPLE_SCHEMA, sha256_hex
from curation.select import MeasuredShard
from curation.store import Workspace

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("task", pa.string()),
        ("image_sha256", pa.string()),
        ("text_sha256", pa.string()),
        ("phash", pa.uint64()),
        ("minhash", pa.binary()),
        ("skeleton_minhash", pa.binary()),
        ("priority", pa.int32()),
        ("parent_id", pa.string()),
        ("image_origin", pa.string()),
        ("width_px", pa.int32()),
        ("height_px", pa.int32()),
        ("n_tokens", pa.int32()),
    ]
)


def signature(name: str, changed: float = 0.0) -> bytes:
    """A signature of its own for each name; `changed` of its slots, evenly spread, are others."""
    slots = bytearray(random.Random(name).randbytes(SIGNATURE_BYTES))
    for place in random.Random(f"{name} {changed}").sample(range(SIGNATURE_BYTES), round(changed * SIGNATURE_BYTES)):
        slots[place] ^= 0xFF
    return bytes(slots)


def picture(name: str, n_bits: int = 0) -> int:
    """A pHash of its own for each name; `n_bits` of it are turned."""
    phash = random.Random(f"picture {name}").getrandbits(64)
    for place in random.Random(f"bits {name} {n_bits}").sample(range(64), n_bits):
        phash ^= 1 << place
    return phash


@dataclass(frozen=True)
class Row:
    """A row for a table; texts, skeletons and pictures that are not given are of the row alone."""

    id: str
    task: str = "page_to_html"
    minhash: bytes | None = b""
    skeleton_minhash: bytes | None = b""
    phash: int | None = -1
    text_sha256: str | None = ""
    image_sha256: str | None = ""
    priority: int | None = None
    parent_id: str | None = None
    image_origin: str | None = None
    width_px: int | None = None
    height_px: int | None = None
    n_tokens: int | None = None

    def values(self) -> dict[str, object]:
        own = {
            "minhash": signature(f"text {self.id}"),
            "skeleton_minhash": signature(f"skeleton {self.id}"),
            "phash": picture(self.id),
            "text_sha256": sha256_hex(f"text {self.id}"),
            "image_sha256": sha256_hex(f"image {self.id}"),
        }
        given = {name: getattr(self, name) for name in SCHEMA.names}
        return {name: own[name] if name in own and value in (b"", "", -1) else value for name, value in given.items()}


def table_of(rows: Iterable[Row]) -> pa.Table:
    return pa.Table.from_pylist([row.values() for row in rows], SCHEMA)


def shards_of_rows(rows: Sequence[Row], n_rows: int) -> list[pa.Table]:
    return [table_of(rows[start : start + n_rows]) for start in range(0, len(rows), n_rows)]


def hashed_shard(workspace: Workspace, key: str, rows: Sequence[Row], *, with_hashes: bool = True) -> MeasuredShard:
    """A finished shard of these rows in a workspace, measured by `hashes` unless that is to be missing."""
    values = [row.values() for row in rows]
    measure = MeasureRef("hashes", key)
    for path, schema in [
        (samples_path(key), SAMPLE_SCHEMA),
        (measure_path(measure.measure, key), measure_schema(Hashes())),
    ]:
        with workspace.new_parquet(path, schema) as sink:
            sink.write(pa.Table.from_pylist(values, schema))
            sink.finish()
    return MeasuredShard(ShardRef(key, len(rows), len(rows), (), ()), (measure,) if with_hashes else ())
