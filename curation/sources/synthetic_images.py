"""Pictures that were made elsewhere from a file of prompts, found again by the prompt's id.

    prompts.jsonl          {"id": "p1", "prompt": "A hair drier on a shelf", "objects": ["hair drier"]}, …
    p1.png  p1_2.png       pictures of prompt p1, in the folder of pictures or below it
    map.jsonl              where they have other names: {"prompt_id": "p1", "file": "out/0001.png"}, …

Nothing is lost on the way: a prompt without a picture, and a picture without a prompt, are rows with their reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, ClassVar, Final, cast

import pyarrow as pa

from curation.errors import AddressError
from curation.keys import canonical_json
from curation.reasons import Reason, Reject
from curation.sample import TASKS, Task, sample_id, sha256_hex
from curation.sources import json_files
from curation.sources.address import resolve
from curation.sources.files import ResolvedAddress, is_inside, shown
from curation.sources.hashes import content_sha256
from curation.sources.pictures import PictureFolder, picture_folder
from curation.sources.rows import RawRow, decode_text, image_array, raw_table
from curation.sources.source import Piece

PROMPTS_NAME: Final = "prompts.jsonl"
NAME_BITS: Final = 32
"""A row is the line of its prompt, shifted by so many bits, and a hash of its picture's name: pictures that come later
change no other's row, and so no id."""

_NUMBERED: Final = re.compile(r"(.+)_\d+", re.DOTALL)
_OBJECT_CLASS: Final = "object:"


@dataclass(frozen=True)
class SyntheticImages:
    """Prompts and the pictures made from them: a sample for each picture; all of a prompt's go into one split.

    `address` is the file of prompts, or a folder with it (`prompts.jsonl`, or the only JSONL there), `images` the
    folder of pictures (empty: that of the prompts). `images_map` is a JSONL file that names the files of prompts,
    relative to `images`; pictures that it does not name are matched by their own names. The target is the prompt's
    `text` or `caption` where it has one, else the prompt itself; its `task` is image_to_caption unless it says another.
    `generator` says what made the pictures, for the lineage.
    """

    name: ClassVar[str] = "synthetic_images"
    version: ClassVar[int] = 1
    task: ClassVar[Task] = "image_to_caption"

    address: str
    images: str = ""
    images_map: str = ""
    generator: str = "unknown"
    license: str = "unknown"

    def pieces(self, rows_per_shard: int) -> Iterator[Piece]:
        """Pieces of prompts, then one of the pictures without a prompt, if there are any.

        Raises:
            AddressError: there is no file of prompts, or no picture.
        """
        prompts = _prompts_file(self.address)
        folder = picture_folder(self.images, prompts.files[0].path)
        map_path, map_sha256 = _map_file(self.images_map)
        pictures_sha256 = folder.sha256_of(folder.sizes)
        sha256 = sha256_hex(f"{pictures_sha256}\x1f{map_sha256}")
        n_prompts = 0
        for piece in json_files.list_pieces(prompts, rows_per_shard):
            n_prompts += piece.n_rows
            yield replace(piece, images_root=folder.root, images_sha256=sha256)
        file = prompts.files[0]
        whole = Piece(file.path, content_sha256(file), prompts.revision, (), 0, 0, (0, 0), folder.root, sha256)
        if unmatched := _match(whole, map_path).unmatched:
            yield replace(whole, first_row=n_prompts, n_rows=len(unmatched))

    def read_texts(self, piece: Piece) -> pa.Table:
        """A row for each picture of the piece's prompts and each prompt without one; or the unmatched pictures."""
        matched = self._matched(piece)
        if piece.byte_range == (0, 0):
            first = piece.first_row << NAME_BITS
            rows = [RawRow(first + n, name, fault) for n, (name, fault) in enumerate(matched.unmatched)]
            return raw_table(rows, self.license, self.task)
        rows = []
        for line, found in enumerate(json_files.read_objects(piece), start=piece.first_row):
            rows += self._rows(piece, line, found, matched)
        return raw_table(rows, self.license, self.task)

    def read_images(self, piece: Piece, rows: Sequence[int]) -> pa.Array:
        """The pictures of the given rows."""
        matched, folder = self._matched(piece), PictureFolder(piece.images_root)
        return image_array([folder.read(matched.pictures[row >> NAME_BITS][row]) for row in rows])

    def _matched(self, piece: Piece) -> _Matched:
        return _match(_whole(piece), _map_file(self.images_map)[0])

    def _rows(self, piece: Piece, line: int, found: dict[str, Any] | Reject, matched: _Matched) -> Iterator[RawRow]:
        first = line << NAME_BITS
        key = f"{PurePosixPath(piece.path).name}:{line}"
        fault = matched.faults.get(line)
        if isinstance(found, Reject) or fault is not None:
            said = "" if isinstance(found, Reject) else _text(found, "prompt")
            yield RawRow(first, key, found if isinstance(found, Reject) else cast("Reject", fault), excerpt=said)
            return
        prompt_id, prompt = _id_of(found), _text(found, "prompt")
        task, text = _target(found)
        shared = RawRow(first, prompt_id, text, prompt or None, task=task, excerpt=prompt, objects=_objects(found))
        names = matched.pictures.get(line, {})
        if not names:
            missing = Reject(Reason.IMAGE_MISSING, f"no picture of prompt {prompt_id[:80]}")
            yield replace(shared, text=missing)
        for row, name in names.items():
            lineage: dict[str, object] = {"generator": self.generator, "prompt_id": prompt_id, "prompt": prompt}
            lineage["file"] = name
            if isinstance(found.get("classes"), list):
                lineage["classes"] = [_printable(str(value)) for value in found["classes"]]
            yield replace(
                shared,
                row=row,
                sub_key=name,
                text=text if is_inside(name) else Reject(Reason.IMAGE_PATH_UNSAFE, name[:120]),
                image_origin="synthetic",
                parent_id=sample_id(self.name, piece.content_sha256, line),
                lineage=canonical_json(lineage),
            )


