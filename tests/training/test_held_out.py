"""What held-out rows are asked, and what is right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from curation.conversation import Prompt
from rendering.errors import BadInputError
from tests.training.written_release import png, write_release
from training.config import checked
from training.evaluation.predictions import read_predictions
from training.held_out import asked_and_answered, picture_of, predict_rows
from training.rows import Row, open_rows

CHAT = [
    {"role": "user", "content": "<image>\nWhat is it?"},
    {"role": "assistant", "content": "A cat."},
    {"role": "user", "content": "Where?"},
    {"role": "assistant", "content": "On a mat."},
]


class Echo:
    """A model that answers with its question and its picture's width."""

    def predict(self, images: Iterable[Image.Image], prompt: Prompt, task: str) -> Iterator[str]:
        return (f"{image.width} {task}: {prompt.user}" for image in images)


def row(text: str = "x ^ 2", chat: list[dict[str, str]] | None = None, image: bytes = b"") -> Row:
    task = "image_chat" if chat else "formula_to_latex"
    return Row("a", task, text, image, tuple(chat) if chat else None, ())


def test_a_conversation_is_asked_its_first_question() -> None:
    assert asked_and_answered(row("", CHAT), Prompt(user="unused")) == ("What is it?", "A cat.")
    assert asked_and_answered(row(), Prompt(user="Write it.")) == ("Write it.", "x ^ 2")
    assert asked_and_answered(row(), Prompt())[0] == "Write the LaTeX of this formula."


def test_each_row_is_predicted_with_its_picture(tmp_path: Path) -> None:
    sizes = [png(size=(n, 2)) for n in (3, 5)]
    release = write_release(
        tmp_path / "chats", ["", ""], task="image_chat", split="test", images=sizes, chats=[CHAT, CHAT]
    )
    plain = {
        "setup": "llava_mini", "data": {"release": str(release), "task": "image_chat"}, "output": str(tmp_path),
        "model": {"vision": "v", "language": "l", "stage": "chat", "start_from": "x", "lora": {}},
        "training": {"max_steps": 1, "batch_size": 1, "learning_rate": 1},
    }  # fmt: skip
    config = checked(plain)
    facts = predict_rows(open_rows(release, config.data, "test", None), Echo(), config, tmp_path)
    assert facts["n"] == 2
    found = read_predictions([tmp_path / "predictions.parquet"])
    assert [one.prediction for one in found] == ["3 image_chat: What is it?", "5 image_chat: What is it?"]
    assert {one.reference for one in found} == {"A cat."}
    assert found[0].image == sizes[0]


def test_a_picture_that_cannot_be_read_is_named() -> None:
    with pytest.raises(BadInputError, match="the picture of a cannot be read: unreadable"):
        picture_of(row(image=b"no picture"))
