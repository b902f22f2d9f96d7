"""Any rows that a person has in files: which column is the picture, which the text, is a setting.

Parquet, Arrow (`save_to_disk`), JSONL, CSV, WebDataset tars, and image folders with `datasets`' metadata. Handwritten
formulas, for one:

    - {type: files, address: me/handwriting, task: formula_to_latex, text_column: latex}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import PurePosixPath
from typing import ClassVar, Final, Literal

import pyarrow as pa

from curation.errors import AddressError, BadInputError
from curation.reasons import Reject
from curation.sources import containers
from curation.sources.address import resolve
from curation.sources.files import ResolvedAddress, shown
from curation.sources.pictures import PictureFolder
from curation.sources.reader import Columns, Row
from curation.sources.rows import RawRow, image_array, raw_table, row_key
from curation.sources.source import Piece
from curation.sources.values import Place, name_of, picture_fault, referenced_name, text_of
from curation.sources.webdataset import KEY_COLUMN

MappedTask = Literal["page_to_html", "table_to_html", "formula_to_latex", "image_to_caption"]

_METADATA: Final = "metadata"
"""Name of the file that describes an image folder, before its ending (`datasets`, "ImageFolder with metadata")."""


@dataclass(frozen=True)
class MappedFiles:
    """Rows of files, mapped by column.

    `task` says what the text is. `format` is needed only where an address holds several kinds of files. Pictures
    are bytes, base64 or paths relative to the file that names them, within the address; without an `image_column`
    the text is rendered. Columns of a WebDataset tar are its endings and the keys of its `.json`; `image` there is
    any picture and `text` is `txt`. `context_column`, `key_column`, `license_column` and `origin_column` are read where
    given; the last says of a row of ours that it is `synthetic`.
    `split` is the source's own, as file names tell it, or `all`. `crop` is what the pictures want before use.
    """

    name: ClassVar[str] = "files"
    version: ClassVar[int] = 1

    address: str
    task: MappedTask
    format: Literal["auto", "parquet", "arrow", "jsonl", "csv", "webdataset", "imagefolder"] = "auto"
    split: str = "all"
    image_column: str = "image"
    text_column: str = "text"
    context_column: str = ""
    key_column: str = ""
    license_column: str = ""
    origin_column: str = ""
    license: str = "unknown"
    crop: Literal["none", "ink"] = "none"

    def pieces(self, rows_per_shard: int) -> Iterator[Piece]:
        """Pieces in the order of the files' names; where pictures lie apart, with what tells which ones they are."""
        if self.task == "image_to_caption" and not self.image_column:
            raise BadInputError("a caption's picture cannot be rendered from it", "Set image_column")
        found = self._tables(resolve(self.address, containers.SUFFIXES).of_split(self.split))
        folders: dict[str, PictureFolder] = {}
        for piece in containers.list_pieces(found, rows_per_shard, self._columns):
            place = Place.of(self.address, piece.path)
            names = self._picture_names(piece, place)
            if names:
                folder = folders.setdefault(place.root, PictureFolder(place.root))
                piece = replace(piece, images_sha256=folder.sha256_of(names))  # noqa: PLW2901
            yield replace(piece, images_root=place.root)

    def read_texts(self, piece: Piece) -> pa.Table:
        """All rows of the piece as `RAW_SCHEMA`."""
        columns = containers.columns_of(piece, self._columns)
        place = Place(piece.path, piece.images_root)
        values = islice(containers.reader_of(piece.path).read_rows(piece, columns), piece.n_rows)
        rows = [self._row(piece, row, value, columns, place) for row, value in enumerate(values, piece.first_row)]
        return raw_table(rows, self.license, self.task)

    def read_images(self, piece: Piece, rows: Sequence[int]) -> pa.Array | None:
        """Pictures of the given file rows; None where no column of pictures is set."""
        if not self.image_column:
            return None
        column = containers.columns_of(piece, self._columns).image
        place = Place(piece.path, piece.images_root)
        return image_array(containers.reader_of(piece.path).read_pictures(piece, column, rows, place) if rows else [])

    @property
    def _columns(self) -> Columns:
        texts = (self.text_column, self.context_column)
        names = (self.key_column, self.license_column, self.origin_column)
        return Columns(tuple(filter(None, texts)), tuple(filter(None, names)), self.image_column)

    def _tables(self, found: ResolvedAddress) -> ResolvedAddress:
        """The files that hold the rows: an image folder's metadata, or files of one kind."""
        metadata = tuple(file for file in found.files if PurePosixPath(file.name).stem == _METADATA)
        if self.format == "imagefolder" and not metadata:
            mend = f"Write {_METADATA}.jsonl with file_name and {self.text_column} into it"
            raise AddressError(f"{shown(self.address)} has no metadata", mend)
        if metadata and self.format in ("auto", "imagefolder"):
            return replace(found, files=metadata)
        kind = None if self.format == "auto" or self.format == "imagefolder" else self.format  # noqa: PLR1714  # for mypy
        return containers.of_one_kind(found, kind)

    def _picture_names(self, piece: Piece, place: Place) -> list[str]:
        """Names of pictures that lie apart, relative to the source's root; empty where the file holds them itself."""
        columns = containers.columns_of(piece, self._columns)
        if not columns.image or containers.kind_of(piece.path) == "webdataset":
            return []
        pictures_only = Columns((), (), columns.image)
        rows = containers.reader_of(piece.path).read_rows(piece, pictures_only)
        names = (referenced_name(row.get(columns.image), place) for row in rows if not isinstance(row, Reject))
        return [name for name in names if name]

    def _row(self, piece: Piece, row: int, values: Row, columns: Columns, place: Place) -> RawRow:
        key = row_key(piece.path, row)
        if isinstance(values, Reject):
            return RawRow(row, key, values)
        text = text_of(values.get(self.text_column))
        fault = picture_fault(values.get(columns.image), place) if columns.image else None
        context = text_of(values.get(self.context_column)) if self.context_column else None
        return RawRow(
            row,
            name_of(values.get(self.key_column or KEY_COLUMN)) or key,
            text if isinstance(text, Reject) or fault is None else fault,
            context if isinstance(context, str) else None,
            license=name_of(values.get(self.license_column)) if self.license_column else None,
            image_origin="synthetic" if self.origin_column and values.get(self.origin_column) == "synthetic" else None,
            excerpt=text if isinstance(text, str) and fault is not None else None,
        )
