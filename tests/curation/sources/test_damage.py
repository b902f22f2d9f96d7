"""Damaged files: one line that names the file, whatever the library said; and a listing that goes on where told to."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import SchemaError
from curation.sources.captions import Captions
from curation.sources.damage import decoding, set_aside
from curation.sources.mapped_files import MappedFiles
from curation.sources.source import Source
from rendering.errors import MarkupmillError
from tests.curation.making import png


def formulas(folder: Path) -> MappedFiles:
    return MappedFiles(str(folder), "formula_to_latex")


def write(path: Path, n_rows: int = 6) -> None:
    images = [{"bytes": png(), "path": None}] * n_rows
    pq.write_table(pa.table({"text": [f"x_{n}" for n in range(n_rows)], "image": images}), path, row_group_size=3)


def read(source: Source) -> int:
    n_rows = 0
    for piece in source.pieces(3):
        texts = source.read_texts(piece)
        source.read_images(piece, texts.column("row").to_pylist())
        n_rows += texts.num_rows
    return n_rows


def test_no_change_of_a_byte_gives_anything_but_rows_or_one_line(tmp_path: Path) -> None:
    rng = random.Random(3)
    write(tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    n_refused = 0
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(4, len(data))] = rng.randrange(256)
        (tmp_path / "a.parquet").write_bytes(data)
        said = ""
        try:
            read(formulas(tmp_path))
        except MarkupmillError as error:
            n_refused, said = n_refused + 1, str(error)
        assert not said or ("a.parquet" in said and said.isprintable())
    assert n_refused > 30


def test_an_arrow_file_whose_offsets_lead_elsewhere_is_refused_and_not_read(tmp_path: Path) -> None:
    """Unchecked, pyarrow reads where the offsets say: the process ends with a bus error."""
    out = io.BytesIO()
    table = pa.table({"caption": ["a" * 9, "b" * 9], "image": pa.array([png(), png()], pa.binary())})
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    offsets = pa.array([0, 9, 18], pa.int32()).buffers()[1].to_pybytes()[:12]
    data = out.getvalue()
    assert data.count(offsets) == 1
    (tmp_path / "a.arrow").write_bytes(data.replace(offsets, offsets[:4] + b"\xff\xff\xff\x7f" + offsets[8:]))
    with pytest.raises(SchemaError, match=r"a\.arrow is damaged \(ArrowInvalid: .*Fetch it again"):
        read(Captions(address=str(tmp_path)))


def test_what_is_no_utf8_in_an_arrow_file_is_the_fault_of_its_row(tmp_path: Path) -> None:
    texts = pa.array([b"\xff", b"fine"], pa.binary()).view(pa.string())
    table = pa.table({"caption": texts, "image": pa.array([png(), png()], pa.binary())})
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    source = Captions(address=str(tmp_path))
    (piece,) = source.pieces(5)
    assert source.read_texts(piece).column("reject_reason").to_pylist() == ["text_not_utf8", None]


def test_an_error_of_ours_and_a_file_that_is_gone_pass() -> None:
    for error in (SchemaError("mine", "mend"), FileNotFoundError("gone")):
        with pytest.raises(type(error)) as caught, decoding("a.parquet"):
            raise error
        assert caught.value is error


def test_the_first_bad_file_ends_a_listing_unless_someone_answers_for_them(tmp_path: Path) -> None:
    for name in "bd":
        write(tmp_path / f"{name}.parquet")
    (tmp_path / "a.parquet").write_bytes(b"")
    pq.write_table(pa.table({"text": [1], "image": [b""]}), tmp_path / "c.parquet")
    with pytest.raises(SchemaError, match=r"a\.parquet cannot be read"):
        list(formulas(tmp_path).pieces(3))
    with set_aside() as aside:
        for _ in range(2):  # each file is told once
            assert len(list(formulas(tmp_path).pieces(3))) == 4
    assert [Path(str(error).split(".parquet")[0]).name for error in aside] == ["a", "c"]
    with pytest.raises(SchemaError):
        list(formulas(tmp_path).pieces(3))


def test_errors_are_one_line_whatever_stands_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'"te\nxt\x1b[2J",image\n')
    with pytest.raises(SchemaError) as caught:
        list(formulas(tmp_path).pieces(3))
    assert str(caught.value).isprintable()
