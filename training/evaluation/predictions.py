r"""Predictions as files: one row for each model and sample, JSON Lines or Parquet.

| column | |
|---|---|
| `id`, `task`, `prediction`, `reference` | required strings; a null prediction is an empty one |
| `model` | who predicted; the file's name without its ending where there is none |
| `image` | optional: bytes or `struct{bytes, path}`; in JSON a path beside the file, or `{"bytes": base64}` |
| `classes` | optional list of strings, as data sets have it (`tag:nav`, `cmd:\\frac`) |
| `prompt` | optional: what the model was asked; predictions must not begin with it |
"""

from __future__ import annotations

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import AddressError, SchemaError
from curation.sample import Task

REQUIRED: Final = ("id", "task", "prediction", "reference")
TASKS: Final[tuple[str, ...]] = get_args(Task)

SCHEMA: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "model", "task", "prediction", "reference", "prompt")),
        ("classes", pa.list_(pa.string())),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    ]
)


@dataclass(frozen=True)
class Prediction:
    """What a model wrote for a sample, and what it should have written. `image` are encoded bytes."""

    id: str
    task: Task
    prediction: str
    reference: str
    model: str = ""
    image: bytes | None = None
    classes: tuple[str, ...] = ()
    prompt: str = ""


def read_predictions(paths: Sequence[str | Path]) -> list[Prediction]:
    """The rows of files, in their order.

    Raises:
        AddressError: there is no such file.
        SchemaError: a column is missing or of another type, a task is unknown, a row comes twice, or every prediction
            begins with its prompt.
    """
    found = [row for path in paths for row in _read(Path(path).expanduser())]
    seen: set[tuple[str, str]] = set()
    for row in found:
        if (row.model, row.id) in seen:
            raise SchemaError(f"{row.model or 'a model'} has two predictions for {row.id!r}", "Leave one of them out")
        seen.add((row.model, row.id))
    require_completions(found)
    return found


def require_completions(predictions: Sequence[Prediction]) -> None:
    """Raise `SchemaError` where all predictions of a model begin with their prompt: what is scored would be both."""
    by_model: dict[str, list[Prediction]] = defaultdict(list)
    for row in predictions:
        by_model[row.model].append(row)
    for model, rows in by_model.items():
        if all(row.prompt.strip() and row.prediction.lstrip().startswith(row.prompt.strip()) for row in rows):
            problem = f"Every prediction of {model or 'the model'} begins with its prompt"
            raise SchemaError(problem, "Decode the new tokens alone: output[:, n_prompt_tokens:]")


def write_predictions(predictions: Iterable[Prediction], path: Path) -> None:
    """Write rows as Parquet, pictures in row groups of at most 100."""
    with pq.ParquetWriter(path, SCHEMA) as writer:
        rows = list(predictions)
        for start in range(0, len(rows), 100):
            part = [
                {**vars(row), "image": None if row.image is None else {"bytes": row.image, "path": None}}
                for row in rows[start : start + 100]
            ]
            writer.write_table(pa.Table.from_pylist(part, schema=SCHEMA))


def _read(path: Path) -> list[Prediction]:
    if not path.is_file():
        raise AddressError(f"There is no file {str(path)!r}", "Give a .jsonl or .parquet file of predictions")
    if path.suffix in (".jsonl", ".json"):
        rows = _json_rows(path)
    elif path.suffix == ".parquet":
        rows = _parquet_rows(path)
    else:
        raise AddressError(f"{path.name!r} is no file of predictions", "It ends in .jsonl or .parquet")
    return [_prediction(row, f"{path.name}, row {number}", path) for number, row in enumerate(rows, 1)]


def _json_rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                raise SchemaError(f"{path.name}, line {number} is no JSON object", "Write one object a line")
            rows.append(row)
    return rows


def _parquet_rows(path: Path) -> list[dict[str, Any]]:
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise SchemaError(f"{path.name!r} is no Parquet file", "Write it again") from error
    return cast("list[dict[str, Any]]", table.to_pylist())


def _prediction(row: Mapping[str, Any], where: str, path: Path) -> Prediction:
    if missing := [name for name in REQUIRED if name not in row]:
        raise SchemaError(f"{where} has no {missing[0]!r}", f"Rows need {', '.join(REQUIRED)}")
    texts = {name: row.get(name) for name in (*REQUIRED, "model", "prompt")}
    for name, text in texts.items():
        may_be_null = name not in ("id", "task", "reference")
        if not isinstance(text, str) and not (text is None and may_be_null):
            raise SchemaError(f"{where}: {name} is no string", "Write it as one")
    if row["task"] not in TASKS:
        raise SchemaError(f"{where}: there is no task {row['task']!r}", f"There are: {', '.join(TASKS)}")
    classes = row.get("classes") or ()
    if not isinstance(classes, list | tuple) or not all(isinstance(name, str) for name in classes):
        raise SchemaError(f"{where}: classes is no list of strings", "Write it as one, or leave it out")
    return Prediction(
        id=row["id"],
        task=row["task"],
        prediction=texts["prediction"] or "",
        reference=row["reference"],
        model=texts["model"] or path.stem,
        image=_image(row.get("image"), where, path),
        classes=tuple(dict.fromkeys(classes)),
        prompt=texts["prompt"] or "",
    )


def _image(value: Any, where: str, path: Path) -> bytes | None:
    if isinstance(value, Mapping):
        value = value.get("bytes") if value.get("bytes") is not None else value.get("path")
        if isinstance(value, str) and not _is_beside(path, value):
            try:
                return base64.b64decode(value, validate=True)
            except (binascii.Error, ValueError):
                pass
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str) and _is_beside(path, value):
        return (path.parent / value).read_bytes()
    raise SchemaError(f"{where}: its image cannot be read", 'Give bytes, a path beside the file, or {"bytes": base64}')


def _is_beside(path: Path, name: str) -> bool:
    """Whether a file of that name lies in the folder of `path` or below: rows of others name no file elsewhere."""
    try:
        return (
            len(name) < 1_000
            and "\0" not in name
            and ((there := (path.parent / name).resolve()).is_file() and there.is_relative_to(path.parent.resolve()))
        )
    except OSError:
        return False
