"""What the model sees and what it learns from: strings, label masks, counts of tokens, limits."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curation.conversation import Prompt
from tests.curation.real_tokenizers import sentence_piece_bpe
from tests.training.small_release import real_samples
from tests.training.tiny_models import LLAVA_TEMPLATE, MODELS, seeded, tokenizer
from training.config import load_config
from training.errors import SampleError, TooLongError
from training.rows import Row
from training.vlm.collator import collator, image_token_ids
from training.vlm.strings import Strings, strings_of_model

PROMPT = Prompt(system="You write tables.", user="Convert table to HTML (<table> ... </table>)")
TASK = "table_to_html"


def row_of(image: bytes, text: str, id_: str = "a" * 64) -> Row:
    return Row(id_, TASK, text, image, None, ())


def picture(width_px: int = 60, height_px: int = 40) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (width_px, height_px), (200, 30, 30)).save(held, "PNG")
    return held.getvalue()


def example(strings: Strings, row: Row) -> dict[str, Any]:
    made = strings.example(row)
    return {"images": [made.image], "prompt": made.prompt, "completion": made.completion, "id": made.id}


@pytest.fixture(scope="module")
def processors() -> dict[str, Any]:
    return {name: seeded(make)[1] for name, make in MODELS.items()}


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> list[Row]:
    """Two real tables of different length."""
    samples = real_samples(shared_data / "pubtabnet-html", "html_table", 4, 1400)
    samples.sort(key=lambda sample: len(sample[1]))
    return [row_of(*samples[0], "short"), row_of(*samples[-1], "long")]


def test_llava_html_is_spoken_to_exactly_as_its_notebook_has_it(processors: dict[str, Any]) -> None:
    config = load_config("llava_html")
    strings = strings_of_model(processors["llava"], config.prompt.prompt())
    made = strings.example(Row("a", "page_to_html", "<html>\n</html>", picture(), None, ()))
    assert made.text == ("<s>USER: <image> Generate the HTML code for this webpage. ASSISTANT: <html>\n</html></s>")
    assert strings.before("page_to_html") == made.prompt
    assert made.completion == " <html>\n</html></s>"


def test_system_and_user_prompt_are_apart_in_table_html(processors: dict[str, Any]) -> None:
    strings = strings_of_model(processors["granite_vision"], load_config("table_html").prompt.prompt())
    assert strings.before(TASK) == (
        "<|system|>\nA chat between a curious user and an artificial intelligence assistant. The assistant gives "
        "helpful, detailed, and polite answers to the user's questions.\n<|user|>\n<image>\n"
        "Convert table to HTML (<table> ... </table>)\n<|assistant|>\n"
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_target_and_its_end_are_learnt_and_nothing_else(
    processors: dict[str, Any], rows: list[Row], name: str
) -> None:
    processor = processors[name]
    strings = strings_of_model(processor, PROMPT)
    batch = collator(processor, None, "all")([example(strings, row) for row in rows])
    end = processor.tokenizer.eos_token
    for number, row in enumerate(rows):
        ids, labels = batch["input_ids"][number].numpy(), batch["labels"][number].numpy()
        is_learnt, is_there = labels != -100, batch["attention_mask"][number].numpy() == 1
        assert processor.tokenizer.decode(labels[is_learnt]).lstrip(" ") == row.text + end
        assert (labels[is_learnt] == ids[is_learnt]).all()
        # one run of tokens, up to the last that is not padding; before it the prompt with the picture's tokens
        first, last = np.flatnonzero(is_learnt)[[0, -1]]
        assert is_learnt[first : last + 1].all()
        assert last == np.flatnonzero(is_there)[-1]
        assert not np.isin(ids[first:], image_token_ids(processor)).any()
        with Image.open(io.BytesIO(row.image)) as image:
            size = [image.height, image.width]
        counted = processor._get_num_multimodal_tokens(image_sizes=[size])["num_image_tokens"][0]
        assert np.isin(ids, image_token_ids(processor)).sum() <= counted  # Idefics' has marks of rows among them
        if name != "idefics3":
            assert np.isin(ids, image_token_ids(processor)).sum() == counted
        spoken = processor.tokenizer.decode([one for one in ids[:first] if one not in image_token_ids(processor)])
        assert spoken.startswith(strings.before(TASK).split("<image>")[0].split("<|image_pad|>")[0])
        assert row.text[:20] not in spoken
    assert batch["attention_mask"][0].sum() < batch["attention_mask"][1].sum()  # so there is padding
    assert (batch["labels"][batch["attention_mask"] == 0] == -100).all()
    if name.startswith("qwen"):  # which tokens are a picture's: loops that forget it train on wrong positions
        is_picture = np.isin(batch["input_ids"].numpy(), image_token_ids(processor))
        assert (batch["mm_token_type_ids"].numpy() == is_picture).all()


def test_a_sample_over_the_limit_is_an_error_that_names_it(processors: dict[str, Any], rows: list[Row]) -> None:
    processor = processors["llava"]
    strings = strings_of_model(processor, PROMPT)
    examples = [example(strings, row) for row in rows]
    n_tokens = int(collator(processor, None, "all")(examples)["attention_mask"].sum(1).max())
    assert collator(processor, n_tokens, "all")(examples)["input_ids"].shape[1] == n_tokens  # nothing is cut
    with pytest.raises(TooLongError, match=rf"sample long has {n_tokens} tokens \(16 of them of the picture\)"):
        collator(processor, n_tokens - 1, "all")(examples)
    collator(processor, n_tokens - 16, "text")(examples)
    with pytest.raises(TooLongError, match=rf"sample long has {n_tokens - 16} tokens \(without 16 of the picture\)"):
        collator(processor, n_tokens - 17, "text")(examples)


def test_what_a_processor_refuses_names_the_sample(processors: dict[str, Any], rows: list[Row]) -> None:
    processor = processors["qwen2_vl"]
    strings = strings_of_model(processor, PROMPT)
    line = row_of(picture(2000, 4), "<table></table>", "the-line")
    with pytest.raises(SampleError, match="the processor cannot take sample the-line"):
        collator(processor, None, "all")([example(strings, row) for row in (rows[0], line)])


def test_a_conversation_of_several_answers_is_refused(processors: dict[str, Any]) -> None:
    turns = [{"role": role, "content": "x"} for role in ("user", "assistant", "user", "assistant")]
    row = Row("chat", "image_chat", "", picture(), tuple(turns), ())
    with pytest.raises(SampleError, match="sample chat has 2 answers"):
        strings_of_model(processors["llava"], Prompt()).example(row)


def llama_tokenizer(folder: Path) -> Any:
    """Mistral's, which is made as Llama's: begins every text with <s>, and puts a space before every text."""
    import transformers
    from tokenizers import processors

    backend = sentence_piece_bpe(folder).backend
    backend.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    words = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", pad_token="<unk>", bos_token="<s>", eos_token="</s>"
    )
    words.add_tokens(["<image>"], special_tokens=True)
    return words


def test_a_tokenizer_that_puts_a_space_before_every_text_gives_the_tokens_of_the_whole(tmp_path: Path) -> None:
    import transformers

    words = llama_tokenizer(tmp_path)
    pictures = transformers.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = transformers.LlavaProcessor(
        image_processor=pictures, tokenizer=words, patch_size=8, vision_feature_select_strategy="default",
        image_token="<image>", num_additional_image_tokens=1, chat_template=LLAVA_TEMPLATE,
    )  # fmt: skip
    for template in ("llava-1.5-line", None):  # the built-in one writes <s> itself, this model's own leaves it out
        strings = strings_of_model(processor, Prompt(template=template))
        assert strings.joint_space
        made = example(strings, row_of(picture(), "<table></table>"))
        assert made["prompt"].startswith("<s>USER: <image>")
        batch = collator(processor, None, "all")([made])
        whole = made["prompt"] + " <table></table></s>"
        together = processor(images=made["images"], text=[whole], add_special_tokens=False, return_tensors="pt")
        assert batch["input_ids"].tolist() == together["input_ids"].tolist()
    assert not strings_of_model(seeded(MODELS["llava"])[1], Prompt()).joint_space
    assert tokenizer("<image>")("x")["input_ids"][0] != words.bos_token_id
