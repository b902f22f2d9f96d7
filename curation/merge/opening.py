"""Finding out what a source of a merge is: a preset, a workspace, a release, or a stranger's set by its address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import pyarrow as pa
import yaml

from curation.errors import AddressError, BadInputError, SchemaError
from curation.ingest import samples_path
from curation.merge.opened import Opened
from curation.merge.parquet_set import Chosen, open_parquet_set
from curation.merge.presets import PRESETS, source_of
from curation.merge.source_set import open_source_set, without_pictures
from curation.merge.spec import MergeEntry
from curation.rejects import scope_of
from curation.report.columns import FoundColumns, find_columns
from curation.sample import TASKS
from curation.select import selection_path
from curation.sources import containers, parquet
from curation.sources.address import pinned, resolve
from curation.sources.captions import Captions
from curation.sources.files import ResolvedAddress, SourceFile, shown
from curation.sources.hashes import content_sha256
from curation.sources.mapped_files import MappedFiles, MappedTask
from curation.sources.parquet_footer import footer_of
from curation.sources.source import Source
from curation.store import Workspace

_PLAIN_TEXT: Final = (
    *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    *(pa.types.is_binary, pa.types.is_large_binary),
)


def entry_of(given: str) -> MergeEntry:
    """The entry that a word of `--datasets` means: a preset's name, else an address."""
    return MergeEntry(given, preset=given) if given in PRESETS else MergeEntry(_short_name(given), given)


def with_names_apart(entries: Iterable[MergeEntry]) -> tuple[MergeEntry, ...]:
    """The entries, those of a name that came before numbered: rows are told apart by it."""
    named: list[MergeEntry] = []
    for entry in entries:
        taken, number, name = {one.name for one in named}, 2, entry.name
        while name in taken:
            name, number = f"{entry.name}-{number}", number + 1
        named.append(replace(entry, name=name))
    return tuple(named)


def open_entry(entry: MergeEntry) -> Opened:
    """The source, with a moving revision of the Hub resolved once.

    Raises:
        BadInputError: it is missing or empty, has no pictures, or its columns cannot be told.
    """
    if entry.task and entry.task not in TASKS:
        raise BadInputError(f"source {entry.name} has a task {entry.task!r}", f"There are: {', '.join(TASKS)}")
    if entry.preset:
        return _opened_source(entry, source_of(entry), "preset")
    folder = _local_folder(entry.address)
    if folder is not None and folder.fs.glob(folder.path("samples", "*.json")):
        return _opened_workspace(entry, folder)
    return _opened_files(entry)


def _opened_source(entry: MergeEntry, source: Source, kind: str, own_splits: Mapping[str, str] | None = None) -> Opened:
    from curation.pipeline import first_piece, pinned_source  # noqa: PLC0415 - it knows every measure

    source = pinned_source(source)
    first = first_piece(source, 1)
    if first is None or not first.n_rows:
        raise _empty(entry)
    return open_source_set(entry, source, first, kind, own_splits)


def _opened_files(entry: MergeEntry) -> Opened:
    """A stranger's files, or a release's: Parquet with plain texts and embedded pictures is read as it is."""
    address = pinned(entry.address)
    found = resolve(address, containers.SUFFIXES)
    found = found if entry.split == "all" else found.of_split(entry.split)
    metadata = tuple(file for file in found.files if Path(file.name).stem == "metadata")
    found = replace(found, files=metadata) if metadata else containers.of_one_kind(found, None)
    uses = {**_renamed(entry.address), **dict(entry.columns)}
    try:
        columns = find_columns(found, uses.get("image", ""), uses.get("text", ""), entry.task)
    except SchemaError as error:
        if "pictures" in error.problem and not uses.get("image"):
            raise without_pictures(entry) from error
        mend = (error.mend or "").replace("with --text-column", "in a merge recipe as columns: {text: NAME}")
        raise SchemaError(f"source {entry.name}: {error.problem}", mend) from error
    if columns.kind == "parquet" and _is_plain(found, columns):
        found = replace(found, files=tuple(_with_rows(found.files)))
        if not found.files:
            raise _empty(entry)
        mapped = {"image": columns.image, "text": columns.text, "source_key": columns.key, "context": columns.context}
        mapped |= {"original_caption": columns.original, "objects": columns.objects}
        mapped |= {ours: theirs for ours, theirs in uses.items() if ours not in ("image", "text")}
        _check_named(entry, found.files[0], uses)
        return open_parquet_set(entry, found, {k: v for k, v in mapped.items() if v}, columns.task)
    own_splits = {file.path: file.split for file in found.files}
    return _opened_source(entry, _strangers(replace(entry, address=address), columns), columns.kind, own_splits)


def _strangers(entry: MergeEntry, columns: FoundColumns) -> Source:
    """As the report reads a stranger's files: captions have more to tell where their source can."""
    license_ = entry.license or "unknown"
    if columns.task == "image_to_caption" and columns.kind in ("parquet", "arrow", "jsonl"):
        return cast(
            "Source",
            Captions(
                address=entry.address,
                split=entry.split,
                image_column=columns.image,
                caption_column=columns.text,
                original_column=columns.original,
                objects_column=columns.objects or "objects",
                license=license_,
            ),
        )
    return cast(
        "Source",
        MappedFiles(
            entry.address,
            cast("MappedTask", columns.task),
            split=entry.split,
            image_column=columns.image,
            text_column=columns.text,
            key_column="" if columns.kind == "webdataset" else columns.key,
            context_column=columns.context,
            license=license_,
        ),
    )


