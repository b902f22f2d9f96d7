"""One piece of a source becomes one shard: texts first, images only for rows that are still in.

    read texts -> text stages (canonical form, token ceiling) -> fetch images -> image stages -> shard

Every row of the piece ends in the shard or among the rejects, with its reason: the manifest holds the counts.
Columns that a stage adds and samples do not have are written as the measure of that stage's name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from curation.errors import MarkupmillError, ShardError
from curation.keys import content_key
from curation.parquet_sink import ROWS_PER_ROW_GROUP, ParquetSink
from curation.reasons import Reason, Reject
from curation.sample import SAMPLE_SCHEMA, sample_id, sha256_hex
from curation.sources import parquet
from curation.sources.files import shown
from curation.sources.source import Piece, Source
from curation.stage import Batch, Outcome, Stage
from curation.store import Workspace
from curation.workers import describe, run_stage
from rendering.pixels import ImageFault, encode_png

EXCERPT_CHARS: Final = 500
THUMBNAILS_PER_REASON: Final = 3
THUMBNAIL_PX: Final = 160

SOURCE_FIELDS_NOT_IN_KEY: Final = frozenset({"address", "images", "images_map", "n_rows"})
"""Where a source lies and how much of it is asked for; *what* is read is in the piece's content hash and rows."""

_OF_REJECTS: Final = ("reject_reason", "reject_detail", "reject_excerpt")

REJECT_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("source_key", pa.string()),
        ("stage", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("excerpt", pa.string()),
        ("thumbnail", pa.binary()),
    ]
)


@dataclass(frozen=True)
class Ingest:
    """What turns pieces of one source into shards: the source and its two chains of stages."""

    source: Source
    text_stages: tuple[Stage, ...]
    image_stages: tuple[Stage, ...]

    def shard_key(self, piece: Piece) -> str:
        """Key of the shard that this makes of a piece."""
        settings = {
            field.name: getattr(self.source, field.name)
            for field in fields(self.source)  # type: ignore[arg-type]  # sources are dataclasses
            if field.name not in SOURCE_FIELDS_NOT_IN_KEY
        }
        return content_key(
            schema=SAMPLE_SCHEMA.metadata[b"markupmill_schema_version"].decode(),
            source=[self.source.name, self.source.version, settings],
            rows=[piece.content_sha256, piece.first_row, piece.n_rows, piece.images_sha256],
            stages=[[s.name, s.version, s] for s in (*self.text_stages, *self.image_stages)],
        )


@dataclass(frozen=True)
class MeasureRef:
    """What tasks hand on in place of a measure: its name, and its key in the workspace."""

    measure: str
    key: str


@dataclass(frozen=True)
class ShardRef:
    """What tasks hand on in place of a shard: its key, its counts, and the measures that ingest made with it."""

    key: str
    rows_in: int
    rows_kept: int
    rejected: tuple[tuple[str, int], ...]
    measures: tuple[MeasureRef, ...]


def samples_path(key: str) -> str:
    """Path of a shard's samples in the workspace."""
    return f"samples/{key}.parquet"


def measure_path(measure: str, key: str) -> str:
    """Path of a shard's measure in the workspace."""
    return f"measures/{measure}/{key}.parquet"


def manifest_of(path: str) -> str:
    """Path of the manifest of a Parquet file in the workspace."""
    return path.removesuffix(".parquet") + ".json"


def finished_shard(workspace: Workspace, key: str) -> ShardRef | None:
    """The shard of this key, if it is there and its files verify."""
    manifest = workspace.finished(manifest_of(samples_path(key)))
    return _ref(key, manifest) if manifest else None


def _ref(key: str, manifest: dict[str, Any]) -> ShardRef:
    return ShardRef(
        key,
        manifest["rows_in"],
        manifest["rows_kept"],
        tuple(sorted(manifest["rows_rejected"].items())),
        tuple(MeasureRef(name, key) for name in manifest["files"] if name not in ("samples", "rejects")),
    )


