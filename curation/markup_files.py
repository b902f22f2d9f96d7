"""What a person points at, as a stream of markups: one file, standard input, a folder, Parquet, JSONL, lists.

For looking at markup and rendering it, alone or by the thousand. Data sets that become a release are read by
`curation.sources`, which pins revisions and cuts shards; nothing of that here. Memory does not grow with the input.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

from curation.errors import AddressError, BadInputError, SchemaError
from curation.reasons import Reason, Reject
from rendering.spec import MarkupKind

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

STDIN: Final = "-"
KIND_OF_SUFFIX: Final[dict[str, MarkupKind]] = {".html": "page", ".htm": "page", ".xhtml": "page", ".tex": "formula"}
LIST_SUFFIXES: Final = (".lst", ".txt")
"""A formula a line, unless the task says that they hold pages or tables: then one each."""
JSONL_SUFFIXES: Final = (".jsonl", ".ndjson")
PARQUET_SUFFIX: Final = ".parquet"

KIND_OF_COLUMN: Final[dict[str, MarkupKind | None]] = {
    "html_table": "table",
    "html": "page",
    "latex": "formula",
    "formula": "formula",
    "text": None,
}
"""Columns that hold markup by their name, the first one found; what `text` holds is told by its first row."""
ID_COLUMNS: Final = ("id", "filename", "name", "imgid", "image_id")
MAX_LINE_BYTES: Final = 16 * 1024 * 1024
ROWS_PER_READ: Final = 64
MAX_ID_CHARS: Final = 200
MAX_STEM_CHARS: Final = 60

Form = Literal["one", "lines", "jsonl", "parquet"]


@dataclass(frozen=True)
class Markup:
    """One markup, or why there is none at its place.

    `place` is what a person looks it up by (`page.html`, `train.parquet:17`), `stem` a relative path without
    suffix that is safe to write to and taken by no other markup of the input, `id` the row's own id, else `place`.
    `picture` is what came with it, where a column of pictures was asked for.
    """

    place: str
    stem: str
    row: int
    id: str
    kind: MarkupKind
    text: str | Reject
    picture: bytes | None = None


@dataclass(frozen=True)
class Reading:
    """How to read: the kind where the user says it, columns where the user names them, the largest markup taken."""

    kind: MarkupKind | None = None
    column: str | None = None
    picture_column: str | None = None
    max_markup_bytes: int = 2_000_000


@dataclass(frozen=True)
class _Part:
    """One file of an input, or what standard input holds."""

    name: str
    stem: str
    form: Form
    path: Path | None  # None: standard input
    head: bytes = b""  # of standard input: its first line, read to see what it is


@dataclass(frozen=True)
class MarkupInput:
    """Markups in a fixed order; iterated once. `is_single`: one markup by its form, however it turns out."""

    name: str
    is_single: bool
    parts: tuple[_Part, ...]
    reading: Reading
    stdin: BinaryIO

    def n_markups(self) -> int | None:
        """How many there are, as far as that can be told without reading all: None for a stream."""
        counts = [_n_markups(part) for part in self.parts]
        return None if None in counts else sum(count for count in counts if count is not None)

    def __iter__(self) -> Iterator[Markup]:
        for part in self.parts:
            yield from _read(part, self.reading, self.stdin, alone=len(self.parts) == 1)


def open_markups(address: str, reading: Reading, stdin: BinaryIO) -> MarkupInput:
    """The markups of a file, a folder (all files of known suffix below it, by name) or `-`.

    A file that turns out to hold rows without markup says so when it is read.

    Raises:
        BadInputError: there is nothing there, or it cannot be told what it is; the mend says what to add.
    """
    if address == STDIN:
        head = stdin.readline(MAX_LINE_BYTES)
        if not head.strip() and not (head := head + stdin.read(reading.max_markup_bytes)).strip():
            raise BadInputError("standard input is empty", "Pipe a markup, or JSONL, into the command")
        form: Form = "jsonl" if isinstance(_json(head), dict) else "one"
        parts: tuple[_Part, ...] = (_Part("stdin", "stdin" if form == "one" else "", form, None, head),)
    elif Path(address).is_dir():
        parts = _parts_below(Path(address), reading)
    else:
        path = Path(address)
        if not path.exists():
            raise AddressError(f"{_shown(address)} does not exist", "Name a file, a folder, or - for standard input")
        form = _form(path.name, reading)
        parts = (_Part(path.name, safe_stem(path.stem) if form == "one" else "", form, path),)
    is_single = len(parts) == 1 and parts[0].form == "one" and not Path(address).is_dir()
    return MarkupInput(_shown(Path(address).name or address), is_single, parts, reading, stdin)


def safe_stem(name: str) -> str:
    """`name` as a part of a path that means nothing to a file system: letters, digits, `-` and `_`, not too long."""
    return re.sub(r"[^\w-]", "_", name)[:MAX_STEM_CHARS] or "_"


def _form(name: str, reading: Reading) -> Form:
    suffix = Path(name).suffix.lower()
    if suffix == PARQUET_SUFFIX:
        return "parquet"
    if suffix in JSONL_SUFFIXES:
        return "jsonl"
    if suffix in LIST_SUFFIXES and reading.kind in {None, "formula"}:
        return "lines"
    if suffix in KIND_OF_SUFFIX or reading.kind is not None:
        return "one"
    known = ", ".join([*KIND_OF_SUFFIX, *LIST_SUFFIXES, *JSONL_SUFFIXES, PARQUET_SUFFIX])
    raise BadInputError(
        f"what {_shown(name)} holds cannot be told from its name (known: {known})",
        "Say it with --task page, table or formula",
    )


def _parts_below(folder: Path, reading: Reading) -> tuple[_Part, ...]:
    # A `.txt` in a folder of pages is rather a README than formulas: it counts where the user says what files hold.
    suffixes = {*KIND_OF_SUFFIX, ".lst", *JSONL_SUFFIXES, PARQUET_SUFFIX, *(LIST_SUFFIXES if reading.kind else ())}
    found: list[Path] = []
    for root, folders, names in os.walk(folder):  # does not follow links to folders, so it ends
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            Path(root, name)
            for name in names
            if Path(name).suffix.lower() in suffixes and not name.startswith(".") and Path(root, name).is_file()
        ]
    if not found:
        raise BadInputError(
            f"{_shown(str(folder))} has no file with markup", f"Known suffixes: {', '.join(sorted(suffixes))}"
        )
    parts = []
    taken = {_stem_of(path.relative_to(folder).parent).casefold() for path in found}
    for path in sorted(found, key=lambda path: path.relative_to(folder).parts):
        relative = path.relative_to(folder)
        stem = wanted = _stem_of(relative.with_suffix(""))
        number = 2
        while stem.casefold() in taken:
            stem, number = f"{wanted}-{number}", number + 1
        taken.add(stem.casefold())
        parts.append(_Part(_shown(relative.as_posix()), stem, _form(path.name, reading), path))
    return tuple(parts)


def _stem_of(relative: Path) -> str:
    return "/".join(safe_stem(part) for part in relative.parts)


def _n_markups(part: _Part) -> int | None:
    if part.form == "one":
        return 1
    if part.path is None:
        return None
    if part.form == "parquet":
        with _open_parquet(part.path) as file:
            return int(file.metadata.num_rows)
    n_lines, last = 0, b"\n"
    with _opened(part.path) as stream:
        while chunk := stream.read(1 << 20):
            n_lines += chunk.count(b"\n")
            last = chunk[-1:]
    return n_lines + (last != b"\n")


def _read(part: _Part, reading: Reading, stdin: BinaryIO, *, alone: bool) -> Iterator[Markup]:
    if part.form == "one":
        yield _one(part, reading, stdin, alone=alone)
    elif part.path is None:
        yield from _json_rows(part, reading, itertools.chain([part.head], _lines(stdin)))
    elif part.form == "parquet":
        yield from _parquet_rows(part, part.path, reading)
    else:
        with _opened(part.path) as stream:
            if part.form == "jsonl":
                yield from _json_rows(part, reading, _lines(stream))
                return
            for row, line in enumerate(_lines(stream)):
                text = _text(line)
                empty = isinstance(text, str) and not text.strip()
                found = Reject(Reason.MARKUP_EMPTY, "an empty line") if empty else text
                yield _row(part, row, "", reading.kind or "formula", found)


def _one(part: _Part, reading: Reading, stdin: BinaryIO, *, alone: bool) -> Markup:
    limit = reading.max_markup_bytes
    text: str | Reject
    try:
        if part.path is None:
            data = part.head + stdin.read(max(0, limit + 1 - len(part.head)))
        else:
            with part.path.open("rb") as stream:
                data = stream.read(limit + 1)
    except OSError as error:
        if alone:
            raise AddressError(f"{part.name} cannot be read: {error.strerror}", "Check its permissions") from error
        data, text = b"", Reject(Reason.TEXT_MISSING, f"cannot be read: {error.strerror}")
    else:
        text = _text(data) if len(data) <= limit else Reject(Reason.RENDER_OVER_CAP, f"more than {limit} bytes")
    kind = reading.kind or KIND_OF_SUFFIX.get(Path(part.name).suffix.lower())
    if kind is None and isinstance(text, str):
        kind = _kind_of_text(part.name, text)
    return Markup(part.name, part.stem, 0, part.name, kind or "page", text)


def _json_rows(part: _Part, reading: Reading, lines: Iterable[bytes | None]) -> Iterator[Markup]:
    from curation.stages.rendered import KIND_OF_TASK  # noqa: PLC0415 - imports pyarrow

    column, kind = "", reading.kind
    for row, line in enumerate(lines):
        text = _text(line)
        value = _json(text) if isinstance(text, str) else None
        if not isinstance(value, dict):
            reject = text if isinstance(text, Reject) else Reject(Reason.ANNOTATION_BROKEN, "no JSON object")
            yield _row(part, row, "", kind or "page", reject)
            continue
        if not column:
            column = _column(part.name, list(value), reading)
            kind = kind or KIND_OF_COLUMN.get(column)
        found = _json_text(value.get(column))
        own_kind = reading.kind or KIND_OF_TASK.get(str(value.get("task")))
        if own_kind is None and kind is None and isinstance(found, str):
            kind = _kind_of_text(f"{part.name}, {column!r}", found)
        identity = next((str(value[name]) for name in ID_COLUMNS if value.get(name) is not None), "")
        yield _row(part, row, identity, own_kind or kind or "page", found)


def _parquet_rows(part: _Part, path: Path, reading: Reading) -> Iterator[Markup]:
    import pyarrow as pa  # noqa: PLC0415 - a third of a second that single files save

    from curation.sources.rows import texts_of  # noqa: PLC0415 - imports pyarrow
    from curation.stages.rendered import KIND_OF_TASK  # noqa: PLC0415 - imports pyarrow

    with _open_parquet(path) as file:
        schema = file.schema_arrow
        column = _column(part.name, schema.names, reading)
        id_column = next((name for name in ID_COLUMNS if name in schema.names), "")
        _check_types(part.name, schema, column, reading.picture_column)
        extra = [id_column, "task" if "task" in schema.names else "", reading.picture_column or ""]
        wanted = [column, *(name for name in extra if name and name != column)]
        kind = reading.kind or KIND_OF_COLUMN.get(column)
        row = 0
        for batch in _batches(part.name, file, wanted):
            texts = texts_of(pa.chunked_array([batch.column(column)]))
            n_rows = batch.num_rows
            ids = batch.column(id_column).to_pylist() if id_column else [None] * n_rows
            tasks = batch.column("task").to_pylist() if "task" in wanted else [None] * n_rows
            pictures = _pictures(batch.column(reading.picture_column)) if reading.picture_column else [None] * n_rows
            for text, identity, task, picture in zip(texts, ids, tasks, pictures, strict=True):
                own_kind = reading.kind or KIND_OF_TASK.get(str(task))
                if own_kind is None and kind is None and isinstance(text, str):
                    kind = _kind_of_text(f"{part.name}, column {column!r}", text)
                known = "" if identity is None else str(identity)
                yield replace(_row(part, row, known, own_kind or kind or "page", text), picture=picture)
                row += 1


def _batches(name: str, file: pq.ParquetFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa  # noqa: PLC0415 - see _parquet_rows

    try:
        yield from file.iter_batches(ROWS_PER_READ, columns=columns, use_threads=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise SchemaError(f"{name} is damaged: {_shown(str(error))[:200]}", "Fetch it again") from error


def _row(part: _Part, row: int, identity: str, kind: MarkupKind, text: str | Reject) -> Markup:
    place = f"{part.name}:{row}"
    stem = f"{part.stem}/{row:06d}" if part.stem else f"{row:06d}"
    known = identity[:MAX_ID_CHARS].encode("utf-8", "replace").decode()
    return Markup(place, stem, row, known or place, kind, text)


def _column(name: str, names: Sequence[str], reading: Reading) -> str:
    """The column that holds the markup, by the user's word or by its name."""
    has = f"It has: {', '.join(_shown(one) for one in names[:20])}"
    if reading.column is not None:
        if reading.column not in names:
            raise SchemaError(f"{name} has no column {reading.column!r}", has)
        return reading.column
    found = next((column for column in KIND_OF_COLUMN if column in names), None)
    if found is None:
        raise SchemaError(f"{name} has no column named {', '.join(KIND_OF_COLUMN)}", f"{has}; name one with --column")
    return found


