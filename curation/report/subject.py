"""What a report is about: a release or workspace of ours, or a stranger's data set, as shards of a workspace.

A stranger's rows go through the ingest that a build's go through, into a workspace that is kept: what was read and
measured once is found by the next report, and a row that cannot be used keeps its reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, cast

import yaml

from curation.errors import BadInputError
from curation.ingest import Ingest, ShardRef, finished_shard, ingest_piece, manifest_of
from curation.pipeline import parsers, pinned_source
from curation.rejects import scope_of
from curation.report.columns import FoundColumns, find_columns
from curation.sample import TASKS
from curation.select import selection_path
from curation.sources import containers
from curation.sources.address import resolve
from curation.sources.captions import Captions
from curation.sources.files import ResolvedAddress, normal_split, shown
from curation.sources.mapped_files import MappedFiles, MappedTask
from curation.sources.source import Piece, Source
from curation.stage import Stage
from curation.stages.canonical import CanonicalForm
from curation.stages.images import CheckImage, CropToInk
from curation.store import Workspace

ROWS_PER_SHARD: Final = 500
ALL: Final = "all"


@dataclass(frozen=True)
class Asked:
    """What the user named. Empty columns and task are found; `max_samples` are the first rows, of all splits together.

    `crop`: "ink" where pictures are whole pages with a formula on them.
    """

    address: str
    split: str = ALL
    max_samples: int | None = None
    image_column: str = ""
    text_column: str = ""
    task: str = ""
    crop: str = "none"
    origin_column: str = ""


@dataclass(frozen=True)
class Part:
    """Pieces of a stranger's data set that belong to one split ("" where nothing tells which)."""

    split: str
    ingest: Ingest
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Subject:
    """What is looked at. Either `parts` are to be ingested, or `shard_keys` are there, `selection` over them or not.

    `split` is the one that is asked for, or "all".
    """

    name: str
    address: str
    revision: str
    workspace: Workspace
    split: str = ALL
    parts: tuple[Part, ...] = ()
    shard_keys: tuple[str, ...] = ()
    selection: str | None = None
    release: str | None = None
    max_samples: int | None = None
    lineage: dict[str, str] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        """Rows that there are to read, as far as is known."""
        if self.parts:
            return sum(piece.n_rows for part in self.parts for piece in part.pieces)
        return sum(self._shard(key).rows_in for key in self.shard_keys)

    def shards(self) -> Iterator[tuple[str, ShardRef]]:
        """Each shard with its split ("" where rows tell it, or nothing does), made where it is not there."""
        for part in self.parts:
            for piece in part.pieces:
                yield part.split, ingest_piece(self.workspace, part.ingest, piece)
        for key in self.shard_keys:
            yield "", self._shard(key)

    def _shard(self, key: str) -> ShardRef:
        shard = finished_shard(self.workspace, key)
        if shard is None:
            raise BadInputError(f"shard {key} of workspace {self.workspace.url} is gone or damaged", "Build it again")
        return shard


def open_subject(asked: Asked, workspace_url: str) -> Subject:
    """Find out what `asked.address` is. A stranger's rows will go into the workspace at `workspace_url`.

    Raises:
        BadInputError: there is nothing there, or nothing in it that can be looked at.
    """
    if asked.task and asked.task not in TASKS:
        raise BadInputError(f"there is no task {asked.task!r}", f"There are: {', '.join(TASKS)}")
    folder = _folder(asked.address)
    if folder is not None:
        manifest = folder.read_json("manifest.json")
        if manifest is not None and "release_version" in manifest:
            return _release(asked, folder, manifest, workspace_url)
        if folder.fs.glob(folder.path("samples", "*.json")):
            return _workspace(asked, folder, None)
    return _strangers(asked, Workspace(workspace_url))


def _folder(address: str) -> Workspace | None:
    """The folder at an address, local or a URL; None where it is a file, nothing, or on a server of the web."""
    if "://" in address and not address.startswith("file://"):
        return None if address.startswith(("hf://", "http://", "https://")) else Workspace(address.rstrip("/"))
    path = Path(address.removeprefix("file://")).expanduser().absolute()
    return Workspace(path) if path.is_dir() else None


def _release(asked: Asked, folder: Workspace, manifest: dict[str, Any], workspace_url: str) -> Subject:
    """A release: from the workspace that it lies in, where its measures are, else from its own files."""
    home_url, _, name = (part.rstrip("/") for part in folder.url.rpartition("/"))
    facts = {
        "recipe": str(manifest["name"]),
        **{
            f"source {source['name']} ({source['task']})": _told(
                source["address"], source["revision"], f"licence {source['license']}"
            )
            for source in manifest["sources"]
        },
    }
    home = Workspace(home_url.rpartition("/")[0])
    if home.finished(manifest_of(selection_path(str(manifest["selection"])))) is not None:
        subject = _workspace(asked, home, name)
        return replace(subject, name=str(manifest["name"]), revision=str(manifest["key"])[:12], lineage=facts)
    tasks = sorted({str(source["task"]) for source in manifest["sources"]})
    if len(tasks) > 1 and not asked.task:
        mend = f"Choose one with --task, of: {', '.join(tasks)}"
        raise BadInputError(f"the release {folder.url} has several tasks, and its workspace is not here", mend)
    task = asked.task or tasks[0]
    renamed = _renamed(folder)
    named = replace(
        asked,
        address=f"{folder.url}/data/{task}" if len(tasks) > 1 else f"{folder.url}/data",
        task=task,
        image_column=asked.image_column or renamed.get("image", "image"),
        text_column=asked.text_column or renamed.get("text", "text"),
        origin_column=renamed.get("image_origin", "image_origin"),
    )
    subject = _strangers(named, Workspace(workspace_url))
    return replace(
        subject,
        name=str(manifest["name"]),
        address=shown(asked.address),
        revision=str(manifest["key"])[:12],
        lineage={**subject.lineage, **facts},
    )