def ingest_piece(workspace: Workspace, ingest: Ingest, piece: Piece) -> ShardRef:
    """Make the shard of a piece, or find it finished.

    Raises `ShardError` for anything unexpected in one row, `MarkupmillError` for what no row is to blame for.
    """
    key = ingest.shard_key(piece)
    if done := finished_shard(workspace, key):
        return done
    with ExitStack() as exits:
        shard = _ShardWriter(workspace, ingest, key, exits)
        with _reading(ingest.source, piece, key):
            table = _raw_to_samples(ingest.source, piece)
        table = shard.reject_marked(table)
        for stage in ingest.text_stages:
            table = shard.run(stage, table)
        for start in range(0, table.num_rows, ROWS_PER_ROW_GROUP):
            batch = table.slice(start, ROWS_PER_ROW_GROUP)
            with _reading(ingest.source, piece, key):
                images = ingest.source.read_images(piece, batch.column("row").to_pylist())
                if images is not None:
                    batch = _set(batch, "image", images)
                    following = table.slice(start + ROWS_PER_ROW_GROUP, ROWS_PER_ROW_GROUP)
                    parquet.expect_images(piece, following.column("row").to_pylist())
            for stage in ingest.image_stages:
                batch = shard.run(stage, batch)
            shard.write(batch)
        manifest = shard.finish(piece)
    return _ref(key, manifest)


@contextmanager
def _reading(source: Source, piece: Piece, key: str) -> Iterator[None]:
    """Names what a source raises that is no error of ours; further out it would pass for a fault of the workspace."""
    try:
        yield
    except MarkupmillError:
        raise
    except Exception as error:
        place = f"rows {piece.first_row} to {piece.first_row + piece.n_rows - 1} of {shown(piece.path)}"
        raise ShardError(f"source {source.name}", key, place, describe(error)) from error


def _raw_to_samples(source: Source, piece: Piece) -> pa.Table:
    """The piece's texts as samples with null images, plus `row` and the source's own rejects."""
    raw = source.read_texts(piece)
    n_rows = raw.num_rows
    places = zip(*(raw.column(name).to_pylist() for name in ("content_sha256", "row", "sub_key")), strict=True)
    ids = [
        # the first row of its own file, or the file's row at this position
        sample_id(source.name, own, 0, sub_key) if own else sample_id(source.name, piece.content_sha256, row, sub_key)
        for own, row, sub_key in places
    ]
    known = {
        "id": pa.array(ids, pa.string()),
        "source": pa.array([source.name] * n_rows, pa.string()),
        "source_revision": pa.array([piece.revision] * n_rows, pa.string()),
        "warnings": pa.array([[]] * n_rows, pa.list_(pa.string())),
        **{name: raw.column(name) for name in raw.column_names if name in SAMPLE_SCHEMA.names},
    }
    columns = {f.name: known.get(f.name, pa.nulls(n_rows, f.type)) for f in SAMPLE_SCHEMA}
    for name in ("row", *_OF_REJECTS):
        columns[name] = raw.column(name)
    return pa.table(columns)


