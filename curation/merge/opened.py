"""An opened source of a merge: units that are read one by one, texts first and pictures of chosen rows later.

Every source hands over the same columns (`ROW_SCHEMA`), then those it carries; how it comes by them is its own matter
(`curation.merge.parquet_set`, `curation.merge.source_set`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.keys import content_key
from curation.merge.spec import MergeEntry
from curation.sample import MESSAGES_TYPE
from curation.sources.source import Piece

ROW_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("task", pa.string()),
        ("source", pa.string()),
        ("source_revision", pa.string()),
        ("source_key", pa.string()),
        ("license", pa.string()),
        ("image_origin", pa.string()),
        ("lineage", pa.string()),
        ("parent_id", pa.string()),
        ("text", pa.string()),
        ("messages", MESSAGES_TYPE),
    ]
)
"""What every source hands over of a row, beside its picture."""

OWN_SCHEMA: Final = pa.schema(
    [
        ("row", pa.int64()),  # position in the source's file, where its picture is
        ("own_split", pa.string()),  # train, validation or test where the source tells, else empty
        ("reject_reason", pa.string()),  # a curation.reasons.Reason, or null
        ("reject_detail", pa.string()),
    ]
)
"""What is for the merge alone."""

IMAGES_AT_ONCE: Final = 100
"""Pictures that are read in one go, where a file is not read by row group."""


@dataclass(frozen=True)
class Unit:
    """Rows that are read together: of Parquet files one row group or some, else a piece of `curation.sources`.

    `own_split` is what the file's name tells. `n_bytes` is about what its pictures take in memory, `held_bytes` the
    least that has to be decoded at once to read them in turn. `is_remote`: its bytes are fetched when they are read.
    """

    piece: Piece
    own_split: str
    n_rows: int
    n_bytes: int
    held_bytes: int
    is_remote: bool

    @property
    def key(self) -> str:
        """What names these rows wherever they lie: the file's hash and the rows in it."""
        piece = self.piece
        return f"{piece.content_sha256}:{piece.first_row}:{piece.n_rows}:{piece.images_sha256}"


@dataclass(frozen=True)
class ColumnFate:
    """What became of a source's column: mapped, cast or dropped. `type` is theirs, `ours` empty where it is dropped."""

    source: str
    theirs: str
    type: str
    fate: str
    ours: str = ""
    why: str = ""


@dataclass(frozen=True)
class Provenance:
    """Where a source's rows come from, for the card and the manifest. `kind` says how it was read."""

    name: str
    address: str
    revision: str
    license: str
    kind: str


class Opened(Protocol):
    """A source whose files are known and whose columns are mapped. Reads nothing but footers until it is asked."""

    @property
    def entry(self) -> MergeEntry:
        """What was asked for."""
        ...

    @property
    def provenance(self) -> Provenance:
        """Where it is."""
        ...

    @property
    def columns(self) -> tuple[ColumnFate, ...]:
        """What becomes of its columns."""
        ...

    @property
    def carried(self) -> pa.Schema:
        """Columns beside `ROW_SCHEMA` that it has, with plain types."""
        ...

    @property
    def settings(self) -> Any:
        """What its rows follow from beside its files: part of the merge's key."""
        ...

    def units(self) -> Iterator[Unit]:
        """Its units in source order, found lazily."""
        ...

    def texts(self, unit: Unit, *, with_ids: bool = True) -> pa.Table:
        """All rows of a unit: `ROW_SCHEMA` (ids null where they are not asked for), `OWN_SCHEMA`, `carried`.

        Reads no picture.
        """
        ...

    def images(self, unit: Unit, rows: NDArray[np.int64]) -> Iterator[pa.Array | pa.ChunkedArray]:
        """Pictures (`IMAGE_TYPE`, null where there is none) of file rows in ascending order, a stretch at a time."""
        ...


def fingerprint(source: Opened, n_units: int | None) -> dict[str, Any]:
    """What was read of a source: the hashes of its first units (None: all of them), and how many they are."""
    keys = [unit.key for unit in islice(source.units(), n_units)]
    return {"name": source.entry.name, "n_units": len(keys), "units": content_key(keys=keys)}


class Pictures:
    """Pictures of one chunk, each a view of its bytes; a row without one has a size of 0."""

    def __init__(self, images: pa.StructArray) -> None:
        data = images.field("bytes")
        _, offsets, values = data.buffers()
        ends = np.frombuffer(offsets, np.int32)[data.offset : data.offset + len(data) + 1]
        self._ends, self._values = ends, memoryview(values or b"")
        self.sizes = np.diff(ends).astype(np.int64)
        self.sizes[~images.is_valid().to_numpy(zero_copy_only=False)] = 0

    def at(self, place: int) -> memoryview:
        """The bytes of one picture."""
        return self._values[self._ends[place] : self._ends[place + 1]]
