"""Types of strangers' columns made plain: what `datasets` reads back, and what one of ours can be cast to."""

from __future__ import annotations

import pyarrow as pa

from curation.release_files import DATASETS_TYPES


def plain_type(type_: pa.DataType) -> pa.DataType | None:
    """The type that a column is carried with, dictionaries and large types resolved; None where it cannot be."""
    if pa.types.is_dictionary(type_):
        return plain_type(type_.value_type)
    if pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return pa.string()
    if pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_):
        inner = plain_type(type_.value_type)
        return None if inner is None else pa.list_(inner)
    if pa.types.is_struct(type_):
        parts = [(part.name, plain_type(part.type)) for part in type_]
        return None if not parts or any(part is None for _, part in parts) else pa.struct(parts)
    return type_ if str(type_) in DATASETS_TYPES else None


def common_type(types: list[pa.DataType]) -> pa.DataType | None:
    """The type that holds all of these without loss (int32 and int64: int64); None where there is none."""
    known = [type_ for type_ in types if not pa.types.is_null(type_)]
    if not known:
        return pa.string()
    try:
        schemas = [pa.schema([("column", type_)]) for type_ in known]
        joined = pa.unify_schemas(schemas, promote_options="permissive").field("column").type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return None
    # "Permissive" makes 64-bit integers floats, which loses digits.
    if pa.types.is_floating(joined) and any(pa.types.is_integer(one) and one.bit_width > 32 for one in known):
        return None
    return plain_type(joined)
