"""Markup that `synthesize` made: a line for each sample that was asked for, with its prompt and what made it.

    {"prompt_id": "5f…", "number": 0, "task": "table_to_html", "text": "<table>…", "prompt": "Make a table …",
     "classes": ["span:4x1"], "lineage": {"generator": "…", "seed": 42}}
    {"prompt_id": "77…", "number": 0, "task": "table_to_html", "reject": "class_missing", "detail": "span:9x9", …}

A sample that could not be had is a row with its reason: the accounts of a build hold every one that was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import pyarrow as pa

from curation.keys import canonical_json
from curation.reasons import Reason, Reject
from curation.sample import sha256_hex
from curation.sources import json_files
from curation.sources.address import resolve
from curation.sources.rows import RawRow, decode_text, raw_table
from curation.sources.source import Piece

SynthesizedTask = Literal["page_to_html", "table_to_html", "formula_to_latex"]

_REASONS: Final = frozenset(Reason)


@dataclass(frozen=True)
class Synthesized:
    """Samples of one task in a JSONL file, or in all that a folder holds, in the order of their names.

    Their pictures are rendered, and `image_origin` is synthetic all the same. Samples of one prompt are a family: they
    have its hash as their parent, and go into one split.
    """

    name: ClassVar[str] = "synthesized"
    version: ClassVar[int] = 1

    address: str
    task: SynthesizedTask = "page_to_html"
    license: str = "Apache-2.0"

    def pieces(self, rows_per_shard: int) -> Iterator[Piece]:
        """Pieces of each file: one that is added changes no other's rows.

        Raises:
            AddressError: there is no such file.
        """
        yield from json_files.list_pieces(resolve(self.address, (".jsonl",)), rows_per_shard)

    def read_texts(self, piece: Piece) -> pa.Table:
        """All rows of the piece as `RAW_SCHEMA`."""
        rows = [self._row(row, found) for row, found in enumerate(json_files.read_objects(piece), piece.first_row)]
        return raw_table(rows, self.license, self.task)

    def read_images(self, piece: Piece, rows: Sequence[int]) -> None:  # noqa: ARG002 - the protocol's signature
        """There are none: they are rendered."""
        return

    def _row(self, row: int, found: dict[str, Any] | Reject) -> RawRow:
        if isinstance(found, Reject):
            return RawRow(row, f"line {row}", found)
        prompt_id, prompt = str(found.get("prompt_id", "")), found.get("prompt")
        key = f"{prompt_id}-{found.get('number', 0)}"
        prompt = prompt if isinstance(prompt, str) else None
        if (reason := found.get("reject")) is not None:
            detail = str(found.get("detail", ""))
            reject = Reject(Reason(reason), detail) if reason in _REASONS else _broken(f"no reason {reason!r}")
            return RawRow(row, key, reject, excerpt=prompt)
        text, lineage = found.get("text"), found.get("lineage")
        if not prompt_id or not isinstance(text, str) or not isinstance(lineage, dict):
            return RawRow(row, key, _broken("no prompt_id, text or lineage"), excerpt=prompt)
        if found.get("task", self.task) != self.task:
            return RawRow(row, key, _broken(f"a row of {found['task']!r}"), excerpt=prompt)
        told = {**lineage, "prompt_id": prompt_id, "classes": found.get("classes") or []}
        return RawRow(
            row,
            key,
            decode_text(text.encode("utf-8", "surrogatepass")),
            context=prompt,
            image_origin="synthetic",
            parent_id=sha256_hex(f"prompt\x1f{prompt_id}"),
            lineage=canonical_json(told),
        )


def _broken(detail: str) -> Reject:
    return Reject(Reason.ANNOTATION_BROKEN, detail[:200])
