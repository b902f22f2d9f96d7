"""Layouts of a release: what its rows look like to who trains with them.

| layout | columns in place of `image`, `text` (and `messages` of conversations) |
|---|---|
| `image_text` | as they are |
| `messages` | `images`, `messages`: TRL's conversational language modeling |
| `prompt_completion` | `images`, `prompt`, `completion`: TRL's, of which only the completion is learnt |

Contents are plain strings: TRL puts the picture before the first user message
(`trl.data_utils.prepare_multimodal_messages`). Not for building prompts: `curation.conversation` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import pyarrow as pa

from curation.conversation import Message, Prompt, messages
from curation.sample import IMAGE_TYPE, MESSAGES_TYPE

Layout = Literal["image_text", "messages", "prompt_completion"]

IMAGES_TYPE: Final = pa.list_(IMAGE_TYPE)
IN_PLACE_OF: Final = ("image", "text", "messages")


def laid_out(table: pa.Table, layout: Layout, prompt: Prompt) -> pa.Table:
    """`table` (`image`, `text`, `task`, `messages` or not, and more) in this layout; other columns stay as they are."""
    if layout == "image_text":
        return table
    turns = _turns(table, prompt)
    images = table.column("image").combine_chunks()
    images = images.chunk(0) if isinstance(images, pa.ChunkedArray) else images
    columns: dict[str, Any] = {"images": pa.ListArray.from_arrays(pa.array(range(len(images) + 1), pa.int32()), images)}
    if layout == "messages":
        columns["messages"] = pa.array(turns, MESSAGES_TYPE)
    else:
        columns["prompt"] = pa.array([one[:-1] for one in turns], MESSAGES_TYPE)
        columns["completion"] = pa.array([one[-1:] for one in turns], MESSAGES_TYPE)
    rest = {name: table.column(name) for name in table.column_names if name not in IN_PLACE_OF}
    return pa.table({**columns, **rest})


def _turns(table: pa.Table, prompt: Prompt) -> list[list[dict[str, str]]]:
    names = table.column_names
    chats: Sequence[Sequence[Mapping[str, str]] | None] = (
        table.column("messages").to_pylist() if "messages" in names else [None] * table.num_rows
    )
    rows = zip(table.column("task").to_pylist(), table.column("text").to_pylist(), chats, strict=True)
    return [[_plain(turn) for turn in messages(task, text or "", prompt, chat or None)] for task, text, chat in rows]


def _plain(turn: Message) -> dict[str, str]:
    """A turn whose content is a string: the mark for the picture is left to the trainer."""
    parts = turn["content"]
    return {"role": turn["role"], "content": "".join(part["text"] for part in parts if part["type"] == "text")}
