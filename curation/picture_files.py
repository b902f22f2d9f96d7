"""Where pictures of markups go: one file, a folder, or a Parquet file that `datasets` opens with an Image column.

Each holds `rejects.jsonl` beside the pictures, so that rows in = pictures + rejects.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Protocol, Self, TextIO

from curation.errors import BadInputError
from curation.markup_files import Markup
from curation.reasons import Reject
from rendering.pixels import ImageFault, decode_rgb, encode_png
from rendering.variation import Picture

STDOUT: Final = "-"
EXCERPT_CHARS: Final = 500
MAX_GROUP_BYTES: Final = 10_000_000
"""With at most 100 rows to a row group: what keeps `datasets` from fetching a file for its first rows."""

_JPEG_START: Final = b"\xff\xd8"
COLUMNS: Final = ("image", "text", "id", "row", "place", "kind", "width_px", "height_px", "warnings", "lineage")


class PictureSink(Protocol):
    """Takes pictures one after another; a context manager that leaves no half-written file under its final name."""

    def add(self, markup: Markup, picture: Picture, warnings: Sequence[str], lineage: str | None) -> None:
        """Keep one picture. `lineage`: how it was varied, as JSON."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class OneFile:
    """The picture of a single markup, in a file or (`-`) on standard output."""

    def __init__(self, path: str, stdout: BinaryIO) -> None:
        self._path, self._stdout = path, stdout

    def add(self, _markup: Markup, picture: Picture, _warnings: Sequence[str], _lineage: str | None) -> None:
        """Write it, as the PNG that its name says: of the same pixels where a profile made it a JPEG."""
        data = picture.data
        if data.startswith(_JPEG_START):
            pixels = decode_rgb(data)
            assert not isinstance(pixels, ImageFault)  # it is our own
            data = encode_png(pixels)
        if self._path == STDOUT:
            self._stdout.write(data)
            self._stdout.flush()
        else:
            write_atomically(Path(self._path), data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""


class Folder:
    """`<stem>.png` for each markup, and `metadata.jsonl`, with which the folder loads as an `imagefolder`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._metadata: TextIO | None = None

    def add(self, markup: Markup, picture: Picture, warnings: Sequence[str], lineage: str | None) -> None:
        """Write the picture and its line."""
        assert self._metadata is not None
        name = markup.stem + (".jpg" if picture.data.startswith(_JPEG_START) else ".png")
        write_atomically(self._path / name, picture.data)
        line: dict[str, Any] = {"file_name": name, **_columns(markup, picture, warnings, lineage)}
        self._metadata.write(json.dumps(line) + "\n")

    def __enter__(self) -> Self:
        self._metadata = new_text_file(self._path / "metadata.jsonl")
        return self

    def __exit__(self, *_: object) -> None:
        if self._metadata is not None:
            self._metadata.close()


class ParquetFile:
    """A row for each picture: `image`, `text`, then where it came from. Renamed into place when it is complete."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[dict[str, Any]] = []
        self._n_bytes = 0

    def add(self, markup: Markup, picture: Picture, warnings: Sequence[str], lineage: str | None) -> None:
        """Append a row; rows are written a group at a time."""
        from curation.parquet_sink import ROWS_PER_ROW_GROUP  # noqa: PLC0415 - imports pyarrow

        image = {"bytes": picture.data, "path": None}
        self._rows.append({"image": image, **_columns(markup, picture, warnings, lineage)})
        self._n_bytes += len(picture.data)
        if len(self._rows) == ROWS_PER_ROW_GROUP or self._n_bytes > MAX_GROUP_BYTES:
            self._write()

    def __enter__(self) -> Self:
        import pyarrow as pa  # noqa: PLC0415 - a third of a second that single pictures save

        from curation.parquet_sink import HashingSink, ParquetSink  # noqa: PLC0415 - imports pyarrow
        from curation.release_files import with_features  # noqa: PLC0415 - imports pyarrow
        from curation.sample import IMAGE_TYPE  # noqa: PLC0415 - imports pyarrow

        plain = dict.fromkeys(("text", "id", "place", "kind", "lineage"), "string")
        plain |= dict.fromkeys(("row", "width_px", "height_px"), "int32")
        types: dict[str, pa.DataType] = {name: pa.type_for_alias(type_) for name, type_ in plain.items()}
        types |= {"image": IMAGE_TYPE, "warnings": pa.list_(pa.string())}
        self._schema = with_features(pa.schema([(name, types[name]) for name in COLUMNS]))
        self._draft = _new_draft(self._path)
        self._sink = ParquetSink(HashingSink(self._draft), self._schema, str(self._path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        draft = Path(self._draft.name)
        try:
            if kind is None:
                self._write()
                self._sink.finish()
                self._draft.flush()
                os.fsync(self._draft.fileno())
                draft.replace(self._path)
            else:
                self._sink.abandon()
        finally:
            self._draft.close()
            draft.unlink(missing_ok=True)

    def _write(self) -> None:
        import pyarrow as pa  # noqa: PLC0415 - see __enter__

        if self._rows:
            self._sink.write(pa.Table.from_pylist(self._rows, self._schema))
        self._rows, self._n_bytes = [], 0


class RejectList:
    """Counts rejects by reason, keeps the first of each to show, and writes all of them as JSON lines."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self.first: dict[str, tuple[Markup, Reject]] = {}
        self._file: TextIO | None = None

    def add(self, markup: Markup, reject: Reject) -> None:
        """Take one."""
        self.counts[reject.reason.value] += 1
        self.first.setdefault(reject.reason.value, (markup, reject))
        if self._file is not None:
            line = {
                "row": markup.row,
                "place": markup.place,
                "id": markup.id,
                "reason": reject.reason.value,
                "detail": reject.detail,
                "excerpt": markup.text[:EXCERPT_CHARS] if isinstance(markup.text, str) else "",
            }
            self._file.write(json.dumps(line) + "\n")

    def __enter__(self) -> Self:
        if self.path is not None:
            self._file = new_text_file(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all. A link under its name is replaced, not followed."""
    draft = _new_draft(path)
    try:
        with draft:
            draft.write(data)
        Path(draft.name).replace(path)
    except OSError as error:
        Path(draft.name).unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def _columns(markup: Markup, picture: Picture, warnings: Sequence[str], lineage: str | None) -> dict[str, Any]:
    return {
        "text": markup.text,
        "id": markup.id,
        "row": markup.row,
        "place": markup.place,
        "kind": markup.kind,
        "width_px": picture.width_px,
        "height_px": picture.height_px,
        "warnings": list(warnings),
        "lineage": lineage,
    }


def _new_draft(path: Path) -> BinaryIO:
    draft = path.with_name(f".{path.name}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        return draft.open("xb")
    except OSError as error:
        raise _unwritable(path, error) from error


def new_text_file(path: Path) -> TextIO:
    """An empty file to write lines into. A link under its name is replaced, not followed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        return path.open("x", encoding="utf-8", newline="")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> BadInputError:
    return BadInputError(f"{path} cannot be written: {error.strerror}", "Choose another place with -o")
