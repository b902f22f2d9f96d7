"""Which column of a stranger's files is the picture, which the text, and what the text is: by name, type, a few rows.

Rules, in order. The picture: a column of pictures (`datasets.Image`), else one of `IMAGE_COLUMNS`. The text: the first
of `TEXT_COLUMNS` that holds text, else the only other column that does. The task, from the first texts: more than half
hold HTML tags: tables where more than half of those are one table and nothing beside it, else pages; more than half
hold LaTeX commands or scripts: formulas; else captions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, cast

import pyarrow as pa

from curation.errors import SchemaError
from curation.reasons import Reject
from curation.sample import Task
from curation.sources import arrow, containers, parquet
from curation.sources.caption_shapes import texts_in
from curation.sources.containers import Kind
from curation.sources.files import ResolvedAddress, shown
from curation.sources.hashes import content_sha256
from curation.sources.reader import Columns
from curation.sources.rows import is_text_type
from curation.sources.source import Piece

IMAGE_COLUMNS: Final = (
    *("image", "img", "picture", "photo", "screenshot", "jpg", "png", "image_path", "img_path", "image_file"),
    *("file_name", "filename"),
)
TEXT_COLUMNS: Final = (
    *("alt_text", "caption", "captions", "html_table", "html", "latex", "formula", "text", "markup", "code", "target"),
    *("txt", "description", "sentence", "label"),
)
ORIGINAL_COLUMNS: Final = ("original_alt_text", "original_caption", "original_text", "source_caption")
OBJECT_COLUMNS: Final = ("objects", "object_tags", "tags")
CONTEXT_COLUMNS: Final = ("llm_generated_idea", "context")
KEY_COLUMNS: Final = ("image_id", "imgid", "img_id", "filename", "file_name", "id", "__key__")

OF_OTHER_USE: Final = frozenset(
    {*KEY_COLUMNS, *IMAGE_COLUMNS, *ORIGINAL_COLUMNS, *OBJECT_COLUMNS, *CONTEXT_COLUMNS}
    | {"split", "license", "source", "url", "task", "lineage"}
)
"""Columns of text that are not what a model is to say."""

N_ROWS: Final = 100
"""So many first rows tell what the text is."""

_TAG: Final = re.compile(r"</?(?:[a-z][a-z0-9]*)(?:\s[^<>]*)?/?>", re.IGNORECASE)
_TABLE: Final = re.compile(r"<table\b.*</table\s*>", re.IGNORECASE | re.DOTALL)
_OF_PAGES: Final = re.compile(
    r"<(?P<unseen>head|style|script|title)\b.*?</(?P=unseen)\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL
)
_LATEX: Final = re.compile(r"\\[A-Za-z]{2,}|[_^]\s*\{|\\[,;!{}]")


@dataclass(frozen=True)
class FoundColumns:
    """Columns by their use, empty where there is none, and the task that the texts make it."""

    kind: Kind
    image: str
    text: str
    original: str
    objects: str
    key: str
    context: str
    task: Task


@dataclass(frozen=True)
class _Look:
    """The columns of a file: all, those of pictures by their type, those of text, and values of its first rows."""

    names: Sequence[str]
    pictures: Sequence[str]
    texts: Sequence[str]
    rows: Sequence[Mapping[str, Any]]


def find_columns(
    found: ResolvedAddress, image_column: str = "", text_column: str = "", task: str = "", n_rows: int = N_ROWS
) -> FoundColumns:
    """The columns of `found` (files of one kind), from its first file; those that are named are taken as they are.

    Raises:
        SchemaError: a named column is not there, or none can be told to be the picture or the text.
    """
    first = found.files[0]
    kind = containers.kind_of(first.path)
    look = _look(kind, found, n_rows)
    for name in filter(None, (image_column, text_column)):
        if name not in look.names and not containers.image_column(look.names, name):
            raise SchemaError(f"{shown(first.path)} has no column {name!r}", f"It has: {', '.join(look.names)}")
    image = image_column or _image_column(look)
    if not image:
        mend = f"Name it with --image-column; there are: {', '.join(look.names)}"
        raise SchemaError(f"{shown(first.path)} has no column that is known to hold pictures", mend)
    text = text_column or _text_column(look, image, shown(first.path))
    texts = [one for row in look.rows for one in texts_in(row.get(text))[:1] if isinstance(one, str) and one.strip()]
    return FoundColumns(
        kind,
        image,
        text,
        next((name for name in ORIGINAL_COLUMNS if name in look.names), ""),
        next((name for name in OBJECT_COLUMNS if name in look.names), ""),
        next((name for name in KEY_COLUMNS if name in look.names and name not in (image, text)), ""),
        next((name for name in CONTEXT_COLUMNS if name in look.names and name != text), ""),
        cast("Task", task) if task else guess_task(texts),
    )


def guess_task(texts: Sequence[str]) -> Task:
    """What the texts are, by the rule at the head of this module."""
    tagged = [text for text in texts if _TAG.search(text)]
    if len(tagged) * 2 > len(texts):
        tables = [text for text in tagged if _is_table(text)]
        return "table_to_html" if len(tables) * 2 > len(tagged) else "page_to_html"
    latex = [text for text in texts if _LATEX.search(text)]
    return "formula_to_latex" if len(latex) * 2 > len(texts) else "image_to_caption"


def _is_table(text: str) -> bool:
    without = _TABLE.sub("", _OF_PAGES.sub("", text), count=1)
    return bool(_TABLE.search(text)) and not _TAG.sub("", without).strip()


def _image_column(look: _Look) -> str:
    if look.pictures:
        return next((name for name in IMAGE_COLUMNS if name in look.pictures), look.pictures[0])
    return next((name for name in IMAGE_COLUMNS if name in look.names), "")


def _text_column(look: _Look, image: str, path: str) -> str:
    texts = [name for name in look.texts if name != image]
    usual = next((name for name in TEXT_COLUMNS if name in texts), "")
    if usual:
        return usual
    others = [name for name in texts if name not in OF_OTHER_USE]
    if len(others) != 1:
        mend = f"Name it with --text-column; there are: {', '.join(look.names)}"
        raise SchemaError(f"{path} has {'several columns' if others else 'no column'} that may be the text", mend)
    return others[0]


def _look(kind: Kind, found: ResolvedAddress, n_rows: int) -> _Look:
    first = found.files[0]
    sha256 = content_sha256(first)
    reader = containers.reader_of(first.path)
    names = list(reader.column_names(first.path, sha256))
    if kind in ("parquet", "arrow"):
        of_file = Piece(first.path, sha256, "", (), 0, 0)
        schema = parquet.schema_of(of_file) if kind == "parquet" else arrow.schema_of(of_file)
        pictures = [field.name for field in schema if _holds_pictures(field)]
        texts = [field.name for field in schema if is_text_type(field.type) and field.name not in pictures]
        columns = Columns(tuple(texts))
    else:
        pictures = [name for name in names if name in ("jpg", "jpeg", "png", "webp")]
        texts = [name for name in names if name not in pictures]
        columns = Columns(tuple(texts))
    files = ResolvedAddress(found.address, found.revision, (first,))
    piece = next(iter(reader.list_pieces(files, n_rows, Columns(()))), None)
    read = reader.read_rows(piece, columns) if piece else iter(())
    rows = [row for row in islice(read, n_rows) if not isinstance(row, Reject)]
    if kind not in ("parquet", "arrow"):
        texts = [name for name in texts if any(_is_text(row.get(name)) for row in rows)]
    return _Look(names, pictures, texts, rows)


def _holds_pictures(field: pa.Field) -> bool:
    type_ = field.type
    if pa.types.is_struct(type_):
        index = type_.get_field_index("bytes")
        return index >= 0 and _is_binary(type_.field(index).type)
    return _is_binary(type_)


def _is_binary(type_: pa.DataType) -> bool:
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))


def _is_text(value: object) -> bool:
    return isinstance(value, str | bytes) or (isinstance(value, list) and any(isinstance(one, str) for one in value))
