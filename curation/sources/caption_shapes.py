"""Captions and names of objects in any shape: strings, lists, structs with either, and lists written as strings."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from typing import Any, Final

from curation.reasons import Reason, Reject
from curation.sources.rows import decode_text

_CAPTION_FIELDS: Final = ("raw", "caption", "alt_text", "text", "value", "string", "list")
_OBJECT_FIELDS: Final = ("name", "label", "category", "object")


def texts_in(value: object) -> list[str | Reject]:
    """The captions in a value of any shape, in order; never empty: what cannot be read is a `Reject` in its place."""
    if value is None:
        return [Reject(Reason.TEXT_MISSING)]
    if isinstance(value, bytes):
        text = decode_text(value)
        return [text] if isinstance(text, Reject) else texts_in(text)
    if isinstance(value, str):
        listed = _written_list(value)
        return texts_in(listed) if listed is not None else [decode_text(value.encode("utf-8", "surrogatepass"))]
    if isinstance(value, list):
        return [text for part in value for text in texts_in(part)] or [Reject(Reason.TEXT_MISSING, "no caption")]
    if isinstance(value, dict):
        part = _part_of(value, _CAPTION_FIELDS)
        return [Reject(Reason.ANNOTATION_BROKEN, "a struct without a caption")] if part is None else texts_in(part)
    return [Reject(Reason.ANNOTATION_BROKEN, f"{type(value).__name__} where a caption is expected")]


def objects_in(value: object) -> list[str] | None:
    """Names of objects: a list, structs with a name, or one string with commas or semicolons. None where not told."""
    if value is None:
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        listed = _written_list(value)
        if listed is not None:
            return objects_in(listed)
        names = re.split(r"[;,]", value.encode("utf-8", "replace").decode())
        return [name.strip() for name in names if name.strip()]
    if isinstance(value, dict):
        return objects_in(_part_of(value, _OBJECT_FIELDS))
    if isinstance(value, list):
        return [name for part in value for name in objects_in(part) or []]
    return None


def _part_of(value: dict[str, Any], fields: Sequence[str]) -> object:
    """The field of a struct that holds the text: the first usual name with something in it, else the only one."""
    named = [value[name] for name in fields if value.get(name)]
    others = [part for part in value.values() if part is not None]
    return named[0] if named else others[0] if len(others) == 1 else None


def _written_list(text: str) -> list[Any] | None:
    """A list of strings that is written as a string, as JSON or as Python has it (CSV files hold such); else None."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    for read in (json.loads, ast.literal_eval):
        if read is ast.literal_eval and "\\" in text:  # Python warns of escapes that it does not know
            continue
        try:
            value = read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
            return value
    return None
