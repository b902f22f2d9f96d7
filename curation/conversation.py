"""The conversation that a sample becomes: built here once, for the token filter and for the trainer alike.

Not for tokenising it (`curation.token_length`), nor for loading templates (`curation.tokenizers`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from curation.errors import TokenizerError

Message = dict[str, Any]
"""`{"role": …, "content": [{"type": "image"} | {"type": "text", "text": …}, …]}`, as processors take it."""

IMAGE_MARK: Final = "<image>"
"""What built-in templates write for a picture, and what LLaVA's data sets have in their texts."""

DEFAULT_USER: Final[dict[str, str]] = {
    "page_to_html": "Write the HTML of this web page.",
    "table_to_html": "Convert this table to HTML.",
    "formula_to_latex": "Write the LaTeX of this formula.",
    "image_to_caption": "Describe this image.",
    "image_chat": "",
}

_CONTENT: Final = (
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}"
)
_CONTENT_ON_A_LINE: Final = _CONTENT.replace("<image>\n", "<image> ")
BUILT_IN_TEMPLATES: Final[dict[str, str]] = {
    # The conversation "v1" of LLaVA-1.5: https://github.com/haotian-liu/LLaVA, llava/conversation.py.
    "llava-1.5": (
        "{{ bos_token }}{% for message in messages %}"
        "{% if message['role'] == 'system' %}" + _CONTENT + " "
        "{% elif message['role'] == 'user' %}USER: " + _CONTENT + " "
        "{% else %}ASSISTANT: " + _CONTENT + "{{ eos_token }}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
    ),
    # The same with the picture and what is said about it on one line, as LLaVA-HTML-Coder trains.
    "llava-1.5-line": (
        "{{ bos_token }}{% for message in messages %}"
        "{% if message['role'] == 'system' %}" + _CONTENT_ON_A_LINE + " "
        "{% elif message['role'] == 'user' %}USER: " + _CONTENT_ON_A_LINE + " "
        "{% else %}ASSISTANT: " + _CONTENT_ON_A_LINE + "{{ eos_token }}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
    ),
    # Picture, what is said about it, target: for models that were never taught to chat.
    "plain": (
        "{{ bos_token }}{% for message in messages %}"
        + _CONTENT
        + "{% if message['role'] == 'assistant' %}{{ eos_token }}{% else %}{{ '\\n' }}{% endif %}{% endfor %}"
    ),
}
FALLBACK_TEMPLATE: Final = "plain"

_TODAY: Final = "01 January 2025"
"""What a template that asks for the date gets: a clock must not decide which rows are kept."""

_FIXED_CLOCK: Final = "{%- macro strftime_now(format) -%}" + _TODAY + "{%- endmacro -%}"


@dataclass(frozen=True)
class Prompt:
    """What is said around the target.

    `system` None gives no system message. `user` None is the default of each task (`DEFAULT_USER`).
    `template` names a built-in one; None is the tokenizer's own, or "plain" where it has none.
    """

    system: str | None = None
    user: str | None = None
    template: str | None = None

    def __post_init__(self) -> None:
        if self.template is not None and self.template not in BUILT_IN_TEMPLATES:
            known = ", ".join(sorted(BUILT_IN_TEMPLATES))
            raise TokenizerError(f"There is no chat template {self.template!r}", f"Use one of: {known}, or none")


def messages(
    task: str, text: str, prompt: Prompt, conversation: Sequence[Mapping[str, str]] | None = None
) -> list[Message]:
    """The sample as a list of messages with one image part, at the start of the first user turn.

    `conversation` is the `messages` of an `image_chat` sample, whose turns then stand in place of prompt and
    `text`; an `<image>` mark in them is taken out, because the part says where the picture goes.
    """
    turns: list[Message] = []
    if prompt.system is not None:
        turns.append(_message("system", prompt.system))
    if conversation is None:
        turns.append(_message("user", DEFAULT_USER[task] if prompt.user is None else prompt.user))
        turns.append(_message("assistant", text))
    else:
        turns += [_message(turn["role"], turn["content"].replace(IMAGE_MARK, "").strip("\n")) for turn in conversation]
    first_user = next((turn for turn in turns if turn["role"] == "user"), None)
    if first_user is not None:
        first_user["content"].insert(0, {"type": "image"})
    return turns


def _message(role: str, text: str) -> Message:
    return {"role": role, "content": [{"type": "text", "text": text}]}


