"""`--set key=value` for flows whose settings are a dataclass of a command's options."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import Field, fields, replace
from typing import Any, TypeVar, cast

import yaml

from rendering.errors import BadInputError

T = TypeVar("T")


def with_overrides(options: T, overrides: Iterable[str], without: Iterable[str] = ()) -> T:
    """`options`, a dataclass, with fields set as `key=value` says; commas separate the values of a list.

    Raises `BadInputError` for a key that is no field, or one of `without`.
    """
    known = {field.name: field for field in fields(cast("Any", options)) if field.name not in set(without)}
    changed = {}
    for given in overrides:
        key, separator, value = given.partition("=")
        if not separator or key not in known:
            mend = f"Write --set key=value; keys are: {', '.join(sorted(known))}"
            raise BadInputError(f"--set {given} is no option of this flow", mend)
        changed[key] = _value(known[key], value)
    return cast("T", replace(cast("Any", options), **changed))


def _value(field: Field[Any], value: str) -> Any:
    if isinstance(field.default, tuple):
        return tuple(value.split(","))
    return value if isinstance(field.default, str) else yaml.safe_load(value)
