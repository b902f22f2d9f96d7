"""The strings of a conversation as one model's tokenizer must see them; shared by training, merging and predicting.

The trainer's collator tokenises prompt and completion apart, and adds no special tokens. Two tokenizers' habits would
then make training differ from what the model was taught: Llama's begins every text with a token that templates leave
to it, and puts a space before every text, which would stand twice at the joint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from curation.conversation import ChatTemplate, Prompt
from training.errors import SampleError
from training.examples import Example, example_of, prompt_text, template_of
from training.rows import Row, Rows


@dataclass(frozen=True)
class Strings:
    """How one model is spoken to. `start` is what its tokenizer puts before every text, where the template does not.

    `joint_space` tells that the tokenizer writes the space between prompt and completion by itself.
    """

    template: ChatTemplate
    prompt: Prompt
    start: str
    joint_space: bool

    def before(self, task: str) -> str:
        """All that the model is given before it writes."""
        return self._started(prompt_text(task, self.template, self.prompt))

    def example(self, row: Row) -> Example:
        """A row with its prompt as `before` has it; its completion ends with the end-of-text token.

        Raises `SampleError` as `example_of` does, and for a conversation of several answers.
        """
        made = example_of(row, self.template, self.prompt)
        if len(made.spans) != 1:
            problem = f"sample {row.id} has {len(made.spans)} answers, and one is learnt here"
            raise SampleError(problem, "Train conversations with the set-up llava_mini")
        completion = made.text[slice(*made.spans[0])]
        if self.joint_space and completion.startswith(" ") and not made.prompt[-1:].isspace():
            completion = completion[1:]
        return Example(made.id, made.image, self._started(made.prompt), completion, ())

    def _started(self, prompt: str) -> str:
        return prompt if prompt.startswith(self.start) else self.start + prompt


def strings_of_model(processor: Any, prompt: Prompt) -> Strings:
    """What the tokenizer of a processor does by itself, tried out."""
    tokenizer = processor.tokenizer
    ids = tokenizer("x")["input_ids"]
    adds_start = tokenizer.bos_token_id is not None and len(ids) > 1 and ids[0] == tokenizer.bos_token_id

    def plain(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    whole = plain("T: <p>")
    joint_space = plain("T:") + plain(" <p>") != whole and plain("T:") + plain("<p>") == whole
    return Strings(template_of(processor, prompt), prompt, tokenizer.bos_token if adds_start else "", joint_space)


@dataclass(frozen=True)
class Examples:
    """What the trainer reads at each position: `row_at` gives the row that stands there."""

    rows: Rows
    strings: Strings
    row_at: Callable[[int], int]

    def __call__(self, position: int) -> dict[str, Any]:
        """`images` (one), `prompt`, `completion` and `id`. Raises `SampleError` naming the row."""
        made = self.strings.example(self.rows[self.row_at(position)])
        return {"images": [made.image], "prompt": made.prompt, "completion": made.completion, "id": made.id}