class _ShardWriter:
    """Runs stages over one shard's rows and keeps the accounts: every row is written once, here or there."""

    def __init__(self, workspace: Workspace, ingest: Ingest, key: str, exits: ExitStack) -> None:
        self._workspace, self._ingest, self._key, self._exits = workspace, ingest, key, exits
        self._rejects: list[dict[str, Any]] = []
        self._measures: dict[str, ParquetSink] = {}
        self._samples = exits.enter_context(workspace.new_parquet(samples_path(key), SAMPLE_SCHEMA))

    def reject_marked(self, table: pa.Table) -> pa.Table:
        """Take out the rows that the source itself could not read."""
        rejects = [
            Reject(Reason(reason), detail or "") if reason else None
            for reason, detail in zip(
                table.column("reject_reason").to_pylist(), table.column("reject_detail").to_pylist(), strict=True
            )
        ]
        kept = self._keep(f"source {self._ingest.source.name}", table, rejects)
        return kept.drop_columns(list(_OF_REJECTS))

    def run(self, stage: Stage, table: pa.Table) -> pa.Table:
        """Run a stage: its columns set, its rejects taken out."""
        if table.num_rows == 0:
            return table
        outcome: Outcome = run_stage(stage, Batch(table), self._key)
        for name, values in outcome.columns.items():
            table = _set(table, name, values)
        return self._keep(stage.name, table, outcome.rejects)

    def _keep(self, stage: str, table: pa.Table, rejects: list[Reject | None]) -> pa.Table:
        left_out = [(index, reject) for index, reject in enumerate(rejects) if reject is not None]
        if not left_out:
            return table
        shown = Counter(row["reason"] for row in self._rejects if row["thumbnail"])
        for index, reject in left_out:
            row = table.slice(index, 1)
            values = row.select(["id", "source", "source_key"]).to_pylist()[0]
            thumbnail = thumbnail_of(row) if shown[reject.reason] < THUMBNAILS_PER_REASON else None
            shown[reject.reason] += thumbnail is not None
            excerpt = said_by(row)[:EXCERPT_CHARS]
            self._rejects.append(
                {**values, "stage": stage, "reason": str(reject.reason), "detail": reject.detail, "excerpt": excerpt}
                | {"thumbnail": thumbnail}
            )
        return table.filter(pa.array([reject is None for reject in rejects]))

    def write(self, table: pa.Table) -> None:
        """Append finished rows to the shard, and what is not part of a sample to its measures."""
        if table.num_rows == 0:
            return
        self._samples.write(table.select(SAMPLE_SCHEMA.names).cast(SAMPLE_SCHEMA))
        for stage in self._measuring_stages():
            schema = measure_schema(stage)
            if stage.name not in self._measures:
                path = measure_path(stage.name, self._key)
                self._measures[stage.name] = self._exits.enter_context(self._workspace.new_parquet(path, schema))
            self._measures[stage.name].write(table.select(schema.names).cast(schema))

    def _measuring_stages(self) -> dict[Stage, None]:
        stages = (*self._ingest.text_stages, *self._ingest.image_stages)
        return {s: None for s in stages if any(name not in SAMPLE_SCHEMA.names for name in s.adds.names)}

    def finish(self, piece: Piece) -> dict[str, Any]:
        """Put every file in place, then the manifest."""
        files = {"samples": self._samples.finish()}
        files |= {name: sink.finish() for name, sink in self._measures.items()}
        rejects_path = f"rejects/{self._key}.parquet"
        if self._rejects:
            sink = self._exits.enter_context(self._workspace.new_parquet(rejects_path, REJECT_SCHEMA))
            sink.write(pa.Table.from_pylist(self._rejects, REJECT_SCHEMA))
            files["rejects"] = sink.finish()
        n_kept, n_rejected = self._samples.n_rows, len(self._rejects)
        self._exits.close()  # files are renamed into place here, the manifest comes after
        self._workspace.write_manifest(
            manifest_of(samples_path(self._key)),
            files,
            key=self._key,
            source=self._ingest.source.name,
            content_sha256=piece.content_sha256,
            first_row=piece.first_row,
            rows_in=n_kept + n_rejected,
            rows_kept=n_kept,
            rows_rejected=dict(sorted(Counter(row["reason"] for row in self._rejects).items())),
        )
        manifest = self._workspace.read_json(manifest_of(samples_path(self._key)))
        assert manifest is not None
        return manifest


def said_by(row: pa.Table) -> str:
    """What a row says, for its excerpt: its text, its conversation, or what the source gave of a rejected one."""
    names = [name for name in ("text", "source_text", "reject_excerpt") if name in row.column_names]
    said = [row.column(name)[0].as_py() for name in names]
    turns = row.column("messages")[0].as_py() or []
    return next((text for text in said if text), "\n".join(f"{turn['role']}: {turn['content']}" for turn in turns))


def measure_schema(stage: Stage) -> pa.Schema:
    """Schema of a stage's measure file: the id, and the columns that samples do not have."""
    return pa.schema([("id", pa.string()), *(f for f in stage.adds if f.name not in SAMPLE_SCHEMA.names)])


def _set(table: pa.Table, name: str, values: Any) -> pa.Table:
    position = table.schema.get_field_index(name)
    return table.append_column(name, values) if position < 0 else table.set_column(position, name, values)


def thumbnail_of(row: pa.Table) -> bytes | None:
    """A small PNG of the row's picture, if it has one that decodes."""
    if pc.is_null(row.column("image")[0]).as_py():
        return None
    picture = Batch(row).images[0]
    if isinstance(picture, ImageFault):
        return None
    picture = picture.copy()
    picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    return encode_png(picture)


def text_hashes(texts: list[str | None]) -> pa.Array:
    """`text_sha256` of each text, null for null."""
    return pa.array([None if text is None else sha256_hex(text) for text in texts], pa.string())
