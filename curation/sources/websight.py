"""WebSight: screenshots of synthetic web pages and their HTML (HuggingFaceM4/WebSight, v0.1 and v0.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal

import pyarrow as pa

from curation.errors import AddressError
from curation.sample import Task
from curation.sources import parquet
from curation.sources.address import resolve
from curation.sources.files import ResolvedAddress, shown
from curation.sources.rows import RawRow, optional_texts_of, raw_table, row_key, texts_of
from curation.sources.source import Piece

_V02_FOLDER: Final = "v0.2/"


@dataclass(frozen=True)
class WebSight:
    """Pages with their pictures; the idea that each page was generated from, where given, is the context.

    `config` chooses between the two versions that the repository on the Hub holds: v0.2 (Tailwind, in the
    folder `v0.2`) and v0.1 (plain CSS, in `data`). Where an address holds one of them only, all of it is read.
    """

    name: ClassVar[str] = "websight"
    version: ClassVar[int] = 1
    task: ClassVar[Task] = "page_to_html"

    address: str = "HuggingFaceM4/WebSight"
    config: Literal["v0.1", "v0.2"] = "v0.2"
    image_column: str = "image"
    text_column: str = "text"
    context_column: str = "llm_generated_idea"
    license: str = "CC-BY-4.0"

    def pieces(self, rows_per_shard: int) -> Iterator[Piece]:
        """Pieces in the order of the files' names."""
        found = _of_config(resolve(self.address, (".parquet",)), self.config)
        yield from parquet.list_pieces(found, rows_per_shard, [self.text_column], self.image_column)

    def read_texts(self, piece: Piece) -> pa.Table:
        """All rows of the piece as `RAW_SCHEMA`."""
        has_context = self.context_column in parquet.column_names(piece)
        columns = [self.text_column, *([self.context_column] if has_context else [])]
        table = parquet.read_columns(piece, columns)
        texts = texts_of(table.column(self.text_column))
        contexts = optional_texts_of(table.column(self.context_column)) if has_context else [None] * len(texts)
        rows = [
            RawRow(row, row_key(piece.path, row), text, context)
            for row, (text, context) in enumerate(zip(texts, contexts, strict=True), start=piece.first_row)
        ]
        return raw_table(rows, self.license, self.task)

    def read_images(self, piece: Piece, rows: Sequence[int]) -> pa.Array:
        """Screenshots of the given file rows."""
        return parquet.read_images(piece, self.image_column, rows)


def _of_config(found: ResolvedAddress, config: str) -> ResolvedAddress:
    in_v02 = tuple(file for file in found.files if file.name.startswith(_V02_FOLDER))
    if config == "v0.2":
        return replace(found, files=in_v02 or found.files)
    others = tuple(file for file in found.files if file not in in_v02)
    if not others:
        raise AddressError(f"{shown(found.address)} holds v0.2 only", "Set config to v0.2")
    return replace(found, files=others)
