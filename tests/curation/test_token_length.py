"""Counts are those of counting everything, whatever was skipped on the way; verdicts follow from counts."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation import token_length
from curation.conversation import Prompt
from curation.image_tokens import FixedImageTokens
from curation.token_length import MARGIN_TOKENS, TokenCounter
from curation.tokenizers import LoadedTokenizer
from tests.curation import real_tokenizers

KINDS = ["byte_level_bpe", "word_piece", "sentence_piece_bpe", "unigram"]

PIECES = [
    '<div class="flex items-center bg-gray-100">', "</div>", "<p>", "</p>\n", "<td>1,234.5</td>", "&nbsp;", "<br/>",
    "\\frac { a } { b }", "^ { \\prime }", "The quick brown fox", "jumps", "'s", "don't", ";}", ":root{--a:1px}",
    " ", "  ", "\n", "\n\n\n", "\t", "\r\n", " \n \t ", "\u00a0", "\u3000", "\u200b", "\x1c", "\x85", "\0", "\ufeff",
    "e\u0301", "\u0301", "日本語の文章", "中文", "한국어", "עברית", "नमस्ते", "🎉", "▁",
    "👩\u200d👩\u200d👧", "🏳\ufe0f\u200d🌈",
    "x" * 150, "0" * 40, "-" * 90, "=" * 33, "ab" * 60, "/>" * 9, ">\n" * 5,
    "</s>", "<s>", "<image>", "[UNK]", "</think>", "<｜end▁of▁sentence｜>", "{{ x }}", "{% if %}",
]  # fmt: skip
markup = st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=60).map("".join)
repeated = st.tuples(markup, st.integers(1, 8)).map(lambda made: made[0] * made[1])


def websight(shared_data: Path) -> list[str]:
    files = sorted((shared_data / "websight").glob("*.parquet"))
    return [text for file in files for text in pq.read_table(file, columns=["text"]).column("text").to_pylist()]


def real_texts(shared_data: Path) -> list[str]:
    """Pages, tables and formulas, and long ones made of them."""
    pages = websight(shared_data)
    tables = pq.read_table(shared_data / "pubtabnet-html", columns=["html_table"]).column("html_table").to_pylist()
    spaced = pq.read_table(shared_data / "pubtabnet-markup-only", columns=["html_table"]).column("html_table")
    formulas = (shared_data / "latex-formulas" / "formulas.txt").read_text().splitlines()
    chooser = random.Random(0)
    mixed = ["".join(chooser.choices(pages, k=4)) for _ in range(10)]
    runs = [" ".join(f"{word}{' ' * chooser.randint(1, 300)}" for word in page.split()[:60]) for page in pages[:5]]
    return [*pages[:60], *tables, *spaced.to_pylist()[:20], *formulas[:60], *mixed, *runs, "\n".join(formulas[:300])]


@pytest.fixture(scope="session")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], LoadedTokenizer]:
    folder = tmp_path_factory.mktemp("tokenizers")
    corpus = [piece * 3 for piece in PIECES] + [Path(__file__).read_text()]
    made = {
        "byte_level_bpe": real_tokenizers.byte_level_bpe(),
        "word_piece": real_tokenizers.word_piece(),
        "sentence_piece_bpe": real_tokenizers.sentence_piece_bpe(folder),
        "unigram": real_tokenizers.unigram(folder, corpus),
    }
    return made.__getitem__


def counter_of(tokenizer: LoadedTokenizer, ceiling: int, image_tokens: int = 0) -> TokenCounter:
    return TokenCounter(tokenizer, Prompt(), "page_to_html", FixedImageTokens(image_tokens), ceiling)


def counts_of_everything(tokenizer: LoadedTokenizer, texts: list[str], image_tokens: int = 0) -> list[int]:
    """One conversation at a time, whole, with the plain `encode`."""
    counter = counter_of(tokenizer, 0)
    encoded = [tokenizer.backend.encode(counter.render(text), add_special_tokens=False) for text in texts]
    return [len(encoding.ids) + image_tokens for encoding in encoded]


def saturated(counts: list[int], ceiling: int) -> list[int]:
    return [min(n, ceiling + 1) for n in counts]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(repeated, min_size=1, max_size=6),
    distance=st.integers(-8, 8),
    chars_per_token=st.sampled_from([0.0, 0.3, 1.0, 2.0, 4.0, 9.0]),
)
def test_counts_are_those_of_counting_everything(
    tokenizers: Callable[[str], LoadedTokenizer], kind: str, texts: list[str], distance: int, chars_per_token: float
) -> None:
    """With ceilings at and around the true counts, and however well the length of a part was guessed."""
    tokenizer = tokenizers(kind)
    everything = counts_of_everything(tokenizer, texts)
    for n_tokens in set(everything):
        ceiling = max(0, n_tokens + distance)
        counter = counter_of(tokenizer, ceiling)
        counter._chars_per_token = chars_per_token
        assert counter.count(texts) == saturated(everything, ceiling)


@pytest.mark.parametrize("kind", KINDS)
def test_counts_of_real_rows_are_those_of_counting_everything(
    tokenizers: Callable[[str], LoadedTokenizer], kind: str, shared_data: Path
) -> None:
    tokenizer, texts = tokenizers(kind), real_texts(shared_data)
    everything = counts_of_everything(tokenizer, texts)
    ceilings = {0, 50, 128, 256, 1024, 4096, 1_000_000, *sorted(everything)[:: len(texts) // 12]}
    for ceiling in sorted(ceilings):
        assert counter_of(tokenizer, ceiling).count(texts) == saturated(everything, ceiling), f"ceiling {ceiling}"


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_cut_before_white_space_has_no_more_tokens_than_the_whole_and_a_margin(
    tokenizers: Callable[[str], LoadedTokenizer], kind: str, shared_data: Path
) -> None:
    """The ground that rejecting from a part stands on, at random cuts."""
    tokenizer, chooser = tokenizers(kind), random.Random(1)
    for text in real_texts(shared_data)[::4]:
        whole = len(tokenizer.backend.encode(text, add_special_tokens=False).ids)
        cuts = [cut.start() for cut in token_length._CUT.finditer(text)]
        # The last cuts matter most: there a part could have more than the whole.
        cuts = [*cuts[-10:], *chooser.sample(cuts, min(10, len(cuts)))]
        parts = tokenizer.backend.encode_batch_fast([text[:cut] for cut in cuts], add_special_tokens=False)
        assert all(len(part) <= whole + MARGIN_TOKENS for part in parts)


def test_a_text_is_never_cut_inside_a_word(tokenizers: Callable[[str], LoadedTokenizer]) -> None:
    """To WordPiece a word of more than 100 characters is one unknown token, and its first 90 are many."""
    tokenizer = tokenizers("word_piece")
    texts = [("x" * 150 + " ") * 200 + " " * n_spaces for n_spaces in (0, 10, 5000)]
    for everything, text in zip(counts_of_everything(tokenizer, texts), texts, strict=True):
        for chars_per_token in range(80, 150):
            counter = counter_of(tokenizer, everything)
            counter._chars_per_token = chars_per_token
            assert counter.count([text]) == [everything]


def test_texts_over_the_ceiling_are_told_from_a_part(shared_data: Path) -> None:
    """Otherwise nothing would be saved: a long tail is tokenised for less than half."""
    counter = counter_of(real_tokenizers.byte_level_bpe(), 256)
    long = ["".join(websight(shared_data)[start : start + 20]) for start in range(0, 300, 20)] * 4
    tokenised = watch(counter)
    assert counter.count(long) == [257] * len(long)
    assert sum(tokenised) < 0.1 * sum(map(len, long))


def test_an_unbroken_text_longer_than_the_longest_tokens_is_not_tokenised_at_all() -> None:
    counter = counter_of(real_tokenizers.byte_level_bpe(), 1024)
    tokenised = watch(counter)
    assert counter.count(["x" * 3_000_000]) == [1025]
    assert tokenised == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_longest_tokens_bound_the_count_from_below_only_where_that_is_sure(
    tokenizers: Callable[[str], LoadedTokenizer], kind: str
) -> None:
    """WordPiece gives one token for any long word, Unigram for any run of unknown characters."""
    tokenizer = tokenizers(kind)
    n_bytes = token_length._max_token_bytes(tokenizer.backend)
    assert n_bytes == (128 if kind == "byte_level_bpe" else 0)
    for text in (" " * 5000, "-" * 5000, "x" * 5000, "日" * 5000):
        n_tokens = len(tokenizer.backend.encode(text, add_special_tokens=False).ids)
        assert n_bytes == 0 or n_tokens >= len(text.encode()) / n_bytes


def test_a_text_of_the_longest_tokens_is_not_over_by_its_length() -> None:
    """DeepSeek's tokenizer has 128 spaces as one token."""
    tokenizer = real_tokenizers.byte_level_bpe()
    text = "<p>" + " " * 128 * 200 + "</p>"
    (everything,) = counts_of_everything(tokenizer, [text])
    assert everything < 230
    assert counter_of(tokenizer, everything).count([text]) == [everything]
    assert counter_of(tokenizer, everything - 1).count([text]) == [everything]


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_of_the_tokenizer_are_not_added_and_nothing_is_cut_or_padded(
    tokenizers: Callable[[str], LoadedTokenizer], kind: str
) -> None:
    """MiniLM's file asks for 128 tokens, no more and no less, with [CLS] and [SEP]."""
    tokenizer = tokenizers(kind)
    short, long = counter_of(tokenizer, 10_000).count(["a", "a b " * 500])
    assert short < 30
    assert long > 1000


