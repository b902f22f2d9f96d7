"""`markupmill render` as a person runs it: one, many, varied, compared, refused, interrupted."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from curation.markup_files import Markup
from flows.cli import main
from flows.render import CHARS_PER_BATCH, ROWS_PER_BATCH, batches
from rendering.renderer import Renderer
from rendering.spec import RenderSpec
from tests.rendering.test_lifetime import alive, descendants

ROOT = Path(__file__).resolve().parents[2]
PAGE = "<!doctype html><h1>Hello</h1><p>A page with <b>some</b> text."
TABLE = "<table><tr><th>Name</th><th>n</th></tr><tr><td>one</td><td>1</td></tr></table>"
Command = Callable[..., Result]


@pytest.fixture
def command(renderer: Renderer, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command with the browser of all tests in place of one of its own; fails where the exit code is another."""

    class Shared:
        def __init__(self, n_pages: int) -> None:
            assert n_pages >= 1

        def __enter__(self) -> Renderer:
            return renderer

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("flows.render.Renderer", Shared)
    monkeypatch.setattr("flows.compare.Renderer", Shared)

    def run(*arguments: object, expect: int = 0, stdin: bytes = b"") -> Result:
        result = CliRunner().invoke(main, ["render", *map(str, arguments)], input=stdin)
        assert result.exit_code == expect, result.output
        assert "Traceback" not in result.output
        return result

    return run


