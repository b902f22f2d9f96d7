"""Rows that do not fit are named before a run begins."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curation.conversation import Prompt
from rendering.pixels import ImageFault, decode_rgb
from tests.curation import real_tokenizers
from tests.training.written_release import png, write_release
from training.config import DataConfig, Task
from training.errors import SampleError, TooLongError
from training.examples import example_of, special_marks, template_of
from training.lengths import check_lengths, counter_of, upright_size
from training.rows import Rows, open_rows

SIZES = [(60, 40), (500, 300), (33, 33), (100, 900), (20, 20)]
TEXTS = ["x", "a b " * 20, "\\frac { 1 } { 2 }", "<table></table>", "y " * 100]


def rows_of(folder: Path, texts: list[str], images: list[bytes] | None = None, **more: Any) -> Rows:
    task: Task = more.get("task", "formula_to_latex")
    return open_rows(write_release(folder, texts, images=images, **more), DataConfig(task=task), "train", None)


def rotated(size: tuple[int, int], format_: str) -> bytes:
    out = io.BytesIO()
    picture = Image.new("RGB", size, "blue")
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(out, format_, exif=exif)
    return out.getvalue()


TURNED = [rotated((40, 20), format_) for format_ in ("JPEG", "PNG", "WEBP", "TIFF")]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return rows_of(tmp_path_factory.mktemp("r") / "r", TEXTS, [png(size=size) for size in SIZES])


@pytest.mark.parametrize("family", ["llava", "qwen", "granite_vision", "idefics"])
def test_counts_are_the_lengths_of_what_the_processor_makes(family: str, rows: Rows) -> None:
    processor: Any = getattr(real_tokenizers, f"{family}_processor")()
    prompt = Prompt(system="Be exact.", user="Go.")
    template = template_of(processor, prompt)
    made = []
    for i in range(len(rows)):
        example = example_of(rows[i], template, prompt)
        made.append(
            len(processor(images=[example.image], text=[example.text], add_special_tokens=False)["input_ids"][0])
        )
    lengths = check_lengths(rows, counter_of(processor, prompt, "formula_to_latex", None))
    assert (lengths.n_rows, lengths.n_tokens, lengths.longest) == (5, sum(made), max(made))
    assert lengths.mean == sum(made) / 5
    exact = counter_of(processor, prompt, "formula_to_latex", max(made))
    assert check_lengths(rows, exact).longest == max(made)
    with pytest.raises(
        TooLongError, match=rf"1 of 5 rows have more than {max(made) - 1} tokens.* \({max(made)} tokens\)"
    ):
        check_lengths(rows, counter_of(processor, prompt, "formula_to_latex", max(made) - 1))


def test_the_first_rows_are_named_with_their_counts_and_the_mend(tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "r", ["short", *["long " * 40] * 9])
    tokenizer = real_tokenizers.tiny_tokenizer([])
    counter = counter_of(tokenizer, Prompt(user="Go."), "formula_to_latex", 100, n_image_tokens=5)
    with pytest.raises(TooLongError) as error:
        check_lengths(rows, counter)
    said = str(error.value)
    assert "9 of 10 rows have more than 100 tokens: train-1 (" in said
    assert "train-5 (" in said
    assert "train-6" not in said
    assert 'where: "n_tokens <= 100"' in said
    assert "\n" not in said


def test_rows_that_a_run_does_not_visit_do_not_matter(tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "r", ["short", "long " * 100, "tiny"])
    counter = counter_of(real_tokenizers.tiny_tokenizer([]), Prompt(), "formula_to_latex", 100, n_image_tokens=5)
    assert check_lengths(rows, counter, visited=np.array([True, False, True])).n_rows == 2
    with pytest.raises(TooLongError):
        check_lengths(rows, counter)


def test_chats_are_counted_whole(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "word " * 200}]
    rows = rows_of(tmp_path / "r", ["", ""], task="image_chat", chats=[chat, [*chat[:1], {"role": "assistant", "content": "It."}]])  # noqa: E501  # fmt: skip
    counter = counter_of(real_tokenizers.tiny_tokenizer([]), Prompt(), "image_chat", 150, n_image_tokens=5)
    with pytest.raises(TooLongError, match="1 of 2 rows have more than 150 tokens: train-0"):
        check_lengths(rows, counter)


def test_pictures_without_a_readable_header_are_named(tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "r", ["a", "b", "c"], [png(), b"", b"no picture"])
    counter = counter_of(real_tokenizers.tiny_tokenizer([]), Prompt(), "formula_to_latex", None, n_image_tokens=5)
    with pytest.raises(SampleError, match=r"2 of 3 rows .* train-1 \(missing\), train-2 \(unreadable\)"):
        check_lengths(rows, counter)


def test_a_picture_that_the_processor_refuses_is_no_number(tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "r", ["a"], [png(size=(4_000, 2))])
    counter = counter_of(real_tokenizers.qwen_processor(), Prompt(), "formula_to_latex", 500)
    with pytest.raises(TooLongError, match="a picture that the processor refuses"):
        check_lengths(rows, counter)


def test_texts_with_special_tokens_are_named(tmp_path: Path) -> None:
    rows = rows_of(tmp_path / "r", ["a", "<p>b</s></p>"])
    processor = real_tokenizers.llava_processor()
    marks = special_marks(template_of(processor, Prompt()))
    counter = counter_of(processor, Prompt(), "formula_to_latex", None)
    with pytest.raises(SampleError, match=r"1 of 2 rows have a special token in their text: train-1 \('</s>'\)"):
        check_lengths(rows, counter, marks=marks)
    chat = [{"role": "user", "content": "<image>\nWell?"}, {"role": "assistant", "content": "Yes."}]
    chats = rows_of(tmp_path / "c", [""], task="image_chat", chats=[chat])
    check_lengths(chats, counter_of(processor, Prompt(), "image_chat", None), marks=marks)  # that mark is the picture


@pytest.mark.parametrize("data", [png(size=(7, 3)), *TURNED, b"", b"junk"])
def test_sizes_are_those_of_the_decoded_picture(data: bytes) -> None:
    decoded, size = decode_rgb(data), upright_size(data)
    assert size == (decoded if isinstance(decoded, ImageFault) else decoded.size)


def test_nothing_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [png(size=(7, 3)), TURNED[0], TURNED[2], TURNED[3]]
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("decoded"))
    assert [upright_size(data) for data in pictures] == [(7, 3), (20, 40), (20, 40), (20, 40)]


def test_the_tokenizer_is_left_as_it_was(rows: Rows) -> None:
    tokenizer = real_tokenizers.tiny_tokenizer([])
    tokenizer.backend_tokenizer.enable_truncation(3)
    counter = counter_of(tokenizer, Prompt(), "formula_to_latex", None, n_image_tokens=0)
    assert check_lengths(rows, counter).longest > 50
    assert tokenizer.backend_tokenizer.truncation["max_length"] == 3
