"""A picture's tokens: what the counter says is what the processor then makes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from curation.conversation import Prompt, messages
from curation.errors import TokenizerError
from curation.image_tokens import REFUSED, FixedImageTokens, ProcessorImageTokens, image_tokens_of
from curation.token_length import TokenCounter
from curation.tokenizers import LoadedTokenizer, load_tokenizer
from tests.curation import real_tokenizers

TABLE = "<table><tr><td>hello\n &amp; world</td></tr></table>"
FAMILIES: dict[str, Callable[[], Any]] = {
    "llava": real_tokenizers.llava_processor,
    "granite_vision": real_tokenizers.granite_vision_processor,
    "qwen": real_tokenizers.qwen_processor,
    "idefics": real_tokenizers.idefics_processor,
    "gemma": real_tokenizers.gemma_processor,
}
SIZES = [(60, 40), (33, 33), (500, 300), (100, 900), (1280, 720)]
of_families = pytest.mark.parametrize("family", FAMILIES)


@lru_cache
def processor_of(family: str) -> Any:
    return FAMILIES[family]()


@lru_cache
def pictures_of(family: str) -> ProcessorImageTokens:
    return ProcessorImageTokens(processor_of(family))


def tokenizer_of(family: str) -> LoadedTokenizer:
    """As `load_tokenizer` gives it, without the way over a folder."""
    processor = processor_of(family)
    special = tuple(sorted(processor.tokenizer.special_tokens_map.items()))
    backend = processor.tokenizer.backend_tokenizer
    return LoadedTokenizer(family, "", "", Path(), backend, processor.chat_template, special)


def counter_of(family: str, prompt: Prompt, ceiling: int = 100_000) -> TokenCounter:
    return TokenCounter(tokenizer_of(family), prompt, "table_to_html", pictures_of(family), ceiling)


@of_families
@pytest.mark.parametrize("size", SIZES)
def test_the_count_is_the_length_of_what_the_processor_makes(family: str, size: tuple[int, int]) -> None:
    prompt = Prompt(system="Be exact.")
    processor = processor_of(family)
    conversation = processor.apply_chat_template(messages("table_to_html", TABLE, prompt), tokenize=False)
    made = processor(images=[Image.new("RGB", size)], text=[conversation], add_special_tokens=False)
    assert counter_of(family, prompt).count([TABLE], [size]) == [len(made["input_ids"][0])]


@pytest.mark.parametrize("template", ["plain", "llava-1.5"])
@pytest.mark.parametrize("family", ["llava", "qwen", "granite_vision"])
def test_so_it_is_with_a_built_in_template(family: str, template: str) -> None:
    prompt = Prompt(template=template)
    counter = counter_of(family, prompt)
    made = processor_of(family)(
        images=[Image.new("RGB", (60, 40))], text=[counter.render(TABLE)], add_special_tokens=False
    )
    assert counter.count([TABLE], [(60, 40)]) == [len(made["input_ids"][0])]


@of_families
@settings(max_examples=300, deadline=None)
@given(width_px=st.integers(1, 20_000), height_px=st.integers(1, 20_000))
def test_no_picture_takes_fewer_than_the_lower_bound(family: str, width_px: int, height_px: int) -> None:
    pictures = pictures_of(family)
    assert 0 < pictures.lower_bound <= pictures.of((width_px, height_px))


@of_families
def test_without_a_size_the_count_is_a_lower_bound_and_is_made_exact_without_tokenising_again(family: str) -> None:
    counter = counter_of(family, Prompt())
    low = counter.count([TABLE] * len(SIZES))
    exact = counter.count([TABLE] * len(SIZES), SIZES)
    assert all(n <= m for n, m in zip(low, exact, strict=True))
    assert counter.with_pictures(low, SIZES) == exact
    assert counter.count([TABLE] * 2, [None, SIZES[0]]) == [low[0], exact[0]]
    ceiling = max(exact) - 1
    assert counter_of(family, Prompt(), ceiling).with_pictures(low, SIZES) == [min(n, ceiling + 1) for n in exact]


def test_a_picture_that_the_processor_refuses_is_over_any_ceiling() -> None:
    """Qwen's takes no sides of more than 200 : 1; such a row cannot be trained on."""
    assert pictures_of("qwen").of((10_000, 10)) == REFUSED
    assert counter_of("qwen", Prompt(), 4096).count([TABLE], [(10_000, 10)]) == [4097]


def test_a_number_is_the_same_for_every_picture() -> None:
    pictures = image_tokens_of(576, real_tokenizers.byte_level_bpe())
    assert isinstance(pictures, FixedImageTokens)
    assert pictures.lower_bound == pictures.of((1, 1)) == pictures.of((4000, 3000)) == 576


def test_the_mark_of_a_picture_is_not_counted_beside_its_tokens() -> None:
    """In a model's tokenizer the mark is one token, a stand-in would take it to pieces: neither is text."""
    counter = TokenCounter(tokenizer_of("llava"), Prompt(), "table_to_html", FixedImageTokens(16), 1000)
    assert counter.count([TABLE]) == counter_of("llava", Prompt(), 1000).count([TABLE], [(60, 40)])


def test_by_name_the_processor_is_that_of_the_tokenizers_folder(tmp_path: Path) -> None:
    processor_of("qwen").save_pretrained(tmp_path)
    tokenizer = load_tokenizer(str(tmp_path))
    counter = TokenCounter(tokenizer, Prompt(), "table_to_html", image_tokens_of("processor", tokenizer), 4096)
    assert counter.count([TABLE], [(500, 300)]) == counter_of("qwen", Prompt()).count([TABLE], [(500, 300)])


def test_a_conversation_without_the_picture_is_refused_at_once() -> None:
    tokenizer = tokenizer_of("qwen")
    without = LoadedTokenizer("x", "", "", Path(), tokenizer.backend, "{{ messages[0]['content'] }}", ())
    with pytest.raises(TokenizerError, match="cannot take a picture with the conversation"):
        TokenCounter(without, Prompt(), "table_to_html", pictures_of("qwen"), 4096)