def rejects(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# One


def test_one_page_is_one_picture(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(PAGE)
    said = command(tmp_path / "a.html", "-o", tmp_path / "a.png", "--width", 400, "--scale", 2)
    assert said.stdout == f"Picture: {tmp_path / 'a.png'}\n"
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 800


def test_standard_input_to_standard_output(command: Command, renderer: Renderer) -> None:
    said = command("-", "--task", "table", "-o", "-", "--padding", 3, "--font-size", 30, stdin=TABLE.encode())
    [expected] = renderer.render([TABLE], RenderSpec("table", padding_px=3, font_size_px=30))
    assert said.stdout_bytes == expected.png  # type: ignore[union-attr]


def test_an_html_that_is_one_table_is_a_page_unless_told(command: Command, tmp_path: Path) -> None:
    (tmp_path / "t.html").write_text(TABLE)
    command(tmp_path / "t.html", "-o", tmp_path / "page.png")
    command(tmp_path / "t.html", "-o", tmp_path / "table.png", "--task", "table")
    with Image.open(tmp_path / "page.png") as page, Image.open(tmp_path / "table.png") as table:
        assert page.width == 1280
        assert table.width < 200


def test_one_that_gives_no_picture_says_why_and_fails(command: Command, tmp_path: Path) -> None:
    (tmp_path / "f.tex").write_text(r"\frac{1}\x1b[2J")
    said = command(tmp_path / "f.tex", "-o", tmp_path / "f.png", expect=1)
    assert said.stderr.startswith("f.tex gives no picture: render_katex_error: ")
    assert "\x1b" not in said.output
    assert [path.name for path in tmp_path.iterdir()] == ["f.tex"]


def test_what_stands_around_a_formula_is_taken_off(command: Command, tmp_path: Path) -> None:
    (tmp_path / "f.tex").write_text("\\begin{equation}\\label{a}\n x^2 \\end{equation}\n")
    (tmp_path / "g.tex").write_text("x^2")
    said = command(tmp_path / "f.tex", "-o", tmp_path / "f.png")
    assert "rewritten" in said.stdout
    command(tmp_path / "g.tex", "-o", tmp_path / "g.png")
    assert (tmp_path / "f.png").read_bytes() == (tmp_path / "g.png").read_bytes()


# Many


def test_rows_in_are_pictures_and_rejects(command: Command, tmp_path: Path) -> None:
    (tmp_path / "f.lst").write_text("x^2\n\\frac\n\n\\alpha\n")
    said = command(tmp_path / "f.lst", "-o", tmp_path / "out")
    assert "4 rows in = 2 pictures + 2 rejects" in said.stdout
    assert "1  render_katex_error  f.lst:1: " in said.stdout
    assert "4 rows, 2 pictures, 2 rejected" in said.stderr
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["000000.png", "000003.png", "metadata.jsonl", "rejects.jsonl"]
    listed = rejects(tmp_path / "out/rejects.jsonl")
    assert [(row["row"], row["reason"], row["excerpt"]) for row in listed] == [
        (1, "render_katex_error", "\\frac"),
        (2, "markup_empty", ""),
    ]


def test_a_folder_of_hostile_names_stays_in_its_place(command: Command, tmp_path: Path) -> None:
    pages = tmp_path / "in" / "not hidden.." / "sub"
    pages.mkdir(parents=True)
    for name in ("-rf.html", "a\nb.html", "a b.html", "\\..\\x.html"):
        (pages / name).write_text(PAGE)
    rows = [{"html": PAGE, "id": name} for name in ("../../../up", "/abs", "\x1b[31m", "\ud800")]
    (tmp_path / "in/rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    before = set(tmp_path.rglob("*"))
    said = command(tmp_path / "in", "-o", tmp_path / "out", "--width", 300)
    assert "8 rows in = 8 pictures + 0 rejects" in said.stdout
    assert "\x1b" not in said.output
    new = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")} - {path.relative_to(tmp_path) for path in before}
    assert {path.parts[0] for path in new} == {"out"}
    assert len([path for path in new if path.suffix == ".png"]) == 8


def test_parquet_to_parquet(command: Command, tmp_path: Path) -> None:
    table = pa.table({"html_table": [TABLE, None, "<table></table>"], "imgid": [7, 8, 9]})
    pq.write_table(table, tmp_path / "t.parquet")
    said = command(tmp_path / "t.parquet", "-o", tmp_path / "out.parquet")
    assert "3 rows in = 1 pictures + 2 rejects" in said.stdout
    [row] = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert (row["id"], row["row"], row["kind"], row["text"]) == ("7", 0, "table", TABLE)
    with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
        assert image.size == (row["width_px"], row["height_px"])
    assert [row["reason"] for row in rejects(tmp_path / "out.rejects.jsonl")] == ["text_missing", "render_blank"]


def test_a_limit_is_kept(command: Command, tmp_path: Path) -> None:
    (tmp_path / "f.lst").write_text("x\n" * 50)
    assert "3 rows in = 3 pictures" in command(tmp_path / "f.lst", "-o", tmp_path / "out", "--limit", 3).stdout


def test_jsonl_from_standard_input_is_many(command: Command, tmp_path: Path) -> None:
    lines = b"".join(b'{"latex": "x_%d"}\n' % n for n in range(5))
    assert "5 rows in = 5 pictures" in command("-", "-o", tmp_path / "out.parquet", stdin=lines).stdout


def test_batches_are_bounded_in_rows_and_characters() -> None:
    taken = 0

    def markups(n_chars: int) -> Iterator[Markup]:
        nonlocal taken
        for row in range(10**9):
            taken = row + 1
            yield Markup("", "", row, "", "formula", "x" * n_chars)

    assert len(next(batches(markups(1)))) == taken == ROWS_PER_BATCH["formula"]
    assert len(next(batches(markups(CHARS_PER_BATCH // 3)))) == taken == 4


# Varied


def test_a_profile_varies_by_id_and_seed_and_repeats(command: Command, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"html_table": TABLE, "id": n}) + "\n" for n in range(6)))
    made = {}
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        command(tmp_path / "t.jsonl", "-o", tmp_path / name, "--profile", "journal", "--seed", seed)
        made[name] = [path.read_bytes() for path in sorted((tmp_path / name).glob("*.png"))]
    assert made["a"] == made["b"]
    assert len(set(made["a"])) > 3
    assert made["c"] != made["a"]
    line = json.loads((tmp_path / "a/metadata.jsonl").read_text().splitlines()[0])
    assert json.loads(line["lineage"]).items() >= {"profile": "journal", "seed": 1}.items()


# Compared


def test_a_page_is_compared_as_wide_as_its_picture(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(PAGE)
    command(tmp_path / "a.html", "-o", tmp_path / "a.png", "--width", 500)
    said = command(tmp_path / "a.html", "--compare", tmp_path / "a.png", "-o", tmp_path / "c.png")
    assert float(said.stdout.split()[1]) == 1.0
    assert "0 regions differ" in said.stdout
    assert f"Side by side: {tmp_path / 'c.png'}" in said.stdout
    with Image.open(tmp_path / "c.png") as image:
        assert image.width == 3 * 500 + 4 * 16


def test_another_formula_scores_less_and_is_marked(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.tex").write_text(r"\frac{a}{b} + x^2 = \alpha")
    (tmp_path / "b.tex").write_text(r"\frac{a}{b} + x^2 = \omega")
    command(tmp_path / "a.tex", "-o", tmp_path / "a.png")
    scores = []
    for name in ("a", "b"):
        said = command(tmp_path / f"{name}.tex", "--compare", tmp_path / "a.png", "-o", tmp_path / f"{name}-c.png")
        scores.append(float(said.stdout.split()[1]))
    assert scores[1] < scores[0] == 1.0
    with Image.open(tmp_path / "b-c.png") as image:
        marked = {color for _, color in image.convert("RGB").getcolors(1 << 24) or []}
    assert (0xD5, 0x5E, 0x00) in marked


def test_a_column_of_pictures_gives_a_table_of_scores(command: Command, renderer: Renderer, tmp_path: Path) -> None:
    formulas = ["x^2 + y^2", r"\frac{a}{b}", "c", "d"]
    pngs = [result.png for result in renderer.render(formulas, RenderSpec("formula"))]  # type: ignore[union-attr]
    images = [{"bytes": data, "path": None} for data in (pngs[0], pngs[0], b"no picture", None)]
    pq.write_table(pa.table({"latex": formulas, "image": images}), tmp_path / "t.parquet")
    said = command(tmp_path / "t.parquet", "--compare", "image", "-o", tmp_path / "s.csv")
    assert "4 rows in = 2 scores + 2 rejects" in said.stdout
    with (tmp_path / "s.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["reject"] for row in rows] == ["", "", "image_unreadable", "image_missing"]
    assert float(rows[0]["score"]) == 1.0 > float(rows[1]["score"])


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(30)])
def test_a_picture_that_is_none_is_bad_input(data: bytes, command: Command, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(PAGE)
    (tmp_path / "a.png").write_bytes(data)
    said = command(tmp_path / "a.html", "--compare", tmp_path / "a.png", "-o", tmp_path / "c.png", expect=2)
    assert len(said.stderr.splitlines()) == 1
    assert not (tmp_path / "c.png").exists()


# Refused


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (["nothing.html", "-o", "a.png"], "does not exist"),
        (["f.lst", "-o", "a.png"], "Name a folder or a .parquet"),
        (["f.lst", "-o", "-"], "Name a folder or a .parquet"),
        (["f.lst", "-o", "f.lst"], "Name a folder"),
        (["a.html", "-o", "a.jpg"], "Name it"),
        (["empty", "-o", "out"], "Known suffixes"),
        (["empty.lst", "-o", "out"], "no rows"),
        (["a.html", "-o", "a.png", "--profile", "jornal"], "Did you mean 'journal'?"),
        (["a.html", "-o", "a.png", "--pictures", "nowhere"], "pictures"),
        (["f.lst", "--compare", "a.png", "-o", "c.png"], "Name one file"),
        (["a.html", "--compare", "no.png", "-o", "c.png"], "Name a picture"),
        (["a.html", "--compare", "a.html", "-o", "c.png"], "Name another picture"),
        (["a.html", "--compare", "a.html", "-o", "c.html"], "-o differences.png"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], mend: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.html").write_text(PAGE)
    (tmp_path / "f.lst").write_text("x\ny\n")
    (tmp_path / "empty.lst").write_text("")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    said = command(*arguments, expect=2)
    [line] = said.stderr.splitlines()
    assert line.startswith("markupmill: ")
    assert mend in line
    assert not (tmp_path / "a.png").exists()


# Interrupted


@pytest.mark.parametrize("out", ["out", "out.parquet"])
def test_ctrl_c_ends_it_and_leaves_no_browser(out: str, tmp_path: Path) -> None:
    # Rows so large that three make a batch.
    line = json.dumps({"html": f"{PAGE}<!--{'x' * (CHARS_PER_BATCH * 2 // 5)}-->"}) + "\n"
    with subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "render", "-", "-o", str(tmp_path / out), "--width", "200"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stderr is not None
        # A batch and more, and then silence: it waits for its input, with its browser at work or idle.
        process.stdin.write(line * 4)
        process.stdin.flush()
        deadline_s = time.monotonic() + 60
        started = tmp_path / out / "000000.png" if out == "out" else tmp_path / f".{out}.draft"
        while not started.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        below = descendants(process.pid)
        assert below, "the browser runs"
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 130
        said = process.stderr.read()
    assert "markupmill: interrupted after " in said
    assert "Traceback" not in said
    deadline_s = time.monotonic() + 10
    while alive(below) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert alive(below) == set()
    assert (tmp_path / "out/000000.png").exists() == (out == "out")
    assert list(tmp_path.glob("*out.parquet*")) == []
