"""Formulas come from Parquet with pictures, from sets in folders, and from lists of a formula a line."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from curation.errors import AddressError
from curation.sources.latex import Latex
from rendering.pixels import crop_to_ink
from tests.hub.server import FakeHub

WriteParquet = Callable[..., Path]


def rows_of(source: Latex, rows_per_shard: int = 100) -> list[dict[str, Any]]:
    return [row for piece in source.pieces(rows_per_shard) for row in source.read_texts(piece).to_pylist()]


def test_a_real_list_gives_every_line_and_no_pictures(shared_data: Path) -> None:
    path = shared_data / "latex-formulas" / "formulas.txt"
    source = Latex(str(path), license="Apache-2.0")
    rows = rows_of(source, rows_per_shard=500)
    assert [row["text"] for row in rows] == path.read_text(encoding="utf-8").splitlines()
    assert len(rows) == 8475
    assert [row["row"] for row in rows] == list(range(8475))
    assert all(source.read_images(piece, [piece.first_row]) is None for piece in source.pieces(5000))


def test_lines_that_are_empty_or_no_utf8_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_bytes(b"x^2\n\n  \t\n\xff\xfe\n\\alpha \n")
    rows = rows_of(Latex(str(tmp_path)), rows_per_shard=2)
    assert [row["text"] for row in rows] == ["x^2", None, None, None, "\\alpha "]
    assert [row["reject_reason"] for row in rows] == [None, "markup_empty", "markup_empty", "text_not_utf8", None]
    assert rows[4]["source_key"] == "f.txt:4"


def test_a_crop_to_the_ink_of_real_pages_is_the_formula_alone(shared_data: Path) -> None:
    """Every formula is at the top of its page: a page number or an equation number would make a crop reach out."""
    source = Latex(str(shared_data / "latex-im2markup"), crop="ink")
    n_blank = n_cropped = 0
    for piece in source.pieces(300):
        images = source.read_images(piece, range(piece.first_row, piece.first_row + piece.n_rows, 20))
        assert images is not None
        for image in images.to_pylist():
            page = Image.open(io.BytesIO(image["bytes"]))
            assert page.size == (1654, 2339)
            crop = crop_to_ink(page, padding_px=8)
            n_blank += crop is None
            if crop:
                n_cropped += 1
                assert crop.width <= 1200
                assert crop.height <= 420
    assert (n_cropped, n_blank) == (29, 1)  # a formula that its author commented out leaves a blank page


def test_a_set_is_a_folder_and_has_to_be_chosen_where_there_are_several(
    hub: FakeHub, write_parquet: WriteParquet
) -> None:
    def data(text: str) -> bytes:
        return write_parquet("x.parquet", {"image": [b"1"], "text": [text]}).read_bytes()

    hub.publish(
        "org/sets",
        {
            "full/train-00000-of-00001.parquet": data("full"),
            "full/test-00000-of-00001.parquet": data("full test"),
            "small/train/0000.parquet": data("small"),
        },
    )
    assert [row["text"] for row in rows_of(Latex("org/sets", config="full"))] == ["full"]
    assert [row["text"] for row in rows_of(Latex("org/sets", config="full", split="all"))] == ["full", "full test"]
    assert [row["text"] for row in rows_of(Latex("org/sets", config="small"))] == ["small"]
    with pytest.raises(AddressError, match=r"holds several sets of formulas\. Set config to one of full, small"):
        rows_of(Latex("org/sets"))
    with pytest.raises(AddressError, match=r"has no folder 'medium'\. It has: full, small"):
        rows_of(Latex("org/sets", config="medium"))


def test_parquet_wins_over_text_files_beside_it(write_parquet: WriteParquet, tmp_path: Path) -> None:
    write_parquet("d/data/train-0.parquet", {"formula": ["x"], "image": [b"1"]})
    (tmp_path / "d/notes.txt").write_text("not a formula")
    source = Latex(str(tmp_path / "d"), text_column="formula", license="MIT")
    (row,) = rows_of(source)
    assert (row["text"], row["license"], row["task"]) == ("x", "MIT", "formula_to_latex")


def test_formulas_of_a_file_without_pictures_are_to_be_rendered(write_parquet: WriteParquet) -> None:
    source = Latex(str(write_parquet("a.parquet", {"text": ["x"]})))
    (piece,) = source.pieces(10)
    assert source.read_images(piece, [0]) is None
