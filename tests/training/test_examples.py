"""What a row becomes: strings of the token filter's conversation module, of which the answers are learnt."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from curation.conversation import ChatTemplate, Prompt, chat_template, messages
from curation.errors import TokenizerError
from tests.curation import real_tokenizers
from tests.training.written_release import png
from training.errors import SampleError
from training.examples import Example, example_of, prompt_text, special_marks, template_of
from training.rows import Row

TABLE = Row("row-7", "table_to_html", "<table><tr><td>1</td></tr></table>", png(size=(20, 10)), None, ())
CHAT = Row(
    "chat-1",
    "image_chat",
    "",
    png(),
    (
        {"role": "user", "content": "<image>\nWhat is it?"},
        {"role": "assistant", "content": "A cat."},
        {"role": "user", "content": "A cat.?"},
        {"role": "assistant", "content": "Yes."},
    ),
    (),
)
LLAMA = {"bos_token": "<s>", "eos_token": "</s>", "image_token": "<image>"}
QWEN = {"eos_token": "<|im_end|>", "image_token": "<|image_pad|>"}
QWEN_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for p in m['content'] %}"
    "{% if p['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ p['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def llava() -> ChatTemplate:
    return chat_template(None, LLAMA, Prompt(template="llava-1.5"))


def qwen() -> ChatTemplate:
    return chat_template(QWEN_TEMPLATE, QWEN, Prompt())


def learnt(example: Example) -> list[str]:
    return [example.text[start:end] for start, end in example.spans]


def test_a_seeds_prompt_word_for_word() -> None:
    prompt = Prompt(user="Generate the HTML code for this webpage.", template="llava-1.5")
    example = example_of(TABLE, llava(), prompt)
    assert example.prompt == "<s>USER: <image>\nGenerate the HTML code for this webpage. ASSISTANT:"
    assert example.completion == f" {TABLE.text}</s>"
    assert learnt(example) == [f" {TABLE.text}</s>"]
    assert (example.id, example.image.size, example.image.mode) == ("row-7", (20, 10), "RGB")


def test_system_and_user_are_apart_and_the_end_is_learnt() -> None:
    example = example_of(TABLE, qwen(), Prompt(system="Be exact.", user="To HTML."))
    assert example.prompt == (
        "<|im_start|>system\nBe exact.<|im_end|>\n<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>To HTML."
        "<|im_end|>\n<|im_start|>assistant\n"
    )
    assert example.completion == f"{TABLE.text}<|im_end|>\n"
    assert learnt(example) == [f"{TABLE.text}<|im_end|>"]


@pytest.mark.parametrize("template", [llava(), qwen(), chat_template(None, LLAMA, Prompt(template="plain"))])
def test_the_string_is_what_the_token_filter_counts(template: ChatTemplate) -> None:
    prompt = Prompt(user="To HTML.")
    for row in (TABLE, CHAT):
        turns = messages(row.task, row.text, prompt, row.conversation)
        assert example_of(row, template, prompt).text == template.render(turns)


@pytest.mark.parametrize("make", [llava, qwen])
def test_of_a_chat_each_answer_is_learnt_and_no_question(make: Callable[[], ChatTemplate]) -> None:
    example = example_of(CHAT, make(), Prompt())
    end = dict(make().special_tokens)["eos_token"]
    assert [part.strip() for part in learnt(example)] == [f"A cat.{end}", f"Yes.{end}"]
    assert example.text.count("<image>") + example.text.count("<|image_pad|>") == 1
    first = example.spans[0][0]
    assert (len(example.prompt), example.prompt + example.completion) == (first, example.text)


def test_a_template_that_writes_no_end_gets_one() -> None:
    """LLaVA-mini's seed learnt no end of text: its model never stopped."""
    source = "{% for m in messages %}{% for p in m['content'] %}{{ p['text'] if p['type'] == 'text' else '<image>' }}{% endfor %}|{% endfor %}"  # noqa: E501
    template = chat_template(source, LLAMA, Prompt())
    assert example_of(TABLE, template, Prompt(user="Go")).completion == f"{TABLE.text}|</s>"
    assert learnt(example_of(CHAT, template, Prompt())) == ["A cat.|</s>", "Yes.|</s>"]