def _check_types(name: str, schema: pa.Schema, column: str, picture_column: str | None) -> None:
    import pyarrow as pa  # noqa: PLC0415 - see _parquet_rows

    from curation.sources.rows import is_text_type  # noqa: PLC0415 - imports pyarrow

    if not is_text_type(schema.field(column).type):
        raise SchemaError(f"column {column!r} of {name} holds no text", "Name another one with --column")
    if picture_column is None:
        return
    if picture_column not in schema.names:
        has = ", ".join(_shown(one) for one in schema.names[:20])
        raise SchemaError(f"{name} has no column {picture_column!r}", f"It has: {has}")
    type_ = schema.field(picture_column).type
    inner = type_.field("bytes").type if pa.types.is_struct(type_) and type_.get_field_index("bytes") >= 0 else type_
    if not (pa.types.is_binary(inner) or pa.types.is_large_binary(inner)):
        raise SchemaError(f"column {picture_column!r} of {name} holds no pictures", "Name another one with --compare")


def _pictures(column: pa.Array) -> list[bytes | None]:
    import pyarrow as pa  # noqa: PLC0415 - see _parquet_rows

    return list((column.field("bytes") if pa.types.is_struct(column.type) else column).to_pylist())


def _open_parquet(path: Path) -> pq.ParquetFile:
    import pyarrow as pa  # noqa: PLC0415 - see _parquet_rows
    import pyarrow.parquet as pq  # noqa: PLC0415 - see _parquet_rows

    try:
        return pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
    except (pa.ArrowInvalid, OSError) as error:
        raise SchemaError(f"{_shown(path.name)} cannot be read as Parquet", "Fetch it again") from error


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise AddressError(f"{_shown(path.name)} cannot be read: {error.strerror}", "Check its permissions") from error


