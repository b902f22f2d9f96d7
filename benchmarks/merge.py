"""Merging two sets of 20,000 rows of 440 MB each: `markupmill merge`, `datasets`, and a plain copy of the bytes.

    python benchmarks/merge.py [--rounds 3] [--rows 20000] [--large 200000] [--work DIR]

Rows are pictures of 22 kB of noise and captions (the harder case: their pictures are hashed). Every way runs as a
process of its own, in turn, so that whatever else the machine does is spread over all of them; what is compared are
medians of one run. `datasets` loads with an empty cache, concatenates, shuffles and saves; ours is the whole command,
with empty caches, duplicates left out and everything hashed and on the disk at its end; the copy is on the disk, too.
All modules are compiled before, as they are wherever a command runs for the second time. "Inside" are the seconds after
imports. "ours again" knows the hashes of its sources, as it does of files of the Hub. `--large` merges so many rows
once more, for the memory alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
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
import sys, time
from datasets import concatenate_datasets, load_dataset
*files, cache, out = sys.argv[1:]
started_s = time.perf_counter()
parts = [load_dataset("parquet", data_files=file, split="train", cache_dir=cache) for file in files]
concatenate_datasets(parts).shuffle(seed=42).save_to_disk(out)
print("inside", time.perf_counter() - started_s)
"""

OURS: Final = """
import sys, time
import flows.merge_command
from flows.light_start import light_start
with light_start():
    import flows.merge
inner = flows.merge.run_merge
def timed(*given):
    started_s = time.perf_counter()
    inner(*given)
    print("inside", time.perf_counter() - started_s)
flows.merge.run_merge = timed
flows.merge_command.merge()
"""

COPY: Final = """
import os, shutil, sys, time
*files, out = sys.argv[1:]
started_s = time.perf_counter()
os.makedirs(out)
for file in files:
    copied = shutil.copy(file, out)
    with open(copied, "rb+") as opened:
        os.fsync(opened.fileno())
print("inside", time.perf_counter() - started_s)
"""


@dataclass(frozen=True)
class Run:
    """One process: seconds on the clock, of them after imports, seconds of all cores, greatest memory."""

    wall_s: float
    inside_s: float
    cpu_s: float
    peak_mb: float


def run(command: list[str], env: dict[str, str]) -> Run:
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | env
    with tempfile.TemporaryFile("w+") as said:
        started_s = time.perf_counter()
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=ours)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started_s
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read()
    if process.returncode:
        raise SystemExit(f"{command[:4]} failed: {text[-500:]}")
    inside_s = next((float(line.split()[1]) for line in text.splitlines() if line.startswith("inside ")), wall_s)
    return Run(wall_s, inside_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def made(folder: Path, n_files: int, n_rows: int) -> list[str]:
    files = [folder / f"part{i}.parquet" for i in range(n_files)]
    for seed, file in enumerate(files, 1):
        if not file.exists():
            arguments = [str(file), str(seed), str(n_rows), str(IMAGE_BYTES)]
            subprocess.run([sys.executable, "-c", MAKE, *arguments], check=True)
    return [str(file) for file in files]


def commands(files: list[str], scratch: Path) -> dict[str, list[str]]:
    """Every way's command, in the order in which they run. What makes ours known leaves its hashes to `ours again`."""
    python = [sys.executable, "-c"]
    merge = ["--datasets", *files, "--cache-dir", str(scratch / "cache"), "--save-path"]
    return {
        "datasets": [*python, DATASETS, *files, str(scratch / "hf"), str(scratch / "saved")],
        "ours": [*python, OURS, *merge, str(scratch / "ours")],
        "ours again": [*python, OURS, *merge, str(scratch / "again")],
        "copy": [*python, COPY, *files, str(scratch / "copied")],
    }


def rounds(files: list[str], work: Path, n_rounds: int) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {}
    for _ in range(n_rounds):
        with tempfile.TemporaryDirectory(dir=work) as folder:
            scratch = Path(folder)
            for way, command in commands(files, scratch).items():
                runs.setdefault(way, []).append(run(command, environment(work, scratch)))
                print(way, runs[way][-1], file=sys.stderr, flush=True)
                for made_now in ("hf", "saved", "ours", "again", "copied"):
                    shutil.rmtree(scratch / made_now, ignore_errors=True)
    return runs


def environment(work: Path, scratch: Path) -> dict[str, str]:
    caches = {"XDG_CACHE_HOME": str(scratch / "xdg"), "PYTHONPYCACHEPREFIX": str(work / "compiled")}
    return {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", **caches}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "markupmill-merge")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    (options.work / "small").mkdir(exist_ok=True)
    rounds(made(options.work / "small", 2, 200), options.work, 1)  # compiles all modules
    runs = rounds(made(options.work, 2, options.rows), options.work, options.rounds)
    print("| way | seconds | inside | seconds of CPU | peak memory (MB) |\n|---|---:|---:|---:|---:|")
    for way, done in runs.items():
        wall_s, inside_s, cpu_s, peak_mb = (_median(done, name) for name in ("wall_s", "inside_s", "cpu_s", "peak_mb"))
        print(f"| {way} | {wall_s:.1f} | {inside_s:.1f} | {cpu_s:.1f} | {peak_mb:,.0f} |")
    for way in ("ours", "ours again"):
        wall, inside, cpu = (
            _median(runs["datasets"], name) / _median(runs[way], name) for name in ("wall_s", "inside_s", "cpu_s")
        )
        copy = _median(runs["copy"], "wall_s") / _median(runs[way], "wall_s")
        print(f"\n{way}: {wall:.2f} x as fast as datasets (inside {inside:.2f} x, CPU {cpu:.2f} x)", end="")
        print(f", {copy:.2f} x the speed of the copy")
    if options.large:
        grow(options.work, options.large, options.rows, _median(runs["ours"], "peak_mb"))


def _median(runs: list[Run], name: str) -> float:
    return median(float(getattr(one, name)) for one in runs)


def grow(work: Path, n_rows: int, per_file: int, before_mb: float) -> None:
    """Merge `n_rows` rows and say how the memory compares."""
    n_files = n_rows // per_file
    many = made(work, n_files, per_file)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        scratch = Path(folder)
        done = run(commands(many, scratch)["ours"], environment(work, scratch))
        rows = json.loads((scratch / "ours" / "manifest.json").read_text())["rows_kept"]
    for file in many[2:]:
        Path(file).unlink()
    print(f"{rows:,} rows: {done.wall_s:.1f} s, {done.peak_mb:,.0f} MB, {done.peak_mb / before_mb:.2f} x the memory")


if __name__ == "__main__":
    main()
