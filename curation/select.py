"""Selection: which measured samples go into a release, and why each of the others does not.

Cheap by design: it reads ids, small columns and measures, never an image, a shard at a time. Rules apply in
this order and the first that a row fails is its reason: token limit, `where` clauses in their order, exact
duplicates (the first in source order is kept), near duplicates (the best of each cluster is kept), the source's
`limit`, split counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import pyarrow as pa

from curation.candidates import Candidates
from curation.duplicates import Mode
from curation.errors import BadInputError
from curation.ingest import MeasureRef, ShardRef, manifest_of, measure_path, samples_path
from curation.keys import content_key
from curation.reasons import Reason
from curation.split import SplitRule, joined, split_groups
from curation.store import Workspace

SELECTION_VERSION: Final = 3

MARKUP_TASKS: Final = frozenset({"page_to_html", "table_to_html", "formula_to_latex"})
"""Tasks whose picture follows from their text: equal texts are duplicates whatever their pictures' bytes."""

LARGE_COLUMNS: Final = frozenset(
    {"text", "source_text", "original_caption", "context", "objects", "visible_text", "lineage", "warnings", "classes"}
    | {"bias_terms", "bias_terms_original", "minhash", "skeleton_minhash"}
    | {"clip_image_embedding", "clip_text_embedding"}
)
"""Columns that are read only where a clause names them."""

PARENT: Final = "parent:"
"""Marks the key of a child, which its siblings have too: the id of their parent."""

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


_JUDGED_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("source_index", pa.int32()),
        ("shard", pa.string()),
        ("key", pa.string()),
        ("content", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)

SAME_AS: Final = "same as "


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
    dedup: Mode = "exact"
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
    """A row after the clauses: what later rules need to know.

    `key` decides the split; `content` is the hash of its picture, or of its text where that makes the picture.
    """

    id: str
    duplicate_key: str
    key: str
    content: str | None
    reason: Reason | None
    detail: str | None


def selection_path(key: str) -> str:
    """Path of a selection in the workspace."""
    return f"selections/{key}.parquet"


class Keeper:
    """Applies the rules to shards in source order; says how many rows of the present source are kept so far.

    Holds about 200 bytes for each kept row (its duplicate key and id) and six of each that passed the clauses. Near
    duplicates are looked for when a limit seems to be met, and again when what they left open is filled.
    """

    def __init__(self, workspace: Workspace, rules: Rules) -> None:
        self._workspace, self._rules = workspace, rules
        self._first_with: dict[str, str] = {}
        self._limit: int | None = None
        self._source_index = -1
        self._n_rows = 0
        self._has_hashes = True
        self._candidates = Candidates()
        self.n_kept = 0

    def begin_source(self, limit: int | None) -> None:
        """Turn to the next source; duplicates of earlier sources' rows are still known."""
        self._limit, self.n_kept = limit, 0
        self._source_index += 1

    @property
    def is_full(self) -> bool:
        """Whether the present source's limit is met."""
        return self._limit is not None and self.n_kept >= self._limit

    def add(self, measured: MeasuredShard) -> list[_Judged]:
        """Judge a shard's rows in order: each is kept (no reason) or left out with the first rule it fails.

        Near duplicates among them are told by `finish` alone. Raises `BadInputError` where they are to be left out and
        the shard has no hashes.
        """
        self._look_for_hashes(measured)
        rows = _judge(self._workspace, measured, self._rules)
        read = partial(read_columns, self._workspace, measured, "minhash skeleton_minhash")
        self._candidates.begin_shard(read, self._source_index, self._n_rows)
        self._n_rows += len(rows)
        return [self._decide(index, row) for index, row in enumerate(rows)]

    def finish(self) -> tuple[Candidates, list[str | None]]:
        """All rows that passed the clauses, near duplicates found; for every row the name that near ones share.

        Where not all shards have hashes, no row shares a name with another.
        """
        if self._rules.dedup == "near":
            self._candidates.settle()
        nothing: list[str | None] = [None] * self._n_rows
        return self._candidates, self._candidates.groups(self._n_rows) if self._has_hashes else nothing

    def _look_for_hashes(self, measured: MeasuredShard) -> None:
        if measured.shard.rows_kept == 0 or any(ref.measure == "hashes" for ref in measured.measures):
            return
        self._has_hashes = False
        if self._rules.dedup == "near":
            raise BadInputError(
                f"`dedup: near` compares hashes, and shard {measured.shard.key[:12]} was not measured by `hashes`",
                "Add hashes to `measures`, or take `dedup: exact`",
            )

    def _decide(self, index: int, row: _Judged) -> _Judged:
        if row.reason:
            return row
        first = self._first_with.get(row.duplicate_key)
        if first is not None and self._rules.dedup != "none":
            return _left_out(row, Reason.DUPLICATE_EXACT, f"{SAME_AS}{first}")
        if self.is_full:
            self._candidates.add(index, is_kept=False)
            return _left_out(row, Reason.OVER_LIMIT, f"limit {self._limit}")
        self._first_with[row.duplicate_key] = row.id
        self._candidates.add(index, is_kept=True)
        self.n_kept += 1
        if self.n_kept == self._limit and self._rules.dedup == "near":
            self._candidates.settle()
            self.n_kept = self._candidates.n_kept(self._source_index)
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
    tables = [_JUDGED_SCHEMA.empty_table()]
    rejected: Counter[str] = Counter()
    for source_index, source in enumerate(sources):
        keeper.begin_source(source.limit)
        for measured in source.shards:
            tables.append(_decisions(source_index, measured.shard.key, keeper.add(measured)))
            rejected.update(dict(measured.shard.rejected))
    candidates, near = keeper.finish()
    decided = _with_splits(_without_near(pa.concat_tables(tables), candidates), near, rules.splits)
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
    return replace(row, reason=reason, detail=detail)


