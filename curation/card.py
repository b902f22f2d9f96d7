"""The dataset card: `README.md` with the metadata that the Hub and `datasets` read, and what a person asks first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from curation.select import Selection

if TYPE_CHECKING:
    from curation.release import ReleaseSource

SIZE_CATEGORIES: Final = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]
"""The Hub's own names for sizes below a million rows."""

_SPDX_ON_HUB: Final = (
    *("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0"),
    *("CC-BY-SA-4.0", "CC-BY-NC-4.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0", "ODbL", "PDDL"),
)
SPDX_TO_HUB: Final = {name: name.lower() for name in _SPDX_ON_HUB}
"""Licence identifiers as the Hub spells them; any other becomes `other` with its name."""

DESCRIPTION_OF_TASK: Final = {
    "page_to_html": "screenshot of a web page → HTML",
    "table_to_html": "picture of a table → HTML",
    "formula_to_latex": "picture of a formula → LaTeX",
    "image_to_caption": "picture → caption",
    "image_chat": "picture and conversation",
}


@dataclass(frozen=True)
class CardFacts:
    """What the card says; `files` maps `task/split` to rows, bytes and file names."""

    name: str
    sources: tuple[ReleaseSource, ...]
    selection: Selection
    features: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]
    quality: Mapping[str, Any]
    has_preview: bool
    sections: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Titles and lines of what a card says beside: how rows of several sets came together."""
    how: str = ""
    """What made the release, where a build did not."""


def dataset_card(facts: CardFacts) -> str:
    """The card as Markdown with a YAML header."""
    header = yaml.safe_dump(_metadata(facts), sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{header}---\n\n{_body(facts)}"


def _tasks(facts: CardFacts) -> list[str]:
    return sorted({key.split("/")[0] for key in facts.files})


def _metadata(facts: CardFacts) -> dict[str, Any]:
    tasks = _tasks(facts)
    licenses = sorted({source.license for source in facts.sources})
    n_rows = facts.selection.rows_kept
    metadata: dict[str, Any] = {"pretty_name": facts.name}
    on_hub = [SPDX_TO_HUB[license_] for license_ in licenses if license_ in SPDX_TO_HUB]
    if on_hub and len(on_hub) == len(licenses):
        metadata["license"] = on_hub[0] if len(on_hub) == 1 else on_hub
    else:
        metadata |= {"license": "other", "license_name": "several" if len(licenses) > 1 else licenses[0] or "unknown"}
    categories = {"image-text-to-text" if task == "image_chat" else "image-to-text" for task in tasks}
    metadata["task_categories"] = sorted(categories)
    metadata["size_categories"] = [next((name for limit, name in SIZE_CATEGORIES if n_rows < limit), "n>1M")]
    metadata["tags"] = ["markupmill", *(task.replace("_", "-") for task in tasks)]
    configs = [("default", tasks)] if len(tasks) == 1 else [("default", tasks), *((task, [task]) for task in tasks)]
    metadata["configs"] = [_config(facts, name, members, many=len(tasks) > 1) for name, members in configs]
    metadata["dataset_info"] = [_info(facts, name, members) for name, members in configs]
    return metadata


def _splits_of(facts: CardFacts, tasks: list[str]) -> list[str]:
    present = {key.split("/")[1] for key in facts.files if key.split("/")[0] in tasks}
    return [split for split in ("train", "validation", "test") if split in present]


def _config(facts: CardFacts, name: str, tasks: list[str], *, many: bool) -> dict[str, Any]:
    folder = "data" if not many else "data/*" if len(tasks) > 1 else f"data/{tasks[0]}"
    data_files = [{"split": split, "path": f"{folder}/{split}-*"} for split in _splits_of(facts, tasks)]
    return {"config_name": name, "data_files": data_files, **({"default": True} if name == "default" else {})}


def _info(facts: CardFacts, name: str, tasks: list[str]) -> dict[str, Any]:
    splits = []
    for split in _splits_of(facts, tasks):
        parts = [facts.files[f"{task}/{split}"] for task in tasks if f"{task}/{split}" in facts.files]
        splits.append(
            {
                "name": split,
                "num_bytes": sum(part["n_bytes"] for part in parts),
                "num_examples": sum(part["n_rows"] for part in parts),
            }
        )
    size = sum(split["num_bytes"] for split in splits)
    return {
        "config_name": name,
        "features": [_yaml_feature(column, feature) for column, feature in facts.features.items()],
        "splits": splits,
        "download_size": size,
        "dataset_size": size,
    }


def _yaml_feature(name: str, feature: Mapping[str, Any]) -> dict[str, Any]:
    if feature["_type"] == "Image":
        return {"name": name, "dtype": "image"}
    if feature["_type"] == "List":
        inner = feature["feature"]
        if "_type" not in inner:  # a list of structs: the turns of a conversation
            return {"name": name, "list": [_yaml_feature(*part) for part in inner.items()]}
        if inner["_type"] == "Image":
            return {"name": name, "list": "image"}
        return {"name": name, "list": inner["dtype"]}
    return {"name": name, "dtype": feature["dtype"]}


def _body(facts: CardFacts) -> str:
    selection = facts.selection
    counts: Counter[str] = Counter()
    for key, entry in facts.files.items():
        counts[key] = entry["n_rows"]
    n_rejected = selection.rows_in - selection.rows_kept
    lines = [f"# {facts.name}", ""]
    contents = "; ".join(DESCRIPTION_OF_TASK.get(task, task) for task in _tasks(facts))
    lines += [f"{selection.rows_kept:,} image–text pairs: {contents}."]
    lines += _synthetic(facts)
    if facts.has_preview:
        lines += ["", "![A few samples](preview.png)"]
    lines += ["", "## What is in it", "", "| task | train | validation | test |", "|---|---:|---:|---:|"]
    for task in _tasks(facts):
        cells = " | ".join(f"{counts[f'{task}/{split}']:,}" for split in ("train", "validation", "test"))
        lines.append(f"| `{task}` | {cells} |")
    lines += [
        "",
        "## Where it is from",
        "",
        "| source | task | address | revision | licence |",
        "|---|---|---|---|---|",
    ]
    for s in facts.sources:
        addresses = ", ".join([s.address, *s.beside]) or "—"
        lines.append(f"| {s.name} | `{s.task}` | {addresses} | {s.revision[:12] or '—'} | {s.license} |")
    lines += [
        "",
        "Every row names its own `source`, `source_key` and `license`.",
        "",
        "## What was left out",
        "",
        f"{selection.rows_in:,} rows were read: {selection.rows_kept:,} kept, {n_rejected:,} rejected.",
    ]
    if selection.rejected:
        lines += ["", "| reason | rows |", "|---|---:|"]
        lines += [f"| `{reason}` | {n:,} |" for reason, n in sorted(selection.rejected.items(), key=lambda r: -r[1])]
    lines += ["", "## Measures", ""]
    lines += _measure_table(facts)
    for title, section in facts.sections:
        lines += ["", f"## {title}", "", *section]
    lines += [
        "",
        "## How to load it",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        'dataset = load_dataset("path/to/this/folder")  # or its repository on the Hub',
        f'dataset["{_splits_of(facts, _tasks(facts))[0]}"][0]{_picture_of(facts)}.show()',
        "```",
        "",
        *([facts.how] if facts.how else _MADE),
        "",
    ]
    return "\n".join(lines)


def _synthetic(facts: CardFacts) -> list[str]:
    """How many rows were made on purpose, where any were."""
    told = {task: entry.get("rows_synthetic", 0) for task, entry in facts.quality["tasks"].items()}
    n = sum(told.values())
    if not n:
        return []
    by_task = ", ".join(f"{count:,} of `{task}`" for task, count in told.items() if count)
    share = 100 * n / max(1, facts.selection.rows_kept)
    say = "Their `image_origin` is `synthetic`, and `lineage` names what made them."
    return ["", f"{n:,} of them ({share:.1f} %) are synthetic: {by_task}. {say}"]


_MADE: Final = (
    "Made with markupmill: `recipe.yaml` makes it again, `quality.json` has the measures and `manifest.json`",
    "the SHA-256 of every file.",
)


def _picture_of(facts: CardFacts) -> str:
    """How a row's picture is asked for, whatever its column is called."""
    for name, feature in facts.features.items():
        if feature["_type"] == "Image":
            return f'["{name}"]'
        if feature["_type"] == "List" and feature["feature"].get("_type") == "Image":
            return f'["{name}"][0]'
    return ""


def cell(text: object) -> str:
    """A stranger's words in a cell of a Markdown table: they end neither the cell nor the line, and say no markup."""
    return "".join(f"\\{char}" if char in "\\`*_[]<>|" else char for char in " ".join(str(text).split()))


def _measure_table(facts: CardFacts) -> list[str]:
    lines = ["| task | measure | p05 | median | p95 | measured on |", "|---|---|---:|---:|---:|---:|"]
    for task, measures in facts.quality["tasks"].items():
        for name, summary in measures.items():
            if isinstance(summary, dict) and "p50" in summary:
                cells = " | ".join(f"{summary[q]:,.6g}" for q in ("p05", "p50", "p95"))
                lines.append(f"| `{task}` | `{name}` | {cells} | {summary['measured']:,} |")
    for task, names in facts.quality["not_measured"].items():
        lines += ["", f"Not measured for `{task}`: {', '.join(names)}."]
    return lines
