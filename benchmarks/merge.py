"""Merging two sets of 20,000 rows of 440 MB each: `markupmill merge`, `datasets`, and a plain copy of the bytes.

    python benchmarks/merge.py [--rounds 3] [--rows 20000] [--large 200000] [--work DIR]

Rows are pictures of 22 kB of noise and captions (the harder case: their pictures are hashed). Every way runs as a
process of its own, in turn, so that whatever else the machine does is spread over all of them; what is compared are
medians of one run. `datasets` loads with an empty cache, concatenates, shuffles and saves; ours is the whole command,
with empty caches, duplicates left out and everything hashed and on the disk at its end; the copy is on the disk, too.
`--large` merges so many rows once more, for the memory alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
IMAGE_BYTES: Final = 22_000

MAKE: Final = """
import sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
path, seed, n_rows, n_bytes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
rng = np.random.default_rng(seed)
words = [f"w{i:04d}" for i in range(5000)]
image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
features = '{"info": {"features": {"image": {"_type": "Image"}, "text": {"dtype": "string", "_type": "Value"}}}}'
schema = pa.schema([("image", image), ("text", pa.string())], metadata={"huggingface": features})
with pq.ParquetWriter(path, schema) as writer:
    for start in range(0, n_rows, 1000):
        n = min(1000, n_rows - start)
        noise = rng.bytes(n * n_bytes)
        some = (b"\\xff\\xd8\\xff\\xe0" + noise[i * n_bytes:(i + 1) * n_bytes] for i in range(n))
        images = [{"bytes": one, "path": None} for one in some]
        texts = [" ".join(words[w] for w in rng.integers(0, 5000, 12)) + f" {seed}.{start + i}" for i in range(n)]
        table = pa.table([pa.array(images, image), pa.array(texts)], schema=schema)
        writer.write_table(table, row_group_size=100)
"""

DATASETS: Final = """
import sys
from datasets import concatenate_datasets, load_dataset
*files, cache, out = sys.argv[1:]
parts = [load_dataset("parquet", data_files=file, split="train", cache_dir=cache) for file in files]
concatenate_datasets(parts).shuffle(seed=42).save_to_disk(out)
"""

COPY: Final = """
import os, shutil, sys
*files, out = sys.argv[1:]
os.makedirs(out)
for file in files:
    copied = shutil.copy(file, out)
    with open(copied, "rb+") as opened:
        os.fsync(opened.fileno())
"""


@dataclass(frozen=True)
class Run:
    """One process: seconds on the clock, seconds of all cores, greatest memory."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def run(command: list[str], env: dict[str, str]) -> Run:
    started_s = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=os.environ | env)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[:4]} failed: {said.decode()[-500:]}")
    wall_s = time.perf_counter() - started_s
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def made(folder: Path, n_files: int, n_rows: int) -> list[str]:
    files = [folder / f"part{i}.parquet" for i in range(n_files)]
    for seed, file in enumerate(files, 1):
        if not file.exists():
            arguments = [str(file), str(seed), str(n_rows), str(IMAGE_BYTES)]
            subprocess.run([sys.executable, "-c", MAKE, *arguments], check=True)
    return [str(file) for file in files]


def ours(files: list[str], scratch: Path) -> list[str]:
    out = ["--save-path", str(scratch / "ours"), "--cache-dir", str(scratch / "cache")]
    return [sys.executable, "-m", "flows.cli", "merge", "--datasets", *files, *out]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "markupmill-merge")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    files = made(options.work, 2, options.rows)
    runs: dict[str, list[Run]] = {"datasets": [], "ours": [], "copy": []}
    for _ in range(options.rounds):
        for way, done in runs.items():
            with tempfile.TemporaryDirectory(dir=options.work) as folder:
                scratch = Path(folder)
                commands = {
                    "datasets": [sys.executable, "-c", DATASETS, *files, str(scratch / "hf"), str(scratch / "saved")],
                    "ours": ours(files, scratch),
                    "copy": [sys.executable, "-c", COPY, *files, str(scratch / "copied")],
                }
                env = {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(scratch / "xdg"), "HF_HUB_OFFLINE": "1"}
                done.append(run(commands[way], env))
                print(way, done[-1], file=sys.stderr, flush=True)
    print("| way | seconds | seconds of CPU | peak memory (MB) |\n|---|---:|---:|---:|")
    for way, done in runs.items():
        cells = [median(getattr(one, name) for one in done) for name in ("wall_s", "cpu_s", "peak_mb")]
        print(f"| {way} | {cells[0]:.1f} | {cells[1]:.1f} | {cells[2]:,.0f} |")
    wall = {way: median(one.wall_s for one in done) for way, done in runs.items()}
    cpu = {way: median(one.cpu_s for one in done) for way, done in runs.items()}
    print(f"\nagainst datasets: {wall['datasets'] / wall['ours']:.2f} x (CPU {cpu['datasets'] / cpu['ours']:.2f} x)")
    print(f"against the copy: {wall['copy'] / wall['ours']:.2f} x its speed")
    if options.large:
        grow(options.work, options.large, options.rows, median(one.peak_mb for one in runs["ours"]))


def grow(work: Path, n_rows: int, per_file: int, before_mb: float) -> None:
    """Merge `n_rows` rows and say how the memory compares."""
    n_files = n_rows // per_file
    many = made(work, n_files, per_file)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        scratch = Path(folder)
        done = run(ours(many, scratch), {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(scratch / "xdg")})
        rows = json.loads((scratch / "ours" / "manifest.json").read_text())["rows_kept"]
    for file in many[2:]:
        Path(file).unlink()
    print(f"{rows:,} rows: {done.wall_s:.1f} s, {done.peak_mb:,.0f} MB, {done.peak_mb / before_mb:.2f} x the memory")


if __name__ == "__main__":
    main()
