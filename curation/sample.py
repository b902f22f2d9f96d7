"""The sample: one Arrow schema, the only thing that the rooms hand each other.

Only `binary` and `string`, never `large_*`: `datasets` ignores its own metadata in a file that has one,
silently. Text columns come first so that a row group's texts can be read without its images.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal, get_args

import pyarrow as pa

SCHEMA_VERSION: Final = 2

Task = Literal["page_to_html", "table_to_html", "formula_to_latex", "image_to_caption", "image_chat"]
TASKS: Final[tuple[str, ...]] = get_args(Task)

IMAGE_TYPE: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
MESSAGES_TYPE: Final = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))

SAMPLE_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("source_revision", pa.string()),
        ("source_key", pa.string()),
        ("license", pa.string()),
        ("task", pa.string()),
        ("text", pa.string()),
        ("messages", MESSAGES_TYPE),
        ("source_text", pa.string()),
        ("original_caption", pa.string()),
        ("context", pa.string()),
        ("objects", pa.list_(pa.string())),
        ("image_origin", pa.string()),
        ("width_px", pa.int32()),
        ("height_px", pa.int32()),
        ("image_sha256", pa.string()),
        ("text_sha256", pa.string()),
        ("parent_id", pa.string()),
        ("lineage", pa.string()),
        ("warnings", pa.list_(pa.string())),
        ("image", IMAGE_TYPE),
    ],
    metadata={"markupmill_schema_version": str(SCHEMA_VERSION)},
)


def sha256_hex(data: bytes | str) -> str:
    """SHA-256 of `data` (text as UTF-8) in hex."""
    return hashlib.sha256(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data).hexdigest()


def sample_id(source: str, content_sha256: str, row: int, sub_key: str = "") -> str:
    """Id of the sample at `row` of a source file with this content hash.

    It does not depend on the file's name, its revision or the machine, so that a commit which only
    edits a README re-does nothing. `sub_key` tells apart several samples of one row.
    """
    return sha256_hex("\x1f".join([source, content_sha256, str(row), sub_key]))
