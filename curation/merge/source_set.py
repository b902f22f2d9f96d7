"""Rows that need a source of ours to be read: lists of captions, tokens woven into tables, pictures beside a JSONL.

Texts pass as the source gives them, without canonical form; what the source rejects is rejected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from curation.errors import BadInputError
from curation.ingest import SOURCE_FIELDS_NOT_IN_KEY
from curation.merge.opened import IMAGES_AT_ONCE, OWN_SCHEMA, ROW_SCHEMA, ColumnFate, Provenance, Unit
from curation.merge.spec import MergeEntry
from curation.reasons import Reason
from curation.sample import sample_id
from curation.sources import arrow, captions, parquet
from curation.sources.files import shown
from curation.sources.pubtabnet import PubTabNet
from curation.sources.source import RAW_SCHEMA, Piece, Source
from curation.split import SPLITS

ROWS_PER_UNIT: Final = 200
_ASSUMED_IMAGE_BYTES: Final = 100_000
"""Of a picture whose size no footer tells; decides how many units are read at a time, nothing else."""

CARRIED: Final = ("original_caption", "context", "objects")
"""What sources tell beside `ROW_SCHEMA`."""

_WITH_SCHEMA: Final = (".parquet", ".arrow")

_USES: Final = {"html": "text", "caption": "text", "original": "original_caption", "key": "source_key"}
"""What settings of sources call a column of ours."""


@dataclass(frozen=True)
class SourceSet:
    """A source of ours as a merge reads it. `own_splits` are by path what the names of its files tell."""

    entry: MergeEntry
    provenance: Provenance
    source: Source
    columns: tuple[ColumnFate, ...]
    carried: pa.Schema
    own_splits: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Any:
        """See `Opened`."""
        own = {
            one.name: getattr(self.source, one.name)
            for one in fields(self.source)  # type: ignore[arg-type]  # sources are dataclasses
            if one.name not in SOURCE_FIELDS_NOT_IN_KEY
        }
        return [self.entry.name, self.source.name, self.source.version, own, self.entry.limit]

    def units(self) -> Iterator[Unit]:
        """Pieces with rows, in source order."""
        for piece in self.source.pieces(ROWS_PER_UNIT):
            if piece.n_rows:
                own_split = self.own_splits.get(piece.path, "")
                n_bytes = piece.n_rows * _ASSUMED_IMAGE_BYTES
                held = IMAGES_AT_ONCE * _ASSUMED_IMAGE_BYTES
                yield Unit(piece, own_split, piece.n_rows, n_bytes, held, "://" in piece.path)

    def texts(self, unit: Unit, *, with_ids: bool = True) -> pa.Table:  # noqa: ARG002 - see `Opened`
        """See `Opened`."""
        raw = self.source.read_texts(unit.piece)
        n_rows = raw.num_rows
        places = zip(*(raw.column(name).to_pylist() for name in ("content_sha256", "row", "sub_key")), strict=True)
        ids = [
            # as `curation.ingest` names them: the same row has the same id in a build
            sample_id(self.source.name, own or unit.piece.content_sha256, 0 if own else row, sub_key)
            for own, row, sub_key in places
        ]
        columns: dict[str, Any] = {name: pa.nulls(n_rows, ROW_SCHEMA.field(name).type) for name in ROW_SCHEMA.names}
        columns |= {name: raw.column(name) for name in raw.column_names if name in ROW_SCHEMA.names}
        columns["id"] = pa.array(ids, pa.string())
        columns["source"] = pa.array([self.entry.name] * n_rows, pa.string())
        columns["source_revision"] = pa.array([unit.piece.revision] * n_rows, pa.string())
        columns["image_origin"] = raw.column("image_origin").fill_null("source")
        columns |= {name: raw.column(name) for name in self.carried.names}
        columns["row"] = raw.column("row")
        columns["own_split"] = pa.array([unit.own_split if unit.own_split in SPLITS else ""] * n_rows, pa.string())
        columns["reject_reason"], columns["reject_detail"] = _with_missing(raw)
        return pa.table(columns).select([*ROW_SCHEMA.names, *OWN_SCHEMA.names, *self.carried.names])

    def images(self, unit: Unit, rows: NDArray[np.int64]) -> Iterator[pa.Array]:
        """See `Opened`. A picture that several rows have is read once for rows that stand together."""
        for start in range(0, len(rows), IMAGES_AT_ONCE):
            wanted, place = np.unique(rows[start : start + IMAGES_AT_ONCE], return_inverse=True)
            images = self.source.read_images(unit.piece, wanted.tolist())
            if images is None:
                raise without_pictures(self.entry)
            yield images if len(place) == len(wanted) else images.take(pa.array(place))


def _with_missing(raw: pa.Table) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """The source's own rejects, and rows whose text is empty (conversations have none)."""
    reasons, details = raw.column("reject_reason"), raw.column("reject_detail")
    blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(raw.column("text"))), 0).fill_null(True)
    missing = pc.and_(pc.and_(blank, pc.is_null(raw.column("messages"))), pc.is_null(reasons))
    return pc.if_else(missing, str(Reason.TEXT_MISSING), reasons), details


