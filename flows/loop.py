"""Curate, report, synthesize, curate what was made, merge, report, gate: one Prefect flow from one recipe.

Each step finds what it made before: shards and releases by their keys, rounds by their files, the merge by what it
read. So the same command goes on where another one was killed, and does nothing new where nothing changed.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact

from curation.balance import by_namespace, gini, lorenz_curve
from curation.card import cell
from curation.merge.merging import MergeResult, merge
from curation.report.facts import Check
from curation.report.gate import require_passed
from curation.sources.address import resolved_once
from curation.store import Workspace
from curation.synthesize.counting import ReleaseCounts, count_release
from curation.synthesize.rounds import write_whole
from curation.workers import close_workers
from flows.build import build_release
from flows.loop_recipe import LoopRecipe
from flows.progress import BuildProgress
from flows.quality import run_named
from flows.report import PAGE, Reported, ReportOptions
from flows.synthesize_flow import Synthesized, synthesize_release

DECIMALS: Final = 4
LORENZ_POINTS: Final = 21


@dataclass(frozen=True)
class LoopResult:
    """What a loop made: the merged release, what changed by task, and what to tell."""

    release: str
    facts: Mapping[str, Any]
    lines: tuple[str, ...]


@flow(name="loop", validate_parameters=False)
def run_loop(recipe: LoopRecipe, workspace_url: str) -> LoopResult:
    """All steps. Raises `GateFailedError` at the end where the merged release fails a gate."""
    started_s = time.monotonic()
    home = Path(workspace_url).expanduser().absolute()
    reports = home / "reports" / recipe.name
    curated_recipe = recipe.build_recipe()
    with Workspace(workspace_url).lock(), BuildProgress() as progress:
        build_release(curated_recipe, workspace_url, progress)
    curated = str(home / "releases" / curated_recipe.name)
    _report(recipe, curated, reports / "before", workspace_url)
    before = count_release(Path(curated), curated_recipe.release.rename)
    options = recipe.synthesize.options(curated, workspace_url, f"{recipe.name}-synthetic")
    made = synthesize_release(options)
    sources = [curated, *([str(home / "releases" / f"{recipe.name}-synthetic")] if made.release else [])]
    merged = merge_releases(recipe, sources, str(home / "merged" / recipe.name), str(home / "merged" / "cache"))
    after = count_release(Path(merged.path), recipe.merge_recipe(sources).rename)
    checks: list[Check] = []
    for name in sorted(after.n_rows):
        folder = reports / (f"after-{name}" if len(after.n_rows) > 1 else "after")
        asked = name if len(after.n_rows) > 1 else ""
        checks += _report(recipe, merged.path, folder, str(home / "quality"), asked, recipe.gates).facts.checks
    threshold = recipe.synthesize.threshold or recipe.rare_threshold
    facts = {
        "threshold": threshold,
        "tasks": {name: _compared(before, after, name, threshold) for name in sorted(after.n_rows)},
        "unreached": {one.name: one.why for one in made.reached if one.why},
        "took_s": round(time.monotonic() - started_s, 1),
    }
    write_whole(reports / "loop.json", json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    create_markdown_artifact(_table(facts), key="loop", description=f"Loop {recipe.name}")
    require_passed(checks, str(reports / "after" / PAGE))
    return LoopResult(merged.path, facts, tuple(_told(made, merged, facts, reports)))


@task(name="merge")
def merge_releases(recipe: LoopRecipe, sources: list[str], path: str, cache: str) -> MergeResult:
    """Both releases as one, or found as it should be."""
    merge_recipe = recipe.merge_recipe(sources)
    try:
        with resolved_once():
            return merge(merge_recipe.spec(), path, cache, merge_recipe.to_yaml(), lambda *_: None)
    finally:
        close_workers()


def _report(
    recipe: LoopRecipe,
    address: str,
    folder: Path,
    workspace_url: str,
    task_name: str = "",
    gates: tuple[str, ...] = (),
) -> Reported:
    options = ReportOptions(
        address,
        output_dir=str(folder),
        rare_threshold=recipe.synthesize.threshold or recipe.rare_threshold,
        task=task_name,
        gates=gates,
        workspace=workspace_url,
        measures=recipe.report,
    )
    return run_named(options)


def _compared(before: ReleaseCounts, after: ReleaseCounts, name: str, threshold: int) -> dict[str, Any]:
    """Rows, share synthetic, and by namespace: classes under the threshold, Gini, Lorenz curve, before and after."""
    n_rows, n_synthetic = after.n_rows[name], after.n_synthetic[name]
    apart = {
        when: by_namespace(counts.classes.get(name, Counter()))
        for when, counts in (("before", before), ("after", after))
    }
    return {
        "rows_before": before.n_rows.get(name, 0),
        "rows_after": n_rows,
        "share_synthetic": round(n_synthetic / max(1, n_rows), DECIMALS),
        "classes": {
            namespace: {
                when: {
                    "n": len(counts),
                    "below_threshold": sum(n < threshold for n in counts.values()),
                    "of_those_before": sum(
                        counts.get(one, 0) < threshold for one in apart["before"].get(namespace, ())
                    ),
                    "gini": round(gini(counts), DECIMALS),
                    "lorenz": [
                        [round(x, DECIMALS), round(y, DECIMALS)] for x, y in lorenz_curve(counts, LORENZ_POINTS)
                    ],
                }
                for when, found in apart.items()
                if (counts := found.get(namespace))
            }
            for namespace in sorted({*apart["before"], *apart["after"]})
        },
    }


def _lines_of(facts: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, of_task in facts["tasks"].items():
        for namespace, when in of_task["classes"].items():
            none = {"n": 0, "below_threshold": 0, "of_those_before": 0, "gini": 0.0}
            was, now = (when.get(one, none) for one in ("before", "after"))
            new = f", {n} new below" if (n := now["below_threshold"] - now["of_those_before"]) else ""
            rare = f"{was['below_threshold']} -> {now['of_those_before']} of {was['n']}{new}"
            rows.append((name, namespace, rare, f"{was['gini']:.3f} -> {now['gini']:.3f}"))
    return rows


def _table(facts: Mapping[str, Any]) -> str:
    lines = [f"| task | classes | below {facts['threshold']} | Gini |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(cell(one) for one in row)} |" for row in _lines_of(facts)]
    for name, of_task in facts["tasks"].items():
        lines += ["", f"{name}: {of_task['rows_after']:,} rows, {100 * of_task['share_synthetic']:.1f} % synthetic"]
    return "\n".join(lines)


def _told(made: Synthesized, merged: MergeResult, facts: Mapping[str, Any], reports: Path) -> list[str]:
    lines = [*made.lines, f"Merged: {merged.path}{'' if merged.made_now else ' (unchanged)'}"]
    for name, of_task in facts["tasks"].items():
        share = f"{100 * of_task['share_synthetic']:.1f} % synthetic"
        lines.append(f"{name}: {of_task['rows_before']:,} -> {of_task['rows_after']:,} rows, {share}")
    lines += [
        f"  {namespace}: below {facts['threshold']}: {rare}; Gini {change} ({name})"
        for name, namespace, rare, change in _lines_of(facts)
    ]
    return [*lines, f"Reports: {reports}", f"It took {facts['took_s']:.0f} s"]