def _decisions(source_index: int, shard: str, rows: list[_Judged]) -> pa.Table:
    n_rows = len(rows)
    columns: dict[str, list[Any]] = {
        "id": [row.id for row in rows],
        "source_index": [source_index] * n_rows,
        "shard": [shard] * n_rows,
        "key": [row.key for row in rows],
        "content": [row.content for row in rows],
        "reason": [row.reason and str(row.reason) for row in rows],
        "detail": [row.detail for row in rows],
    }
    return pa.table(columns, schema=_JUDGED_SCHEMA)


def _without_near(judged: pa.Table, candidates: Candidates) -> pa.Table:
    """Near duplicates left out, each with the row that is kept; so are the rows that equal one of them."""
    ids, reasons, details = (judged.column(name).to_pylist() for name in ("id", "reason", "detail"))
    kept_for: dict[str, str] = {}
    for index, id_ in enumerate(ids):
        if reasons[index] is None and (kept := candidates.kept_for(index)) is not None:
            kept_for[id_] = ids[kept]
            reasons[index], details[index] = str(Reason.DUPLICATE_NEAR), f"nearly the same as {ids[kept]}"
    for index, reason in enumerate(reasons):
        if reason == Reason.DUPLICATE_EXACT and (name := kept_for.get(details[index].removeprefix(SAME_AS))):
            details[index] += f", for which {name} is kept"
    return _with_columns(judged, {"reason": reasons, "detail": details})


def _with_splits(judged: pa.Table, near: list[str | None], rule: SplitRule) -> pa.Table:
    """Groups and their splits. Of rows that are left out the keys count too: see `split_groups`."""
    keys, reasons, details = (judged.column(name).to_pylist() for name in ("key", "reason", "detail"))
    parents = {key for key in keys if key.startswith(PARENT)}
    groups = keys
    if parents or any(near):
        named = [name if (name := f"{PARENT}{id_}") in parents else None for id_ in judged.column("id").to_pylist()]
        groups = joined(keys, named, judged.column("content").to_pylist(), near)
    splits = split_groups(groups, keys, rule, [reason is None for reason in reasons])
    for index, split in enumerate(splits):
        if split is None and reasons[index] is None:
            reasons[index], details[index] = str(Reason.OVER_SPLIT_COUNT), f"{rule.total} rows were asked for"
    columns = {"group": groups, "split": splits, "reason": reasons, "detail": details}
    return _with_columns(judged, columns).select(SELECTION_SCHEMA.names)


def _with_columns(table: pa.Table, columns: Mapping[str, Sequence[str | None]]) -> pa.Table:
    for name, values in columns.items():
        array, position = pa.array(values, pa.string()), table.schema.get_field_index(name)
        table = table.append_column(name, array) if position < 0 else table.set_column(position, name, array)
    return table


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
        key = f"{PARENT}{parent}" if parent else own or id_
        judged.append(_Judged(id_, f"{task}{duplicate_key}", key, own, reason, clause))
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
    import duckdb  # noqa: PLC0415 - half a second that a selection without clauses saves

    config = {"enable_external_access": "false", "lock_configuration": "true", "threads": "1"}
    with duckdb.connect(":memory:", config=config) as connection:
        position = pa.array(range(table.num_rows), pa.int64())
        connection.register("samples", table.append_column("__position", position))
        try:
            return [value for (value,) in connection.execute(sql).fetchall()]
        except duckdb.Error as error:
            return str(error).splitlines()[0].rstrip("!.")
