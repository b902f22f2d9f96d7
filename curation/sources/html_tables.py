"""The tables of a corpus of web pages: every `<table>` of every page, filtered by its shape, to be rendered.

Pages are files of HTML, rows of Parquet, JSONL, CSV or a WebDataset tar, or records of a web archive. A table that is
left out is a row with its reason, and so is a page without tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal

import pyarrow as pa

from curation.errors import AddressError
from curation.markup.page_tables import PageTable, page_tables
from curation.reasons import Reason, Reject
from curation.sample import Task
from curation.sources import containers, page_files, warc
from curation.sources.address import resolve
from curation.sources.files import ResolvedAddress, shown
from curation.sources.reader import Columns
from curation.sources.rows import RawRow, raw_table, row_key
from curation.sources.source import Piece
from curation.sources.values import name_of, text_of
from curation.sources.webdataset import KEY_COLUMN

_EXCERPT_CHARS: Final = 500


@dataclass(frozen=True)
class HtmlTables:
    """Tables of pages, as many samples a page as it has tables that fit.

    `format` is needed only where an address holds pages in several kinds of files. Pages in rows are read from
    `html_column`, and known by `key_column` where given. Kept are tables within the bounds on rows, columns (of the
    widest row, spans counted) and cells, of whose cells at least `min_text_share` have text; with `require_header`
    only those with a header cell. Tables that hold other tables, or whose role is `presentation`, lay out a page.
    The page's title and the table's caption are the context.
    """

    name: ClassVar[str] = "html_tables"
    version: ClassVar[int] = 1
    task: ClassVar[Task] = "table_to_html"

    address: str
    format: Literal["auto", "html", "warc", "parquet", "jsonl", "csv", "webdataset"] = "auto"
    split: str = "all"
    html_column: str = "html"
    key_column: str = ""
    min_rows: int = 2
    max_rows: int = 100
    min_columns: int = 2
    max_columns: int = 30
    min_cells: int = 4
    max_cells: int = 1_000
    min_text_share: float = 0.5
    require_header: bool = False
    license: str = "unknown"

    def pieces(self, rows_per_shard: int) -> Iterator[Piece]:
        """Pieces of `rows_per_shard` pages, in the order of the files' names."""
        suffixes = (*containers.SUFFIXES, *page_files.SUFFIXES, *warc.SUFFIXES)
        found = _of_format(resolve(self.address, suffixes).of_split(self.split), self.format)
        match _format_of(found.files[0].name):
            case "html":
                yield from page_files.list_pieces(found, rows_per_shard)
            case "warc":
                yield from warc.list_pieces(found, rows_per_shard)
            case _:
                yield from containers.list_pieces(found, rows_per_shard, self._columns)

    def read_texts(self, piece: Piece) -> pa.Table:
        """All tables of the piece's pages as `RAW_SCHEMA`, those left out among them."""
        rows = [row for page in self._pages(piece) for row in self._tables_of(page)]
        return raw_table(rows, self.license, self.task)

    def read_images(self, piece: Piece, rows: Sequence[int]) -> None:  # noqa: ARG002  # the protocol's signature
        """There are none: tables are rendered."""
        return

    @property
    def _columns(self) -> Columns:
        return Columns((self.html_column,), (self.key_column,) if self.key_column else ())

    def _pages(self, piece: Piece) -> Iterator[RawRow]:
        """The piece's pages; the text of a row is the whole page."""
        match "html" if piece.members else _format_of(piece.path):
            case "html":
                for row, (path, sha256) in enumerate(piece.members, piece.first_row):
                    key = path.removeprefix(piece.path).lstrip("/")
                    yield RawRow(row, key, page_files.read_page(path), content_sha256=sha256)
            case "warc":
                for row, page in enumerate(warc.read_pages(piece), piece.first_row):
                    yield RawRow(row, page.key or row_key(piece.path, row), page.text)
            case _:
                values = containers.reader_of(piece.path).read_rows(piece, self._columns)
                for row, value in enumerate(values, piece.first_row):
                    has = {} if isinstance(value, Reject) else value
                    key = name_of(has.get(self.key_column or KEY_COLUMN)) or row_key(piece.path, row)
                    yield RawRow(row, key, value if isinstance(value, Reject) else text_of(has.get(self.html_column)))

    def _tables_of(self, page: RawRow) -> Iterator[RawRow]:
        assert page.text is not None
        found = page.text if isinstance(page.text, Reject) else page_tables(page.text)
        if isinstance(found, Reject) or not found:
            excerpt = None if isinstance(page.text, Reject) else page.text[:_EXCERPT_CHARS]
            fault = found if isinstance(found, Reject) else Reject(Reason.TABLE_MISSING, "a page without tables")
            yield replace(page, text=fault, excerpt=excerpt)
            return
        for table in found:
            fault_of_table = self._fault(table)
            yield replace(
                page,
                source_key=f"{page.source_key}#{table.number}",
                sub_key=f"table {table.number}",
                text=fault_of_table or table.html,
                context=table.context,
                excerpt=table.html[:_EXCERPT_CHARS] if fault_of_table else None,
            )

    def _fault(self, table: PageTable) -> Reject | None:
        """Why a table is left out, if it is."""
        if table.n_inner:
            return Reject(Reason.TABLE_NESTED, f"holds {table.n_inner} tables")
        if table.is_layout:
            return Reject(Reason.TABLE_LAYOUT, "its role says so")
        bounds = (
            ("rows", table.n_rows, self.min_rows, self.max_rows),
            ("columns", table.n_columns, self.min_columns, self.max_columns),
            ("cells", table.n_cells, self.min_cells, self.max_cells),
        )
        for what, n, least, most in bounds:
            if not least <= n <= most:
                return Reject(Reason.TABLE_SHAPE, f"{n} {what}, where {least} to {most} are asked for")
        if table.text_share < self.min_text_share:
            return Reject(Reason.TABLE_LAYOUT, f"{table.text_share:.0%} of its {table.n_cells} cells have text")
        if self.require_header and not table.has_header:
            return Reject(Reason.TABLE_SHAPE, "no header cell")
        return None


def _format_of(name: str) -> str:
    lower = name.lower()
    if lower.endswith(page_files.SUFFIXES):
        return "html"
    return "warc" if lower.endswith(warc.SUFFIXES) else containers.kind_of(name)


def _of_format(found: ResolvedAddress, wanted: str) -> ResolvedAddress:
    formats = sorted({_format_of(file.name) for file in found.files})
    if wanted == "auto" and len(formats) > 1:
        mend = f"Set format to one of {', '.join(formats)}"
        raise AddressError(f"{shown(found.address)} holds pages in files of several kinds", mend)
    kept = tuple(file for file in found.files if wanted in ("auto", _format_of(file.name)))
    if not kept:
        raise AddressError(f"{shown(found.address)} holds no {wanted} file", f"Set format to {' or '.join(formats)}")
    return replace(found, files=kept)