def _is_plain(found: ResolvedAddress, columns: FoundColumns) -> bool:
    """Whether texts are strings and pictures embedded, in the first file that has rows."""
    first = next(iter(_with_rows(found.files)), None)
    if first is None:
        return True  # which is told as what it is: empty
    sha256 = content_sha256(first)
    schema = parquet.file_schema(first.path, sha256)
    text, image = schema.field(columns.text).type, schema.field(columns.image).type
    if pa.types.is_dictionary(text):
        text = text.value_type
    if not any(test(text) for test in _PLAIN_TEXT):
        return False
    if not pa.types.is_struct(image):
        return bool(pa.types.is_binary(image) or pa.types.is_large_binary(image))
    if image.get_field_index("bytes") < 0:
        return False
    # `datasets` writes a path and no bytes where pictures are not embedded: the first row group tells.
    group = footer_of(first.path, sha256).row_group(0)
    leaf = next(
        chunk
        for chunk in (group.column(index) for index in range(group.num_columns))
        if chunk.path_in_schema == f"{columns.image}.bytes"
    )
    return not (leaf.is_stats_set and leaf.statistics.null_count == group.num_rows)


def _with_rows(files: Iterable[SourceFile]) -> Iterable[SourceFile]:
    for file in files:
        sha256 = content_sha256(file)
        parquet.file_schema(file.path, sha256)  # says in one line what cannot be read
        if footer_of(file.path, sha256, file.size_bytes).num_rows:
            yield file


def _check_named(entry: MergeEntry, first: SourceFile, uses: Mapping[str, str]) -> None:
    names = parquet.file_schema(first.path, content_sha256(first)).names
    for ours, theirs in uses.items():
        if theirs not in names:
            problem = f"source {entry.name} has no column {theirs!r} to be {ours}"
            raise BadInputError(problem, f"It has: {', '.join(names)}")


def _opened_workspace(entry: MergeEntry, workspace: Workspace) -> Opened:
    """The rows that the latest selection of a workspace keeps, each with its split."""
    scope = scope_of(workspace, None)
    if scope.selection is None:
        raise BadInputError(f"workspace {shown(entry.address)} has no selection", "Run its build to the end first")
    with workspace.open_parquet(selection_path(scope.selection)) as file:
        table = file.read(["shard", "split"])
    shards = table.column("shard").to_pylist()
    splits = table.column("split").combine_chunks()
    splits = pa.concat_arrays(splits.chunks) if isinstance(splits, pa.ChunkedArray) else splits
    files: list[SourceFile] = []
    chosen: dict[str, Chosen] = {}
    start = 0
    for key in scope.shards:
        path = workspace.path(samples_path(key))
        n_rows = sum(1 for _ in _run_of(shards, start, key))
        own = splits.slice(start, n_rows)
        start += n_rows
        if n_rows and own.null_count < n_rows:
            manifest = workspace.read_json(f"samples/{key}.json") or {}
            told: dict[str, Any] = manifest.get("files", {}).get("samples", {})
            files.append(SourceFile(path, f"{key}.parquet", int(told["n_bytes"]), str(told["sha256"])))
            chosen[path] = Chosen(own)
    if not files:
        raise _empty(entry)
    found = ResolvedAddress(entry.address, scope.selection[:12], tuple(files))
    uses = {"image": "image", "text": "text"}
    return open_parquet_set(entry, found, uses, "", kind="workspace", chosen=chosen)


def _run_of(shards: list[str], start: int, key: str) -> Iterable[int]:
    for place in range(start, len(shards)):
        if shards[place] != key:
            return
        yield place


def _local_folder(address: str) -> Workspace | None:
    if "://" in address and not address.startswith("file://"):
        return None
    path = Path(address.removeprefix("file://")).expanduser().absolute()
    return Workspace(path) if path.is_dir() else None


def _renamed(address: str) -> dict[str, str]:
    """The names that a release of ours gave to its columns, as its recipe has them."""
    folder = _local_folder(address)
    if folder is None or folder.read_json("manifest.json") is None:
        return {}
    try:
        recipe = yaml.safe_load(folder.fs.cat_file(folder.path("recipe.yaml")))
        renamed = dict(recipe["release"]["rename"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return {}
    return {ours: str(theirs) for ours, theirs in renamed.items() if ours in ("image", "text")}


def _empty(entry: MergeEntry) -> BadInputError:
    where = shown(entry.address) or f"preset {entry.preset}"
    return AddressError(f"source {entry.name} ({where}) has no rows", "Check its address and split")


def _short_name(address: str) -> str:
    """What rows of an address are called: its last part, without the Hub's revision."""
    name = shown(address).rstrip("/").rpartition("/")[2]
    name = name.partition("@")[0] if "/" in address and "://" not in address else name
    return name.removesuffix(".parquet") or address
