"""What a row becomes for a model: a picture in RGB, and one string of which some parts are learnt.

Strings come from `curation.conversation`, as the token filter's do. Not for tokenising: processors do that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from curation.conversation import IMAGE_MARK, ChatTemplate, Message, Prompt, chat_template, messages
from rendering.pixels import ImageFault, decode_rgb
from training.errors import SampleError, TooLongError
from training.rows import Row

__all__ = [
    "Example",
    "SampleError",
    "TooLongError",
    "example_of",
    "prompt_text",
    "special_marks",
    "strings_of",
    "template_of",
]

_IMAGE_TOKEN: Final = "image_token"  # noqa: S105 - a name of transformers
_LEAVE_OUT: Final = "Leave the row out of the release and build it again"


@dataclass(frozen=True)
class Strings:
    """One conversation as a string in two parts. `spans` are the learnt parts of `text`, (start, end) in characters.

    The completion begins where the first answer does. An answer's part goes from where a model would begin to generate
    it to its end-of-text token, included.
    """

    prompt: str
    completion: str
    spans: tuple[tuple[int, int], ...]

    @property
    def text(self) -> str:
        """All that the model reads."""
        return self.prompt + self.completion


@dataclass(frozen=True)
class Example:
    """A row ready for a processor. `image` is in mode RGB; for the strings see `Strings`."""

    id: str
    image: Image.Image
    prompt: str
    completion: str
    spans: tuple[tuple[int, int], ...]

    @property
    def text(self) -> str:
        """All that the model reads: prompt and completion."""
        return self.prompt + self.completion


def template_of(processor: Any, prompt: Prompt) -> ChatTemplate:
    """The template that `prompt` asks for, with the special tokens of a processor or tokenizer of transformers."""
    tokenizer = getattr(processor, "tokenizer", processor)
    own = getattr(processor, "chat_template", None) or getattr(tokenizer, "chat_template", None)
    if isinstance(own, dict):
        own = own.get("default")
    special = {key: str(value) for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
    mark = getattr(processor, _IMAGE_TOKEN, None) or getattr(tokenizer, _IMAGE_TOKEN, None)
    if mark is None:
        return chat_template(own, special, prompt)
    return chat_template(own, {**special, _IMAGE_TOKEN: str(mark)}, prompt, str(mark))


def special_marks(template: ChatTemplate) -> tuple[str, ...]:
    """What no text may hold: the picture's mark, which would be a second picture, and the end-of-text token.

    HTML's `</s>`, which ends a strike-through, is the end of text for Llama's tokenizer.
    """
    special = dict(template.special_tokens)
    return tuple(sorted({special.get(_IMAGE_TOKEN) or IMAGE_MARK, special.get("eos_token", "")} - {""}))


def prompt_text(task: str, template: ChatTemplate, prompt: Prompt) -> str:
    """What a model is given before it writes: one picture's conversation up to where its answer begins."""
    return template.render(messages(task, "", prompt)[:-1], add_generation_prompt=True)


def example_of(row: Row, template: ChatTemplate, prompt: Prompt) -> Example:
    """The example that a row becomes. Its end-of-text token is in the completion, whatever the template does.

    Raises `SampleError` naming the row for a picture that cannot be decoded, a text that holds the picture's mark or
    the end-of-text token, and a conversation that the template does not render turn by turn.
    """
    strings = strings_of(row, template, prompt)
    image = decode_rgb(row.image)
    if isinstance(image, ImageFault):
        problem = f"the picture of sample {row.id} cannot be used ({image.kind}: {image.detail})"
        raise SampleError(problem, _LEAVE_OUT)
    return Example(row.id, image, strings.prompt, strings.completion, strings.spans)


def strings_of(row: Row, template: ChatTemplate, prompt: Prompt) -> Strings:
    """The strings of `example_of`, without looking at the picture. Raises `SampleError` as that does."""
    turns = messages(row.task, row.text, prompt, row.conversation)
    answers = [place for place, turn in enumerate(turns) if turn["role"] == "assistant"]
    if not answers or not all(_said(turns[place]) for place in answers):
        raise SampleError(f"sample {row.id} has nothing to learn: an empty answer", _LEAVE_OUT)
    _refuse_special(row, turns, special_marks(template))
    end_token = dict(template.special_tokens).get("eos_token", "")
    whole = template.render(turns[: answers[-1] + 1])
    text, spans, cursor = "", [], 0
    for place in answers:
        start, end = _part(row, turns, place, template, whole)
        text += whole[cursor:start]
        answer = whole[start:end]
        if end_token not in answer:
            answer += end_token
        spans.append((len(text), len(text) + answer.rindex(end_token) + len(end_token)))
        text += answer
        cursor = end
    return Strings(text[: spans[0][0]], text[spans[0][0] :], tuple(spans))


def _part(row: Row, turns: Sequence[Message], place: int, template: ChatTemplate, whole: str) -> tuple[int, int]:
    """Where an answer stands in the whole conversation: from where a model would begin to generate it."""
    before = template.render(turns[:place], add_generation_prompt=True)
    until = template.render(turns[: place + 1])
    if not whole.startswith(until) or not until.startswith(before):
        problem = f"sample {row.id}: the chat template does not render turn {place + 1} as it would be generated"
        raise SampleError(problem, "Set prompt.template to a built-in one: plain or llava-1.5")
    return len(before), len(until)


def _refuse_special(row: Row, turns: Sequence[Message], marks: Sequence[str]) -> None:
    for turn in turns:
        for mark in marks:
            if mark in _said(turn):
                problem = f"sample {row.id} has {mark!r} in its text, which is a special token of the model"
                raise SampleError(
                    problem, f"Leave such rows out: where: \"not contains(text, '{mark}')\" in the recipe"
                )


def _said(turn: Message) -> str:
    return "".join(part["text"] for part in turn["content"] if part["type"] == "text")
