"""Pictures and their captions, one or several to a picture: Parquet, Arrow and JSONL, with presets for known data sets.

A caption may be a string, a list, a struct that holds either, or a list written as a string; rows of a file may differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Final, Literal

import pyarrow as pa

from curation.errors import AddressError, SchemaError
from curation.reasons import Reason, Reject
from curation.sample import Task
from curation.sources import arrow, json_files, parquet, pictures
from curation.sources.address import resolve
from curation.sources.caption_shapes import objects_in, texts_in
from curation.sources.damage import one_of_many
from curation.sources.files import ResolvedAddress, is_inside, normal_split, shown
from curation.sources.rows import RawRow, image_array, is_text_type, raw_table, row_key
from curation.sources.source import Piece

Preset = Literal["", "coco", "flickr", "pexels", "docornot", "validation"]

PRESETS: Final[dict[str, dict[str, Any]]] = {
    "": {},
    # Saved by `save_to_disk`: Arrow files in train/, validation/ and test/; `alt_text` is a list in some of them.
    "coco": {"address": "Mozilla/coco-gpt4o", "license": "Apache-2.0"},
    # All its files are named `test`, as those of nlphuji/flickr30k; the rows' own `split` is Karpathy's.
    "flickr": {"address": "Mozilla/flickr30k-transformed-captions-gpt4o", "file_split": "test", "license": "other"},
    "pexels": {"address": "Mozilla/pexels-gpt4o"},
    "docornot": {
        "address": "mozilla/docornot",
        "fixed_caption": "Text document.",
        "only": {"is_document": 1},
        "n_rows": 2_000,
        "license": "other",
    },
    "validation": {"address": "Mozilla/alt-text-validation", "caption_column": "gpt_alt_text"},
}
"""What each preset sets, where the recipe does not: the sources of distilvit's merge
(https://github.com/tarekziade/distilvit2, distilvit/merge_datasets.py) with its rules. Its leaks are left out: only the
train split is read, by the files' names and by the rows' own `split`, and no row is put into two splits."""

CAPTION_COLUMNS: Final = ("alt_text", "caption", "captions", "text")
ORIGINAL_COLUMNS: Final = ("original_alt_text", "original_caption")
KEY_COLUMNS: Final = ("image_id", "img_id", "filename", "file_name", "id")
IMAGE_NAME_COLUMNS: Final = ("file_name", "image", "image_path")
_SUFFIXES: Final = (".parquet", ".arrow", ".jsonl")
_SENTENCE_ENDS: Final = (".", "!", "?", "…")
_EXCERPT_CHARS: Final = 500


@dataclass(frozen=True)
class Captions:
    """Pictures with captions; `preset` fills in what is not set here.

    `captions` says what becomes of several captions of a picture: `each` is a sample of its own, or they are `joined`
    into one text of several sentences. `split` is the source's own (`all` for all of it): files whose names tell
    another are not opened (`file_split`, where the files' names tell something else than the rows), rows whose column
    `split` tells another are rejected. `only` are columns and the value that rows must have there. `fixed_caption`
    is every row's caption. `n_rows` reads so many rows from the start, 0 all. Columns left empty are found by their
    usual names: the caption as `alt_text`, `caption`, `captions` or `text`, what it was before it was rewritten as
    `original_alt_text` or `original_caption`, what is in the picture as `objects`.

    In JSONL a row names its picture by `file_name`, `image` or `image_path`, relative to the folder `images`
    (empty: the one in which the JSONL lies).
    """

    name: ClassVar[str] = "captions"
    version: ClassVar[int] = 1
    task: ClassVar[Task] = "image_to_caption"

    preset: Preset = ""
    address: str = ""
    images: str = ""
    captions: Literal["each", "joined"] = "each"
    split: str = "train"
    file_split: str = ""
    n_rows: int | None = None
    image_column: str = "image"
    caption_column: str = ""
    original_column: str = ""
    objects_column: str = "objects"
    fixed_caption: str = ""
    only: dict[str, str | int | bool] | None = None
    license: str = "unknown"

    def __post_init__(self) -> None:
        for name, value in PRESETS[self.preset].items():
            if getattr(self, name) == type(self).__dataclass_fields__[name].default:
                object.__setattr__(self, name, value)
        if not self.address:
            known = ", ".join(preset for preset in PRESETS if preset)
            raise AddressError("The source captions has no address", f"Set its address, or a preset: {known}")

    def pieces(self, rows_per_shard: int) -> Iterator[Piece]:
        """Pieces of the Parquet files where there are any, else of the Arrow files, else of the JSONL files.

        Raises:
            SchemaError: a file has no column of captions, or none that a rule asks for.
        """
        left = self.n_rows or None
        checked = ""
        for whole in self._all_pieces(rows_per_shard):
            piece = whole if left is None else replace(whole, n_rows=min(left, whole.n_rows))
            if not piece.n_rows:
                return
            with one_of_many():
                if piece.path != checked and not _is_json(piece):
                    self._check(piece)
                    checked = piece.path
                left = None if left is None else left - piece.n_rows
                yield piece

    def read_texts(self, piece: Piece) -> pa.Table:
        """All rows of the piece as `RAW_SCHEMA`: one for each caption, told apart by its position, or one for all."""
        found: list[RawRow] = []
        for offset, values in enumerate(self._values(piece)):
            row = piece.first_row + offset
            found += self._samples(row, row_key(piece.path, row), values)
        return raw_table(found, self.license, self.task)

    def read_images(self, piece: Piece, rows: Sequence[int]) -> pa.Array:
        """Pictures of the given file rows."""
        if _is_json(piece):
            folder, names = pictures.PictureFolder(piece.images_root), _image_names(piece)
            return image_array([folder.read(names[row - piece.first_row]) for row in rows])
        reader = arrow if _is_arrow(piece) else parquet
        return reader.read_images(piece, self.image_column, rows)

    def _check(self, piece: Piece) -> None:
        schema = _schema_of(piece)
        columns = self._columns(schema.names, piece.path)
        if self.image_column not in schema.names:
            mend = f"It has: {', '.join(schema.names)}; set the column's name"
            raise SchemaError(f"{shown(piece.path)} has no column {self.image_column}", mend)
        column = "" if self.fixed_caption else columns["caption"]
        if column and not _holds_text(schema.field(column).type):
            has = " ".join(str(schema.field(column).type).split())
            problem = f"Column {column!r} of {shown(piece.path)} holds no captions but {has}"
            raise SchemaError(problem, "Name another column")

    def _all_pieces(self, rows_per_shard: int) -> Iterator[Piece]:
        found = resolve(self.address, _SUFFIXES).of_split(self.file_split or self.split)
        if files := _of_suffix(found, ".parquet"):
            yield from parquet.list_pieces(files, rows_per_shard, [], self.image_column)
        elif files := _of_suffix(found, ".arrow"):
            yield from arrow.list_pieces(files, rows_per_shard)
        else:
            for piece in json_files.list_pieces(found, rows_per_shard):
                folder = pictures.picture_folder(self.images, piece.path)
                sha256 = folder.sha256_of(name for name in _image_names(piece) if name)
                yield replace(piece, images_root=folder.root, images_sha256=sha256)

    def _values(self, piece: Piece) -> Iterator[dict[str, Any] | Reject]:
        """The wanted values of each row of the piece, by what they are for."""
        if _is_json(piece):
            for found in json_files.read_objects(piece)[: piece.n_rows]:
                if isinstance(found, Reject):
                    yield found
                    continue
                columns = self._columns(list(found), piece.path, of_row=True)
                yield {use: found.get(name) for use, name in columns.items()}
            return
        columns = self._columns(list(_schema_of(piece).names), piece.path)
        table = (arrow if _is_arrow(piece) else parquet).read_columns(piece, sorted(set(columns.values())))
        values = {use: _plain(table.column(name)) for use, name in columns.items()}
        for row in range(table.num_rows):
            yield {use: column[row] for use, column in values.items()}

    def _columns(self, has: Sequence[str], path: str, *, of_row: bool = False) -> dict[str, str]:
        """Which column serves for what. A row of JSONL (`of_row`) may lack any of them."""
        usual = [self.caption_column] if self.caption_column else CAPTION_COLUMNS
        originals = [self.original_column] if self.original_column else ORIGINAL_COLUMNS
        rules = list(self.only or {})
        found = {
            "caption": next((name for name in usual if name in has), ""),
            "original": next((name for name in originals if name in has), ""),
            "objects": self.objects_column if self.objects_column in has else "",
            "key": next((name for name in KEY_COLUMNS if name in has), ""),
            "split": "split" if "split" in has else "",
            **{f"only:{name}": name for name in rules if name in has},
        }
        if not of_row:
            wanted = [*([] if self.fixed_caption else [] if found["caption"] else [" or ".join(usual)])]
            wanted += [name for name in rules if name not in has]
            wanted += [name for name in [self.original_column] if name and name not in has]
            if wanted:
                problem = f"{shown(path)} has no column {wanted[0]}"
                raise SchemaError(problem, f"It has: {', '.join(has)}; set the column's name")
        return {use: name for use, name in found.items() if name}

    def _samples(self, row: int, key: str, values: dict[str, Any] | Reject) -> Iterator[RawRow]:
        if isinstance(values, Reject):
            yield RawRow(row, key, values)
            return
        key = _key(values.get("key")) or key
        captions = [self.fixed_caption] if self.fixed_caption else texts_in(values.get("caption"))
        if (unwanted := self._unwanted(values)) is not None:
            excerpt = "\n".join(text for text in captions if isinstance(text, str))[:_EXCERPT_CHARS]
            yield RawRow(row, key, unwanted, excerpt=excerpt)
            return
        originals = [text for text in texts_in(values.get("original")) if isinstance(text, str)]
        objects = objects_in(values.get("objects"))
        if self.captions == "joined":
            text = _joined(captions)
            yield RawRow(row, key, text, original_caption=_joined_or_none(originals), objects=objects)
            return
        for number, caption in enumerate(captions):
            pairs = len(originals) == len(captions)
            original = originals[number] if pairs else next(iter(originals), None)
            yield RawRow(row, key, caption, sub_key=str(number), original_caption=original, objects=objects)

    def _unwanted(self, values: dict[str, Any]) -> Reject | None:
        """Why a rule leaves the row out."""
        split = values.get("split")
        split = split.decode("utf-8", "replace") if isinstance(split, bytes) else split
        if self.split != "all" and isinstance(split, str) and normal_split(split) != normal_split(self.split):
            return Reject(Reason.OTHER_SPLIT, split[:40].encode("utf-8", "replace").decode())
        for name, wanted in (self.only or {}).items():
            value = values.get(f"only:{name}")
            value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            if value != wanted:
                has = json.dumps(value, ensure_ascii=True, default=str)[:40]
                return Reject(Reason.SOURCE_RULE, f"{name} is {has}, not {wanted}")
        return None


def _joined(captions: Sequence[str | Reject]) -> str | Reject:
    """All captions as sentences of one text; those that cannot be read are left out if others can."""
    sentences = [text.strip() for text in captions if isinstance(text, str) and text.strip()]
    if not sentences:
        return captions[0]
    return " ".join(text if text.endswith(_SENTENCE_ENDS) else f"{text}." for text in sentences)


def _joined_or_none(texts: Sequence[str]) -> str | None:
    joined = _joined(texts) if texts else None
    return joined if isinstance(joined, str) else None


def _key(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value).encode("utf-8", "replace").decode() if isinstance(value, str | int) else ""


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """Values as Python has them, strings as bytes: Parquet says "string" of what may be no UTF-8."""
    return column.cast(_with_bytes(column.type)).to_pylist() if column.num_chunks else []


def _holds_text(type_: pa.DataType) -> bool:
    """Whether there is text somewhere in values of this type, or nothing at all."""
    if pa.types.is_struct(type_):
        return any(_holds_text(field.type) for field in type_)
    is_nested = pa.types.is_dictionary(type_) or hasattr(type_, "value_type")
    return _holds_text(type_.value_type) if is_nested else is_text_type(type_)


def _with_bytes(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(type_):
        return _with_bytes(type_.value_type)
    if pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return pa.large_binary()
    if pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_):
        return pa.large_list(_with_bytes(type_.value_type))
    if pa.types.is_struct(type_):
        return pa.struct([(field.name, _with_bytes(field.type)) for field in type_])
    return type_


@lru_cache(maxsize=8)
def _image_names(piece: Piece) -> tuple[str, ...]:
    """Each row's picture, empty where the row names none that may be read."""
    names = []
    for found in json_files.read_objects(piece):
        values = [] if isinstance(found, Reject) else [found.get(column) for column in IMAGE_NAME_COLUMNS]
        name = next((value for value in values if isinstance(value, str) and value), "")
        names.append(name if is_inside(name) else "")
    return tuple(names)


def _of_suffix(found: ResolvedAddress, suffix: str) -> ResolvedAddress | None:
    files = tuple(file for file in found.files if file.name.lower().endswith(suffix))
    return replace(found, files=files) if files else None


def _schema_of(piece: Piece) -> pa.Schema:
    return arrow.schema_of(piece) if _is_arrow(piece) else parquet.schema_of(piece)


def _is_arrow(piece: Piece) -> bool:
    return piece.path.lower().endswith(".arrow")


def _is_json(piece: Piece) -> bool:
    return piece.path.lower().endswith(".jsonl")