def _lines(stream: BinaryIO) -> Iterator[bytes | None]:
    """Lines of a stream; None for one over `MAX_LINE_BYTES`, which is passed over without being held."""
    while line := stream.readline(MAX_LINE_BYTES):
        if len(line) < MAX_LINE_BYTES or line.endswith(b"\n"):
            yield line
            continue
        while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
            pass
        yield None


def _text(data: bytes | None) -> str | Reject:
    """UTF-8 `data` without its byte order mark and line end, or why it is no text."""
    if data is None:
        return Reject(Reason.MARKUP_TOO_LARGE, f"a line of more than {MAX_LINE_BYTES} bytes")
    try:
        return data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        return Reject(Reason.TEXT_NOT_UTF8, f"byte {error.start} of {len(data)}")


def _json_text(value: object) -> str | Reject:
    """A JSON string that is text: JSON can also write halves of characters."""
    if not isinstance(value, str):
        return Reject(Reason.TEXT_MISSING)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        return Reject(Reason.TEXT_NOT_UTF8, f"character {error.start} of {len(value)}")
    return value


def _kind_of_text(place: str, text: str) -> MarkupKind:
    """A page where it begins like one; anything else has to be told."""
    if text.lstrip().startswith("<"):
        return "page"
    raise BadInputError(f"what {place} holds cannot be told", "Say it with --task page, table or formula")


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _shown(name: str) -> str:
    """A name fit for a message: nothing in it that moves a terminal."""
    return "".join(char if char.isprintable() else "?" for char in name)
