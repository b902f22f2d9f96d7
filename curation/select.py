"""Selection: which measured samples go into a release, and why each of the others does not.

Cheap by design: it reads ids, small columns and measures, never an image, a shard at a time. Rules apply in
this order and the first that a row fails is its reason: token limit, `where` clauses in their order, exact
duplicates (the first in source order is kept), the source's `limit`, split counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import duckdb
import pyarrow as pa

from curation.errors import BadInputError
from curation.ingest import MeasureRef, ShardRef, manifest_of, measure_path, samples_path
from curation.keys import content_key
from curation.reasons import Reason
from curation.split import SplitRule, assign_splits
from curation.store import Workspace

SELECTION_VERSION: Final = 2

MARKUP_TASKS: Final = frozenset({"page_to_html", "table_to_html", "formula_to_latex"})
"""Tasks whose picture follows from their text: equal texts are duplicates whatever their pictures' bytes."""

LARGE_COLUMNS: Final = frozenset(
    {"text", "source_text", "original_caption", "context", "objects", "visible_text", "lineage", "warnings", "classes"}
    | {"bias_terms", "bias_terms_original", "minhash", "skeleton_minhash"}
    | {"clip_image_embedding", "clip_text_embedding"}
)
"""Columns that are read only where a clause names them."""

PARENT: Final = "parent:"
"""Marks a group that is still to be looked up: that of the row's parent."""

NOT_FOR_WHERE: Final = frozenset({"image", "messages"})

SELECTION_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("source_index", pa.int32()),
        ("shard", pa.string()),
        ("group", pa.string()),  # rows of one group go into one split
        ("split", pa.string()),  # null where left out
        ("reason", pa.string()),  # null where kept
        ("detail", pa.string()),
    ]
)


@dataclass(frozen=True)
class MeasuredShard:
    """A finished shard and all its finished measures."""

    shard: ShardRef
    measures: tuple[MeasureRef, ...]


@dataclass(frozen=True)
class SourceShards:
    """One source's shards in source order, and how many of its rows may be kept (None: all)."""

    name: str
    shards: tuple[MeasuredShard, ...]
    limit: int | None = None


@dataclass(frozen=True)
class Rules:
    """What a selection decides by. `where` are SQL conditions over the columns of samples and measures."""

    max_seq_length: int | None = None
    where: tuple[str, ...] = ()
    dedup: Literal["exact", "none"] = "exact"
    splits: SplitRule = field(default_factory=SplitRule)

    @property
    def clauses(self) -> list[tuple[Reason, str]]:
        """Conditions in the order they apply, each with the reason that it gives."""
        limit = [(Reason.TOO_MANY_TOKENS, f"n_tokens <= {self.max_seq_length}")] if self.max_seq_length else []
        return [*limit, *((Reason.WHERE, clause) for clause in self.where)]


@dataclass(frozen=True)
class Selection:
    """A finished selection: where its ids are, and its accounts."""

    key: str
    rows_in: int
    rows_kept: int
    rejected: Mapping[str, int]
    splits: Mapping[str, int]

    @property
    def path(self) -> str:
        """Path in the workspace."""
        return selection_path(self.key)


@dataclass(frozen=True)
class _Judged:
    """A row after the clauses: what later rules need to know."""

    id: str
    duplicate_key: str
    group: str
    reason: Reason | None
    detail: str | None


def selection_path(key: str) -> str:
    """Path of a selection in the workspace."""
    return f"selections/{key}.parquet"


class Keeper:
    """Applies the rules to shards in source order; says how many rows of the present source are kept so far.

    Holds about 200 bytes for each kept row (its duplicate key and id) and nothing of the others.
    """

    def __init__(self, workspace: Workspace, rules: Rules) -> None:
        self._workspace, self._rules = workspace, rules
        self._first_with: dict[str, str] = {}
        self._limit: int | None = None
        self.n_kept = 0

    def begin_source(self, limit: int | None) -> None:
        """Turn to the next source; duplicates of earlier sources' rows are still known."""
        self._limit, self.n_kept = limit, 0

    @property
    def is_full(self) -> bool:
        """Whether the present source's limit is met."""
        return self._limit is not None and self.n_kept >= self._limit

    def add(self, measured: MeasuredShard) -> list[_Judged]:
        """Judge a shard's rows in order: each is kept (no reason) or left out with the first rule it fails."""
        return [self._decide(row) for row in _judge(self._workspace, measured, self._rules)]

    def _decide(self, row: _Judged) -> _Judged:
        if row.reason:
            return row
        first = self._first_with.get(row.duplicate_key)
        if first is not None and self._rules.dedup == "exact":
            return _left_out(row, Reason.DUPLICATE_EXACT, f"same as {first}")
        if self.is_full:
            return _left_out(row, Reason.OVER_LIMIT, f"limit {self._limit}")
        self._first_with[row.duplicate_key] = row.id
        self.n_kept += 1
        return row


