"""Parquet written front to back and hashed as it passes, so that a finished file's SHA-256 costs no second read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_PER_ROW_GROUP: Final = 100
"""Three streamed rows should not fetch a whole file: at most 100 images to a row group."""


@dataclass(frozen=True)
class FileEntry:
    """A finished file: path inside the workspace, SHA-256, size."""

    path: str
    sha256: str
    n_bytes: int
    n_rows: int


class HashingSink:
    """A file that hashes what passes through, for writers that only append. Its owner closes the file."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.n_bytes = 0
        self.is_abandoned = False

    def write(self, data: Any) -> int:
        """Append bytes (anything with a buffer); returns how many."""
        view = memoryview(data)
        if self.is_abandoned:
            return view.nbytes
        self.sha256.update(view)
        self.n_bytes += view.nbytes
        self._file.write(view)
        return view.nbytes

    def tell(self) -> int:
        """Bytes so far."""
        return self.n_bytes

    def flush(self) -> None:
        """Hand on to the file what is buffered."""
        self._file.flush()

    def close(self) -> None:
        """The owner closes the file: a Parquet writer must not, before it is fsynced."""

    @property
    def closed(self) -> bool:
        """Never: see the class."""
        return False

    def writable(self) -> bool:
        """Yes."""
        return True

    def readable(self) -> bool:
        """No."""
        return False

    def seekable(self) -> bool:
        """No: Parquet is written front to back."""
        return False


class ParquetSink:
    """Appends tables to one Parquet file; `n_rows`, and after closing `entry`, say what was written."""

    def __init__(self, sink: HashingSink, schema: pa.Schema, path: str) -> None:
        self._sink = sink
        self._path = path
        self._writer = pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema, **writer_options(schema))
        self.n_rows = 0

    def write(self, table: pa.Table) -> None:
        """Append rows, in row groups of at most `ROWS_PER_ROW_GROUP`."""
        self._writer.write_table(table, row_group_size=ROWS_PER_ROW_GROUP)
        self.n_rows += table.num_rows

    def finish(self) -> FileEntry:
        """Write the footer. The file is complete but not yet in place."""
        self._writer.close()
        return FileEntry(self._path, self._sink.sha256.hexdigest(), self._sink.n_bytes, self.n_rows)

    def abandon(self) -> None:
        """Let go of the writer after a failure: its file is thrown away.

        Closed here, into nothing: left to the garbage collector, Arrow writes the footer to a closed file from a
        destructor, and the error surfaces in whatever Python runs next.
        """
        self._sink.is_abandoned = True
        self._writer.close()


def writer_options(schema: pa.Schema) -> dict[str, Any]:
    """How all our Parquet is written: texts compressed and dictionary-encoded, pictures as they are.

    A PNG or JPEG only costs time to compress again, and a dictionary of pictures only memory.
    """
    leaves = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
    texts = [name for name, type_ in leaves if not pa.types.is_binary(type_)]
    return {
        "compression": {name: "zstd" if name in texts else "none" for name, _ in leaves},
        "use_dictionary": texts,
        "write_page_index": True,
        "version": "2.6",
    }


def _leaves(path: str, type_: pa.DataType) -> list[tuple[str, pa.DataType]]:
    """Parquet's names of the columns that an Arrow column becomes."""
    if pa.types.is_struct(type_):
        return [leaf for field in type_ for leaf in _leaves(f"{path}.{field.name}", field.type)]
    if pa.types.is_list(type_):
        return _leaves(f"{path}.list.element", type_.value_type)
    return [(path, type_)]