def test_image_tokens_count_against_the_ceiling() -> None:
    tokenizer = real_tokenizers.byte_level_bpe()
    (alone,) = counter_of(tokenizer, 2000).count(["<p>hello</p>"])
    assert counter_of(tokenizer, 2000, image_tokens=576).count(["<p>hello</p>"]) == [alone + 576]
    assert counter_of(tokenizer, 500, image_tokens=576).count(["<p>hello</p>"]) == [501]


def test_the_order_of_rows_and_what_was_counted_before_decide_nothing(shared_data: Path) -> None:
    texts = real_texts(shared_data)
    counter = counter_of(real_tokenizers.byte_level_bpe(), 300)
    first = counter.count(texts)
    assert counter.count(texts[::-1])[::-1] == first
    assert [counter.count([text])[0] for text in texts[:50]] == first[:50]


def test_a_conversation_is_counted_in_place_of_a_text() -> None:
    tokenizer = real_tokenizers.byte_level_bpe()
    counter = TokenCounter(tokenizer, Prompt(), "image_chat", FixedImageTokens(0), 1000)
    chat = [{"role": "user", "content": "<image>\nWhat is it?"}, {"role": "assistant", "content": "A cat."}]
    rendered = counter.render(None, chat)
    assert "What is it?" in rendered
    assert "<image>" not in rendered  # DeepSeek's tokenizer would take it to pieces; the picture's tokens are a number
    assert counter.count([None], None, [chat]) == [
        len(tokenizer.backend.encode(rendered, add_special_tokens=False).ids)
    ]


