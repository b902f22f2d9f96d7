"""What holds captions: a file, a folder of files, a release, a workspace; opened, and written as the same kind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from curation.debias.caption_files import (
    CAPTION_TASK,
    ORIGINAL,
    SUFFIXES,
    Caption,
    Rewrites,
    captions_in,
    has_captions,
    write_captions,
)
from curation.errors import BadInputError, StoreError
from curation.ingest import manifest_of, samples_path
from curation.keys import content_key
from curation.rejects import scope_of
from curation.release_folder import file_entries, new_folder, pretty, write_text
from curation.sample import sha256_hex
from curation.store import Workspace

Kind = Literal["file", "folder", "release", "workspace"]

FACTS: Final = "debias.json"
"""What was done, beside the files of a folder."""

_NO_LONGER_TRUE: Final = frozenset({"manifest.json", "quality.json", "preview.png", "README.md", FACTS})
"""Files of a release that speak of its old captions."""


@dataclass(frozen=True)
class CaptionSet:
    """Files with captions, by their names in the whole; `root` is the file or folder that was named."""

    kind: Kind
    root: Path
    files: dict[str, Path]
    column: str

    def captions(self) -> list[Caption]:
        """All captions, in the order of files and rows. Raises `BadInputError` for a file that cannot be read."""
        return [one for name, path in self.files.items() for one in captions_in(path, name, self.column)]


def open_captions(address: str, column: str = "") -> CaptionSet:
    """Find the captions at a local path.

    Raises:
        BadInputError: there is nothing there, or no captions in it.
    """
    root = Path(address).expanduser().absolute()
    if root.is_file():
        if root.suffix.lower() not in SUFFIXES:
            raise BadInputError(f"{address} is not a file of captions", f"It has to end with {', '.join(SUFFIXES)}")
        return CaptionSet("file", root, {root.name: root}, column)
    if not root.is_dir():
        raise BadInputError(f"there is no {address}", "Name a Parquet, JSONL or CSV file, or a folder with such files")
    manifest = _json(root / "manifest.json")
    if manifest is not None and "release_version" in manifest:
        return _folder(root, "release", column)
    if any((root / "samples").glob("*.json")):
        return _workspace(root)
    return _folder(root, "folder", column)


def write_set(captions: CaptionSet, rewrites: Rewrites, target: str, facts: Mapping[str, Any]) -> None:
    """Write the whole to `target` with new captions: complete or not at all. `facts` go into a folder's `debias.json`.

    A release gets a manifest and a card that say what was done; its `quality.json` and preview spoke of the old
    captions and are left out. A workspace gets the shards that count, with keys of their own, without
    measures or selections.

    Raises:
        BadInputError: the target is the input, or a folder with something else in it.
        StoreError: it cannot be written.
    """
    out = Path(target).expanduser().absolute()
    if out == captions.root or captions.root in out.parents:
        raise BadInputError(f"{target} is the input, or in it", "Choose another place with -o")
    if captions.kind == "file":
        _write_file(captions, rewrites, out)
        return
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / FACTS).is_file()):
        raise BadInputError(f"{target} is there already, and was not written by debias", "Choose another place with -o")
    with new_folder(Workspace(out.parent), out.name) as folder:
        if captions.kind == "workspace":
            _write_workspace(captions, rewrites, folder)
        else:
            _write_folder(captions, rewrites, folder)
        if captions.kind == "release":
            _write_release_facts(captions.root, folder, facts)
        if captions.kind != "release":
            write_text(folder / FACTS, pretty(facts))


def _folder(root: Path, kind: Kind, column: str) -> CaptionSet:
    found = sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if kind == "release":
        found = [path for path in found if (root / "data") in path.parents]
    files = {path.relative_to(root).as_posix(): path for path in found if has_captions(path, column)}
    if not files:
        raise BadInputError(f"{root} has no file with a column of captions", "Name the column with --column")
    return CaptionSet(kind, root, files, column)


def _workspace(root: Path) -> CaptionSet:
    workspace = Workspace(root)
    keys = scope_of(workspace, None).shards
    files = {key: root / samples_path(key) for key in keys}
    with_captions = {key: path for key, path in files.items() if _has_caption_rows(path)}
    if not with_captions:
        raise BadInputError(f"workspace {root} holds no captions", f"It needs rows whose task is {CAPTION_TASK}")
    return CaptionSet("workspace", root, with_captions, "text")


def _has_caption_rows(path: Path) -> bool:
    with pq.ParquetFile(path) as file:
        return CAPTION_TASK in file.read(["task"]).column("task").unique().to_pylist()


def _write_file(captions: CaptionSet, rewrites: Rewrites, out: Path) -> None:
    [(name, path)] = captions.files.items()
    if out.suffix.lower() != path.suffix.lower():
        raise BadInputError(f"{out.name} is not of the kind of {path.name}", f"Let it end with {path.suffix}")
    temporary = out.with_name(f".tmp-{out.name}")
    try:
        write_captions(path, name, rewrites, temporary, captions.column)
        temporary.replace(out)
    except OSError as error:
        raise StoreError(
            f"{out} cannot be written: {error.strerror or error}", "Choose another place with -o"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _write_folder(captions: CaptionSet, rewrites: Rewrites, folder: Path) -> None:
    is_release = captions.kind == "release"
    for path in sorted(captions.root.rglob("*")):
        name = path.relative_to(captions.root).as_posix()
        if path.is_dir() or (is_release and name in _NO_LONGER_TRUE) or name == FACTS:
            continue
        if name in captions.files:
            write_captions(path, name, rewrites, folder / name, captions.column)
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, folder / name)


def _write_workspace(captions: CaptionSet, rewrites: Rewrites, folder: Path) -> None:
    source, target = Workspace(captions.root), Workspace(folder)
    for key, path in captions.files.items():
        scratch = folder / f"{key}.parquet"
        write_captions(path, key, rewrites, scratch, "text")
        new_key = content_key(shard=key, rewrites={one: text for one, text in rewrites.items() if one.startswith(key)})
        manifest = source.read_json(manifest_of(samples_path(key))) or {}
        with (
            pq.ParquetFile(scratch) as file,
            target.new_parquet(samples_path(new_key), file.schema_arrow) as sink,
        ):
            for group in range(file.num_row_groups):
                sink.write(_hashed(file.read_row_group(group)))
            entry = sink.finish()
        scratch.unlink()
        kept = {name: manifest.get(name) for name in ("source", "content_sha256", "first_row")}
        n_rows = int(manifest.get("rows_kept", 0))
        counts: dict[str, Any] = {"rows_in": n_rows, "rows_kept": n_rows, "rows_rejected": {}}
        target.write_manifest(manifest_of(samples_path(new_key)), {"samples": entry}, key=new_key, **kept, **counts)


def _hashed(table: pa.Table) -> pa.Table:
    """The samples with the hashes of their new texts."""
    hashes = [None if text is None else sha256_hex(text) for text in table.column("text").to_pylist()]
    place = table.schema.get_field_index("text_sha256")
    return table.set_column(place, table.schema.field(place), pa.array(hashes, pa.string()))


def _write_release_facts(root: Path, folder: Path, facts: Mapping[str, Any]) -> None:
    old = _json(root / "manifest.json") or {}
    write_text(folder / FACTS, pretty(facts))
    write_text(folder / "README.md", _card(root / "README.md", str(old.get("name", root.name)), facts))
    told = {name: value for name, value in old.items() if name not in ("files", "key")}
    key = content_key(release=old.get("key"), debias=facts)
    manifest = {**told, "key": key, "debiased_from": old.get("key"), "files": file_entries(folder)}
    write_text(folder / "manifest.json", pretty(manifest))


def _card(path: Path, name: str, facts: Mapping[str, Any]) -> str:
    """A card with what of the old one is still true: its licence, configurations and words, without its numbers."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    head: dict[str, Any] = {}
    if text.startswith("---\n"):
        head = yaml.safe_load(text[4:].split("\n---\n", 1)[0]) or {}
    head.pop("dataset_info", None)  # what `datasets` has to know stands in the files too
    body = (
        f"# {name}, debiased\n\nCaptions of the release `{name}`, rewritten by `markupmill debias` "
        f"({facts['rewriter']}) so that they say nothing of people's gender, race and the like. "
        f"{facts['n_changed']:,} of {facts['n_captions']:,} captions were changed; what they were stands in "
        f"`{ORIGINAL}`. All figures are in `{FACTS}`; `markupmill report` says more.\n"
    )
    front = yaml.safe_dump(head, sort_keys=False, allow_unicode=True) if head else ""
    return f"---\n{front}---\n{body}" if front else body


def _json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def names_of(captions: Sequence[Caption]) -> dict[str, str]:
    """Captions by id."""
    return {one.id: one.text for one in captions}
