"""Rows of a release, read at random out of Parquet: what is held is a few row groups, whatever the release's size.

Every layout that a release can have (`curation.layouts`) and every renaming of its columns gives the same `Row`.
Pictures stay encoded. Not for the order of rows (`training.order`), nor for making examples (`training.examples`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from curation.conversation import Prompt
from rendering.errors import BadInputError
from training.config import DataConfig
from training.order import MAX_WINDOW_GROUPS, Order

Turn = Mapping[str, str]
Indices = npt.NDArray[np.int64]

CACHE_BYTES: Final = 400_000_000
"""What the row groups that are held may have together, uncompressed (the one that is read may have more)."""

_OPTIONAL: Final = ("messages", "classes", "width_px", "height_px")
_REMAKE: Final = "Build the release again, or name another one in data.release"


@dataclass(frozen=True)
class Row:
    """One sample. `image` are encoded bytes, as the source had them; `text` is the target, "" in `image_chat`.

    `conversation` are the turns of an `image_chat` row (without a system turn that the release's own prompt put
    there), and None in every other task. `classes` is () where the release does not carry them.
    """

    id: str
    task: str
    text: str
    image: bytes
    conversation: tuple[Turn, ...] | None
    classes: tuple[str, ...]


@dataclass(frozen=True)
class RowGroup:
    """Where a row group stands, and the first of its rows among all of the split."""

    path: Path
    index: int
    first_row: int
    n_rows: int
    n_bytes: int
    """Of the columns that are read, uncompressed."""


@dataclass(frozen=True)
class Columns:
    """Which layout a release has, and what its columns are called: ours to theirs, those that are there."""

    layout: str
    names: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Rows:
    """Random access to rows. Pickles without what it holds, so that each DataLoader worker holds its own.

    Rows are numbered in the release's order. `chosen` are the numbers in the release of those that a limit left,
    ascending; None where all are there. `prompt` is what the release's conversations say around the targets: `Prompt()`
    in the layout `image_text`, which leaves that to the trainer.
    """

    name: str
    split: str
    task: str
    columns: Columns
    groups: tuple[RowGroup, ...]
    prompt: Prompt = field(default_factory=Prompt)
    chosen: Indices | None = None
    _held: OrderedDict[int, pa.Table] = field(default_factory=OrderedDict, repr=False, compare=False)

    def __len__(self) -> int:
        return self.n_in_release if self.chosen is None else len(self.chosen)

    def __getitem__(self, index: int) -> Row:
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        number = index if self.chosen is None else int(self.chosen[index])
        place = int(np.searchsorted(self._firsts, number, side="right")) - 1
        table = self._group(place)
        return self._row(table, number - self.groups[place].first_row)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": OrderedDict()}

    @property
    def n_in_release(self) -> int:
        """Rows of the split, before any limit."""
        return self.groups[-1].first_row + self.groups[-1].n_rows

    @property
    def group_sizes(self) -> Indices:
        """How many rows each row group has, in order; those of which a limit left none are not there."""
        if self.chosen is None:
            return np.array([group.n_rows for group in self.groups], np.int64)
        places = np.searchsorted(self._firsts, self.chosen, side="right") - 1
        sizes = np.unique(places, return_counts=True)[1]
        return np.asarray(sizes, np.int64)

    @property
    def window_groups(self) -> int:
        """Among how many row groups rows may be shuffled so that those are held at once."""
        return _window_groups(self.groups)

    def ids(self) -> pa.Array:
        """The id of every row, in order: 72 bytes a row."""
        tables = [table.column("id").combine_chunks() for _, table in self.scan(("id",))]
        return pa.concat_arrays([t.chunk(0) if isinstance(t, pa.ChunkedArray) else t for t in tables])

    def scan(
        self, names: Sequence[str], wanted: npt.NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[Indices, pa.Table]]:
        """Columns by our names, a row group at a time in order, and which rows they are of; those `wanted` alone.

        Names that the release does not have are left out of the tables.
        """
        theirs = [self.columns.names[name] for name in names if name in self.columns.names]
        ours = [name for name in names if name in self.columns.names]
        for group in self.groups:
            numbers = np.arange(group.first_row, group.first_row + group.n_rows)
            if self.chosen is not None:
                low, high = np.searchsorted(self.chosen, [group.first_row, group.first_row + group.n_rows])
                numbers, indices = self.chosen[low:high], np.arange(low, high)
            else:
                indices = numbers
            if wanted is not None:
                keep = wanted[indices]
                numbers, indices = numbers[keep], indices[keep]
            if len(numbers):
                table = _read(group, theirs).select(theirs).rename_columns(ours)
                yield indices, table if len(numbers) == group.n_rows else table.take(numbers - group.first_row)

    def texts_of(self, table: pa.Table) -> list[tuple[str, tuple[Turn, ...] | None]]:
        """Target and conversation of each row of a table that has what `text_columns` names."""
        return [self._said(table, row) for row in range(table.num_rows)]

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Which of our names say what a row's target and conversation are."""
        return {"image_text": ("text", "messages"), "messages": ("messages",)}.get(
            self.columns.layout, ("prompt", "completion")
        )

    @property
    def image_column(self) -> str:
        """`image`, or `images` in the layouts of conversations."""
        return "image" if self.columns.layout == "image_text" else "images"

    def image_bytes(self, table: pa.Table, row: int) -> bytes:
        """The encoded picture of a row of a table that has `image_column`; b"" where there is none."""
        cell = table.column(self.image_column)[row].as_py()
        if isinstance(cell, list):
            cell = cell[0] if cell else None
        return (cell or {}).get("bytes") or b""

    @property
    def _firsts(self) -> Indices:
        return np.array([group.first_row for group in self.groups], np.int64)

    def _group(self, place: int) -> pa.Table:
        held = self._held
        if place in held:
            held.move_to_end(place)
            return held[place]
        while held and (
            len(held) > MAX_WINDOW_GROUPS or sum(self.groups[one].n_bytes for one in (*held, place)) > CACHE_BYTES
        ):
            held.popitem(last=False)
        wanted = ("id", *self.text_columns, self.image_column, "classes")
        names = {ours: theirs for ours, theirs in self.columns.names.items() if ours in wanted}
        table = _read(self.groups[place], list(names.values())).select(list(names.values()))
        held[place] = table.rename_columns(list(names))
        return held[place]

    def _row(self, table: pa.Table, row: int) -> Row:
        text, conversation = self._said(table, row)
        classes = table.column("classes")[row].as_py() if "classes" in table.column_names else None
        image = self.image_bytes(table, row)
        return Row(table.column("id")[row].as_py(), self.task, text, image, conversation, tuple(classes or ()))

    def _said(self, table: pa.Table, row: int) -> tuple[str, tuple[Turn, ...] | None]:
        def cell(name: str) -> Any:
            return table.column(name)[row].as_py() if name in table.column_names else None

        if self.columns.layout == "image_text":
            turns = cell("messages") if self.task == "image_chat" else None
            return cell("text") or "", tuple(turns) if turns else None
        turns = cell("messages") if self.columns.layout == "messages" else [*cell("prompt"), *cell("completion")]
        if self.task != "image_chat":
            return turns[-1]["content"], None
        own_system = self.prompt.system is not None and turns[0]["role"] == "system"
        return "", tuple(turns[1:] if own_system else turns)


