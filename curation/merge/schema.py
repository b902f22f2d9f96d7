"""One schema for all sources: which columns go along, cast to what, and a table of what became of every column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pyarrow as pa

from curation.errors import BadInputError, SchemaError
from curation.merge.opened import ColumnFate, Opened
from curation.merge.plain_types import common_type
from curation.sample import SAMPLE_SCHEMA

ALWAYS_CARRIED: Final = ("original_caption", "context", "objects")
"""Columns of samples that go along where any source has a value for them; others where all sources have them."""


def unify(sources: Sequence[Opened], carry: Sequence[str] = ()) -> tuple[pa.Schema, tuple[ColumnFate, ...]]:
    """Columns that the merged rows have beside the known ones, and the fate of every column of every source.

    A column goes along where all sources have it, where it is one of `ALWAYS_CARRIED`, or where `carry` names it.

    Raises:
        SchemaError: two sources have a column with types that do not go together; both are named.
        BadInputError: `carry` names a column that no source has.
    """
    offered = {name: [one for one in sources if name in one.carried.names] for name in _names(sources)}
    for name in carry:
        if name not in offered:
            raise BadInputError(f"`carry` names {name!r}, which no source has", f"There are: {', '.join(offered)}")
    chosen = [
        name
        for name, having in offered.items()
        if len(having) == len(sources) or name in carry or (name in ALWAYS_CARRIED and having)
    ]
    fields = [pa.field(name, _type_of(name, offered[name])) for name in chosen]
    return pa.schema(fields), tuple(fate for one in sources for fate in _fates(one, fields))


def _names(sources: Sequence[Opened]) -> list[str]:
    return list(dict.fromkeys(name for one in sources for name in one.carried.names))


def _type_of(name: str, having: Sequence[Opened]) -> pa.DataType:
    if name in SAMPLE_SCHEMA.names:
        wanted = SAMPLE_SCHEMA.field(name).type
        for one in having:
            if common_type([one.carried.field(name).type, wanted]) != wanted:
                raise _conflict(name, one, having[0], wanted)
        return wanted
    joined = common_type([one.carried.field(name).type for one in having])
    if joined is not None:
        return joined
    first = having[0]
    for one in having[1:]:
        if common_type([first.carried.field(name).type, one.carried.field(name).type]) is None:
            raise _conflict(name, one, first, None)
    raise _conflict(name, having[-1], first, None)


def _conflict(name: str, one: Opened, first: Opened, wanted: pa.DataType | None) -> SchemaError:
    other = f"{first.entry.name} has {first.carried.field(name).type}"
    if wanted and one is first:
        other = f"a sample's is {wanted}"
    problem = f"column {name!r} does not fit: {one.entry.name} has {one.carried.field(name).type}, {other}"
    return SchemaError(problem, f"Give one of them another name: columns: {{{name}_2: {name}}} in a merge recipe")


def _fates(one: Opened, fields: Sequence[pa.Field]) -> list[ColumnFate]:
    types = {field.name: field.type for field in fields}
    fates = []
    for fate in one.columns:
        if fate.fate == "dropped" or fate.ours not in one.carried.names:
            fates.append(fate)
        elif fate.ours not in types:
            fates.append(replace(fate, fate="dropped", ours="", why="not all sources have it; --carry takes it along"))
        elif types[fate.ours] != one.carried.field(fate.ours).type:
            fates.append(replace(fate, fate="cast", why=f"to {types[fate.ours]}"))
        else:
            fates.append(fate)
    return fates
