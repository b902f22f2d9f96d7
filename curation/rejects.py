"""What was left out of a selection and why: rejects of ingest and of the selection together, by reason, with examples.

Reads a workspace and changes nothing. The counts are those of the manifests, or it is an error. How they are shown is
for others (`curation.rejects_page`, `flows.rejects`).
"""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.errors import BadInputError, StoreError
from curation.ingest import EXCERPT_CHARS, manifest_of, said_by, samples_path, thumbnail_of
from curation.select import selection_path
from curation.store import Workspace

SELECTION_STAGE: Final = "selection"
_FOR_EXAMPLES: Final = ("id", "source", "source_key", "text", "messages", "image")


@dataclass(frozen=True)
class Example:
    """One row that was left out; `thumbnail` is a small PNG where the row has a picture that decodes."""

    id: str
    source: str
    source_key: str
    stage: str
    detail: str
    excerpt: str
    thumbnail: bytes | None


@dataclass
class ReasonGroup:
    """All rows left out for one reason: how many, by stage and by source, and some of them."""

    reason: str
    stages: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    @property
    def n_rows(self) -> int:
        """Rows left out for this reason."""
        return self.stages.total()


@dataclass(frozen=True)
class LeftOut:
    """What was left out, the most frequent reason first. `what` names the selection; rows are those of all reasons."""

    what: str
    rows_in: int
    rows_kept: int
    groups: tuple[ReasonGroup, ...]

    @property
    def n_rows(self) -> int:
        """Rows of the groups shown."""
        return sum(group.n_rows for group in self.groups)


@dataclass(frozen=True)
class Scope:
    """Which shards count, and the selection over them (None: none was made yet)."""

    what: str
    shards: Sequence[str]
    selection: str | None
    rows_kept: int


def left_out(
    workspace: Workspace,
    release: str | None = None,
    *,
    reason: str | None = None,
    n_examples: int = 20,
    shards: Sequence[str] | None = None,
) -> LeftOut:
    """What the selection of `release` leaves out, or the latest selection; before there is one, what ingest rejected.

    Where `shards` are named, what ingest rejected of them. `reason` alone where given; at most `n_examples` of each,
    those with a picture first.

    Raises:
        BadInputError: there is no such workspace, release or reason.
        StoreError: files of rejects are missing or do not hold what the manifests say.
    """
    scope = scope_of(workspace, release) if shards is None else Scope("these shards", shards, None, 0)
    groups: dict[str, ReasonGroup] = {}
    rows_in = 0
    source_of: dict[str, str] = {}
    expected: Counter[str] = Counter()
    found: dict[str, tuple[list[Example], list[Example]]] = defaultdict(lambda: ([], []))
    for key in scope.shards:
        manifest = workspace.read_json(manifest_of(samples_path(key)))
        if manifest is None:
            raise StoreError(f"shard {key} is not in workspace {workspace.url}", "Run the build again")
        rows_in += manifest["rows_in"]
        source_of[key] = manifest["source"]
        expected.update(manifest["rows_rejected"])
        if "rejects" in manifest["files"]:
            _add_rejects(workspace, manifest["files"]["rejects"]["path"], groups, found, n_examples)
    if {name: group.n_rows for name, group in groups.items()} != dict(expected):
        problem = f"the rejects in workspace {workspace.url} are not those that its manifests count"
        raise StoreError(problem, "Run the build again")
    if scope.selection:
        _add_selection(workspace, scope.selection, source_of, groups, found, n_examples)
    n_left_out = sum(group.n_rows for group in groups.values())
    rows_kept = scope.rows_kept if scope.selection else rows_in - n_left_out
    if rows_in != rows_kept + n_left_out:
        problem = f"{rows_in} rows are not {rows_kept} kept and {n_left_out} left out in workspace {workspace.url}"
        raise StoreError(problem, "Run the build again")
    if reason and reason not in groups:
        known = ", ".join(sorted(groups)) or "none: nothing was left out"
        raise BadInputError(f"no row was left out for {reason!r}", f"There are: {known}")
    for name, group in groups.items():
        with_picture, without = found[name]
        group.examples = [*with_picture, *without][:n_examples]
    ordered = sorted(groups.values(), key=lambda group: (-group.n_rows, group.reason))
    return LeftOut(scope.what, rows_in, rows_kept, tuple(g for g in ordered if reason in (None, g.reason)))


def scope_of(workspace: Workspace, release: str | None) -> Scope:
    """The shards of a release, else of the latest selection, else all.

    Raises:
        BadInputError: there is no such release, or no shard.
        StoreError: the selection is gone.
    """
    if release is not None:
        manifest = workspace.read_json(f"releases/{release}/manifest.json")
        if manifest is None:
            names = ", ".join(_names(workspace, "releases")) or "none"
            raise BadInputError(f"workspace {workspace.url} has no release {release!r}", f"It has: {names}")
        return _of_selection(workspace, str(manifest.get("selection", "")), f"release {release}")
    selections = [path for path in _files(workspace, "selections") if path.endswith(".json")]
    if selections:
        latest = max(selections, key=lambda path: (workspace.fs.modified(path), path))
        return _of_selection(workspace, posixpath.basename(latest).removesuffix(".json"), "latest selection")
    shards = sorted(
        posixpath.basename(p).removesuffix(".json") for p in _files(workspace, "samples") if p.endswith(".json")
    )
    if not shards:
        raise BadInputError(f"{workspace.url} holds no finished shard", "Give the --workspace of a build")
    return Scope("all shards; nothing is selected yet", shards, None, 0)


