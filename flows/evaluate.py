"""`markupmill evaluate CONFIG`: predictions scored, as a Prefect flow whose artifacts are the scores.

The config is a small YAML file, checked whole before anything is read:

    predictions: [build/ours.parquet]        # see training/evaluation/predictions.py
    baselines:                               # optional: predicted here, for the rows' pictures
      - {name: pix2struct, kind: pix2struct, model: KennethTM/pix2struct-base-table2html}
    metrics: [teds, html_similarity, bleu]   # default: all of each task
    compare_with: pix2struct                 # default: every pair of models
    output: build/evaluation
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import yaml
from prefect import flow
from prefect.artifacts import create_markdown_artifact
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curation.bert_model import BertModel, find_encoder
from curation.browser import shared_renderer
from curation.clip_model import ClipModel, device_and_precision, find_clip
from curation.conversation import DEFAULT_USER
from curation.errors import BadInputError
from curation.measures.clip import Clip, clip_names
from curation.report.wording import number
from rendering.errors import BrowserNotFoundError
from rendering.pixels import ImageFault, decode_rgb
from training.baselines import Baseline, Kind, open_baseline
from training.evaluation.evaluate import Evaluation, Settings, evaluate, require_usable, write_result
from training.evaluation.intervals import Interval
from training.evaluation.metrics import METRICS
from training.evaluation.page import write_evaluation_page
from training.evaluation.predictions import Prediction, read_predictions, write_predictions
from training.metrics.workers import Workers

BASELINES: Final = "baselines.parquet"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BaselineEntry(_Strict):
    """A baseline, as `training.baselines.Baseline` has it; `prompt` None is the one of each task."""

    name: str
    model: str
    kind: Kind = "image_text_to_text"
    revision: str | None = None
    url: str = ""
    prompt: str | None = None
    max_new_tokens: Annotated[int, Field(gt=0)] = 1_024
    max_patches: Annotated[int, Field(gt=0)] = 1_024
    device: str = "auto"
    dtype: str = "auto"

    def baseline(self) -> Baseline:
        """Without the prompt, which is asked with."""
        return Baseline(**self.model_dump(exclude={"prompt"}))


class EvaluateConfig(_Strict):
    """What to score, with what, and where the result goes.

    `clip_model` and `bert_model` are named as for `markupmill report`; empty ones are not loaded, and what needs them
    is told as not measured.
    """

    predictions: Annotated[tuple[str, ...], Field(min_length=1)]
    baselines: tuple[BaselineEntry, ...] = ()
    metrics: tuple[str, ...] = ()
    compare_with: str = ""
    output: str = "build/evaluation"
    clip_model: str = ""
    bert_model: str = ""
    seed: int = 0
    resamples: Annotated[int, Field(gt=0, le=100_000)] = 1_000
    examples: Annotated[int, Field(ge=0, le=50)] = 8
    processes: Annotated[int, Field(gt=0)] | None = None

    @property
    def settings(self) -> Settings:
        """As `evaluate` takes them."""
        return Settings(self.metrics, self.compare_with, self.seed, self.resamples, self.examples)


@dataclass(frozen=True)
class Evaluated:
    """A finished evaluation and where its files are."""

    result: Evaluation
    folder: Path
    page: Path


def load_config(path: str) -> EvaluateConfig:
    """The config in a file.

    Raises `BadInputError`, one line with the mend: no such file, no YAML, an unknown key, a wrong value.
    """
    try:
        plain = yaml.safe_load(Path(path).expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", "Give a YAML file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path} is no YAML", "Write key: value lines") from error
    try:
        return EvaluateConfig.model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        keys = ", ".join(BaselineEntry.model_fields if where.startswith("baselines.") else EvaluateConfig.model_fields)
        raise BadInputError(f"{path}: {where}: {first['msg']}", f"Its keys are: {keys}") from None


@flow(name="evaluate", validate_parameters=False)
def evaluate_predictions(config: EvaluateConfig) -> Evaluated:
    """Predict with the baselines, score everything, write JSON, scores and page, and tell the scores to Prefect."""
    rows = read_predictions(config.predictions)
    names = [entry.name for entry in config.baselines]
    if twice := [name for name in names if names.count(name) > 1 or name in {row.model for row in rows}]:
        raise BadInputError(f"Two models are called {twice[0]!r}", "Give each baseline a name of its own")
    folder = Path(config.output).expanduser()
    known = Settings(config.metrics, "" if config.compare_with in names else config.compare_with)
    require_usable(rows, known)  # before hours of predicting
    with ExitStack() as stack:
        clip = _clip(config.clip_model)
        bert = BertModel(find_encoder(config.bert_model), None, "auto") if config.bert_model else None
        samples = rows
        predicted = [row for entry in config.baselines for row in predict_baseline(entry, samples)]
        if predicted:
            folder.mkdir(parents=True, exist_ok=True)
            write_predictions(predicted, folder / BASELINES)
        renderer = stack.enter_context(shared_renderer())
        try:
            renderer.start()
        except BrowserNotFoundError:
            renderer = None  # type: ignore[assignment]  # what needs pictures is told as not measured
        workers = stack.enter_context(Workers(config.processes))
        found = evaluate([*rows, *predicted], config.settings, renderer=renderer, clip=clip, bert=bert, workers=workers)
        write_result(found, folder)
        page = write_evaluation_page(found, folder, renderer)
    create_markdown_artifact(summary(found), key="evaluation", description=f"Evaluation in {folder.name}")
    return Evaluated(found, folder, page)


def predict_baseline(entry: BaselineEntry, samples: Sequence[Prediction]) -> list[Prediction]:
    """A baseline's predictions for the different samples that have a picture; of each task with its prompt.

    Raises `BadInputError` where none has one.
    """
    by_id = {row.id: row for row in samples if row.image is not None}
    pictures = {key: decode_rgb(row.image) for key, row in by_id.items()}
    there = {key: picture for key, picture in pictures.items() if not isinstance(picture, ImageFault)}
    if not there:
        raise BadInputError(
            f"No row has a picture for the baseline {entry.name} to look at", "Write predictions with their image"
        )
    predictor = open_baseline(entry.baseline())
    found = []
    for task in dict.fromkeys(by_id[key].task for key in there):
        keys = [key for key in there if by_id[key].task == task]
        prompt = DEFAULT_USER[task] if entry.prompt is None else entry.prompt
        for key, text in zip(keys, predictor.predict((there[key] for key in keys), prompt), strict=True):
            row = by_id[key]
            found.append(Prediction(key, task, text, row.reference, entry.name, row.image, row.classes, prompt))
    return found


def summary(found: Evaluation) -> str:
    """The scores of each task as a Markdown table, one column a model."""
    lines: list[str] = []
    for result in found.tasks:
        lines += [f"### {result.task}: {result.n_samples:,} samples", ""]
        lines += [f"| metric | {' | '.join(_plain(model) for model in result.models)} |"]
        lines += ["|---" * (len(result.models) + 1) + "|"]
        for name in result.metrics:
            cells = [one.scores.get(name) for one in result.overall]
            told = ["" if one is None else _told(one) for one in cells]
            lines.append(f"| {METRICS[name].title} | {' | '.join(told)} |")
        lines.append("")
    return "\n".join(lines)


def told(done: Evaluated) -> str:
    """What to tell who waits at a terminal: each model's main score, and where the page is."""
    lines = []
    for result in done.result.tasks:
        lines.append(f"{result.task}, {result.n_samples:,} samples")
        for one in result.overall:
            name = result.main if result.main in one.scores else next(iter(one.scores))
            lines.append(f"  {one.model}: {METRICS[name].title} {_told(one.scores[name])}")
    return "\n".join([*lines, f"Page: {done.page}"])


def _clip(given: str) -> ClipModel | None:
    if not given:
        return None
    names = dict(zip(("model", "pretrained"), clip_names(given), strict=False))
    device, precision = device_and_precision("auto")
    files = find_clip(names.get("model", Clip.model), names.get("pretrained", Clip.pretrained))
    return ClipModel(files, device, precision, "auto")


def _told(one: Interval) -> str:
    return f"{number(one.value)} ({number(one.low)} to {number(one.high)})"


def _plain(text: str) -> str:
    """A model's name, which says nothing to Markdown."""
    return "".join(f"\\{letter}" if letter in "\\|[]()<>*_`#!" else letter for letter in text.replace("\n", " "))[:80]
