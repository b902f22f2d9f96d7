"""Parquet files with pictures and texts as they are: a release, a workspace's selection, a set of the Hub, a folder.

Read by row group. Of a file of ours (it has all lineage columns) each row keeps its own id, task, source and licence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curation.errors import SchemaError
from curation.merge.opened import IMAGES_AT_ONCE, OWN_SCHEMA, ROW_SCHEMA, ColumnFate, Provenance, Unit
from curation.merge.plain_types import plain_type
from curation.merge.spec import MergeEntry
from curation.reasons import Reason
from curation.release_files import LINEAGE_COLUMNS
from curation.sample import IMAGE_TYPE, sample_id
from curation.sources import parquet
from curation.sources.damage import decoding
from curation.sources.files import ResolvedAddress, SourceFile, normal_split, shown
from curation.sources.hashes import content_sha256
from curation.sources.mapped_files import MappedFiles
from curation.sources.parquet_footer import footer_of
from curation.sources.rows import decode_text, is_text_type, row_key
from curation.sources.source import Piece
from curation.split import SPLITS

WHOLE_BYTES: Final = 64_000_000
"""A row group whose pictures take more than this is read as a stream of pages."""

UNIT_BYTES: Final = 8_000_000
"""Row groups that stand together are one unit up to this size of their pictures: opening each costs a millisecond."""

_ROWS_PER_PAGE: Final = 1_024
_LEAST_PAGE_BYTES: Final = 1_000_000
"""The least that pyarrow can decode is a page: about 1 MB, but 1,024 rows where pyarrow wrote the file."""

_OURS: Final = ("parent_id", *LINEAGE_COLUMNS, "messages")
_NOT_CARRIED: Final = ("width_px", "height_px", "image_sha256", "text_sha256", "warnings", "source_text")
"""Of samples in a workspace; what is carried of them is named."""


@dataclass(frozen=True)
class Chosen:
    """Which rows of a file count, with their splits (a selection of ours): null for a row that does not."""

    splits: pa.Array


@dataclass(frozen=True)
class ParquetSet:
    """Parquet files whose columns are known. `uses` are theirs by ours: image, text and what else is mapped."""

    entry: MergeEntry
    provenance: Provenance
    found: ResolvedAddress
    task: str
    uses: Mapping[str, str]
    is_ours: bool
    columns: tuple[ColumnFate, ...]
    carried: pa.Schema
    chosen: Mapping[str, Chosen]

    @property
    def settings(self) -> Any:
        """See `Opened`."""
        entry = self.entry
        return [entry.name, self.task, sorted(self.uses.items()), entry.license, entry.limit, self.is_ours]

    def units(self) -> Iterator[Unit]:
        """Row groups with rows, several where they are small, file by file."""
        for file in self.found.files:
            sha256 = content_sha256(file)
            with decoding(file.path):
                footer = footer_of(file.path, sha256, file.size_bytes)
            self._check(file, footer)
            first = 0
            for groups in self._joined(footer):
                unit = self._unit(file, sha256, footer, groups, first)
                first += unit.n_rows
                if unit.n_rows:
                    yield unit

    def texts(self, unit: Unit, *, with_ids: bool = True) -> pa.Table:
        """See `Opened`."""
        piece = unit.piece
        theirs = [name for ours, name in self.uses.items() if ours != "image"]
        has = set(parquet.column_names(piece))
        names = list(dict.fromkeys(name for name in theirs if name in has))
        read = parquet.read_columns(piece, names)
        rows = np.arange(piece.first_row, piece.first_row + piece.n_rows)
        splits = self._own_splits(unit, read)
        if piece.path in self.chosen:
            wanted = splits.is_valid()
            read, splits, rows = read.filter(wanted), splits.filter(wanted), rows[wanted.to_numpy(zero_copy_only=False)]
        return self._completed(piece, read, rows, splits, with_ids=with_ids)

    def images(self, unit: Unit, rows: NDArray[np.int64]) -> Iterator[pa.Array | pa.ChunkedArray]:
        """See `Opened`."""
        piece, column = unit.piece, self.uses["image"]
        if unit.is_remote:
            for start in range(0, len(rows), IMAGES_AT_ONCE):
                yield parquet.read_images(piece, column, rows[start : start + IMAGES_AT_ONCE].tolist())
            return
        positions = rows - piece.first_row
        start = 0
        with decoding(piece.path):
            for batch in _image_batches(unit, column):
                here = positions[(positions >= start) & (positions < start + len(batch))] - start
                start += len(batch)
                if len(here):
                    yield _as_images(batch if len(here) == len(batch) else batch.take(pa.array(here)))

    def _joined(self, footer: pq.FileMetaData) -> Iterator[tuple[int, ...]]:
        """Row groups of a file that are read together, as their sizes say."""
        groups: tuple[int, ...] = ()
        n_bytes = 0
        most = UNIT_BYTES if self.entry.limit is None else 0  # no more is read than the limit asks for
        for group in range(footer.num_row_groups):
            here = _picture_bytes(footer, group, self.uses["image"])
            if groups and n_bytes + here > most:
                yield groups
                groups, n_bytes = (), 0
            groups, n_bytes = (*groups, group), n_bytes + here
        if groups:
            yield groups

    def _unit(
        self, file: SourceFile, sha256: str, footer: pq.FileMetaData, groups: tuple[int, ...], first: int
    ) -> Unit:
        n_rows = sum(footer.row_group(group).num_rows for group in groups)
        piece = Piece(file.path, sha256, self.provenance.revision, groups, first, n_rows)
        n_bytes = sum(_picture_bytes(footer, group, self.uses["image"]) for group in groups)
        if not n_rows:
            return Unit(piece, file.split, 0, 0, 0, "://" in file.path)
        page_bytes = max(_LEAST_PAGE_BYTES, n_bytes * _ROWS_PER_PAGE // n_rows)
        held = n_bytes if n_bytes <= WHOLE_BYTES else min(n_bytes, 2 * page_bytes)
        return Unit(piece, file.split, n_rows, n_bytes, held, "://" in file.path)

    def _check(self, file: SourceFile, footer: pq.FileMetaData) -> None:
        """All files have the picture and the text of the first; what else one lacks is null in its rows."""
        schema = footer.schema.to_arrow_schema()
        chat = [] if "text" not in self.uses else [self.uses["text"]]
        parquet.check_columns(file, schema, chat, self.uses["image"])
        for field in self.carried:
            theirs = self.uses[field.name]
            if theirs in schema.names and plain_type(schema.field(theirs).type) != field.type:
                problem = f"column {theirs!r} of {shown(file.path)} is {schema.field(theirs).type}, not {field.type}"
                raise SchemaError(f"{problem} as in the files before it", "Leave the column out, or mend the file")

    def _own_splits(self, unit: Unit, read: pa.Table) -> pa.Array:
        """What the selection, the rows' own column or the file's name tells; empty where nothing does."""
        piece = unit.piece
        if piece.path in self.chosen:
            return self.chosen[piece.path].splits.slice(piece.first_row, piece.n_rows)
        column = self.uses.get("split", "")
        if column not in read.column_names:
            return pa.array([unit.own_split] * piece.n_rows, pa.string())
        told = [normal_split(value or "") for value in _strings(read.column(column)).to_pylist()]
        return pa.array([value if value in SPLITS else unit.own_split for value in told], pa.string())

    def _completed(
        self, piece: Piece, read: pa.Table, rows: NDArray[np.int64], splits: pa.Array, *, with_ids: bool
    ) -> pa.Table:
        """`read` as the merge takes it: what rows do not tell follows from the source."""
        n_rows = len(rows)
        columns: dict[str, Any] = {}
        for ours, theirs in self.uses.items():
            if ours in ("image", "split") or theirs not in read.column_names:
                continue
            type_ = ROW_SCHEMA.field(ours).type if ours in ROW_SCHEMA.names else self.carried.field(ours).type
            columns[ours] = _strings(read.column(theirs)) if type_ == pa.string() else read.column(theirs).cast(type_)
        faults = _faults(columns, self.is_ours)
        if self.is_ours:
            defaults = {name: pa.nulls(n_rows, ROW_SCHEMA.field(name).type) for name in ROW_SCHEMA.names}
        else:
            fixed = {"task": self.task, "source": self.entry.name, "image_origin": "source"}
            fixed |= {"source_revision": self.provenance.revision, "license": self.provenance.license}
            defaults = {name: pa.nulls(n_rows, ROW_SCHEMA.field(name).type) for name in ROW_SCHEMA.names}
            defaults |= {name: pa.repeat(pa.scalar(value, pa.string()), n_rows) for name, value in fixed.items()}
            if with_ids:
                ids = [sample_id(MappedFiles.name, piece.content_sha256, row) for row in rows.tolist()]
                defaults["id"] = pa.array(ids, pa.string())
            name = row_key(piece.path, 0).removesuffix("0")
            defaults["source_key"] = pc.binary_join_element_wise(name, pa.array(rows).cast(pa.string()), "")
            if "license" in columns:
                columns["license"] = columns["license"].fill_null(self.provenance.license)
            if "source_key" in columns:
                columns["source_key"] = pc.coalesce(columns["source_key"], defaults["source_key"])
        row_columns = {name: columns.get(name, defaults[name]) for name in ROW_SCHEMA.names}
        carried = {field.name: columns.get(field.name, pa.nulls(n_rows, field.type)) for field in self.carried}
        own = {
            "row": pa.array(rows, pa.int64()),
            "own_split": splits,
            "reject_reason": pa.array([None if fault is None else str(fault[0]) for fault in faults], pa.string()),
            "reject_detail": pa.array([None if fault is None else fault[1] for fault in faults], pa.string()),
        }
        assert set(own) == set(OWN_SCHEMA.names)
        return pa.table({**row_columns, **own, **carried})


def _faults(columns: dict[str, Any], is_ours: bool) -> list[tuple[Reason, str] | None]:
    """Why a row cannot be used; texts that are no UTF-8 become null."""
    n_rows = len(next(iter(columns.values()))) if columns else 0
    faults: list[tuple[Reason, str] | None] = [None] * n_rows
    for name, column in columns.items():
        if column.type == pa.string() and not _is_utf8(column):
            values = [None if v is None else decode_text(v) for v in column.cast(pa.large_binary()).to_pylist()]
            for row, value in enumerate(values):
                if value is not None and not isinstance(value, str):
                    faults[row] = (Reason.TEXT_NOT_UTF8, f"column {name}, {value.detail}")
            columns[name] = pa.chunked_array([pa.array([v if isinstance(v, str) else None for v in values])])
    said = columns.get("text")
    if said is not None:
        empty = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(said)), 0).fill_null(True)
        if is_ours and "messages" in columns:
            empty = pc.and_(empty, pc.is_null(columns["messages"]))
        for row in np.flatnonzero(empty.to_numpy()).tolist():
            faults[row] = faults[row] or (Reason.TEXT_MISSING, "")
    return faults


def _is_utf8(column: pa.ChunkedArray) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _strings(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts, names and numbers as strings; bytes as they are, whatever they are."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        plain = [pa.array(chunk.to_pylist(), pa.binary()) for chunk in column.chunks]
        parts = [pa.Array.from_buffers(pa.string(), len(part), part.buffers()) for part in plain]
        return pa.chunked_array(parts, pa.string())
    return column.cast(pa.string())


def _image_batches(unit: Unit, column: str) -> Iterator[pa.Array | pa.ChunkedArray]:
    """The picture column of the unit's row groups, whole where they are small, else some pages at a time."""
    piece = unit.piece
    footer = footer_of(piece.path, piece.content_sha256)
    is_struct = pa.types.is_struct(footer.schema.to_arrow_schema().field(column).type)
    leaf, groups = f"{column}.bytes" if is_struct else column, list(piece.row_groups)
    if unit.n_bytes <= WHOLE_BYTES:
        with pq.ParquetFile(piece.path, metadata=footer, pre_buffer=False) as file:
            # One by one: pyarrow grows a buffer by doubling it, and copies and clears memory for all that it holds.
            read = (file.read_row_group(group, columns=[leaf], use_threads=False).column(0) for group in groups)
            yield pa.chunked_array([chunk for column in read for chunk in column.chunks])
        return
    with pq.ParquetFile(piece.path, metadata=footer, buffer_size=_LEAST_PAGE_BYTES, pre_buffer=False) as file:
        for batch in file.iter_batches(IMAGES_AT_ONCE, row_groups=groups, columns=[leaf], use_threads=False):
            yield batch.column(0)


