"""distilvit's options by their names: each is taken or refused with a reason; presets; the command."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from flows import train_command
from flows.distilvit_command import train_distilvit
from rendering.errors import BadInputError
from training.config import DistilvitConfig, load_config
from training.distilvit.options import ALSO_TAKEN, REFUSED, TAKEN, config_of

# Of `get_arg_parser` in distilvit's train.py @ 08ab755, with a value for each and its default there.
PARSER: dict[str, tuple[Any, Any]] = {
    "model_id": ("org/captioner", "mozilla/distilvit"),
    "sample": (7, None),
    "tag": ("v1", None),
    "save_dir": ("runs", None),
    "cache_dir": ("cache", None),
    "prune_cache": (True, False),
    "checkpoints_dir": ("checkpoints", None),
    "debug": (True, False),
    "num_train_epochs": (5, 3),
    "eval_steps": (50, 100),
    "save_steps": (60, 100),
    "save_total_limit": (2, 3),
    "delete_old_checkpoints": (True, False),
    "max_length": (20, 30),
    "encoder_model": ("google/siglip-large-patch16-256", "google/siglip-base-patch16-224"),
    "base_model": ("org/captioner", None),
    "device": ("cpu", None),
    "base_model_revision": ("abc", None),
    "push_to_hub": (True, False),
    "feature_extractor_model": ("google/siglip-base-patch16-224", "google/siglip-base-patch16-224"),
    "decoder_model": ("HuggingFaceTB/SmolLM-1.7B", "HuggingFaceTB/SmolLM-135M"),
    "clip_model": ("openai/clip-vit-large-patch14-336", "openai/clip-vit-base-patch32"),
    "clip_loss_weight": (0.2, 0.0),
    "lora_r": (32, 16),
    "lora_alpha": (64, 16),
    "lora_dropout": (0.2, 0.1),
    "freeze_vision": (True, True),
    "unfreeze_vision_layers": (2, 0),
    "projection_type": ("mlp", "linear"),
    "projection_lr": (1e-3, 3e-4),
    "lora_lr": (5e-5, 1e-4),
    "dataset": (("org/captions@abc",), None),
}


def value_at(config: DistilvitConfig, key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def test_each_option_of_distilvit_is_taken_or_refused() -> None:
    known = [*TAKEN, *ALSO_TAKEN, *REFUSED]
    assert sorted(known) == sorted(PARSER)
    own = {"preset", "overrides", "no_gate", "more_datasets"}
    assert {parameter.name for parameter in train_distilvit.params} - own == set(PARSER)


@pytest.mark.parametrize("name", sorted(TAKEN))
def test_an_option_sets_its_keys_and_no_other(name: str) -> None:
    value, _ = PARSER[name]
    before, after = load_config("distilvit"), config_of("distilvit", {name: value})
    assert isinstance(before, DistilvitConfig)
    assert all(value_at(after, key) == value for key in TAKEN[name])
    changed = {"model.vision_learning_rate"} if name == "lora_lr" else set()
    plain, other = _flat(before.model_dump()), _flat(after.model_dump())
    assert {key for key in plain if plain[key] != other[key]} == {*TAKEN[name], *changed}


@pytest.mark.parametrize("name", sorted(TAKEN))
def test_the_presets_values_are_distilvits_defaults(name: str) -> None:
    _, default = PARSER[name]
    if name == "clip_loss_weight":
        default = 0.1  # the README's, see the config
    if name != "device":
        config = load_config("distilvit")
        assert isinstance(config, DistilvitConfig)
        assert all(value_at(config, key) == default for key in TAKEN[name])


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_has_no_counterpart_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(BadInputError, match=f"--{name.replace('_', '-')} is not taken") as refused:
        config_of("distilvit", {name: PARSER[name][0]})
    assert refused.value.mend == REFUSED[name]


def test_a_rate_of_the_adapters_takes_unfrozen_layers_along() -> None:
    assert config_of("distilvit", {"lora_lr": 5e-5}).model.vision_learning_rate == pytest.approx(5e-6)


def test_nothing_is_a_value_too() -> None:
    config = config_of("distilvit", {"clip_loss_weight": 0.0, "unfreeze_vision_layers": 0, "lora_dropout": 0.0})
    assert (config.model.clip_loss_weight, config.model.lora.dropout) == (0.0, 0.0)
    more = config_of("distilvit", {"unfreeze_vision_layers": 0}, ("model.unfreeze_vision_layers=3",))
    assert more.model.unfreeze_vision_layers == 0


def test_a_run_is_named_as_distilvit_names_it() -> None:
    config = config_of("distilvit_modern", {"save_dir": "runs/"})
    assert config.output == "runs/siglip-base-patch16-224-SmolLM-360M-lora"
    assert config_of("distilvit", {"save_dir": "runs", "base_model": "org/x"}).output == "runs/x+fine-tuned"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dataset": ("flickr",)}, "Give a release"),
        ({"dataset": ("org/a", "org/b")}, "markupmill merge"),
        ({"feature_extractor_model": "google/vit-base-patch16-224"}, "another model"),
        ({"device": "mps"}, "mps"),
        ({"clip_loss_weight": 0.1, "max_length": 128}, "at most 76 tokens"),
    ],
)
def test_what_would_train_something_else_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        config_of("distilvit", given)


def test_a_config_of_another_set_up_is_no_preset(tmp_path: Any) -> None:
    place = tmp_path / "other.yaml"
    place.write_text(
        "setup: latex_ocr\ndata: {task: formula_to_latex}\nmodel: {name: x}\n"
        "training: {max_steps: 1, batch_size: 1, learning_rate: 0.1}\noutput: x\n"
    )
    with pytest.raises(BadInputError, match="is of latex_ocr"):
        config_of(str(place), {})


def test_presets_differ_where_distilvits_makefile_does() -> None:
    base = _flat(load_config("distilvit").model_dump())

    def changed(name: str) -> dict[str, Any]:
        other = _flat(load_config(name).model_dump())
        return {key: other[key] for key in other if other[key] != base[key] and key != "output"}

    assert changed("distilvit_modern") == {"model.language": "HuggingFaceTB/SmolLM-360M"}
    assert changed("distilvit_large") == {
        "model.vision": "google/siglip-so400m-patch14-384", "model.language": "HuggingFaceTB/SmolLM-1.7B",
    }  # fmt: skip
    quick = changed("distilvit_quick")
    assert quick.pop("training.warmup_steps") == 1
    assert {key: quick[key] for key in quick if not key.endswith("_steps")} == {
        "data.n_train": 100, "data.n_validation": 100, "data.n_test": 100, "training.epochs": 1,
    }  # fmt: skip


def test_what_the_issue_names_is_what_is_shipped() -> None:
    config = load_config("distilvit")
    assert isinstance(config, DistilvitConfig)
    assert (config.model.projection_learning_rate, config.training.learning_rate) == (3e-4, 1e-4)
    assert (config.training.scheduler, config.training.warmup_steps, config.training.patience) == ("cosine", 200, 3)
    assert config.model.unfreeze_vision_layers == 0
    assert config.model.clip_loss_weight > 0


def test_the_command_hands_on_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[tuple[DistilvitConfig, str, dict[str, Any]]] = []
    monkeypatch.setattr(train_command, "run", lambda config, name, **rest: runs.append((config, name, rest)))
    given = "--dataset org/captions --num-train-epochs 5 --unfreeze-vision-layers 2 --projection-type mlp --no-gate"
    result = CliRunner().invoke(train_distilvit, [*given.split(), "--push-to-hub", "--model-id", "org/captioner"])
    assert result.exit_code == 0, result.output
    ((config, name, rest),) = runs
    assert name == "distilvit"
    assert rest == {"gate": False, "push_to_hub": "org/captioner"}
    assert (config.data.release, config.training.epochs) == ("org/captions", 5)
    assert (config.model.unfreeze_vision_layers, config.model.projection) == (2, "mlp")


def test_data_sets_in_distilvits_way_are_understood() -> None:
    result = CliRunner().invoke(train_distilvit, ["--dataset", "org/a", "org/b"])
    assert isinstance(result.exception, BadInputError)
    assert "2 data sets" in str(result.exception)


def test_the_makefiles_options_are_known() -> None:
    known = {name for parameter in train_distilvit.params for name in parameter.opts}
    assert {
        "--dataset",
        "--num-train-epochs",
        "--encoder-model",
        "--decoder-model",
        "--max-length",
        "--sample",
    } <= known
    assert all(
        parameter.help
        for parameter in train_distilvit.params
        if isinstance(parameter, click.Option) and not parameter.hidden
    )


def _flat(plain: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in plain.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
