"""Which column is the picture and which the text, and what the text is."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from curation.errors import SchemaError
from curation.report.columns import FoundColumns, find_columns, guess_task
from curation.sources.address import resolve
from curation.sources.containers import SUFFIXES
from tests.curation.report.strangers import (
    captions_table,
    markup_table,
    picture,
    write_arrow,
    write_csv,
    write_jsonl,
    write_parquet,
)

PAGE = (
    "<!DOCTYPE html><html><head><title>t</title></head><body><p>A</p><table><tr><td>1</td></tr></table></body></html>"
)
TABLE = "<html><head><style>td {x: y}</style></head><body> <table><tr><td>1</td></tr></table>\n</body></html>"


def found(folder: Path, *args: str) -> FoundColumns:
    return find_columns(resolve(str(folder), SUFFIXES), *args)


@pytest.mark.parametrize(
    ("texts", "task"),
    [
        ([PAGE, PAGE, TABLE], "page_to_html"),
        ([TABLE, "<table><tr><td>2</td></tr></table>", PAGE], "table_to_html"),
        ([r"\frac{1}{2}", "x_{1}", "a + b"], "formula_to_latex"),
        (["A dog.", "x_{1} is a name", "Less < more, and 3 > 2."], "image_to_caption"),
        ([], "image_to_caption"),
    ],
)
def test_what_more_than_half_of_the_texts_are(texts: list[str], task: str) -> None:
    assert guess_task(texts) == task


def test_captions_of_parquet_and_of_save_to_disk_have_all_their_columns(tmp_path: Path) -> None:
    expected = ("image", "alt_text", "original_alt_text", "objects", "image_id", "", "image_to_caption")
    for kind, folder in (("parquet", write_parquet(tmp_path / "p")), ("arrow", write_arrow(tmp_path / "a"))):
        columns = found(folder)
        assert columns == FoundColumns(kind, *expected)  # type: ignore[arg-type]


def test_jsonl_csv_and_a_list_of_captions(tmp_path: Path) -> None:
    assert found(write_jsonl(tmp_path / "j")).image == "file_name"
    assert found(tmp_path / "j").text == "caption"
    columns = found(write_csv(tmp_path / "c", [(r"\alpha_{1}", picture(0)), (r"x^{2}", picture(1))]))
    assert (columns.kind, columns.image, columns.text, columns.task) == ("csv", "image", "latex", "formula_to_latex")
    listed = captions_table().drop_columns(["alt_text"]).append_column("captions", pa.array([["a", "b"]] * 6))
    columns = found(write_parquet(tmp_path / "l", listed))
    assert (columns.text, columns.task) == ("captions", "image_to_caption")


def test_a_picture_is_known_by_its_type_whatever_its_name_and_the_only_text_too(tmp_path: Path) -> None:
    table = markup_table([TABLE], "what_it_says").rename_columns(["shot", "what_it_says"])
    columns = found(write_parquet(tmp_path / "p", table))
    assert (columns.image, columns.text, columns.task) == ("shot", "what_it_says", "table_to_html")


def test_what_the_source_tells_beside_the_text_is_its_context(tmp_path: Path) -> None:
    table = markup_table([PAGE], "text", llm_generated_idea=pa.array(["A shop."]))
    columns = found(write_parquet(tmp_path / "p", table))
    assert (columns.text, columns.context, columns.task) == ("text", "llm_generated_idea", "page_to_html")


def test_named_columns_and_task_are_taken_as_they_are(tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "p")
    columns = found(folder, "image", "original_alt_text", "page_to_html")
    assert (columns.text, columns.task) == ("original_alt_text", "page_to_html")


def test_what_cannot_be_told_is_an_error_that_lists_the_columns(tmp_path: Path) -> None:
    two = write_parquet(tmp_path / "2", markup_table([TABLE], "one", other=pa.array(["x"])))
    with pytest.raises(SchemaError, match=r"several columns that may be the text. .*--text-column.*image, one, other"):
        found(two)
    none = write_parquet(tmp_path / "0", pa.table({"caption": ["a"], "width": [3]}))
    with pytest.raises(
        SchemaError, match=r"no column that is known to hold pictures. .*--image-column.*caption, width"
    ):
        found(none)
    with pytest.raises(SchemaError, match="has no column 'txet'"):
        found(two, "", "txet")
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "rows.jsonl").write_text(json.dumps({"image": "x.png", "n": 3}) + "\n")
    with pytest.raises(SchemaError, match="no column that may be the text"):
        found(tmp_path / "e")
