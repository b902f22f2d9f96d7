"""distilvit's command-line options, by its names, as a config of ours.

Names are those of `get_arg_parser` in distilvit's train.py (github.com/tarekziade/distilvit2 @ 08ab755). Each is taken,
or refused with what to do in its place. Where one is not given the preset's value stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rendering.errors import BadInputError
from training.config import DistilvitConfig, checked, load_config

TAKEN: Final[Mapping[str, tuple[str, ...]]] = {
    "sample": ("data.n_train", "data.n_validation", "data.n_test"),
    "num_train_epochs": ("training.epochs",),
    "eval_steps": ("training.eval_steps",),
    "save_steps": ("training.save_steps",),
    "max_length": ("model.max_caption_tokens", "prediction.max_new_tokens"),
    "encoder_model": ("model.vision",),
    "decoder_model": ("model.language",),
    "base_model": ("model.base_model",),
    "base_model_revision": ("model.base_model_revision",),
    "device": ("training.device",),
    "clip_model": ("model.clip_model",),
    "clip_loss_weight": ("model.clip_loss_weight",),
    "lora_r": ("model.lora.r",),
    "lora_alpha": ("model.lora.alpha",),
    "lora_dropout": ("model.lora.dropout",),
    "unfreeze_vision_layers": ("model.unfreeze_vision_layers",),
    "projection_type": ("model.projection",),
    "projection_lr": ("model.projection_learning_rate",),
    "lora_lr": ("training.learning_rate",),
}
"""Options that set keys of the config as they are."""

ALSO_TAKEN: Final = ("dataset", "save_dir", "feature_extractor_model", "freeze_vision", "push_to_hub", "model_id")
"""Options that are looked at: see `config_of`; what is pushed, and where, is the command's."""

REFUSED: Final[Mapping[str, str]] = {
    "tag": "A pushed model is pinned by its commit, which is printed",
    "cache_dir": "Set HF_HOME: the Hub's files are kept there",
    "prune_cache": "Remove what HF_HOME has with `hf cache rm`",
    "checkpoints_dir": "They are in checkpoints/ of the run's folder: set --save-dir",
    "save_total_limit": "The last checkpoint and the best are kept until the run is done",
    "delete_old_checkpoints": "Remove the run's folder, or train into another --save-dir",
    "debug": "Held-out predictions are in predictions.parquet and on the evaluation's page",
}
"""Options that have no counterpart, and what to do."""

_VISION_SHARE = 0.1
"""distilvit's train.py: unfrozen vision layers learn at a tenth of the adapters' rate."""

_OTHER_DATASETS = ("flickr", "coco", "docornot", "pexels", "validation", "all")


def config_of(preset: str, given: Mapping[str, Any], overrides: Sequence[str] = ()) -> DistilvitConfig:
    """The preset (a shipped config's name, or a file) with options set; what is None or empty was not given.

    `dataset` is a release's folder or `org/name[@revision]`. `save_dir` is where the run's folder is made, named as
    distilvit names it. Raises `BadInputError` for what is refused.
    """
    config = load_config(preset, tuple(overrides))
    if not isinstance(config, DistilvitConfig):
        raise BadInputError(
            f"{preset} is of {config.setup}", "Name a config of distilvit: distilvit, distilvit_large …"
        )
    # 0 is a value: no CLIP loss, no unfrozen layer
    options = {name: value for name, value in given.items() if value is not None and value is not False and value != ()}
    for name in options:
        if name in REFUSED:
            raise BadInputError(f"--{name.replace('_', '-')} is not taken", REFUSED[name])
    plain = config.model_dump(mode="json")
    for name, keys in TAKEN.items():
        if name in options:
            for key in keys:
                _set(plain, key, options[name])
    if "num_train_epochs" in options:
        plain["training"]["max_steps"] = None
    if "lora_lr" in options:
        plain["model"]["vision_learning_rate"] = _VISION_SHARE * options["lora_lr"]
    if options.get("device") == "mps":
        raise BadInputError("--device mps is not taken", "Use cpu or cuda")
    if "dataset" in options:
        plain["data"]["release"] = _release(options["dataset"])
    if options.get("feature_extractor_model", plain["model"]["vision"]) != plain["model"]["vision"]:
        problem = "--feature-extractor-model is another model than --encoder-model"
        raise BadInputError(problem, "Leave it out: pictures are made as the tower was trained to see them")
    if "save_dir" in options:
        plain["output"] = f"{options['save_dir'].rstrip('/')}/{model_name(plain['model'])}"
    made = checked(plain, f"{preset} with these options")
    assert isinstance(made, DistilvitConfig)
    return made


def model_name(model: Mapping[str, Any]) -> str:
    """What distilvit calls a model: `siglip-base-patch16-224-SmolLM-135M-lora`."""
    if model["base_model"]:
        return f"{model['base_model'].rstrip('/').rsplit('/', 1)[-1]}+fine-tuned"
    parts = (str(model[part]).rstrip("/").rsplit("/", 1)[-1] for part in ("vision", "language"))
    return "-".join((*parts, "lora"))


def _release(datasets: Sequence[str]) -> str:
    for name in datasets:
        if name in _OTHER_DATASETS:
            problem = f"--dataset {name} is a name of distilvit's, which fetches and merges data itself"
            raise BadInputError(problem, "Give a release: a folder of `build` or `merge`, or org/name[@revision]")
    if len(datasets) > 1:
        raise BadInputError(f"{len(datasets)} data sets are given", "Make them one: `markupmill merge`")
    return datasets[0]


def _set(plain: dict[str, Any], key: str, value: Any) -> None:
    *parents, last = key.split(".")
    for parent in parents:
        plain = plain[parent]
    plain[last] = value