def test_prediction_gets_what_training_has_before_the_answer() -> None:
    for template in (llava(), qwen()):
        prompt = Prompt(system="Be exact.", user="To HTML.")
        assert prompt_text("table_to_html", template, prompt) == example_of(TABLE, template, prompt).prompt


@pytest.mark.parametrize("text", ["<p>a</s>b</p>", "<p><image></p>"])
def test_a_text_with_a_special_token_is_refused_by_name(text: str) -> None:
    row = Row("row-9", "page_to_html", text, png(), None, ())
    with pytest.raises(SampleError, match=r"sample row-9 has '</?(s|image)>' in its text") as error:
        example_of(row, llava(), Prompt())
    assert "not contains(text" in error.value.mend
    example_of(row, qwen(), Prompt())  # to Qwen those are words
    assert special_marks(llava()) == ("</s>", "<image>")


@pytest.mark.parametrize(
    ("image", "kind"), [(b"", "missing"), (b"GIF89a", "unreadable"), (png(size=(99, 99))[:-40], "truncated")]
)
def test_a_picture_that_cannot_be_decoded_is_refused_by_name(image: bytes, kind: str) -> None:
    row = Row("row-9", "table_to_html", "x", image, None, ())
    with pytest.raises(SampleError, match=f"the picture of sample row-9 cannot be used \\({kind}"):
        example_of(row, llava(), Prompt())


def test_pictures_are_upright_and_on_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (6, 2), (0, 0, 0, 0)).save(out, "PNG")
    example = example_of(Row("r", "formula_to_latex", "x", out.getvalue(), None, ()), qwen(), Prompt())
    assert (example.image.mode, example.image.getpixel((0, 0))) == ("RGB", (255, 255, 255))


def test_without_an_answer_there_is_nothing_to_learn() -> None:
    for row in (
        Row("r", "formula_to_latex", "", png(), None, ()),
        Row("r", "image_chat", "", png(), ({"role": "user", "content": "Well?"},), ()),
    ):
        with pytest.raises(SampleError, match="sample r has nothing to learn"):
            example_of(row, qwen(), Prompt())


def test_what_a_template_makes_of_the_past_must_not_change() -> None:
    """Templates that strip what was thought in earlier turns render them otherwise than they were generated."""
    source = QWEN_TEMPLATE.replace("{{ p['text'] }}", "{{ p['text'] if loop.last and m == messages[-1] else '…' }}")
    with pytest.raises(SampleError, match="sample chat-1: the chat template does not render turn 2"):
        example_of(CHAT, chat_template(source, QWEN, Prompt()), Prompt())
    with pytest.raises(TokenizerError):
        example_of(TABLE, chat_template("{{ raise_exception('image and no system') }}", QWEN, Prompt()), Prompt())


@pytest.mark.parametrize("family", ["llava", "qwen", "granite_vision", "idefics"])
def test_a_processor_takes_the_string_with_one_picture(family: str) -> None:
    processor: Any = getattr(real_tokenizers, f"{family}_processor")()
    prompt = Prompt(user="To HTML.")
    example = example_of(TABLE, template_of(processor, prompt), prompt)
    made = processor(images=[example.image], text=[example.text], add_special_tokens=False)
    ids = made["input_ids"][0]
    eos = processor.tokenizer.eos_token_id
    assert ids.count(eos) >= 1
    assert eos in ids[-2:]  # a line break may follow it
    alone = processor(images=[example.image], text=[example.prompt], add_special_tokens=False)["input_ids"][0]
    assert ids[: len(alone)] == alone
