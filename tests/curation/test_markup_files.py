"""What a person points at, as markups: kinds by suffix and column, safe places to write to, hostile rows."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation import markup_files
from curation.errors import BadInputError
from curation.markup_files import Markup, MarkupInput, Reading, open_markups, safe_stem
from curation.reasons import Reason, Reject


def opened(address: object, stdin: bytes = b"", **reading: object) -> MarkupInput:
    return open_markups(str(address), Reading(**reading), io.BytesIO(stdin))  # type: ignore[arg-type]


def texts(markups: list[Markup]) -> list[str | Reason]:
    return [markup.text.reason if isinstance(markup.text, Reject) else markup.text for markup in markups]


def test_a_file_is_one_markup_of_the_kind_of_its_suffix(tmp_path: Path) -> None:
    for name, kind in {"a.html": "page", "b.HTM": "page", "c.tex": "formula"}.items():
        (tmp_path / name).write_text("<table><tr><td>x</table>\n")
        markups = opened(tmp_path / name)
        assert markups.is_single
        assert markups.n_markups() == 1
        [markup] = markups
        assert (markup.kind, markup.stem, markup.place) == (kind, Path(name).stem, name)
        assert markup.text == "<table><tr><td>x</table>"
    [table] = opened(tmp_path / "a.html", kind="table")
    assert table.kind == "table"


def test_a_list_is_a_formula_a_line(tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_bytes(b"\xef\xbb\xbfx^2\r\n\ny\\frac 1 2\n\xff\xfe\nlast")
    markups = opened(tmp_path / "f.txt")
    assert not markups.is_single
    assert markups.n_markups() == 5
    rows = list(markups)
    assert texts(rows) == ["x^2", Reason.MARKUP_EMPTY, r"y\frac 1 2", Reason.TEXT_NOT_UTF8, "last"]
    assert [row.stem for row in rows] == [f"00000{n}" for n in range(5)]
    assert {row.kind for row in rows} == {"formula"}
    [page] = opened(tmp_path / "f.txt", kind="page")  # the user's word goes over the suffix
    assert page.kind == "page"


@pytest.mark.parametrize(
    ("head", "kind"), [(b"\n\n<h1>x</h1>\n", "page"), (b"  <table></table>", "page"), (b"x^2\n+ 1", None)]
)
def test_standard_input_is_one_markup(head: bytes, kind: str | None) -> None:
    if kind is None:
        with pytest.raises(BadInputError, match="--task"):
            list(opened("-", head))
    [markup] = opened("-", head, kind=None if kind else "formula")
    assert markup.kind == (kind or "formula")
    assert markup.stem == "stdin"
    assert markup.text == head.decode().rstrip("\n")


def test_standard_input_that_begins_with_a_json_object_is_jsonl() -> None:
    markups = opened("-", b'{"latex": "x", "id": 7}\n{"latex": null}\n')
    assert not markups.is_single
    assert markups.n_markups() is None
    rows = list(markups)
    assert texts(rows) == ["x", Reason.TEXT_MISSING]
    assert [row.id for row in rows] == ["7", "stdin:1"]


def test_nothing_on_standard_input_is_bad_input() -> None:
    with pytest.raises(BadInputError, match="empty"):
        opened("-", b" \n")


def test_jsonl_rows_that_hold_no_text_are_rejects(tmp_path: Path) -> None:
    lines = [
        '{"text": "<p>one"}', "[1]", "{broken", '{"text": 5}', '{"other": 1}', '{"text": "\\ud800"}',
        '{"text": "x", "task": "formula_to_latex"}', "[" * 100_000,
    ]  # fmt: skip
    (tmp_path / "r.jsonl").write_text("\n".join(lines))
    rows = list(opened(tmp_path / "r.jsonl"))
    broken, missing = Reason.ANNOTATION_BROKEN, Reason.TEXT_MISSING
    assert texts(rows) == ["<p>one", broken, broken, missing, missing, Reason.TEXT_NOT_UTF8, "x", broken]
    assert [rows[0].kind, rows[6].kind] == ["page", "formula"]


def test_a_line_without_end_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markup_files, "MAX_LINE_BYTES", 100)
    (tmp_path / "f.lst").write_bytes(b"a\n" + b"b" * 1_000 + b"\nc\n" + b"d" * 99 + b"\n")
    assert texts(list(opened(tmp_path / "f.lst"))) == ["a", Reason.MARKUP_TOO_LARGE, "c", "d" * 99]


def test_parquet_rows_come_from_the_column_with_a_known_name(tmp_path: Path) -> None:
    table = pa.table({"n": [1, 2], "html_table": ["<table>", None], "text": ["x", "y"], "imgid": [5, 6]})
    pq.write_table(table, tmp_path / "t.parquet")
    markups = opened(tmp_path / "t.parquet")
    assert markups.n_markups() == 2
    rows = list(markups)
    assert texts(rows) == ["<table>", Reason.TEXT_MISSING]
    assert [(row.kind, row.id, row.row) for row in rows] == [("table", "5", 0), ("table", "6", 1)]
    assert texts(list(opened(tmp_path / "t.parquet", column="text", kind="formula"))) == ["x", "y"]


def test_parquet_of_ours_says_the_kind_of_each_row(tmp_path: Path) -> None:
    table = pa.table({"text": ["<p>", "x", "<table>"], "task": ["page_to_html", "formula_to_latex", "table_to_html"]})
    pq.write_table(table, tmp_path / "t.parquet")
    assert [row.kind for row in opened(tmp_path / "t.parquet")] == ["page", "formula", "table"]


def test_parquet_is_read_a_few_rows_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = pq.ParquetFile.iter_batches

    def counted(*args: object, **kwargs: object) -> object:
        for batch in real(*args, **kwargs):
            sizes.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    pq.write_table(pa.table({"latex": ["x"] * 1_000}), tmp_path / "t.parquet")
    rows = iter(opened(tmp_path / "t.parquet"))
    next(rows)
    assert len(sizes) == 1
    assert len(list(rows)) == 999
    assert max(sizes) <= markup_files.ROWS_PER_READ


@pytest.mark.parametrize(
    ("columns", "reading", "message"),
    [
        ({"caption": ["a"]}, {}, "It has: caption; name one with --column"),
        ({"text": ["a man"]}, {}, "--task"),
        ({"text": ["x"]}, {"column": "html"}, "no column 'html'"),
        ({"text": [1.5]}, {"kind": "page"}, "holds no text"),
        ({"text": ["x"]}, {"kind": "page", "picture_column": "image"}, "no column 'image'"),
        ({"text": ["x"]}, {"kind": "page", "picture_column": "text"}, "holds no pictures"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(
    columns: dict[str, list[object]], reading: dict[str, object], message: str, tmp_path: Path
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pytest.raises(BadInputError, match=message):
        list(opened(tmp_path / "t.parquet", **reading))


@pytest.mark.parametrize("name", ["nothing.html", "picture.png", "broken.parquet"])
def test_bad_files_are_bad_input(name: str, tmp_path: Path) -> None:
    if name != "nothing.html":
        (tmp_path / name).write_bytes(b"no")
    with pytest.raises(BadInputError) as told:
        list(opened(tmp_path / name))
    assert name in told.value.problem
    assert told.value.mend


def test_a_folder_is_all_files_of_known_suffix_below_it_in_order(tmp_path: Path) -> None:
    for name in ("b.html", "a/z.tex", "a/y.html", "README.txt", "a.png", ".hidden.html", ".git/x.html", "c.lst"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x\ny")
    markups = opened(tmp_path)
    assert not markups.is_single
    assert markups.n_markups() == 5
    assert [row.place for row in markups] == ["a/y.html", "a/z.tex", "b.html", "c.lst:0", "c.lst:1"]
    assert [row.stem for row in markups] == ["a/y", "a/z", "b", "c/000000", "c/000001"]
    assert opened(tmp_path, kind="formula").n_markups() == 7  # README.txt counts where the user says what files hold


def test_no_two_markups_have_one_place_to_write_to(tmp_path: Path) -> None:
    names = ["a.html", "a.htm", "A.tex", "a.lst", "b.jsonl", "b/000000.html", "x y.html", "x_y.html", "a-2.html"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"html": "x"}')
    stems = [markup.stem.casefold() for markup in opened(tmp_path)]
    assert len(set(stems)) == len(stems) == len(names)
    folders = {stem.rpartition("/")[0] for stem in stems}
    assert not any(stem.startswith("b/0") and stem in folders for stem in stems)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..", "/abs", "a\x00b", "a\nb", "C:\\x", "-rf", "\u202egnp", "x" * 5_000, "", "\udcff"]
)
def test_no_name_means_anything_to_a_file_system(name: str, tmp_path: Path) -> None:
    stem = safe_stem(name)
    (tmp_path / f"{stem}.png").write_bytes(b"x")
    assert [path.name for path in tmp_path.iterdir()] == [f"{stem}.png"]
    assert (tmp_path / f"{stem}.png").resolve().parent == tmp_path.resolve()


def test_a_hostile_id_is_only_text(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(json.dumps({"html": "<p>", "id": "../../x" * 1_000}) + "\n")
    [row] = opened(tmp_path / "r.jsonl")
    assert row.stem == "000000"
    assert len(row.id) == markup_files.MAX_ID_CHARS


def test_a_file_over_the_cap_is_a_reject_and_not_read(tmp_path: Path) -> None:
    with (tmp_path / "big.html").open("wb") as file:
        file.truncate(10_000_000_000)  # sparse: it takes no room on disk
    [markup] = opened(tmp_path / "big.html")
    assert texts([markup]) == [Reason.RENDER_OVER_CAP]


def test_a_link_to_a_folder_above_does_not_go_round(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [markup.place for markup in opened(tmp_path)] == ["a.html"]