def select(workspace: Workspace, sources: Sequence[SourceShards], rules: Rules) -> Selection:
    """Decide over all shards, write which ids are kept and which left out, and return the accounts.

    Raises `BadInputError` for a clause that DuckDB does not take, or split counts that cannot be filled.
    """
    key = content_key(version=SELECTION_VERSION, sources=list(sources), rules=rules)
    path = selection_path(key)
    if manifest := workspace.finished(manifest_of(path)):
        return _selection(key, manifest)
    keeper = Keeper(workspace, rules)
    tables = [SELECTION_SCHEMA.empty_table()]
    rejected: Counter[str] = Counter()
    for source_index, source in enumerate(sources):
        keeper.begin_source(source.limit)
        for measured in source.shards:
            tables.append(_decisions(source_index, measured.shard.key, keeper.add(measured)))
            rejected.update(dict(measured.shard.rejected))
    decided = _with_splits(_with_families(pa.concat_tables(tables)), rules.splits)
    with workspace.new_parquet(path, SELECTION_SCHEMA) as sink:
        sink.write(decided)
        entry = sink.finish()
    rejected.update(reason for reason in decided.column("reason").to_pylist() if reason)
    splits = Counter(split for split in decided.column("split").to_pylist() if split)
    rows_in = sum(measured.shard.rows_in for source in sources for measured in source.shards)
    assert rows_in == splits.total() + rejected.total(), "a row is neither kept nor rejected"
    workspace.write_manifest(
        manifest_of(path),
        {"selection": entry},
        key=key,
        # in the order of the rows; a shard whose rows are all rejected has none
        shards=[measured.shard.key for source in sources for measured in source.shards],
        rows_in=rows_in,
        rows_kept=splits.total(),
        rows_rejected=dict(sorted(rejected.items())),
        splits=dict(sorted(splits.items())),
    )
    return Selection(key, rows_in, splits.total(), dict(sorted(rejected.items())), dict(sorted(splits.items())))


def _selection(key: str, manifest: Mapping[str, Any]) -> Selection:
    return Selection(key, manifest["rows_in"], manifest["rows_kept"], manifest["rows_rejected"], manifest["splits"])


def _left_out(row: _Judged, reason: Reason, detail: str) -> _Judged:
    return _Judged(row.id, row.duplicate_key, row.group, reason, detail)


def _decisions(source_index: int, shard: str, rows: list[_Judged]) -> pa.Table:
    n_rows = len(rows)
    columns: dict[str, list[Any]] = {
        "id": [row.id for row in rows],
        "source_index": [source_index] * n_rows,
        "shard": [shard] * n_rows,
        "group": [row.group for row in rows],
        "split": [None] * n_rows,
        "reason": [row.reason and str(row.reason) for row in rows],
        "detail": [row.detail for row in rows],
    }
    return pa.table(columns, schema=SELECTION_SCHEMA)


def _with_families(decided: pa.Table) -> pa.Table:
    """Put children into the group of their parent; children of a parent that is not here stay together."""
    groups = decided.column("group").to_pylist()
    parents = {group.removeprefix(PARENT) for group in groups if group.startswith(PARENT)}
    if not parents:
        return decided
    group_of = {
        id_: group for id_, group in zip(decided.column("id").to_pylist(), groups, strict=True) if id_ in parents
    }
    for index in range(len(groups)):
        while groups[index].startswith(PARENT) and groups[index].removeprefix(PARENT) in group_of:
            groups[index] = group_of[groups[index].removeprefix(PARENT)]
    position = SELECTION_SCHEMA.get_field_index("group")
    return decided.set_column(position, SELECTION_SCHEMA.field("group"), pa.array(groups, pa.string()))


