"""Files with captions, read and written again: Parquet, JSON lines, CSV and TSV.

The output is of the kind of the input: the same files with the same rows and columns, the captions as they are to be,
and what they were in `original_caption` (where a file says so already, that stays). Rows of other tasks than captions
are left as they are. Pictures and other files are passed through. Captions are held in memory, pictures are not.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import BadInputError, SchemaError
from curation.sources.captions import CAPTION_COLUMNS

ORIGINAL: Final = "original_caption"
SUFFIXES: Final = (".parquet", ".jsonl", ".csv", ".tsv")
CAPTION_TASK: Final = "image_to_caption"

Cell = str | list[str | None] | None
"""What stands in a row: a caption, several, or none."""


@dataclass(frozen=True)
class Caption:
    """One caption. `id` names its file, row, and number among the row's; the row's caption alone has no number."""

    id: str
    text: str


Rewrites = Mapping[str, str]
"""New captions by id; those that are not there stay."""


def captions_in(path: Path, name: str, column: str = "") -> list[Caption]:
    """The captions of a file, in order; `name` is what it is called in their ids.

    Raises:
        SchemaError: there is no column of captions, or not the one named.
        BadInputError: the file cannot be read.
    """
    with _readable(path):
        found = _column_of(path, column)
        cells = _CELLS[path.suffix.lower()](path, found)
        return [one for row, cell in enumerate(cells) for one in _captions(f"{name}:{row}", cell)]


def has_captions(path: Path, column: str = "") -> bool:
    """Whether a file has a column that captions stand in."""
    with _readable(path):
        return bool(_found(_names(path), column))


def write_captions(path: Path, name: str, rewrites: Rewrites, target: Path, column: str = "") -> None:
    """Write the file at `path` to `target`, with the captions of `rewrites` in place of those that they rewrite."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with _readable(path):
        _WRITERS[path.suffix.lower()](path, name, rewrites, target, _column_of(path, column))


def rewritten(row_id: str, cell: Cell, rewrites: Rewrites) -> Cell:
    """A cell with its new captions."""
    if isinstance(cell, list):
        return [None if text is None else rewrites.get(f"{row_id}:{n}", text) for n, text in enumerate(cell)]
    return cell if cell is None else rewrites.get(row_id, cell)


def _captions(row_id: str, cell: Cell) -> Iterator[Caption]:
    if isinstance(cell, list):
        yield from (Caption(f"{row_id}:{n}", text) for n, text in enumerate(cell) if isinstance(text, str))
    elif isinstance(cell, str):
        yield Caption(row_id, cell)