def without_pictures(entry: MergeEntry) -> BadInputError:
    """The error for a set of markup alone."""
    problem = f"source {entry.name} ({shown(entry.address) or entry.preset}) has markup and no pictures"
    return BadInputError(problem, "Render it first with `markupmill build`, and merge that release")


def open_source_set(
    entry: MergeEntry, source: Source, first: Piece, kind: str, own_splits: Mapping[str, str] | None = None
) -> SourceSet:
    """A set over a source whose first piece is known.

    Raises `BadInputError` where it has no pictures.
    """
    if source.read_images(first, []) is None:
        raise without_pictures(entry)
    address = str(getattr(source, "address", ""))
    license_ = str(getattr(source, "license", "")) or "unknown"
    columns = _fates(entry, source, first)
    # What rows without declared columns tell is known only when they are read.
    told = {one.ours for one in columns} if first.path.lower().endswith(_WITH_SCHEMA) else set(CARRIED)
    carried = pa.schema([RAW_SCHEMA.field(name) for name in CARRIED if name in told])
    provenance = Provenance(entry.name, shown(address), first.revision, license_, kind)
    return SourceSet(entry, provenance, source, columns, carried, dict(own_splits or {}))


def _fates(entry: MergeEntry, source: Source, first: Piece) -> tuple[ColumnFate, ...]:
    """What the source does with the columns of its first file; of files without columns, those that it looks for."""
    settings = {one.name: getattr(source, one.name) for one in fields(source)}  # type: ignore[arg-type]  # as above
    read = {
        str(theirs): _USES.get(name.removesuffix("_column"), name.removesuffix("_column"))
        for name, theirs in settings.items()
        if name.endswith("_column") and theirs
    }
    path = first.path.lower()
    if not path.endswith(_WITH_SCHEMA):
        return tuple(ColumnFate(entry.name, theirs, "", "mapped", ours) for theirs, ours in read.items())
    schema = parquet.schema_of(first) if path.endswith(".parquet") else arrow.schema_of(first)
    usual = (("text", captions.CAPTION_COLUMNS), ("original_caption", captions.ORIGINAL_COLUMNS))
    for ours, names in (*usual, ("source_key", captions.KEY_COLUMNS)) if source.name == captions.Captions.name else ():
        theirs = next((name for name in names if name in schema.names), "")
        if theirs and ours not in read.values() and not (ours == "text" and settings["fixed_caption"]):
            read.setdefault(theirs, ours)
    if source.name == PubTabNet.name:
        key = next((name for name in ("filename", "imgid", "name") if name in schema.names), "")
        read |= {key: "source_key"} if key else {}
    fates = []
    for field_ in schema:
        told = ColumnFate(entry.name, field_.name, " ".join(str(field_.type).split())[:60], "dropped")
        if field_.name in read:
            fates.append(replace(told, fate="mapped", ours=read[field_.name]))
        else:
            why = "tells which rows are read" if field_.name == "split" else "not read by the preset"
            fates.append(replace(told, why=why))
    return tuple(fates)