def open_rows(folder: Path, data: DataConfig, split: str, limit: int | None) -> Rows:
    """The rows of `data.task` in a split of a release folder; with a `limit` so many of the start of their order.

    That order is the shuffled one of `data.seed` (`training.order`), in which row groups come at random: a limit takes
    whole row groups as far as it goes, so that a part of a release is read at the cost of that part.

    Raises `BadInputError`, one line with the mend, for what is not there, is empty, or is no release.
    """
    files = _files(folder, data.task, split)
    recipe = _recipe(folder)
    columns = _columns(files[0], recipe)
    groups = _groups(files, columns)
    if not groups:
        raise BadInputError(f"{folder.name} has no rows of {data.task} in its split {split}", _REMAKE)
    _check_task(folder, groups[0], columns, data.task)
    prompt = Prompt() if columns.layout == "image_text" else _prompt(recipe)
    rows = Rows(folder.name, split, data.task, columns, groups, prompt)
    if limit is None or limit >= len(rows):
        return rows
    order = Order(rows.group_sizes, data.seed, window_groups=rows.window_groups)
    chosen = np.sort(np.array([order.row_at(position) for position in range(limit)], np.int64))
    return Rows(folder.name, split, data.task, columns, groups, prompt, chosen)


def _files(folder: Path, task: str, split: str) -> list[Path]:
    if not (folder / "data").is_dir():
        raise BadInputError(f"{folder} is no release: it has no folder data", "Give the folder that a build made")
    tasks = sorted(path.name for path in (folder / "data").iterdir() if path.is_dir())
    if tasks and task not in tasks:
        raise BadInputError(f"{folder.name} has no rows of {task}", f"Set data.task to one of: {', '.join(tasks)}")
    place = folder / "data" / task if tasks else folder / "data"
    files = sorted(place.glob(f"{split}-?????-of-?????.parquet"))
    if not files:
        found = sorted({path.name.rsplit("-", 3)[0] for path in place.glob("*-?????-of-?????.parquet")})
        mend = f"It has: {', '.join(found)}" if found else _REMAKE
        raise BadInputError(f"{folder.name} has no split {split} of {task}", mend)
    n_files = int(files[0].stem.rsplit("-", 1)[1])
    if len(files) != n_files:
        problem = f"{folder.name} has {len(files)} of the {n_files} files of its split {split}"
        raise BadInputError(problem, "Fetch the release again")
    return files


