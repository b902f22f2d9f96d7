r"""Conversations about pictures as LLaVA's data sets have them: a JSON list (or JSONL) and a folder of pictures.

    {"id": …, "image": "coco/train2017/000000033471.jpg",
     "conversations": [{"from": "human", "value": "<image>\nWhat …?"}, {"from": "gpt", "value": "…"}, …]}

They are kept as `messages`. The mark `<image>` is taken out: the picture's place is the start of the first question, to
which LLaVA's own training moves it as well (`preprocess_multimodal` of https://github.com/haotian-liu/LLaVA,
llava/train/train.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Final

import pyarrow as pa

from curation.conversation import IMAGE_MARK
from curation.reasons import Reason, Reject
from curation.sample import Task
from curation.sources import json_files
from curation.sources.address import resolve
from curation.sources.files import is_inside
from curation.sources.pictures import PictureFolder, picture_folder
from curation.sources.rows import RawRow, decode_text, image_array, raw_table, row_key
from curation.sources.source import Piece

ROLES: Final = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
}
_EXCERPT_CHARS: Final = 500


@dataclass(frozen=True)
class LlavaChat:
    """Conversations of one turn or many, each about one picture of the folder `images`.

    Where `images` is empty the pictures lie beside the JSON. Data sets of LLaVA's come without theirs
    (COCO, GQA, TextVQA, …): `images` is then the folder that `image` is relative to.
    """

    name: ClassVar[str] = "llava_chat"
    version: ClassVar[int] = 1
    task: ClassVar[Task] = "image_chat"

    address: str = "liuhaotian/LLaVA-Instruct-150K:llava_instruct_150k"
    images: str = ""
    license: str = "CC-BY-4.0"

    def pieces(self, rows_per_shard: int) -> Iterator[Piece]:
        """Pieces in the order of the files' names. A list is walked to its end for this."""
        for piece in json_files.list_pieces(resolve(self.address, json_files.SUFFIXES), rows_per_shard):
            folder = picture_folder(self.images, piece.path)
            sha256 = folder.sha256_of(name for name in _image_names(piece) if name)
            yield replace(piece, images_root=folder.root, images_sha256=sha256)

    def read_texts(self, piece: Piece) -> pa.Table:
        """All rows of the piece as `RAW_SCHEMA`; what is no conversation about one picture is rejected."""
        rows = [
            _row(row, row_key(piece.path, row), found)
            for row, found in enumerate(json_files.read_objects(piece), start=piece.first_row)
        ]
        return raw_table(rows, self.license, self.task)

    def read_images(self, piece: Piece, rows: Sequence[int]) -> pa.Array:
        """Pictures of the given file rows."""
        folder, names = PictureFolder(piece.images_root), _image_names(piece)
        return image_array([folder.read(names[row - piece.first_row]) for row in rows])


def _row(row: int, key: str, found: dict[str, Any] | Reject) -> RawRow:
    if isinstance(found, Reject):
        return RawRow(row, key, found)
    if isinstance(found.get("id"), str | int):
        key = _printable(str(found["id"]))
    turns = conversation(found.get("conversations"))
    fault = turns if isinstance(turns, Reject) else None
    if fault is None or fault.reason != Reason.ANNOTATION_BROKEN:  # a row of another kind is told from one of text
        fault = _image_fault(found.get("image")) or fault
    if fault is not None:
        return RawRow(row, key, fault, excerpt=_excerpt(found.get("conversations")))
    assert not isinstance(turns, Reject)
    return RawRow(row, key, None, messages=turns)


def conversation(turns: object) -> list[dict[str, str]] | Reject:
    """LLaVA's `conversations` as messages without the picture's mark, or why they are none.

    A message of the system may come first; then question and answer take turns, and the last is an answer.
    """
    if not isinstance(turns, list) or not turns:
        return Reject(Reason.ANNOTATION_BROKEN, "no list of turns")
    messages = []
    for number, turn in enumerate(turns, start=1):
        if not isinstance(turn, dict) or not isinstance(turn.get("value"), str):
            return Reject(Reason.ANNOTATION_BROKEN, f"turn {number} has no text")
        text = decode_text(turn["value"].encode("utf-8", "surrogatepass"))
        if isinstance(text, Reject):
            return Reject(text.reason, f"turn {number}: {text.detail}")
        messages.append({"role": ROLES.get(str(turn.get("from")), "?"), "content": text})
    roles = [message["role"] for message in messages]
    talk = roles[1:] if roles[0] == "system" else roles
    if not talk or len(talk) % 2 or talk != ["user", "assistant"] * (len(talk) // 2):
        shown = " ".join(_printable(str(turn.get("from")))[:12] for turn in turns[:8])
        return Reject(Reason.CHAT_ROLES, shown + (" …" if len(turns) > 8 else ""))
    return _without_mark(messages, len(roles) - len(talk))


def _without_mark(messages: list[dict[str, str]], first_question: int) -> list[dict[str, str]] | Reject:
    """The messages, whose one mark has to be in the first question."""
    marks = [message["content"].count(IMAGE_MARK) for message in messages]
    if sum(marks) != 1:
        return Reject(Reason.CHAT_IMAGE_MARK, f"{sum(marks)} marks {IMAGE_MARK} for one picture")
    if not marks[first_question]:
        return Reject(Reason.CHAT_IMAGE_MARK, f"{IMAGE_MARK} in turn {marks.index(1) + 1}, not in the first question")
    cleaned = [{**message, "content": message["content"].replace(IMAGE_MARK, "").strip()} for message in messages]
    empty = next((number for number, message in enumerate(cleaned, start=1) if not message["content"]), None)
    return Reject(Reason.CHAT_TURN_EMPTY, f"turn {empty}") if empty else cleaned


def _image_fault(image: object) -> Reject | None:
    """What keeps `image` from naming one picture of the folder."""
    if isinstance(image, list) and len(image) == 1:
        image = image[0]
    if isinstance(image, list) and len(image) > 1:
        return Reject(Reason.CHAT_SEVERAL_IMAGES, f"{len(image)} pictures")
    if not image:
        return Reject(Reason.IMAGE_MISSING, "the row names no picture")
    if not isinstance(image, str):
        return Reject(Reason.ANNOTATION_BROKEN, f"{type(image).__name__} where a picture's name is expected")
    if not is_inside(image):
        return Reject(Reason.IMAGE_PATH_UNSAFE, _printable(image)[:120])
    return None


@lru_cache(maxsize=8)
def _image_names(piece: Piece) -> tuple[str, ...]:
    """Each row's picture, empty where the row names none that may be read."""
    names = []
    for found in json_files.read_objects(piece):
        image = "" if isinstance(found, Reject) else found.get("image")
        image = image[0] if isinstance(image, list) and len(image) == 1 else image
        names.append(image if isinstance(image, str) and is_inside(image) else "")
    return tuple(names)


def _excerpt(turns: object) -> str:
    """The beginning of what a rejected row says."""
    parts = turns if isinstance(turns, list) else [turns]
    values = [part.get("value") if isinstance(part, Mapping) else part for part in parts[:8]]
    return _printable("\n".join(str(value) for value in values if value))[:_EXCERPT_CHARS]


def _printable(text: str) -> str:
    """`text` without what UTF-8 cannot hold: JSON may spell half a surrogate pair."""
    return text.encode("utf-8", "replace").decode("utf-8")
