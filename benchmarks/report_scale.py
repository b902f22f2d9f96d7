"""Memory of a whole quality report as rows get more, each step in a process of its own.

    python benchmarks/report_scale.py [--out build/report_scale] [--rows 5000 50000]

Of ten rows five are generated tables, four formulas and one a page; a fiftieth are made again with a twentieth of their
words changed (near duplicates), a fiftieth are equal to others; one of a thousand small pictures each. All measures but
render, OCR and models. First the three data sets are reported on one after another (read, ingested, measured), then the
workspace that holds all of them, where everything is there: page, files and CSV are written each time. What is there
already is not made again. Told are the peaks, and of the last report the growth for each row.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from curation.sample import IMAGE_TYPE
from curation.sources.generated import Generated, GeneratedTask
from flows.report import ReportOptions, run_report

SHARES: dict[GeneratedTask, float] = {"table_to_html": 0.5, "formula_to_latex": 0.4, "page_to_html": 0.1}
MEASURES = ("tokens,markup,statistics,classes,hashes,bias",)
N_PICTURES = 1_000
PART_COPIED = 50
SCHEMA = pa.schema([("id", pa.string()), ("image", IMAGE_TYPE), ("text", pa.string())])


def picture(number: int) -> bytes:
    out = io.BytesIO()
    chooser = random.Random(number)
    small = Image.frombytes("RGB", (8, 8), chooser.randbytes(192))
    small.resize((64, 48), Image.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()


def reworded(text: str, chooser: random.Random) -> str:
    """The text with every twentieth word or number between tags another one."""
    return re.sub(
        r"(?<![\\<&/\w])[A-Za-z0-9]+(?![^<]*>)",
        lambda found: f"{chooser.randrange(1_000)}" if chooser.random() < 0.05 else found[0],
        text,
    )


def texts(task: GeneratedTask, n_rows: int) -> Iterator[str]:
    """Generated texts, and of each `PART_COPIED` one again as it is and one reworded."""
    source, chooser = Generated(task, n_rows=n_rows, seed=5), random.Random(5)
    n_made = 0
    for piece in source.pieces(500):
        for text in source.read_texts(piece).column("text").to_pylist():
            for one in (text, text, reworded(text, chooser)) if n_made % PART_COPIED == 0 else (text,):
                if n_made < n_rows:
                    yield one
                n_made += 1


def make(folder: Path, task: GeneratedTask, n_rows: int) -> None:
    """Write the rows, unless they are there."""
    path = folder / task / "train.parquet"
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [picture(number) for number in range(N_PICTURES)]
    temporary = path.with_suffix(".tmp")
    with pq.ParquetWriter(temporary, SCHEMA) as writer:
        rows: list[dict[str, object]] = []
        for number, text in enumerate(texts(task, n_rows)):
            image = {"bytes": pictures[number % N_PICTURES], "path": None}
            rows.append({"id": f"{task} {number}", "image": image, "text": text})
            if len(rows) == 100 or number == n_rows - 1:
                writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
                rows.clear()
    temporary.rename(path)


def report(folder: Path, what: str) -> None:
    """One report, and what it took, as JSON."""
    started = time.process_time()
    address, task = (folder / "ws", "") if what == "ws" else (folder / what, what)
    out = folder / f"report-{what}"
    run_report(
        ReportOptions(
            str(address), output_dir=str(out), workspace=str(folder / "ws"), task=task, measures=MEASURES, topk=50
        )
    )
    summary = json.loads((out / "quality_summary.json").read_text("utf-8"))["markupmill"]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    duplicates = summary["n_exact_duplicates"], summary["n_near_duplicates"]
    print(json.dumps({"peak_mb": peak_mb, "cpu_s": time.process_time() - started, "duplicates": duplicates}))


def in_process(*arguments: str) -> dict[str, float]:
    made = subprocess.run(
        [sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    told: dict[str, float] = json.loads(made.stdout.strip().splitlines()[-1] if made.stdout.strip() else "{}")
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/report_scale"))
    parser.add_argument("--rows", type=int, nargs="+", default=[5_000, 50_000])
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        folder, task, *rows = options.one
        make(Path(folder), task, int(rows[0])) if rows else report(Path(folder), task)
        return
    peaks: list[float] = []
    print("| rows | | CPU s | peak MB | exact, near |\n|---:|---|---:|---:|---:|")
    for n_rows in options.rows:
        folder = options.out / str(n_rows)
        for task, share in SHARES.items():
            in_process("--one", str(folder), task, str(round(share * n_rows)))
        for what in (*SHARES, "ws"):
            told = in_process("--one", str(folder), what)
            name = "the whole workspace" if what == "ws" else what
            print(f"| {n_rows:,} | {name} | {told['cpu_s']:.0f} | {told['peak_mb']:.0f} | {told['duplicates']} |")
        peaks.append(told["peak_mb"])
    for n_rows, peak in zip(options.rows[1:], peaks[1:], strict=True):
        a_row = (peak - peaks[0]) * 2**20 / (n_rows - options.rows[0])
        print(f"{n_rows:,} rows: {peak / peaks[0]:.2f} x the peak at {options.rows[0]:,}, {a_row:.0f} bytes a row")


if __name__ == "__main__":
    main()
