"""The one pass that writes: blocks of shuffled rows into the splits' files, pictures as they came.

A thread reads and mixes the next block while this one encodes, hashes and writes. Rows that turn out to have no picture
are left out here; everything else was decided before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.errors import BadInputError
from curation.layouts import laid_out
from curation.merge.decide import Decisions
from curation.merge.facts import Facts
from curation.merge.opened import Opened
from curation.merge.shuffle import Block, blocks
from curation.merge.spec import MergeSpec
from curation.merge.splits import RANKS
from curation.parquet_sink import ROWS_PER_ROW_GROUP
from curation.reasons import Reason
from curation.release_files import (
    LINEAGE_COLUMNS,
    PREVIEW_SAMPLES,
    SplitWriter,
    Written,
    chosen_for_preview,
    features_in,
    with_features,
)

_Item = TypeVar("_Item")


@dataclass
class Merged:
    """What was written, and the accounts: rows and picture bytes by source, task and split."""

    written: Written
    counts: Counter[tuple[int, str, str]] = field(default_factory=Counter)
    image_bytes: Counter[int] = field(default_factory=Counter)


def write_merged(
    sources: Sequence[Opened],
    facts: Facts,
    decisions: Decisions,
    spec: MergeSpec,
    carried: pa.Schema,
    folder: Path,
    tell: Callable[[int], None],
) -> Merged:
    """Write every row that is kept into `folder/data`. Rows without a picture are left out in `decisions`.

    Raises `BadInputError` for a column to rename that does not exist, and where no row is left.
    """
    tasks = _tasks(facts, decisions)
    columns = _columns(facts, decisions, carried)
    index = facts.source_index
    merged = Merged(Written({}, {}, []))
    preview: list[dict[str, Any]] = []
    schema: pa.Schema | None = None
    with ExitStack() as exits:
        writers: dict[tuple[str, str], SplitWriter] = {}
        for block in _ahead(blocks(sources, facts, decisions.kept, carried, spec.seed), exits):
            order = _with_pictures(block, decisions)
            if len(preview) < PREVIEW_SAMPLES and len(order):
                preview += chosen_for_preview(
                    block.rows(order[: 4 * PREVIEW_SAMPLES]), max(1, PREVIEW_SAMPLES // len(tasks)), preview
                )
            for (task, split), chosen in _parts(block, order, decisions):
                of_source = np.bincount(index[block.numbers[chosen]], block.sizes[chosen], len(sources))
                for source, n_rows in enumerate(np.bincount(index[block.numbers[chosen]], minlength=len(sources))):
                    if n_rows:
                        merged.counts[source, task, split] += int(n_rows)
                        merged.image_bytes[source] += int(of_source[source])
                done = 0
                while done < len(chosen):
                    # As many as fill a row group: what a block leaves over is copied once more, nothing else is.
                    room = writers[task, split].room if (task, split) in writers else ROWS_PER_ROW_GROUP
                    rows = block.rows(chosen[done : done + room]).select(columns)
                    done += room
                    table = _renamed(laid_out(rows, spec.layout, spec.prompt), spec)
                    if schema is None:
                        schema = with_features(table.schema)
                    if (task, split) not in writers:
                        where = folder / "data" / task if len(tasks) > 1 else folder / "data"
                        writer = writers[task, split] = SplitWriter(where, split, schema, sync=True)
                        exits.callback(writer.abandon)  # does nothing once it is finished
                    writers[task, split].write(table.replace_schema_metadata(schema.metadata))
            tell(len(order))
        for writer in writers.values():
            writer.close()
        for writer in writers.values():
            writer.finish()
    if schema is None:
        raise BadInputError(f"no row of {facts.table.num_rows} is left", f"They were left out: {decisions.rejected()}")
    files = {f"{task}/{split}": writer.facts for (task, split), writer in sorted(writers.items())}
    entries = {
        f"data/{task}/{name}" if len(tasks) > 1 else f"data/{name}": entry
        for (task, _), writer in sorted(writers.items())
        for name, entry in writer.entries.items()
    }
    merged.written = Written(features_in(schema), files, preview, entries)
    return merged


def _ahead(items: Iterator[_Item], exits: ExitStack) -> Iterator[_Item]:
    """`items`, of which the next is made in a thread while this one is used."""
    pool = exits.enter_context(ThreadPoolExecutor(1, "merge-read"))
    nothing = object()
    coming = pool.submit(next, items, nothing)
    while (item := coming.result()) is not nothing:
        coming = pool.submit(next, items, nothing)
        yield item  # type: ignore[misc]  # it is not `nothing`


def _tasks(facts: Facts, decisions: Decisions) -> list[str]:
    column = facts.table.column("task").filter(pa.array(decisions.kept))
    return sorted(column.cast(pa.string()).unique().to_pylist())


def _columns(facts: Facts, decisions: Decisions, carried: pa.Schema) -> list[str]:
    """Columns of the release before they are laid out: those of every release, then what rows bring."""
    kept = facts.table.filter(pa.array(decisions.kept))
    chats = "image_chat" in kept.column("task").cast(pa.string()).unique().to_pylist()
    has_parents = kept.column("parent_id").null_count < kept.num_rows
    own = ["image", "text", *(["messages"] if chats else []), *LINEAGE_COLUMNS, *(["parent_id"] if has_parents else [])]
    return [*own, *(name for name in carried.names if name not in own)]


def _with_pictures(block: Block, decisions: Decisions) -> NDArray[np.int64]:
    """The order of those rows of a block that have a picture; the others are left out."""
    for number in block.numbers[block.sizes == 0].tolist():
        decisions.leave_out(number, Reason.IMAGE_MISSING)
    return block.order[block.sizes[block.order] > 0]


def _parts(
    block: Block, order: NDArray[np.int64], decisions: Decisions
) -> Iterator[tuple[tuple[str, str], NDArray[np.int64]]]:
    """Rows of a block by task and split, each in the order given."""
    tasks = np.array(block.table.column("task").to_pylist())[order]
    ranks = decisions.ranks[block.numbers[order]]
    for task in sorted(set(tasks.tolist())):
        for rank, split in enumerate(RANKS):
            chosen = order[(tasks == task) & (ranks == rank)]
            if len(chosen):
                yield (task, split), chosen


def _renamed(table: pa.Table, spec: MergeSpec) -> pa.Table:
    names = dict(spec.rename)
    if unknown := sorted(set(names) - set(table.column_names)):
        has = ", ".join(table.column_names)
        raise BadInputError(f"`rename` names {unknown[0]!r}, which the release does not have", f"It has: {has}")
    return table.rename_columns([names.get(name, name) for name in table.column_names])