@dataclass(frozen=True)
class _Matched:
    """What belongs together.

    The pictures of each prompt, by the prompt's line and their own row; lines that are no prompts; pictures of none.
    """

    pictures: Mapping[int, Mapping[int, str]]
    faults: Mapping[int, Reject]
    unmatched: tuple[tuple[str, Reject], ...]


@lru_cache(maxsize=4)
def _match(whole: Piece, map_path: str) -> _Matched:
    """Match all pictures with all prompts of a file; the piece is that of the whole file."""
    line_of: dict[str, int] = {}
    faults: dict[int, Reject] = {}
    for line, found in enumerate(json_files.read_all(whole.path)):
        if isinstance(found, Reject):
            continue
        prompt_id = _id_of(found)
        if not prompt_id:
            faults[line] = Reject(Reason.ANNOTATION_BROKEN, "the prompt has no id")
        elif prompt_id in line_of:
            faults[line] = Reject(Reason.ANNOTATION_BROKEN, f"its id is that of line {line_of[prompt_id]} too")
        else:
            line_of[prompt_id] = line
    pictures: dict[int, list[str]] = {}
    unmatched: list[tuple[str, Reject]] = []
    mapped: set[str] = set()
    for number, found in enumerate(_map_rows(map_path)):
        if isinstance(found, Reject):
            unmatched.append((f"map:{number}", found))
            continue
        name, prompt_id = _text(found, "file"), _id_of(found, "prompt_id")
        mapped.add(name)
        if not name:
            unmatched.append((f"map:{number}", Reject(Reason.ANNOTATION_BROKEN, "no file is named")))
        elif prompt_id not in line_of:
            unmatched.append((name, _no_prompt(prompt_id)))
        elif name not in pictures.setdefault(line_of[prompt_id], []):
            pictures[line_of[prompt_id]].append(name)
    for name in PictureFolder(whole.images_root).sizes:
        if name in mapped:
            continue
        stem = PurePosixPath(name).stem
        numbered = _NUMBERED.fullmatch(stem)
        prompt_id = numbered[1] if numbered and stem not in line_of else stem
        if prompt_id in line_of:
            pictures.setdefault(line_of[prompt_id], []).append(name)
        else:
            unmatched.append((name, _no_prompt(stem)))
    by_row = {line: _by_row(line, names) for line, names in pictures.items()}
    return _Matched(by_row, faults, tuple(unmatched))


