"""What finding duplicates costs as rows get more: processor time and peak memory, each size in a process of its own.

    python benchmarks/duplicates_scale.py [--rows 10000 100000 1000000]

Made-up hashes. Half of the rows are pages, half are captions; a twentieth are near duplicates of others (a tenth of the
slots, two bits of pHash). `alike`: all pages have one skeleton, words share 0.02 of their slots on average, and a fifth
of the pictures lie within 4 bits of one of ten, as blank forms do.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from curation.duplicates import find_duplicates
from curation.near_pairs import SIGNATURE_BYTES
from curation.sample import sha256_hex

ROWS_PER_SHARD = 10_000


def shards(n_rows: int, is_alike: bool) -> Iterator[pa.Table]:
    rng = np.random.default_rng(0)
    common = rng.integers(0, 256, SIGNATURE_BYTES, dtype=np.uint8)
    forms = rng.integers(0, 2**63, 10, dtype=np.uint64)
    for number, start in enumerate(range(0, n_rows, ROWS_PER_SHARD)):
        n = min(ROWS_PER_SHARD, n_rows - start)
        text, skeleton = (rng.integers(0, 256, (n, SIGNATURE_BYTES), dtype=np.uint8) for _ in range(2))
        phash = rng.integers(0, 2**63, n, dtype=np.uint64)
        if is_alike:
            text = np.where(rng.random(text.shape) < 0.15, common, text)
            skeleton[:] = common
            noise = (np.uint64(1) << rng.integers(0, 63, (4, n), dtype=np.uint64)).sum(axis=0, dtype=np.uint64)
            phash = np.where(rng.random(n) < 0.2, rng.choice(forms, n) ^ noise, phash)
        n_copies = n // 20
        copies = slice(n - n_copies, n)
        changed = rng.random((n_copies, SIGNATURE_BYTES)) < 0.1
        text[copies] = np.where(changed, text[copies], text[:n_copies])
        skeleton[copies], phash[copies] = skeleton[:n_copies], phash[:n_copies] ^ np.uint64(5)
        ids = [sha256_hex(str(start + i)) for i in range(n)]
        yield pa.table(
            {
                "id": ids,
                "task": ["image_to_caption" if number % 2 else "page_to_html"] * n,
                "image_sha256": [sha256_hex(f"image {id_}") for id_ in ids],
                "text_sha256": [sha256_hex(f"text {id_}") for id_ in ids],
                "phash": phash,
                "minhash": pa.array([one.tobytes() for one in text], pa.binary()),
                "skeleton_minhash": pa.array([one.tobytes() for one in skeleton], pa.binary()),
                "n_tokens": rng.integers(1, 1_000, n),
            }
        )


def measure(n_rows: int, is_alike: bool) -> dict[str, float]:
    making_s = 0.0

    def timed() -> Iterator[pa.Table]:
        nonlocal making_s
        tables = shards(n_rows, is_alike)
        while True:
            before = time.process_time()
            table = next(tables, None)
            making_s += time.process_time() - before
            if table is None:
                return
            yield table

    find_duplicates([next(shards(100, is_alike))])  # imports and first calls
    before = time.process_time()
    found = find_duplicates(timed())
    return {
        "cpu_s": time.process_time() - before - making_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "left_out": n_rows - sum(found.column("kept").to_pylist()),
        "planted": sum(min(ROWS_PER_SHARD, n_rows - start) // 20 for start in range(0, n_rows, ROWS_PER_SHARD)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(int(args.one[0]), args.one[1] == "alike")))
        return
    print("| rows | | CPU s | rows/s | peak MB | left out | planted |\n|---:|---|---:|---:|---:|---:|---:|")
    for n_rows in args.rows:
        for kind in ("random", "alike"):
            out = subprocess.run(
                [sys.executable, __file__, "--one", str(n_rows), kind], capture_output=True, check=True
            )
            told = json.loads(out.stdout)
            print(
                f"| {n_rows:,} | {kind} | {told['cpu_s']:.1f} | {n_rows / told['cpu_s']:,.0f} | {told['peak_mb']:.0f} |"
                f" {told['left_out']:,} | {told['planted']:,} |"
            )


if __name__ == "__main__":
    main()