def test_no_rows_give_no_counts() -> None:
    assert counter_of(real_tokenizers.byte_level_bpe(), 10).count([]) == []


def test_memory_is_that_of_a_batch_not_of_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_length, "BATCH_CHARS", 1000)
    counter = counter_of(real_tokenizers.byte_level_bpe(), 1_000_000)
    counter._chars_per_token = 4.0
    tokenised = watch(counter)
    counter.count(["word " * 50] * 100)
    assert max(tokenised) < 2000


def test_a_forked_process_counts_too() -> None:
    """rayon's threads do not live on in a child; tokenizers then works without them."""
    code = (
        "import os\n"
        "from tests.curation import real_tokenizers as real\n"
        "from curation.conversation import Prompt\n"
        "from curation.image_tokens import FixedImageTokens\n"
        "from curation.token_length import TokenCounter\n"
        "counter = TokenCounter(real.byte_level_bpe(), Prompt(), 'page_to_html', FixedImageTokens(0), 100)\n"
        "before = counter.count(['a b c'] * 50)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os._exit(0 if counter.count(['a b c'] * 50) == before else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=60, capture_output=True)


def watch(counter: TokenCounter) -> list[int]:
    """Characters of each batch that is tokenised from now on."""
    sizes: list[int] = []
    encode = counter._encode

    def watched(parts: list[str]) -> list[int]:
        sizes.append(sum(map(len, parts)))
        return encode(parts)

    counter._encode = watched  # type: ignore[method-assign]
    return sizes