def _by_row(line: int, names: Sequence[str]) -> dict[int, str]:
    rows: dict[int, str] = {}
    for name in names:
        row = line << NAME_BITS | int(sha256_hex(name)[: NAME_BITS // 4], 16)
        while row in rows:
            row += 1
        rows[row] = name
    return rows


def _no_prompt(prompt_id: str) -> Reject:
    return Reject(Reason.PROMPT_MISSING, f"there is no prompt {prompt_id[:80]!r}")


def _whole(piece: Piece) -> Piece:
    """The piece of the whole file of prompts, whichever piece of it this is."""
    return replace(piece, first_row=0, n_rows=0, byte_range=(0, 0))


def _prompts_file(address: str) -> ResolvedAddress:
    found = resolve(address, (".jsonl",))
    if len(found.files) == 1:
        return found
    files = [file for file in found.files if PurePosixPath(file.name).name == PROMPTS_NAME]
    if len(files) != 1:
        names = ", ".join(file.name for file in found.files[:5])
        raise AddressError(f"{shown(address)} holds several JSONL files: {names}", "Give the one with the prompts")
    return replace(found, files=tuple(files))


def _map_file(images_map: str) -> tuple[str, str]:
    """Path and content hash of the map, empty where there is none."""
    if not images_map:
        return "", ""
    found = resolve(images_map, (".jsonl",))
    if len(found.files) != 1:
        raise AddressError(f"{shown(images_map)} holds several JSONL files", "Give the one that maps prompts to files")
    return found.files[0].path, content_sha256(found.files[0])


def _map_rows(path: str) -> list[dict[str, Any] | Reject]:
    return json_files.read_all(path) if path else []


def _id_of(found: Mapping[str, Any], field: str = "id") -> str:
    value = found.get(field)
    return _printable(str(value)) if isinstance(value, str | int) else ""


def _text(found: Mapping[str, Any], field: str) -> str:
    value = found.get(field)
    return _printable(value) if isinstance(value, str) else ""


def _target(found: Mapping[str, Any]) -> tuple[Task | None, str | Reject]:
    """The task that a prompt asks for, None for the usual one, and the target of its pictures."""
    task = found.get("task") or None
    if task is not None and (task not in TASKS or task == "image_chat"):
        return None, Reject(Reason.ANNOTATION_BROKEN, f"there is no task {_printable(str(task))[:40]!r} for a picture")
    is_caption = task in (None, "image_to_caption")
    fields = ("text", "caption", "prompt") if is_caption else ("text",)
    text = next((found[field] for field in fields if isinstance(found.get(field), str) and found[field]), None)
    if text is None:
        return task, Reject(Reason.TEXT_MISSING, "no prompt" if is_caption else f"a prompt is no target of {task}")
    return task, decode_text(text.encode("utf-8", "surrogatepass"))


def _objects(found: Mapping[str, Any]) -> list[str] | None:
    """Names of objects: `objects`, else those of `classes` that name one (`object:dog`)."""
    if isinstance(found.get("objects"), list):
        return [_printable(name) for name in found["objects"] if isinstance(name, str)]
    if isinstance(found.get("classes"), list):
        names = [name for name in found["classes"] if isinstance(name, str) and name.startswith(_OBJECT_CLASS)]
        return [_printable(name.removeprefix(_OBJECT_CLASS)) for name in names]
    return None


def _printable(text: str) -> str:
    """`text` without what UTF-8 cannot hold: JSON may spell half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")
