"""A small source and stages for tests of the store, ingest, selection and release."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
from PIL import Image

from curation.ingest import Ingest, ingest_piece, text_hashes
from curation.reasons import Reason, Reject
from curation.sample import IMAGE_TYPE, Task, sha256_hex
from curation.select import MeasuredShard, SourceShards
from curation.sources.source import RAW_SCHEMA, Piece
from curation.stage import Batch, Outcome, Worker
from curation.stages.images import CheckImage
from curation.store import Workspace


def png(color: str = "red", size: tuple[int, int] = (4, 3)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "PNG")
    return out.getvalue()


@dataclass(frozen=True)
class ListSource:
    """Texts and pictures given as tuples; a None text is a row that the source could not read."""

    name: ClassVar[str] = "list"
    version: ClassVar[int] = 1
    address: tuple[tuple[str | None, ...], tuple[bytes | None, ...]]
    task: Task = "table_to_html"

    @property
    def texts(self) -> tuple[str | None, ...]:
        return self.address[0]

    @property
    def images(self) -> tuple[bytes | None, ...]:
        return self.address[1]

    def pieces(self, rows_per_shard: int) -> Iterator[Piece]:
        content = sha256_hex(repr(self.address))
        for start in range(0, len(self.texts), rows_per_shard):
            yield Piece("list", content, "r1", (), start, min(rows_per_shard, len(self.texts) - start))

    def read_texts(self, piece: Piece) -> pa.Table:
        rows = [
            {
                "row": row,
                "sub_key": "",
                "source_key": f"row {row}",
                "license": "MIT",
                "task": self.task,
                "text": self.texts[row],
                "reject_reason": None if self.texts[row] is not None else str(Reason.TEXT_MISSING),
            }
            for row in range(piece.first_row, piece.first_row + piece.n_rows)
        ]
        return pa.Table.from_pylist(rows, RAW_SCHEMA)

    def read_images(self, piece: Piece, rows: Sequence[int]) -> pa.Array:
        return pa.array([{"bytes": self.images[row], "path": None} for row in rows], IMAGE_TYPE)


@dataclass(frozen=True)
class Length:
    """Counts characters, rejects above a ceiling, and fails as a bug would on the text "bug"."""

    name: ClassVar[str] = "length"
    version: ClassVar[int] = 1
    adds: ClassVar[pa.Schema] = pa.schema([("n_tokens", pa.int32())])
    ceiling: int = 1_000

    @contextmanager
    def open(self) -> Iterator[Worker]:
        yield self._count

    def _count(self, batch: Batch) -> Outcome:
        texts = batch.table.column("text").to_pylist()
        if "bug" in texts:
            raise ZeroDivisionError("a bug")
        counts = [len(text) for text in texts]
        rejects = [
            Reject(Reason.TOO_MANY_TOKENS, f"{n} > {self.ceiling}") if n > self.ceiling else None for n in counts
        ]
        return Outcome({"n_tokens": pa.array(counts, pa.int32()), "text_sha256": text_hashes(texts)}, rejects)


def ingest_of(source: ListSource, ceiling: int = 1_000) -> Ingest:
    return Ingest(source, (Length(ceiling),), (CheckImage(),))


def shards_of(
    workspace: Workspace,
    texts: Sequence[str | None],
    rows_per_shard: int = 3,
    limit: int | None = None,
    **settings: object,
) -> SourceShards:
    """Shards of a list of texts, each row with a picture of its own colour unless `images` says otherwise."""
    images = settings.pop("images", None) or tuple(png(f"#{index:06x}") for index in range(len(texts)))
    source = ListSource((tuple(texts), tuple(images)), **settings)  # type: ignore[arg-type]
    ingest = ingest_of(source)
    shards = []
    for piece in source.pieces(rows_per_shard):
        shard = ingest_piece(workspace, ingest, piece)
        shards.append(MeasuredShard(shard, shard.measures))
    return SourceShards("list", tuple(shards), limit)