class _readable:  # noqa: N801 - a context manager, used as one
    """Turns what libraries say of broken files into one line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, OSError | UnicodeDecodeError | pa.ArrowInvalid | json.JSONDecodeError | csv.Error):
            reason = str(error).split("\n", 1)[0]
            raise BadInputError(f"{self._path} cannot be read: {reason}", "Check the file") from error


def _column_of(path: Path, column: str) -> str:
    names = _names(path)
    found = _found(names, column)
    if not found:
        wanted = repr(column) if column else f"of captions ({', '.join(CAPTION_COLUMNS)})"
        raise SchemaError(f"{path} has no column {wanted}", f"Name it with --column; it has: {', '.join(names)}")
    return found


def _found(names: Sequence[str], column: str) -> str:
    wanted = (column,) if column else CAPTION_COLUMNS
    return next((name for name in wanted if name in names), "")


def _names(path: Path) -> list[str]:
    if path.suffix.lower() == ".parquet":
        return list(pq.read_schema(path).names)
    if path.suffix.lower() == ".jsonl":
        return list(dict.fromkeys(name for row in _json_rows(path) for name in row))
    with path.open(encoding="utf-8-sig", newline="") as file:
        return next(csv.reader(file, delimiter=_delimiter(path)), [])


# Parquet


def _parquet_cells(path: Path, column: str) -> Iterator[Cell]:
    with pq.ParquetFile(path) as file:
        _check_type(path, file.schema_arrow.field(column))
        names = [name for name in (column, "task") if name in file.schema_arrow.names]
        for group in range(file.num_row_groups):
            yield from _cells_of(file.read_row_group(group, names), column)


def _cells_of(table: pa.Table, column: str) -> list[Cell]:
    cells: list[Cell] = table.column(column).to_pylist()
    if "task" not in table.column_names or column == "task":
        return cells
    tasks = table.column("task").to_pylist()
    return [cell if task == CAPTION_TASK else None for cell, task in zip(cells, tasks, strict=True)]


def _write_parquet(path: Path, name: str, rewrites: Rewrites, target: Path, column: str) -> None:
    with pq.ParquetFile(path) as file:
        schema = _with_original(file.schema_arrow, column)
        first = 0
        with pq.ParquetWriter(target, schema) as writer:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                writer.write_table(
                    _changed(table, schema, name, first, rewrites, column), row_group_size=max(1, len(table))
                )
                first += len(table)


def _changed(table: pa.Table, schema: pa.Schema, name: str, first: int, rewrites: Rewrites, column: str) -> pa.Table:
    cells = _cells_of(table, column)
    was: list[Cell] = table.column(column).to_pylist()
    now = [
        rewritten(f"{name}:{first + row}", cell, rewrites) if cell is not None else was[row]
        for row, cell in enumerate(cells)
    ]
    before = table.column(ORIGINAL).to_pylist() if ORIGINAL in table.column_names else [None] * len(table)
    originals = [old if old is not None else cell for old, cell in zip(before, cells, strict=True)]
    changed = {column: now, ORIGINAL: originals}
    arrays = [
        pa.array(changed[field.name], field.type) if field.name in changed else table.column(field.name)
        for field in schema
    ]
    return pa.table(arrays, schema=schema)


def _with_original(schema: pa.Schema, column: str) -> pa.Schema:
    """The schema with `original_caption` behind the others, known to `datasets` too where the file speaks to it."""
    if ORIGINAL in schema.names:
        return schema
    metadata = dict(schema.metadata or {})
    if b"huggingface" in metadata:
        told = json.loads(metadata[b"huggingface"])
        features = told.get("info", {}).get("features", {})
        if column in features:
            features[ORIGINAL] = features[column]
            metadata[b"huggingface"] = json.dumps(told).encode()
    return schema.append(pa.field(ORIGINAL, schema.field(column).type)).with_metadata(metadata or None)


def _check_type(path: Path, field: pa.Field) -> None:
    kind = field.type.value_type if pa.types.is_list(field.type) or pa.types.is_large_list(field.type) else field.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise SchemaError(f"{path}: column {field.name!r} is {field.type}, not text", "Name another with --column")


# JSON lines


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise BadInputError(f"{path}, line {number} is no JSON object", "Mend the line, or take it out")
                yield row


def _json_cells(path: Path, column: str) -> Iterator[Cell]:
    for row in _json_rows(path):
        yield _cell_of(row.get(column)) if row.get("task", CAPTION_TASK) == CAPTION_TASK else None


def _cell_of(value: object) -> Cell:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return [one if isinstance(one, str) else None for one in value]
    return None


def _write_json(path: Path, name: str, rewrites: Rewrites, target: Path, column: str) -> None:
    with target.open("w", encoding="utf-8", newline="\n") as file:
        for number, (row, cell) in enumerate(zip(_json_rows(path), _json_cells(path, column), strict=True)):
            if cell is not None:
                row[ORIGINAL] = row[ORIGINAL] if row.get(ORIGINAL) is not None else row[column]
                now = rewritten(f"{name}:{number}", cell, rewrites)
                row[column] = now if not isinstance(now, list) else _merged(row[column], now)
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _merged(was: list[Any], now: list[str | None]) -> list[Any]:
    return [old if new is None else new for old, new in zip(was, now, strict=True)]


# CSV and TSV


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _csv_rows(path: Path) -> Iterator[dict[str, str]]:
    text = io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")
    for row in csv.DictReader(text, delimiter=_delimiter(path), restkey="", restval=""):
        if "" in row:
            raise BadInputError(f"{path} has a row with more cells than its header", "Quote cells with commas in them")
        yield row


def _csv_cells(path: Path, column: str) -> Iterator[Cell]:
    for row in _csv_rows(path):
        yield row[column] if row.get("task", CAPTION_TASK) == CAPTION_TASK else None


def _write_csv(path: Path, name: str, rewrites: Rewrites, target: Path, column: str) -> None:
    names = _names(path)
    names += [ORIGINAL] if ORIGINAL not in names else []
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, delimiter=_delimiter(path), lineterminator="\n")
        writer.writeheader()
        for number, (row, cell) in enumerate(zip(_csv_rows(path), _csv_cells(path, column), strict=True)):
            original = row.get(ORIGINAL) or (row[column] if cell is not None else "")
            now = rewritten(f"{name}:{number}", cell, rewrites)
            writer.writerow({**row, column: now if cell is not None else row[column], ORIGINAL: original})


_CELLS: Final[dict[str, Callable[[Path, str], Iterator[Cell]]]] = {
    ".parquet": _parquet_cells,
    ".jsonl": _json_cells,
    ".csv": _csv_cells,
    ".tsv": _csv_cells,
}
_WRITERS: Final[dict[str, Callable[[Path, str, Rewrites, Path, str], None]]] = {
    ".parquet": _write_parquet,
    ".jsonl": _write_json,
    ".csv": _write_csv,
    ".tsv": _write_csv,
}