def _of_selection(workspace: Workspace, key: str, what: str) -> Scope:
    manifest = workspace.read_json(manifest_of(selection_path(key))) if key else None
    if manifest is None or "shards" not in manifest:
        raise StoreError(f"the selection behind the {what} is not in workspace {workspace.url}", "Run the build again")
    return Scope(what, manifest["shards"], key, manifest["rows_kept"])


def _files(workspace: Workspace, folder: str) -> list[str]:
    try:
        return [str(path) for path in workspace.fs.ls(workspace.path(folder), detail=False)]
    except FileNotFoundError:
        return []


def _names(workspace: Workspace, folder: str) -> list[str]:
    return sorted(posixpath.basename(path.rstrip("/")) for path in _files(workspace, folder))


_Found = Mapping[str, tuple[list[Example], list[Example]]]
"""Examples by reason: those with a picture, and those without."""


def _add_rejects(
    workspace: Workspace, path: str, groups: dict[str, ReasonGroup], found: _Found, n_examples: int
) -> None:
    """Count a shard's rejects, and take examples of reasons that want some."""
    with workspace.open_parquet(path) as file:
        counted = file.read(["reason", "stage", "source"]).to_pylist()
        for row in counted:
            _count(groups, row["reason"], row["stage"], row["source"])
        wanted = {reason for reason in {row["reason"] for row in counted} if _wants(found[reason], n_examples)}
        if not wanted:
            return
        for row in _rows(file):
            if row["reason"] in wanted:
                _keep(found[row.pop("reason")], Example(**row), n_examples)


def _rows(file: pq.ParquetFile) -> Iterator[dict[str, Any]]:
    for batch in file.iter_batches(batch_size=100):
        yield from batch.to_pylist()


def _add_selection(
    workspace: Workspace,
    key: str,
    source_of: Mapping[str, str],
    groups: dict[str, ReasonGroup],
    found: _Found,
    n_examples: int,
) -> None:
    with workspace.open_parquet(selection_path(key)) as file:
        table = file.read(["id", "shard", "reason", "detail"])
    wanted: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)  # shard to id to reason and detail
    n_wanted: Counter[str] = Counter()
    for row in table.filter(pc.is_valid(table.column("reason"))).to_pylist():
        _count(groups, row["reason"], SELECTION_STAGE, source_of[row["shard"]])
        if n_wanted[row["reason"]] < n_examples:
            n_wanted[row["reason"]] += 1
            wanted[row["shard"]][row["id"]] = row["reason"], row["detail"] or ""
    for shard, reasons in wanted.items():
        for reason, example in _examples(workspace, shard, reasons):
            _keep(found[reason], example, n_examples)


def _examples(
    workspace: Workspace, shard: str, reasons: Mapping[str, tuple[str, str]]
) -> Iterator[tuple[str, Example]]:
    """The rows of a shard that `reasons` names; of row groups without one only ids are read."""
    with workspace.open_parquet(samples_path(shard)) as file:
        for group in range(file.num_row_groups):
            ids = file.read_row_group(group, ["id"]).column("id").to_pylist()
            rows = [index for index, id_ in enumerate(ids) if id_ in reasons]
            table = file.read_row_group(group, list(_FOR_EXAMPLES)) if rows else None
            for index in rows:
                assert table is not None
                row = table.slice(index, 1)
                names = row.select(["id", "source", "source_key"]).to_pylist()[0]
                reason, detail = reasons[names["id"]]
                said = said_by(row)[:EXCERPT_CHARS]
                yield (
                    reason,
                    Example(**names, stage=SELECTION_STAGE, detail=detail, excerpt=said, thumbnail=thumbnail_of(row)),
                )


def _count(groups: dict[str, ReasonGroup], reason: str, stage: str, source: str) -> None:
    group = groups.setdefault(reason, ReasonGroup(reason))
    group.stages[stage] += 1
    group.sources[source] += 1


def _wants(kept: tuple[list[Example], list[Example]], n_examples: int) -> bool:
    return any(len(examples) < n_examples for examples in kept)


def _keep(kept: tuple[list[Example], list[Example]], example: Example, n_examples: int) -> None:
    examples = kept[0 if example.thumbnail else 1]
    if len(examples) < n_examples:
        examples.append(example)


def one_line(text: str, limit_chars: int) -> str:
    """`text` in one line of at most so many characters, without what would steer a terminal."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    shown = " ".join(shown.split())
    return shown if len(shown) <= limit_chars else shown[: limit_chars - 1] + "…"


def as_table(found: LeftOut, width_chars: int) -> Iterable[str]:
    """Lines for a terminal: reason, rows, stage and source of each group, and one of its rows in the space left."""
    rows = [
        (g.reason, f"{g.n_rows:,}", ", ".join(sorted(g.stages)), ", ".join(sorted(g.sources)), _told(g))
        for g in found.groups
    ]
    head = ("reason", "rows", "stage", "source", "for example")
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(4)]
    for row in [head, *rows]:
        cells = [
            cell.rjust(width) if column == 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        left = "  ".join(cells)
        yield f"{left}  {one_line(row[4], max(20, width_chars - len(left) - 2))}".rstrip()


def _told(group: ReasonGroup) -> str:
    if not group.examples:
        return ""
    first = group.examples[0]
    return f"{first.source_key}: {first.detail or first.excerpt}"
