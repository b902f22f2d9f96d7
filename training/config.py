"""What a training run is, checked whole before torch is imported: typed configs of the set-ups, shipped or one's own.

A config is YAML with a `setup`; an unknown key is an error. `training/configs/` has the shipped ones, where each value
says where it is from. What every set-up has is here; what a model of one set-up is made of stands beside that set-up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import yaml
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from curation.conversation import Prompt
from curation.sample import Task
from rendering.errors import BadInputError
from training.distilvit.config import DistilvitModel
from training.llava_mini.config import LlavaMiniModel
from training.strict import Strict
from training.vlm.config import VlmModel

SHIPPED: Final = Path(__file__).parent / "configs"
Positive = Annotated[int, Field(gt=0)]


class DataConfig(Strict):
    """Rows of a release, and of which splits.

    `release` is a folder, or `org/name[@revision]` on the Hub; `n_train`, `n_validation`, `n_test` take so many rows
    of the start of the order (None: all there are). `weights` is a report's `reweighting_probs.csv`: training rows are
    drawn with those probabilities, with replacement. `seed` decides the order.
    """

    release: str = ""
    task: Task
    train: str = "train"
    validation: str = "validation"
    test: str = "test"
    n_train: Positive | None = None
    n_validation: Positive | None = None
    n_test: Positive | None = None
    weights: str = ""
    seed: int = 42


class PromptConfig(Strict):
    """What is said around the target; see `curation.conversation.Prompt`."""

    system: str | None = None
    user: str | None = None
    template: str | None = None

    def prompt(self) -> Prompt:
        """As the conversation module takes it. Raises `TokenizerError` for a template that is not built in."""
        return Prompt(self.system, self.user, self.template)


class TrainingConfig(Strict):
    """The optimisation. Names are transformers' `TrainingArguments` where it has one.

    `max_steps` counts optimiser steps, and is left out where `epochs` say how long. `max_seq_length` is in tokens,
    those of the picture among them: a longer sample is an error that names it, nothing is cut. `precision` "auto" is
    bf16 on a GPU and fp32 on a CPU. `eval_steps` and `save_steps` count optimiser steps. `patience` are evaluations
    without a better loss before the run ends early. `keep_best` loads the checkpoint of the
    best evaluation loss at the end.
    """

    max_steps: Positive | None = None
    epochs: Annotated[float, Field(gt=0)] | None = None
    batch_size: Positive
    gradient_accumulation: Positive = 1
    learning_rate: Annotated[float, Field(gt=0)]
    scheduler: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "linear"
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    optimizer: str = "adamw_torch"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    max_seq_length: Positive | None = None
    gradient_checkpointing: bool = False
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    eval_steps: Positive | None = None
    save_steps: Positive = 100
    log_steps: Positive = 1
    patience: Positive | None = None
    keep_best: bool = False
    device: str = "auto"
    seed: int = 42


class PredictionConfig(Strict):
    """How held-out rows are predicted, greedily, and by what they are scored (groups of `training.evaluation`)."""

    max_new_tokens: Positive = 1_024
    metrics: tuple[str, ...] = ()


class _RunConfig(Strict):
    data: DataConfig
    prompt: PromptConfig = PromptConfig()
    training: TrainingConfig
    prediction: PredictionConfig = PredictionConfig()
    output: str


class VlmConfig(_RunConfig):
    """A vision-language model of transformers, through TRL's `SFTTrainer`: set-ups 1, 4 and 5."""

    setup: Literal["llava_html", "latex_ocr", "table_html"]
    model: VlmModel


class LlavaMiniConfig(_RunConfig):
    """CLIP's patches, a projector and a small chat model: set-up 2, in two stages."""

    setup: Literal["llava_mini"]
    model: LlavaMiniModel


class DistilvitConfig(_RunConfig):
    """SigLIP, a projection and a small language model with the picture as its prefix: set-up 3."""

    setup: Literal["distilvit"]
    model: DistilvitModel


RunConfig = VlmConfig | LlavaMiniConfig | DistilvitConfig
_ADAPTER: Final[TypeAdapter[RunConfig]] = TypeAdapter(Annotated[RunConfig, Field(discriminator="setup")])


def load_config(given: str, overrides: tuple[str, ...] = ()) -> RunConfig:
    """A shipped config by name, or the one in a file, with `key.key=value` set in it.

    Raises `BadInputError`, one line with the mend.
    """
    path = Path(given).expanduser()
    if not path.suffix and (SHIPPED / f"{given}.yaml").is_file():
        path = SHIPPED / f"{given}.yaml"
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        mend = f"Give a YAML file, or one of: {', '.join(shipped_names())}"
        raise BadInputError(f"cannot read the config {given}: {error.strerror}", mend) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInputError(f"{given} is no YAML", "Write key: value lines") from error
    if not isinstance(plain, dict):
        raise BadInputError(f"{given} is no config", "Write key: value lines")
    for override in overrides:
        _set(plain, override)
    return checked(plain, given)


def checked(plain: dict[str, Any], given: str = "the config") -> RunConfig:
    """The config that plain values are. Raises `BadInputError` for an unknown key or a wrong value."""
    try:
        config = _ADAPTER.validate_python(plain)
        config.prompt.prompt()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "setup"
        raise BadInputError(f"{given}: {where}: {first['msg']}", _mend(plain.get("setup"), first["loc"][1:])) from None
    if (config.training.max_steps is None) == (config.training.epochs is None):
        raise BadInputError(f"{given}: training needs max_steps or epochs, and not both", "Set one of them")
    return config


def shipped_names() -> list[str]:
    """Names of the shipped configs, in order."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def _mend(setup: object, place: tuple[int | str, ...]) -> str:
    """Which keys there are where a config went wrong; of the set-ups where it names none."""
    kinds: dict[str, type[BaseModel]] = {
        name: kind for kind in get_args(RunConfig) for name in get_args(kind.model_fields["setup"].annotation)
    }
    if not isinstance(setup, str) or setup not in kinds:
        return f"Set setup to one of: {', '.join(kinds)}"
    keys = kinds[setup]
    for part in place[:-1]:
        inner = keys.model_fields[str(part)].annotation if str(part) in keys.model_fields else None
        found = [kind for kind in (inner, *get_args(inner)) if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not found:
            break
        keys = found[0]
    return f"Keys there: {', '.join(keys.model_fields)}"


def _set(plain: dict[str, Any], override: str) -> None:
    key, separator, value = override.partition("=")
    *parents, last = key.split(".")
    if not separator or not last:
        raise BadInputError(f"--set {override} says nothing", "Write --set key.key=value")
    place = plain
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise BadInputError(f"--set {override}: {parent} has no keys", "Write --set key.key=value")
    place[last] = yaml.safe_load(value)
