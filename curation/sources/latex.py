"""Formulas and their LaTeX: Parquet with pictures, and plain lists of a formula a line, which are rendered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal

import pyarrow as pa

from curation.errors import AddressError
from curation.reasons import Reason, Reject
from curation.sample import Task
from curation.sources import lines, parquet
from curation.sources.address import resolve
from curation.sources.files import ResolvedAddress, shown
from curation.sources.rows import RawRow, decode_text, raw_table, row_key, texts_of
from curation.sources.source import Piece

_LIST_SUFFIXES: Final = (".txt", ".lst")


@dataclass(frozen=True)
class Latex:
    """Formulas of an address with Parquet (unsloth/LaTeX_OCR, linxy/LaTeX_OCR, im2markup) or lists of formulas.

    `config` is a folder of the address, where it holds several sets (linxy/LaTeX_OCR: `full`, `small`,
    `human_handwrite`, …); `split` is the source's own, as file names tell it, or `all`. `crop` says what the
    pictures want before use: `ink` for whole pages with one formula each (im2markup).
    """

    name: ClassVar[str] = "latex"
    version: ClassVar[int] = 1
    task: ClassVar[Task] = "formula_to_latex"

    address: str = "unsloth/LaTeX_OCR"
    config: str = ""
    split: str = "train"
    crop: Literal["none", "ink"] = "none"
    image_column: str = "image"
    text_column: str = "text"
    license: str = "unknown"

    def pieces(self, rows_per_shard: int) -> Iterator[Piece]:
        """Pieces of the Parquet files where there are any, else of the lists."""
        found = _of_config(resolve(self.address, (".parquet", *_LIST_SUFFIXES)), self.config).of_split(self.split)
        tables = tuple(file for file in found.files if file.name.lower().endswith(".parquet"))
        if not tables:
            yield from lines.list_pieces(found, rows_per_shard)
            return
        yield from parquet.list_pieces(
            replace(found, files=tables), rows_per_shard, [self.text_column], self.image_column, needs_images=False
        )

    def read_texts(self, piece: Piece) -> pa.Table:
        """All rows of the piece as `RAW_SCHEMA`."""
        if _is_list(piece):
            texts = [_formula_of(line) for line in lines.read_lines(piece)]
        else:
            texts = texts_of(parquet.read_columns(piece, [self.text_column]).column(self.text_column))
        rows = [RawRow(row, row_key(piece.path, row), text) for row, text in enumerate(texts, start=piece.first_row)]
        return raw_table(rows, self.license, self.task)

    def read_images(self, piece: Piece, rows: Sequence[int]) -> pa.Array | None:
        """Pictures of the given file rows; None for a list, and where the file has no column of pictures."""
        if _is_list(piece) or self.image_column not in parquet.column_names(piece):
            return None
        return parquet.read_images(piece, self.image_column, rows)


def _of_config(found: ResolvedAddress, config: str) -> ResolvedAddress:
    folders = sorted({file.name.split("/")[0] for file in found.files if "/" in file.name})
    if config and config not in folders:
        has = f"It has: {', '.join(folders)}" if folders else "Leave config empty"
        raise AddressError(f"{shown(found.address)} has no folder {config!r}", has)
    if not config and found.revision and len(folders) > 1:
        mend = f"Set config to one of {', '.join(folders)}"
        raise AddressError(f"{shown(found.address)} holds several sets of formulas", mend)
    return replace(
        found, files=tuple(file for file in found.files if file.name.startswith(f"{config}/" if config else ""))
    )


def _is_list(piece: Piece) -> bool:
    return piece.path.lower().endswith(_LIST_SUFFIXES)


def _formula_of(line: bytes | None) -> str | Reject:
    if line is None:
        return Reject(Reason.MARKUP_TOO_LARGE, f"a line of more than {lines.MAX_LINE_BYTES} bytes")
    if not line.strip():
        return Reject(Reason.MARKUP_EMPTY)
    return decode_text(line)
