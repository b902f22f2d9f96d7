"""One build as the command line runs it: recipe, workspace lock, Prefect API, flow, and what is told at the end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flows.server import prefect_api


@dataclass(frozen=True)
class Options:
    """The options of `markupmill build`, as they were given."""

    recipe: str
    addresses: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    workspace: str = "build/workspace"
    runner: str = "threads"
    n_workers: int | None = None
    bundle_shards: int | None = None
    limit: int | None = None


def run_build(options: Options) -> str:
    """Build a release and return what to tell the user. Raises `MarkupmillError`."""
    home = None if "://" in options.workspace else Path(options.workspace) / "prefect"
    with prefect_api(home):  # started first: it comes up while the rest is imported
        from curation.store import Workspace
        from flows.build import build_release
        from flows.progress import BuildProgress
        from flows.recipe import load_recipe

        recipe = load_recipe(options.recipe, options.overrides, options.addresses)
        if options.limit:
            entries = tuple(entry.model_copy(update={"limit": options.limit}) for entry in recipe.sources)
            recipe = recipe.model_copy(update={"sources": entries})
        with Workspace(options.workspace).lock(), BuildProgress() as progress:
            result = build_release(
                recipe,
                options.workspace,
                progress,
                runner=options.runner,
                n_workers=options.n_workers,
                bundle_shards=options.bundle_shards,
            )
    selection, release = result.selection, result.release
    folder = f"{options.workspace.rstrip('/')}/releases/{recipe.name}"
    splits = ", ".join(f"{split} {n:,}" for split, n in selection.splits.items())
    lines = [
        f"{selection.rows_in:,} rows in = {selection.rows_kept:,} kept + {sum(selection.rejected.values()):,} rejected",
        *(f"  {n:>9,}  {reason}" for reason, n in sorted(selection.rejected.items(), key=lambda r: (-r[1], r[0]))),
        f"Splits: {splits}",
        f"Shards: {result.n_shards} ({result.n_shards_made} made now)",
        f"Release: {folder}" + ("" if release.made_now else " (unchanged)"),
        f'Load it: from datasets import load_dataset; load_dataset("{folder}")',
    ]
    return "\n".join(lines)
