"""What a source is: it lists pieces, and reads a piece's texts first and images of chosen rows later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

import pyarrow as pa

from curation.sample import MESSAGES_TYPE, Task

RAW_SCHEMA: Final = pa.schema(
    [
        ("row", pa.int64()),  # position in the source file
        ("content_sha256", pa.string()),  # where each row is a file of its own: that file's; null elsewhere
        ("sub_key", pa.string()),  # tells apart several samples of one row; "" otherwise
        ("source_key", pa.string()),  # what a person would look the row up by (file name, imgid, …)
        ("license", pa.string()),
        ("task", pa.string()),
        ("text", pa.string()),  # as the source has it; null where rejected
        ("context", pa.string()),  # null where the source tells nothing
        ("messages", MESSAGES_TYPE),  # the conversation of `image_chat` rows, whose text is null
        ("original_caption", pa.string()),  # where the source has the caption before it was rewritten
        ("objects", pa.list_(pa.string())),  # what the source says is in the picture
        ("image_origin", pa.string()),  # null where the pictures are the source's own, or rendered
        ("parent_id", pa.string()),
        ("lineage", pa.string()),
        ("reject_reason", pa.string()),  # a curation.reasons.Reason, or null
        ("reject_detail", pa.string()),
        ("reject_excerpt", pa.string()),  # what a rejected row says, where it says something
    ]
)


@dataclass(frozen=True)
class Piece:
    """One shard's worth of one source file; picklable and complete: a worker needs nothing else.

    `row_groups` says which Parquet row groups hold the rows (empty for other files); `first_row` and
    `n_rows` are positions in the file. `content_sha256` is the file's content hash and with the row
    range it is what a shard's key is made of; `revision` is lineage only. `byte_range` (start, end) holds
    the rows where the file is one of lines; (0, 0) elsewhere. Where pictures lie apart from the file,
    `images_root` is their folder (resolved: any process can read it) and `images_sha256` tells whether they are
    the same ones: it is part of a shard's key, so that pictures that come later are taken up.
    Where each row is a file of its own, `members` are their paths and content hashes, and `path` is their folder.
    """

    path: str
    content_sha256: str
    revision: str
    row_groups: tuple[int, ...]
    first_row: int
    n_rows: int
    byte_range: tuple[int, int] = (0, 0)
    images_root: str = ""
    images_sha256: str = ""
    members: tuple[tuple[str, str], ...] = ()


class Source(Protocol):
    """A frozen dataclass whose fields are its settings, the address among them."""

    name: ClassVar[str]
    version: ClassVar[int]  # bump when the same settings give other rows
    task: Task

    def pieces(self, rows_per_shard: int) -> Iterator[Piece]:
        """Pieces in source order, found lazily (a remote file's footer is read when its turn comes)."""
        ...

    def read_texts(self, piece: Piece) -> pa.Table:
        """All rows of the piece as `RAW_SCHEMA`, in order. Reads no image."""
        ...

    def read_images(self, piece: Piece, rows: Sequence[int]) -> pa.Array | None:
        """Images (`curation.sample.IMAGE_TYPE`) of the given file rows, in the order given, null where the
        row has none. None where the source has no images at all and they are to be rendered.
        """
        ...
