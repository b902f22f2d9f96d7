"""One conversation for filter and trainer: what is in it, and that it is rendered as transformers renders it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.conversation import (
    BUILT_IN_TEMPLATES,
    DEFAULT_USER,
    ChatTemplate,
    ConversationFrame,
    Prompt,
    chat_template,
    messages,
)
from curation.errors import TokenizerError
from curation.sample import TASKS

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}

# Templates as models have them: ChatML with parts, one for text only that trims, one that cuts off a line of thought.
CHATML = (
    "{%- for message in messages %}{{- '<|im_start|>' + message['role'] + '\\n' }}"
    "{%- for part in message['content'] %}{%- if part['type'] == 'image' %}"
    "{{- '<|vision_start|><|image_pad|><|vision_end|>' }}{%- else %}{{- part['text'] }}{%- endif %}{%- endfor %}"
    "{{- '<|im_end|>\\n' }}{%- endfor %}"
)
TRIMS = "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}]{{ m['content'] | trim }}{% endfor %}{{ eos_token }}"
CUTS_THOUGHT = (
    "{% for m in messages %}{% set content = m['content'] %}{% if m['role'] == 'assistant' and '</think>' in content %}"
    "{% set content = content.split('</think>')[-1] %}{% endif %}<{{ m['role'] }}>{{ content }}{% endfor %}"
)
ASKS_DATE = "Today is {{ strftime_now('%d %B %Y') }}.{% for m in messages %}{{ m['content'] }}{% endfor %}"
OWN_TEMPLATES = [CHATML, TRIMS, CUTS_THOUGHT, ASKS_DATE]


def rendered(template: ChatTemplate, text: str, prompt: Prompt | None = None) -> str:
    return template.render(messages("table_to_html", text, prompt or Prompt()))


class TestMessages:
    def test_the_picture_comes_first_and_the_text_is_what_the_assistant_says(self) -> None:
        assert messages("table_to_html", "<table></table>", Prompt(system="Be exact.", user="To HTML!")) == [
            {"role": "system", "content": [{"type": "text", "text": "Be exact."}]},
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "To HTML!"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "<table></table>"}]},
        ]

    @pytest.mark.parametrize("task", TASKS)
    def test_every_task_has_a_user_prompt_of_its_own(self, task: str) -> None:
        user = messages(task, "x", Prompt())[0]
        assert user["content"][1]["text"] == DEFAULT_USER[task]

    def test_the_turns_of_a_chat_stand_as_they_are_with_the_picture_in_the_first_of_the_user(self) -> None:
        chat = [
            {"role": "user", "content": "<image>\nWhat is it?"},
            {"role": "assistant", "content": "A cat."},
            {"role": "user", "content": "Where?"},
            {"role": "assistant", "content": "On a mat."},
        ]
        turns = messages("image_chat", "", Prompt(system="Be kind."), chat)
        assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user", "assistant"]
        assert turns[1]["content"] == [{"type": "image"}, {"type": "text", "text": "What is it?"}]
        assert turns[3]["content"] == [{"type": "text", "text": "Where?"}]

    def test_an_unknown_template_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(TokenizerError, match=r"llava-1\.4.*llava-1\.5, llava-1\.5-line, plain"):
            Prompt(template="llava-1.4")


class TestBuiltInTemplates:
    def test_llava_is_that_of_its_training_code(self) -> None:
        template = chat_template(None, TOKENS, Prompt(template="llava-1.5"))
        prompt = Prompt(system="A chat.", user="To HTML!")
        assert rendered(template, "<p>", prompt) == "<s>A chat. USER: <image>\nTo HTML! ASSISTANT: <p></s>"

    def test_plain_says_nothing_but_the_prompt(self) -> None:
        template = chat_template(None, TOKENS, Prompt(template="plain"))
        assert rendered(template, "<p>", Prompt(user="HTML:")) == "<s><image>\nHTML:\n<p></s>"

    def test_a_tokenizer_without_a_template_gets_plain(self) -> None:
        assert chat_template(None, TOKENS, Prompt()) == chat_template(None, TOKENS, Prompt(template="plain"))

    def test_a_named_template_goes_before_the_tokenizers_own(self) -> None:
        assert chat_template(CHATML, TOKENS, Prompt(template="plain")).is_built_in
        assert not chat_template(CHATML, TOKENS, Prompt()).is_built_in

    def test_the_picture_is_marked_as_the_models_processor_wants_it(self) -> None:
        template = chat_template(None, TOKENS, Prompt(template="plain"), image_mark="[IMG]")
        assert rendered(template, "x", Prompt(user="?")) == "<s>[IMG]\n?\nx</s>"

    def test_bert_ends_with_its_separator_and_one_without_special_tokens_with_nothing(self) -> None:
        assert rendered(chat_template(None, {"sep_token": "[SEP]"}, Prompt()), "x").endswith("x[SEP]")
        assert rendered(chat_template(None, {}, Prompt()), "x").endswith("x")

    @pytest.mark.parametrize("name", sorted(BUILT_IN_TEMPLATES))
    def test_transformers_renders_the_same_for_the_trainer(self, name: str) -> None:
        turns = messages("page_to_html", "<p>\n x &amp; {{ y }}</p>", Prompt(system="Be exact."))
        template = chat_template(None, TOKENS, Prompt(template=name))
        assert by_transformers(template.source, turns) == template.render(turns)


class TestOwnTemplates:
    def test_parts_are_given_to_templates_that_know_pictures_and_strings_to_others(self) -> None:
        assert rendered(chat_template(CHATML, TOKENS, Prompt()), "x").count("<|image_pad|>") == 1
        assert rendered(chat_template(TRIMS, TOKENS, Prompt(user="?")), "x", Prompt(user="?")) == (
            "<s>[user]?[assistant]x</s>"
        )

    def test_a_template_that_asks_for_the_date_gets_the_same_every_day(self) -> None:
        template = chat_template(ASKS_DATE, TOKENS, Prompt())
        assert rendered(template, "x").startswith("Today is 01 January 2025.")
        assert by_transformers(template.source, [{"role": "user", "content": ""}]).startswith(
            "Today is 01 January 2025."
        )

    def test_a_conversation_that_a_template_refuses_is_one_line_with_the_mend(self) -> None:
        refuses = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role!') }}{% endif %}"
        template = chat_template(refuses, TOKENS, Prompt())
        with pytest.raises(
            TokenizerError, match=r"refuses the conversation: no system role!\. .*leave the system"
        ) as e:
            rendered(template, "x", Prompt(system="Be kind."))
        assert "\n" not in str(e.value)


EDGE_TEXTS = [
    "", " ", "\n", "  <p>x</p>", "<p>x</p>\n", "<p>x</p>", "</think>x", "a</think>b</think>", "{{ bos_token }}",
    "{% raw %}", "'", '"', "\\n", "<|im_start|>", "markupmill-probe-for-the-text", "&lt;",
]  # fmt: skip


class TestFrame:
    """A short cut for a million rows: it must give what the template gives, for each text."""

    @pytest.mark.parametrize("source", [*OWN_TEMPLATES, None])
    @pytest.mark.parametrize("text", EDGE_TEXTS)
    def test_what_it_renders_is_what_the_template_renders(self, source: str | None, text: str) -> None:
        template = chat_template(source, TOKENS, Prompt())
        assert ConversationFrame(template, "table_to_html", Prompt()).render(text) == rendered(template, text)

    @given(text=st.lists(st.sampled_from(EDGE_TEXTS) | st.text(max_size=5), max_size=8).map("".join))
    def test_of_any_text(self, text: str) -> None:
        for frame, template in FRAMES:
            assert frame.render(text) == rendered(template, text)

    def test_the_template_is_not_run_for_a_text_that_it_takes_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        frame = ConversationFrame(chat_template(CUTS_THOUGHT, TOKENS, Prompt()), "table_to_html", Prompt())
        runs: list[Any] = []
        monkeypatch.setattr(ChatTemplate, "render", lambda _, turns: runs.append(turns) or "")
        frame.render("<table></table>")
        assert len(runs) == 0
        frame.render("<table></think></table>")
        assert len(runs) == 1


FRAMES = [
    (ConversationFrame(template, "table_to_html", Prompt()), template)
    for template in (chat_template(source, TOKENS, Prompt()) for source in (TRIMS, CUTS_THOUGHT))
]


def by_transformers(source: str, turns: list[dict[str, Any]]) -> str:
    """As `processor.apply_chat_template` does."""
    from transformers.utils.chat_template_utils import render_jinja_template

    return str(render_jinja_template([turns], chat_template=source, **TOKENS)[0][0])