def _picture_bytes(footer: pq.FileMetaData, group: int, column: str) -> int:
    """What a row group's pictures take before compression."""
    row_group = footer.row_group(group)
    chunks = (row_group.column(index) for index in range(row_group.num_columns))
    return sum(int(one.total_uncompressed_size) for one in chunks if one.path_in_schema.split(".")[0] == column)


def _as_images(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Pictures as `IMAGE_TYPE`, without paths: a row is known by its key."""
    if isinstance(column, pa.ChunkedArray):
        return pa.chunked_array([_as_images(chunk) for chunk in column.chunks], IMAGE_TYPE)
    data = column.field("bytes") if pa.types.is_struct(column.type) else column
    data = data.cast(pa.binary()) if data.type != pa.binary() else data
    if pa.types.is_struct(column.type) and column.null_count:
        data = pc.if_else(column.is_valid(), data, pa.scalar(None, pa.binary()))
    paths = pa.nulls(len(data), pa.string())
    mask = data.is_null() if data.null_count else None
    return pa.StructArray.from_arrays([data, paths], fields=list(IMAGE_TYPE), mask=mask)


def open_parquet_set(
    entry: MergeEntry,
    found: ResolvedAddress,
    uses: Mapping[str, str],
    task: str,
    *,
    kind: str = "parquet",
    chosen: Mapping[str, Chosen] | None = None,
) -> ParquetSet:
    """A set over files whose image and text columns are known; all other columns of the first file are looked at."""
    first = found.files[0]
    schema = parquet.file_schema(first.path, content_sha256(first))
    is_ours = all(name in schema.names for name in LINEAGE_COLUMNS)
    uses = dict(uses)
    if is_ours:
        uses = {ours: theirs for ours, theirs in uses.items() if ours in ("image", "text")}
        uses |= {name: name for name in _OURS if name in schema.names}
    else:  # what a row tells of itself
        told = [name for name in ("split", "license") if name in schema.names]
        uses |= {name: name for name in told if name not in uses and is_text_type(schema.field(name).type)}
    fates: list[ColumnFate] = []
    carried: list[pa.Field] = []
    by_theirs = {theirs: ours for ours, theirs in uses.items()}
    for field in schema:
        fate = ColumnFate(entry.name, field.name, " ".join(str(field.type).split())[:60], "dropped")
        ours, plain = by_theirs.get(field.name, field.name), plain_type(field.type)
        if field.name in by_theirs and (ours in ROW_SCHEMA.names or ours in ("image", "split")):
            fates.append(replace(fate, fate="mapped", ours=ours))
        elif field.name not in by_theirs and (field.name in ROW_SCHEMA.names or field.name in OWN_SCHEMA.names):
            fates.append(replace(fate, why="the merge tells its own"))
        elif kind == "workspace" and field.name in _NOT_CARRIED:
            fates.append(replace(fate, why="of the workspace alone"))
        elif plain is None:
            fates.append(replace(fate, why="no type that datasets reads back"))
        else:
            uses[ours] = field.name
            carried.append(pa.field(ours, plain))
            fates.append(replace(fate, fate="mapped" if plain == field.type else "cast", ours=ours))
    license_ = entry.license or ("" if is_ours else "unknown")
    provenance = Provenance(entry.name, shown(entry.address), found.revision, license_, kind)
    return ParquetSet(
        entry, provenance, found, task, uses, is_ours, tuple(fates), pa.schema(carried), dict(chosen or {})
    )


def with_files(found: ResolvedAddress, files: Sequence[SourceFile]) -> ResolvedAddress:
    """The same address with these files alone."""
    return replace(found, files=tuple(files))
