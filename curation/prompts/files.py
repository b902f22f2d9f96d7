"""Prompts as files: JSON lines, one JSON array, plain text, or CSV with distilvit's columns first."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from curation.errors import BadInputError, StoreError
from curation.prompts.prompt import Prompt
from curation.report.files import cell

FORMATS: Final = ("jsonl", "json", "txt", "csv")
CSV_COLUMNS: Final = ("prompt", "objects", "type", "original_count", "id", "task", "classes", "target")
"""distilvit's in its order, then ours. Names are joined with semicolons; numbers of several and `target` are JSON."""


def write_prompts(prompts: Sequence[Prompt], path: str | Path, kind: str = "jsonl") -> None:
    """Write the prompts in the order they have. A file is made for none, too.

    Raises:
        StoreError: the file cannot be written.
    """
    rows = [prompt.row() for prompt in prompts]
    text = _TEXTS[kind](rows)
    target = Path(path).expanduser()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}", "Choose another --output") from error


def read_prompts(path: str | Path) -> list[Prompt]:
    """The prompts of a file that `write_prompts` wrote as JSON lines, JSON or CSV (told by its first character).

    Raises:
        BadInputError: the file is not there, or a row of it is no prompt of ours; it is named.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(
            f"{path} cannot be read: {getattr(error, 'strerror', error)}", "Name a prompts file"
        ) from error
    prompts = []
    for number, row in enumerate(_rows(text, str(path)), 1):
        try:
            counts = row["original_count"]
            classes = tuple(str(name) for name in row["classes"])
            numbers = tuple(counts) if isinstance(counts, list) else (int(counts),)
            prompts.append(Prompt(str(row["prompt"]), str(row["task"]), classes, numbers))
        except (KeyError, TypeError, ValueError) as error:
            mend = "Write it with generate-prompts; a plain text file does not say what it asks for"
            raise BadInputError(f"{path}: prompt {number} is not one of ours ({error})", mend) from error
    return prompts


def _rows(text: str, path: str) -> list[dict[str, Any]]:
    try:
        if text.lstrip().startswith("["):
            return list(json.loads(text))
        if text.lstrip().startswith("{"):
            return [json.loads(line) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        raise BadInputError(f"{path} is not JSON: {error}", "Write it with generate-prompts again") from error
    rows: list[dict[str, Any]] = []
    for row in csv.DictReader(io.StringIO(text)):
        counts = row.get("original_count") or "0"
        rows.append({**row, "classes": (row.get("classes") or "").split(";"), "original_count": json.loads(counts)})
    return rows


def _jsonl(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _json(rows: Sequence[dict[str, Any]]) -> str:
    return json.dumps(rows, ensure_ascii=False, indent=2) + "\n"


def _txt(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(row["prompt"] + "\n" for row in rows)


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in rows:
        count = row["original_count"]
        told = {
            **row,
            "objects": ";".join(row["objects"]),
            "classes": ";".join(row["classes"]),
            "original_count": json.dumps(count),
            "target": json.dumps(row["target"], ensure_ascii=False),
        }
        writer.writerow([cell(told[name]) for name in CSV_COLUMNS])
    return text.getvalue()


_TEXTS: Final = {"jsonl": _jsonl, "json": _json, "txt": _txt, "csv": _csv}
