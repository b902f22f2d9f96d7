"""PubTabNet: pictures of tables from papers and their HTML, in both forms in which it is given out.

The Parquet form (`apoidea/pubtabnet-html`) holds the HTML; the original holds tokens in JSONL, which are woven
together here, and PNG files. Tables without pictures (`name`, `html_table`) are read too: they are rendered.
Whether rows and columns of a table add up is not asked here but where the canonical form is made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, Final

import pyarrow as pa

from curation.reasons import Reason, Reject
from curation.sample import Task
from curation.sources import lines, parquet
from curation.sources.address import read_beside, resolve
from curation.sources.files import is_inside, normal_split
from curation.sources.json_files import parse_object
from curation.sources.rows import RawRow, decode_text, image_array, optional_texts_of, raw_table, row_key, texts_of
from curation.sources.source import Piece

MAX_IMAGE_BYTES: Final = 64 * 1024 * 1024
_KEY_COLUMNS: Final = ("filename", "imgid", "name")
_SPLIT_FOLDERS: Final = ("", "train/", "val/", "test/")
_CELL_END: Final = re.compile(r"(?=</t[dh]>)")
_READ_AS_MARKUP: Final = re.compile(r"<(?=[A-Za-z/!?])|&(?=#|[A-Za-z])")


@dataclass(frozen=True)
class PubTabNet:
    """Tables with their pictures.

    `split` is the source's own (`train`, `val` or `validation`, `test`, `all`): files whose names tell another
    split are not opened, rows that tell another are rejected as `other_split`. Pictures of the original form
    lie beside the JSONL or in `train/`, `val/` or `test/` there; they are no part of a shard's key.
    """

    name: ClassVar[str] = "pubtabnet"
    version: ClassVar[int] = 1
    task: ClassVar[Task] = "table_to_html"

    address: str = "apoidea/pubtabnet-html"
    split: str = "train"
    image_column: str = "image"
    html_column: str = "html_table"
    license: str = "CDLA-Permissive-1.0"

    def pieces(self, rows_per_shard: int) -> Iterator[Piece]:
        """Pieces of the Parquet files where there are any, else of the JSONL files."""
        found = resolve(self.address, (".parquet", ".jsonl")).of_split(self.split)
        tables = tuple(file for file in found.files if file.name.lower().endswith(".parquet"))
        if not tables:
            yield from lines.list_pieces(found, rows_per_shard)
            return
        yield from parquet.list_pieces(
            replace(found, files=tables), rows_per_shard, [self.html_column], self.image_column, needs_images=False
        )

    def read_texts(self, piece: Piece) -> pa.Table:
        """All rows of the piece as `RAW_SCHEMA`; what does not weave is rejected as `annotation_broken`."""
        rows = self._read_table(piece) if _is_parquet(piece) else self._read_annotations(piece)
        return raw_table(rows, self.license, self.task)

    def read_images(self, piece: Piece, rows: Sequence[int]) -> pa.Array | None:
        """Pictures of the given file rows; None where the file has no column of pictures."""
        if _is_parquet(piece):
            has_images = self.image_column in parquet.column_names(piece)
            return parquet.read_images(piece, self.image_column, rows) if has_images else None
        names = _image_names(piece)
        return image_array([_read_image(piece.path, names[row - piece.first_row]) for row in rows])

    def _read_table(self, piece: Piece) -> list[RawRow]:
        has = parquet.column_names(piece)
        key_column = next((name for name in _KEY_COLUMNS if name in has), None)
        named = [name for name in (key_column, "split") if name in has]
        table = parquet.read_columns(piece, [self.html_column, *[name for name in named if name]])
        keys = _as_strings(table, key_column)
        splits = _as_strings(table, "split" if "split" in has else None)
        rows = []
        for offset, text in enumerate(texts_of(table.column(self.html_column))):
            row = piece.first_row + offset
            rows.append(RawRow(row, keys[offset] or row_key(piece.path, row), self._of_split(text, splits[offset])))
        return rows

    def _read_annotations(self, piece: Piece) -> list[RawRow]:
        rows = []
        for row, line in enumerate(lines.read_lines(piece), start=piece.first_row):
            annotation = parse_object(line)
            if isinstance(annotation, Reject):
                rows.append(RawRow(row, row_key(piece.path, row), annotation))
                continue
            filename = annotation.get("filename")
            if not isinstance(filename, str) or not is_inside(filename):
                text: str | Reject = Reject(Reason.ANNOTATION_BROKEN, "the picture's file name leaves its folder")
                key = row_key(piece.path, row)
            else:
                text, key = weave(annotation.get("html")), _printable(filename)
            rows.append(RawRow(row, key, self._of_split(text, annotation.get("split"))))
        return rows

    def _of_split(self, text: str | Reject, split: object) -> str | Reject:
        if self.split == "all" or not isinstance(split, str) or normal_split(split) == normal_split(self.split):
            return text
        return Reject(Reason.OTHER_SPLIT, _printable(split[:40]))


def weave(html: object) -> str | Reject:
    """Structure and cell tokens of an annotation's `html` as one document: `<html><body><table>…`.

    The n-th cell goes before the n-th `</td>` or `</th>` of the structure, as PubTabNet's own `format_html` has it.
    """
    try:
        structure = "".join(html["structure"]["tokens"])  # type: ignore[index]  # any JSON; what it is not is caught
        cells = [_cell_html(cell["tokens"]) for cell in html["cells"]]  # type: ignore[index]
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        return Reject(Reason.ANNOTATION_BROKEN, f"no structure and cells of tokens ({type(error).__name__})")
    parts = _CELL_END.split(structure)
    if len(parts) - 1 != len(cells):
        return Reject(Reason.ANNOTATION_BROKEN, f"{len(cells)} cells for {len(parts) - 1} places in the structure")
    woven = "".join(part + cell for part, cell in zip(parts, [*cells, ""], strict=True))
    return decode_text(f"<html><body><table>{woven}</table></body></html>".encode("utf-8", "surrogatepass"))


def _cell_html(tokens: list[str]) -> str:
    """A cell's tokens as HTML. A token of one character is text: `<` and `&` are escaped where HTML reads more into
    them, and only there, so that the text stays the one that others weave.
    """
    whole = "".join(tokens)
    if "<" not in tokens and "&" not in tokens:
        return whole
    out, position = [], 0
    for token in tokens:
        position += len(token)
        is_misread = token in {"<", "&"} and _READ_AS_MARKUP.match(token + whole[position : position + 1])
        out.append({"<": "&lt;", "&": "&amp;"}[token] if is_misread else token)
    return "".join(out)


@lru_cache(maxsize=8)
def _image_names(piece: Piece) -> tuple[str, ...]:
    """Each row's picture file, empty where the row names none that may be read."""
    names = []
    for line in lines.read_lines(piece):
        annotation = parse_object(line)
        filename = "" if isinstance(annotation, Reject) else annotation.get("filename")
        names.append(filename if isinstance(filename, str) and is_inside(filename) else "")
    return tuple(names)


def _read_image(path: str, filename: str) -> bytes | None:
    if not filename:
        return None
    candidates = (read_beside(path, folder + filename, MAX_IMAGE_BYTES) for folder in _SPLIT_FOLDERS)
    return next((image for image in candidates if image), None)


def _is_parquet(piece: Piece) -> bool:
    return piece.path.lower().endswith(".parquet")


def _as_strings(table: pa.Table, column: str | None) -> list[str | None]:
    if column is None:
        return [None] * table.num_rows
    values = table.column(column)
    return optional_texts_of(values.cast(pa.string()) if pa.types.is_integer(values.type) else values)


def _printable(text: str) -> str:
    """`text` without what UTF-8 cannot hold: JSON may spell half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")