def _recipe(folder: Path) -> Mapping[str, Any]:
    try:
        recipe = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return recipe if isinstance(recipe, dict) else {}


def _columns(file: Path, recipe: Mapping[str, Any]) -> Columns:
    """Renames stand in the recipe of a build under `release`, in that of a merge at its top."""
    present = set(_opened(file).schema_arrow.names)
    release = recipe.get("release")
    renamed = (release if isinstance(release, dict) else recipe).get("rename") or {}
    for layout, own in (
        ("image_text", ("image", "text")),
        ("prompt_completion", ("images", "prompt", "completion")),
        ("messages", ("images", "messages")),
    ):
        names = {ours: str(renamed.get(ours, ours)) for ours in (*own, "id", "task", *_OPTIONAL)}
        if all(names[ours] in present for ours in (*own, "id", "task")):
            return Columns(layout, {ours: theirs for ours, theirs in names.items() if theirs in present})
    problem = f"{file.name} has the columns {', '.join(sorted(present))}: no layout of a release"
    raise BadInputError(problem, "It needs image and text (or images and messages), id and task; see recipe.yaml")


def _prompt(recipe: Mapping[str, Any]) -> Prompt:
    said = recipe.get("prompt") or {}
    return Prompt(said.get("system"), said.get("user"))


def _groups(files: Sequence[Path], columns: Columns) -> tuple[RowGroup, ...]:
    groups: list[RowGroup] = []
    read = set(columns.names.values())
    first = 0
    for path in files:
        metadata = _opened(path).metadata
        for index in range(metadata.num_row_groups):
            part = metadata.row_group(index)
            chunks = (part.column(i) for i in range(part.num_columns))
            n_bytes = sum(c.total_uncompressed_size for c in chunks if c.path_in_schema.split(".")[0] in read)
            if part.num_rows:
                groups.append(RowGroup(path, index, first, part.num_rows, n_bytes))
                first += part.num_rows
    return tuple(groups)


def _check_task(folder: Path, group: RowGroup, columns: Columns, task: str) -> None:
    found = _read(group, [columns.names["task"]]).column(0).unique().to_pylist()
    if found != [task]:
        named = ", ".join(str(one) for one in found)
        raise BadInputError(f"{folder.name} has rows of {named} and not of {task}", f"Set data.task to {found[0]}")


def _window_groups(groups: Sequence[RowGroup]) -> int:
    largest = max(group.n_bytes for group in groups)
    return max(1, min(MAX_WINDOW_GROUPS, CACHE_BYTES // max(1, largest)))


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise BadInputError(f"{path} cannot be read ({str(error).splitlines()[0][:160]})", _REMAKE) from error


def _read(group: RowGroup, names: list[str]) -> pa.Table:
    """A row group's columns. The file is opened for each: a footer takes a millisecond, and nothing outlives a fork."""
    with _opened(group.path) as file:
        try:
            return file.read_row_group(group.index, names, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            problem = f"{group.path}, row group {group.index}, cannot be read ({str(error).splitlines()[0][:160]})"
            raise BadInputError(problem, "Fetch or build the release again") from error
