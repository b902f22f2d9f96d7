"""Keys: the hash of everything that went into a file. Equal keys, equal bytes."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass

from curation.sample import sha256_hex


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__, **{f.name: getattr(value, f.name) for f in fields(value) if f.compare}}
    raise TypeError(f"{type(value).__name__} cannot be part of a key")


def content_key(**parts: object) -> str:
    """Key of what these parts make: SHA-256 of their canonical JSON.

    Dataclasses count with all fields that make two of them differ: one with `compare=False` says where, not what.
    """
    return sha256_hex(canonical_json(parts))
