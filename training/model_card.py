"""The card of a trained model: what it was trained on, how, what that cost, and what it is worth on held-out rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from curation.card import cell
from training.config import RunConfig
from training.evaluation.metrics import METRICS
from training.run_folder import MODEL, RunFolder

CARD: Final = "README.md"
CURVE: Final = "loss.png"
_ON_HUB: Final = re.compile(r"(?P<repo>\w[\w.-]*/\w[\w.-]*)(@[^:/]+)?(:[^/]+)?")


def write_card(config: RunConfig, run: RunFolder) -> None:
    """Write `README.md`, and the curve of the loss beside it, into the run's model folder."""
    folder = run.path / MODEL
    log = run.log()
    has_curve = draw_curve(log, folder / CURVE)
    (folder / CARD).write_text(card(config, run.path.name, run.state, has_curve=has_curve), encoding="utf-8")


def card(config: RunConfig, name: str, state: Mapping[str, Any], *, has_curve: bool) -> str:
    """The card as Markdown with the Hub's metadata in its head."""
    from huggingface_hub import EvalResult, ModelCardData  # noqa: PLC0415 - half a second

    release, scored = state["release"], state["steps"].get("score", {})
    found = _ON_HUB.fullmatch(release["address"])
    dataset = found["repo"] if found and not _is_here(release["address"]) else None
    data = ModelCardData(
        model_name=name,
        base_model=list(_bases(config)) or None,
        datasets=[dataset] if dataset else None,
        pipeline_tag="image-to-text" if config.setup == "distilvit" else "image-text-to-text",
        tags=["markupmill", config.setup, config.data.task.replace("_", "-")],
        eval_results=[
            EvalResult(
                task_type="image-to-text",
                dataset_type=dataset or "markupmill-release",
                dataset_name=_named(release["address"]),
                dataset_revision=release["revision"],
                dataset_split=config.data.test,
                metric_type=metric,
                metric_name=METRICS[metric].title,
                metric_value=round(one["value"], 4),
            )
            for metric, one in scored.get("scores", {}).items()
        ]
        or None,
    )
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n".join(_body(config, name, state, has_curve=has_curve)) + "\n"


def draw_curve(log: Sequence[Mapping[str, Any]], path: Path) -> bool:
    """The loss by step, and the evaluation's where there is one, as a picture. False where there is nothing to draw."""
    training = [(line["step"], line["loss"]) for line in log if "loss" in line]
    held_out = [(line["step"], line["eval_loss"]) for line in log if "eval_loss" in line]
    if not training:
        return False
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(*zip(*training, strict=True), color="#2563eb", linewidth=1.2, label="training")
    if held_out:
        axes.plot(*zip(*held_out, strict=True), color="#d97706", marker="o", markersize=4, label="validation")
        axes.legend(frameon=False)
    axes.set(xlabel="optimiser step", ylabel="loss (nats per token)", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    return True


def _bases(config: RunConfig) -> tuple[str, ...]:
    """Models of the Hub that this one was made from; folders say nothing to others."""
    model = config.model.model_dump()
    named = (model.get(key) for key in ("name", "vision", "language"))
    return tuple(one for one in named if one and _ON_HUB.fullmatch(one) and not _is_here(one))


def _body(config: RunConfig, name: str, state: Mapping[str, Any], *, has_curve: bool) -> list[str]:
    steps, release = state["steps"], state["release"]
    lines = [f"# {name}", "", f"Trained by markupmill's set-up `{config.setup}` for `{config.data.task}`.", ""]
    lines += ["```", f"markupmill predict PICTURE.png --model {name}", "```", ""]
    lines += ["## Data", "", "| | |", "|---|---|", f"| release | {_code(_named(release['address']))} |"]
    lines += [f"| revision | {_code(release['revision'])} |", f"| gate | {cell(state['gate']['said'])} |"]
    if start := config.model.model_dump().get("start_from"):
        earlier = RunFolder(Path(start)).state["release"]
        told = f"{_code(_named(start))}, trained on {_code(_named(earlier['address']))} at {_code(earlier['revision'])}"
        lines.append(f"| started from | {told} |")
    counts = ", ".join(f"{steps['data']['n_' + split]:,} {split}" for split in ("train", "validation", "test"))
    lines.append(f"| rows | {counts} |")
    if config.data.weights:
        lines.append("| drawn | with the weights of the quality report, with replacement |")
    lines += ["", *_results(steps.get("score", {})), *_cost(steps, has_curve=has_curve)]
    plain = _without_paths(config.model_dump(mode="json", exclude={"output"}, exclude_none=True))
    return [
        *lines,
        "## Config",
        "",
        "```yaml",
        yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).strip(),
        "```",
    ]


def _code(text: str) -> str:
    """A name as it is, in a table."""
    return f"`{text.replace('`', '').replace('|', '/')}`"


def _is_here(name: str) -> bool:
    """Whether a name is a place on this machine: an absolute path, or something that is there."""
    return Path(name).expanduser().is_absolute() or Path(name).exists()


def _named(address: str) -> str:
    """An address as others may read it: where it is a place on this machine, its last part."""
    return Path(address).name if _is_here(address) else address


def _without_paths(value: Any) -> Any:
    """A config as others may read it."""
    if isinstance(value, dict):
        return {key: _without_paths(inner) for key, inner in value.items()}
    return _named(value) if isinstance(value, str) and "/" in value else value


def _results(scored: Mapping[str, Any]) -> list[str]:
    lines = ["## Held-out rows", ""]
    if "scores" not in scored:
        return [*lines, f"Not measured: {scored.get('not_measured', 'not scored')}.", ""]
    lines += ["| metric | score | 95 % interval | rows |", "|---|---:|---|---:|"]
    for metric, one in scored["scores"].items():
        told = f"{one['value']:.3f} | {one['low']:.3f} to {one['high']:.3f} | {one['n']:,}"
        lines.append(f"| {METRICS[metric].title} | {told} |")
    return [*lines, ""]


def _cost(steps: Mapping[str, Any], *, has_curve: bool) -> list[str]:
    trained, merged = steps["train"], steps["merge"]
    lines = ["## Training", "", "| | |", "|---|---|", f"| steps | {trained['n_steps']:,} |"]
    lines += [f"| samples | {trained['n_samples']:,} |", f"| time | {trained['total_seconds']:,.0f} s |"]
    memory = trained["peak_memory_bytes"] / 2**30
    lines += [f"| peak memory | {memory:,.1f} GiB ({cell(trained['peak_memory_of'])}) |"]
    for component, (total, trainable) in sorted(trained["parameters"].items()):
        lines.append(f"| parameters: {cell(component)} | {total:,}, of which {trainable:,} trained |")
    difference = merged["max_logit_difference"]
    lines += [f"| merged | {merged['dtype']}; logits differ by {difference:.1e} at most |", ""]
    return [*lines, f"![The loss by step]({CURVE})", ""] if has_curve else lines
