"""Shipped configs are right, each value says where it is from, and what is wrong is told in one line."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from rendering.errors import BadInputError
from training.config import SHIPPED, TrainingConfig, VlmConfig, load_config, shipped_names


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_config_loads_and_each_of_its_values_says_where_it_is_from(name: str) -> None:
    config = load_config(name)
    assert config.output == f"build/train/{name}"
    lines = (SHIPPED / f"{name}.yaml").read_text("utf-8").splitlines()
    values = [
        line for line in lines if re.match(r"\s*\w+: +(?!>-)\S", line) and not line.startswith(("setup", "output"))
    ]
    splits = [f"{split}: {split}" for split in ("train", "validation", "test")]
    bare = [line.strip() for line in values if "#" not in line and line.strip() not in splits]
    above = {lines[at + 1].strip() for at, line in enumerate(lines[:-1]) if line.lstrip().startswith("#")}
    assert [line for line in bare if line not in above] == []


def test_the_five_setups_are_shipped() -> None:
    setups = {load_config(name).setup for name in shipped_names()}
    assert setups == {"llava_html", "llava_mini", "distilvit", "latex_ocr", "table_html"}


def test_the_issue_s_figures_are_the_defaults() -> None:
    table = load_config("table_html")
    assert isinstance(table, VlmConfig)
    assert table.model.lora is not None
    lora, training = table.model.lora, table.training
    assert (lora.r, lora.alpha, lora.dropout, lora.init) == (16, 32, 0.1, "gaussian")
    assert (table.data.n_train, table.data.n_validation, table.data.n_test) == (10_000, 250, 500)
    assert (training.max_seq_length, training.gradient_accumulation, training.keep_best) == (1_024, 8, True)
    page = load_config("llava_html")
    assert isinstance(page, VlmConfig)
    assert (page.model.quantization, page.model.double_quantization) == ("nf4", True)
    assert (page.training.optimizer, page.training.learning_rate) == ("paged_adamw_8bit", 2e-5)
    assert (page.training.batch_size, page.training.gradient_accumulation, page.training.max_steps) == (4, 2, 30)
    formula = load_config("latex_ocr").training
    assert (formula.learning_rate, formula.batch_size, formula.warmup_steps) == (2e-4, 2, 5)
    assert (formula.max_steps, formula.gradient_checkpointing) == (30, True)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("training.foo=1", "training.foo: Extra inputs are not permitted. Keys there: max_steps, epochs"),
        ("model.lora.rank=3", "model.lora.rank: Extra inputs are not permitted. Keys there: r, alpha"),
        ("setup=x", "Set setup to one of: llava_html, latex_ocr, table_html, llava_mini, distilvit"),
        ("data.n_train=-3", "data.n_train: Input should be greater than 0"),
        ("training.max_steps=3", "training needs max_steps or epochs, and not both"),
        ("prompt.template=chatml", "There is no chat template 'chatml'"),
        ("data", "--set data says nothing"),
        ("output.x=1", "output has no keys"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_mend(override: str, said: str) -> None:
    with pytest.raises(BadInputError) as caught:
        load_config("table_html", (override,))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_is_a_config_too(tmp_path: Path) -> None:
    text = (SHIPPED / "latex_ocr.yaml").read_text("utf-8")
    (tmp_path / "mine.yaml").write_text(text)
    assert load_config(str(tmp_path / "mine.yaml")) == load_config("latex_ocr")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(BadInputError, match="is no YAML"):
        load_config(str(tmp_path / "bad.yaml"))
    with pytest.raises(BadInputError, match="one of: distilvit"):
        load_config(str(tmp_path / "none.yaml"))


def test_configs_need_no_torch() -> None:
    import subprocess

    code = (
        "import sys, training.config as c; [c.load_config(n) for n in c.shipped_names()]; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_no_default_hides_in_the_code() -> None:
    """What a shipped config leaves out is a default that means: not asked for."""
    left_out = {name: field.default for name, field in TrainingConfig.model_fields.items() if not field.is_required()}
    assert {left_out[name] for name in ("max_steps", "epochs", "eval_steps", "patience", "max_seq_length")} == {None}