def _with_splits(decided: pa.Table, rule: SplitRule) -> pa.Table:
    reasons, details = decided.column("reason").to_pylist(), decided.column("detail").to_pylist()
    kept = [index for index, reason in enumerate(reasons) if reason is None]
    splits: list[str | None] = [None] * len(reasons)
    groups = decided.column("group").to_pylist()
    for index, split in zip(kept, assign_splits([groups[index] for index in kept], rule), strict=True):
        splits[index] = split
        if split is None:
            reasons[index], details[index] = str(Reason.OVER_SPLIT_COUNT), f"{rule.total} rows were asked for"
    for name, values in {"split": splits, "reason": reasons, "detail": details}.items():
        position = SELECTION_SCHEMA.get_field_index(name)
        decided = decided.set_column(position, SELECTION_SCHEMA.field(name), pa.array(values, pa.string()))
    return decided


def _judge(workspace: Workspace, measured: MeasuredShard, rules: Rules) -> list[_Judged]:
    """Evaluate the clauses over one shard; in the shard's row order."""
    clauses = rules.clauses
    table = read_columns(workspace, measured, " ".join(clause for _, clause in clauses))
    verdicts = [_evaluate(table, clause) for _, clause in clauses]
    judged = []
    names = ("id", "task", "text_sha256", "image_sha256", "parent_id")
    for index, (id_, task, text_hash, image_hash, parent) in enumerate(
        zip(*(table.column(name).to_pylist() for name in names), strict=True)
    ):
        failed = next((c for c, verdict in zip(clauses, verdicts, strict=True) if verdict[index] is not True), None)
        # rows of one picture, or of one text where the text makes the picture, must not straddle splits
        own = text_hash if task in MARKUP_TASKS else image_hash
        duplicate_key = text_hash if task in MARKUP_TASKS else f"{text_hash}{image_hash}"
        reason, clause = failed or (None, None)
        group = f"{PARENT}{parent}" if parent else own or id_
        judged.append(_Judged(id_, f"{task}{duplicate_key}", group, reason, clause))
    return judged


def read_columns(workspace: Workspace, measured: MeasuredShard, mentioned: str) -> pa.Table:
    """A shard's small sample columns beside its measures, and the large columns that `mentioned` names."""
    words = set(re.findall(r"\w+", mentioned))
    paths = [samples_path(measured.shard.key), *(measure_path(m.measure, m.key) for m in measured.measures)]
    columns: dict[str, pa.ChunkedArray] = {}
    for path in paths:
        if measured.shard.rows_kept == 0 and path != paths[0]:
            continue
        with workspace.open_parquet(path) as file:
            names = [
                name
                for name in file.schema_arrow.names
                if name not in NOT_FOR_WHERE and (name not in LARGE_COLUMNS or name in words)
            ]
            table = file.read(names)
        if "id" in columns and table.column("id") != columns["id"]:
            raise AssertionError(f"{path} does not hold the rows of its shard")
        columns |= {name: table.column(name) for name in names}
    return pa.table(columns)


def _evaluate(table: pa.Table, clause: str) -> list[bool | None]:
    if table.num_rows == 0:
        return []
    verdicts = _query(table, f"SELECT ({clause})::BOOLEAN FROM samples ORDER BY __position")  # noqa: S608 - see _query
    if isinstance(verdicts, str):
        raise BadInputError(
            f"`where` clause {clause!r} cannot be evaluated: {verdicts}",
            f"Columns there are: {', '.join(table.column_names)}",
        )
    return verdicts


def _query(table: pa.Table, sql: str) -> list[bool | None] | str:
    """One column of verdicts, or DuckDB's complaint in one line.

    The SQL is the user's: it reads no file, no network, and changes no setting. The complaint is a value because
    an exception would keep the connection alive past DuckDB's own end.
    """
    config = {"enable_external_access": "false", "lock_configuration": "true", "threads": "1"}
    with duckdb.connect(":memory:", config=config) as connection:
        position = pa.array(range(table.num_rows), pa.int64())
        connection.register("samples", table.append_column("__position", position))
        try:
            return [value for (value,) in connection.execute(sql).fetchall()]
        except duckdb.Error as error:
            return str(error).splitlines()[0].rstrip("!.")