@dataclass(frozen=True)
class ChatTemplate:
    """A chat template and the special tokens that it may name.

    `is_built_in` templates are rendered by jinja2 alone; a model's own by transformers, which knows
    the functions and tags that such templates use. `source` is what the trainer gives to its processor.
    """

    source: str
    special_tokens: tuple[tuple[str, str], ...]
    is_built_in: bool

    @property
    def takes_parts(self) -> bool:
        """Whether contents are lists of parts; a template for text only takes strings."""
        return "image" in self.source

    def render(self, turns: Sequence[Message], *, add_generation_prompt: bool = False) -> str:
        """The conversation as the one string that is tokenised, special tokens included.

        Raises `TokenizerError` where the template refuses the conversation.
        """
        if not self.takes_parts:
            turns = [turn | {"content": _joined_text(turn)} for turn in turns]
        variables = dict(self.special_tokens)
        if self.is_built_in:
            template = _built_in(self.source)
            return template.render(messages=turns, add_generation_prompt=add_generation_prompt, **variables)
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            rendered, _ = render_jinja_template(
                [list(turns)],
                chat_template=self.source,
                add_generation_prompt=add_generation_prompt,
                **variables,
            )
        except (TemplateError, TypeError) as error:
            problem = f"The tokenizer's chat template refuses the conversation: {str(error).splitlines()[0][:200]}"
            raise TokenizerError(problem, "Name a built-in template, or leave the system prompt out") from error
        return str(rendered[0])


def chat_template(
    own_source: str | None, special_tokens: Mapping[str, str], prompt: Prompt, image_mark: str = IMAGE_MARK
) -> ChatTemplate:
    """The template that a prompt asks for, of a tokenizer whose own is `own_source` (None: it has none).

    `image_mark` is what the model's processor looks for: a built-in template writes that for a picture.
    """
    tokens = dict(special_tokens)
    tokens.setdefault("bos_token", "")
    tokens.setdefault("eos_token", tokens.get("sep_token", ""))
    ordered = tuple(sorted(tokens.items()))
    if prompt.template is None and own_source is not None:
        source = _FIXED_CLOCK + own_source if "strftime_now" in own_source else own_source
        return ChatTemplate(source, ordered, is_built_in=False)
    source = BUILT_IN_TEMPLATES[prompt.template or FALLBACK_TEMPLATE].replace(IMAGE_MARK, image_mark)
    return ChatTemplate(source, ordered, is_built_in=True)


class ConversationFrame:
    """The conversations of one task, whose rendering is the same but for the text.

    Rendering a template for each of a million rows is slow, so what it puts before and after the text is found
    once, with a probe. That is only right for a template that puts the text in as it is: this is tried for markup, for
    white space at the ends and for each string that the template itself knows (Qwen3's cuts a text at `</think>`).
    What does not pass is rendered through the template.
    """

    _PROBE: Final = "markupmill-probe-for-the-text"

    def __init__(self, template: ChatTemplate, task: str, prompt: Prompt) -> None:
        self._template, self._task, self._prompt = template, task, prompt
        parts = self._through_template(self._PROBE).split(self._PROBE)
        self._affixes: tuple[str, str] | None = (parts[0], parts[1]) if len(parts) == 2 else None
        if not self._is_verbatim('<p class="a">&amp;\'{{ x }}{% y %}</p>\n\n  <br/>'):
            self._affixes = None
        self._keeps_edges = self._is_verbatim(" \n x \n ") and self._is_verbatim("")
        self._needles = [s for s in _strings_in(template.source) if not self._is_verbatim(f"a{s}b{s}c")]

    def render(self, text: str) -> str:
        """The whole conversation about one text."""
        if self._affixes is None or (not self._keeps_edges and (not text or text != text.strip())):
            return self._through_template(text)
        if any(needle in text for needle in self._needles):
            return self._through_template(text)
        head, tail = self._affixes
        return head + text + tail

    def render_chat(self, conversation: Sequence[Mapping[str, str]]) -> str:
        """The whole conversation of an `image_chat` sample."""
        return self._template.render(messages(self._task, "", self._prompt, conversation))

    def _through_template(self, text: str) -> str:
        return self._template.render(messages(self._task, text, self._prompt))

    def _is_verbatim(self, text: str) -> bool:
        if self._affixes is None:
            return False
        return self._through_template(text) == self._affixes[0] + text + self._affixes[1]


def _strings_in(template_source: str) -> set[str]:
    """The string constants of a template."""
    literals = set()
    for quoted in re.findall(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", template_source):
        try:
            literals.add(str(ast.literal_eval(quoted)))
        except (SyntaxError, ValueError):
            literals.add(quoted[1:-1])
    return literals - {""}


@lru_cache(maxsize=8)
def _built_in(source: str) -> Template:
    return ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(source)


def _joined_text(turn: Message) -> str:
    return "".join(part["text"] for part in turn["content"] if part["type"] == "text")