def _renamed(folder: Workspace) -> dict[str, str]:
    """The names that a release's recipe gave to its columns."""
    try:
        recipe = yaml.safe_load(folder.fs.cat_file(folder.path("recipe.yaml")))
        return dict(recipe["release"]["rename"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return {}


def _workspace(asked: Asked, workspace: Workspace, release: str | None) -> Subject:
    scope = scope_of(workspace, release)
    where = shown(workspace.url) + ("" if release is None else f", release {release}")
    return Subject(
        Path(workspace.root).name,
        shown(asked.address),
        "" if scope.selection is None else scope.selection[:12],
        workspace,
        normal_split(asked.split),
        shard_keys=tuple(scope.shards),
        selection=scope.selection,
        release=release,
        max_samples=asked.max_samples,
        lineage={"workspace": where, "rows": scope.what},
    )


def _strangers(asked: Asked, workspace: Workspace) -> Subject:
    found = resolve(asked.address, containers.SUFFIXES)
    metadata = tuple(file for file in found.files if Path(file.name).stem == "metadata")
    found = replace(found, files=metadata) if metadata else containers.of_one_kind(found, None)
    columns = find_columns(found, asked.image_column, asked.text_column, asked.task)
    if columns.task == "image_chat":
        raise BadInputError("conversations are reported on from a workspace of ours", "Build a release of them first")
    parts: list[Part] = []
    left = asked.max_samples
    for split in _splits(found, asked.split):
        source = pinned_source(_source(asked, columns, split))
        images: list[Stage] = [*([CropToInk()] if asked.crop == "ink" else []), CheckImage()]
        ingest = Ingest(source, (CanonicalForm(parsers()),), tuple(images))
        pieces = tuple(_first_rows(source, left))
        left = None if left is None else left - sum(piece.n_rows for piece in pieces)
        if pieces:
            parts.append(Part("" if split == ALL else split, ingest, pieces))
    if not parts:
        raise BadInputError(f"{shown(asked.address)} has no rows", "Check the address and --split")
    revision = parts[0].pieces[0].revision
    lineage = {
        "source": _told(shown(asked.address), revision, f"{columns.kind} files"),
        "columns": f"picture {columns.image}, text {columns.text}"
        + (f", original {columns.original}" if columns.original else "")
        + (f", objects {columns.objects}" if columns.objects else ""),
        "task": f"{columns.task}, {'as given' if asked.task else 'told by the texts'}",
    }
    name = shown(asked.address).rstrip("/").rpartition("/")[2] if found.revision == "" else shown(asked.address)
    return Subject(
        name, shown(asked.address), revision, workspace, normal_split(asked.split), tuple(parts), lineage=lineage
    )


def _source(asked: Asked, columns: FoundColumns, split: str) -> Source:
    """The source that reads it: captions have more to tell (what they were, what is in the picture) where they can."""
    if columns.task == "image_to_caption" and columns.kind in ("parquet", "arrow", "jsonl"):
        captions = Captions(
            address=asked.address,
            split=split,
            image_column=columns.image,
            caption_column=columns.text,
            original_column=columns.original,
            objects_column=columns.objects or "objects",
        )
        return cast("Source", captions)
    key = "" if columns.kind == "webdataset" else columns.key
    source = MappedFiles(
        asked.address,
        cast("MappedTask", columns.task),
        split=split,
        image_column=columns.image,
        text_column=columns.text,
        key_column=key,
        context_column=columns.context,
        origin_column=asked.origin_column,
    )
    return cast("Source", source)


def _splits(found: ResolvedAddress, asked: str) -> list[str]:
    """The splits to read one after another: all that files tell, if each file tells one."""
    if asked != ALL:
        found.of_split(asked)  # which raises where there is none
        return [asked]
    told = list(dict.fromkeys(file.split for file in found.files))
    return told if "" not in told else [ALL]


def _first_rows(source: Source, n_rows: int | None) -> Iterator[Piece]:
    """The pieces of a source, up to its first `n_rows` rows."""
    if n_rows is None:
        yield from source.pieces(ROWS_PER_SHARD)
        return
    for piece in source.pieces(min(ROWS_PER_SHARD, max(1, n_rows))) if n_rows > 0 else ():
        cut = replace(piece, n_rows=min(n_rows, piece.n_rows))
        yield cut
        n_rows -= cut.n_rows
        if n_rows <= 0:
            return


def _told(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
