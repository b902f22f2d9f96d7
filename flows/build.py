"""The build flow: sources to shards in bundles, then one selection, then one release.

The flow decides what runs where; what a bundle does is `curation.pipeline`. Tasks take and return references.
"""

from __future__ import annotations

import os
import posixpath
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.exceptions import PrefectHTTPStatusError
from prefect.futures import PrefectFuture
from prefect.settings import PREFECT_HOME
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

from curation.errors import SchemaError, ShardError
from curation.measures.tokens import Tokens
from curation.pipeline import (
    BundleResult,
    ModelChoice,
    Pipeline,
    bundles,
    first_piece,
    pinned_source,
    pipeline_of,
    run_bundle,
)
from curation.release import Release, ReleaseSource, write_release
from curation.report.gate import require_passed
from curation.select import Keeper, MeasuredShard, Selection, SourceShards, select
from curation.sources import parquet
from curation.sources.damage import set_aside
from curation.sources.source import Piece
from curation.store import Workspace
from curation.workers import close_workers
from flows.progress import BuildProgress, shown, shown_progress
from flows.quality import report_on_release
from flows.recipe import Recipe, SourceEntry
from flows.report import PAGE
from flows.run_names import artifact_key
from flows.server import die_with_parent
from rendering.errors import BadInputError, MarkupmillError

BUNDLES_IN_FLIGHT_PER_WORKER: Final = 2
"""Enough that no worker waits; few enough that a limit, once met, has little work to throw away."""

MAX_TASK_RUNS: Final = 200
"""Bundles grow with the number of shards so that a source has at most about this many task runs."""

FILES_NAMED: Final = 10
"""How many files that cannot be used an error names."""


RUNNERS: Final[dict[str, Callable[..., Any]]] = {
    "threads": ThreadPoolTaskRunner,
    "processes": partial(ProcessPoolTaskRunner, initializer=die_with_parent),
}

_Outcome = list[MeasuredShard] | PrefectFuture[BundleResult]
"""Shards that were found finished, or the promise of them."""


@dataclass(frozen=True)
class BuildResult:
    """What a build made or found: the selection's accounts, the release, and how many shards were made now."""

    selection: Selection
    release: Release
    n_shards: int
    n_shards_made: int


@task(name="make shards")
def make_shards(workspace_url: str, pipeline: Pipeline, pieces: list[Piece]) -> BundleResult:
    """Run one bundle. Fails, for Prefect to show, where any of its shards did; the others are in the workspace."""
    result = run_bundle(Workspace(workspace_url), pipeline, pieces)
    for shard in result.shards:
        if isinstance(shard, ShardError | SchemaError):
            raise shard
    return result


@task(name="select")
def select_rows(workspace_url: str, recipe: Recipe, shards: list[SourceShards]) -> Selection:
    """Decide what goes into the release."""
    return select(Workspace(workspace_url), shards, recipe.rules())


@task(name="write release")
def make_release(
    workspace_url: str, recipe: Recipe, selection: Selection, shards: list[SourceShards], sources: list[ReleaseSource]
) -> Release:
    """Write the release, or find it as it should be."""
    return write_release(Workspace(workspace_url), selection, shards, recipe.release_spec(), recipe.to_yaml(), sources)


def build_release(
    recipe: Recipe,
    workspace_url: str,
    progress: BuildProgress,
    *,
    runner: str = "threads",
    n_workers: int | None = None,
    bundle_shards: int | None = None,
) -> BuildResult:
    """Run the build flow on the runner asked for, `threads` or `processes`.

    Raises `MarkupmillError` where shards failed, after all others were made, or where input is bad.
    """
    n_workers = n_workers or os.cpu_count() or 1
    task_runner = RUNNERS[runner](max_workers=n_workers)
    try:
        with shown(progress):
            return build.with_options(task_runner=task_runner)(recipe, workspace_url, n_workers, bundle_shards)
    except PrefectHTTPStatusError as error:
        raise MarkupmillError(
            f"Prefect's server failed (HTTP {error.response.status_code})",
            f"Check the free space where its database lies ({PREFECT_HOME.value()}), or set PREFECT_HOME to another "
            "place; finished shards are kept",
        ) from error
    finally:
        close_workers()


@flow(name="build", flow_run_name="build {recipe.name}", validate_parameters=False)
def build(recipe: Recipe, workspace_url: str, n_workers: int, bundle_shards: int | None) -> BuildResult:
    """Sources to shards, one source after another; then the selection, then the release."""
    workspace = Workspace(workspace_url)
    tokens = Tokens.pinned(
        recipe.tokens.tokenizer,
        recipe.tokens.revision,
        recipe.build_prompt(),
        recipe.tokens.image_tokens,
        recipe.tokens.ceiling,
    )
    keeper = Keeper(workspace, recipe.rules()) if any(entry.limit for entry in recipe.sources) else None
    render, models = recipe.render.choice(), ModelChoice(**recipe.models.model_dump())
    runs: list[_SourceRun] = []
    with set_aside() as unusable_files:
        for entry in recipe.sources:
            source = pinned_source(entry.build())
            first = first_piece(source, recipe.rows_per_shard)
            if first is None:
                if unusable_files:
                    raise _failed(unusable_files)
                raise BadInputError(f"source {entry.type} has no rows", "Check its address and settings")
            has_images = source.read_images(first, []) is not None
            pipeline = pipeline_of(source, tokens, recipe.measures, has_images=has_images, render=render, models=models)
            run = _SourceRun(workspace, recipe.name, entry, pipeline, first, keeper)
            run.make(recipe.rows_per_shard, n_workers * BUNDLES_IN_FLIGHT_PER_WORKER, bundle_shards)
            runs.append(run)
    if failures := [*unusable_files, *(failure for run in runs for failure in run.failures)]:
        raise _failed(failures)
    shards = [SourceShards(run.entry.type, tuple(run.shards), run.entry.limit) for run in runs]
    selection = select_rows(workspace_url, recipe, shards)
    release = make_release(workspace_url, recipe, selection, shards, [run.origin for run in runs])
    key = artifact_key("build", recipe.name)
    create_markdown_artifact(_summary(selection, release), key=key, description=f"Build of {recipe.name}")
    if recipe.gates:
        shown_progress().finish()
        reported = report_on_release(workspace_url, recipe.name, recipe.gates, recipe.measures)
        require_passed(reported.facts.checks, str(reported.folder / PAGE))
    n_shards = sum(len(run.shards) for run in runs)
    return BuildResult(selection, release, n_shards, sum(run.n_made for run in runs))


class _SourceRun:
    """One source's bundles, submitted ahead of need and taken up in source order until its limit is met."""

    def __init__(
        self,
        workspace: Workspace,
        recipe: str,
        entry: SourceEntry,
        pipeline: Pipeline,
        first: Piece,
        keeper: Keeper | None,
    ) -> None:
        self._recipe = recipe
        self.entry = entry
        self.shards: list[MeasuredShard] = []
        self.failures: list[MarkupmillError] = []
        self.n_made = 0
        self._workspace, self._pipeline, self._first, self._keeper = workspace, pipeline, first, keeper
        self._source = pipeline.ingest.source
        self._label = f"{entry.type} {self._source.task}"

    @property
    def origin(self) -> ReleaseSource:
        """Where the source's rows come from, for the card."""
        address = str(getattr(self.entry.build(), "address", ""))  # as it was written, not with its commit
        license_ = str(getattr(self._source, "license", ""))
        beside = tuple(str(value) for name in ("images", "images_map") if (value := getattr(self._source, name, "")))
        return ReleaseSource(self.entry.type, self._source.task, address, self._first.revision, license_, beside)

    def make(self, rows_per_shard: int, n_ahead: int, bundle_shards: int | None) -> None:
        """Make the source's shards, or find them; leaves them in `shards`, in order."""
        pieces = self._source.pieces(rows_per_shard)
        total = self.entry.limit
        if total is None:  # all of them: known before the first, so that the time left can be told
            known = list(pieces)
            pieces, total = iter(known), sum(piece.n_rows for piece in known)
            bundle_shards = bundle_shards or -(-len(known) // MAX_TASK_RUNS)
        if self._keeper:
            self._keeper.begin_source(self.entry.limit)
        progress = shown_progress()
        progress.begin_source(self._label, total)
        key = artifact_key("rows", self._recipe, self._label)
        artifact = create_progress_artifact(0.0, key=key, description=f"Rows of {self._label}")
        assert isinstance(artifact, UUID)
        waiting: deque[tuple[list[Piece], _Outcome]] = deque()
        more = bundles(pieces, bundle_shards or 1)
        while not (self._keeper and self._keeper.is_full):
            while len(waiting) < n_ahead and (bundle := next(more, None)) is not None:
                waiting.append((bundle, self._start(bundle)))
            if not waiting:
                break
            self._take(*waiting.popleft(), progress)
            update_progress_artifact(artifact, min(100.0, 100.0 * self._completed_rows / total))
        for _, outcome in waiting:  # submitted before the limit was met: finished, kept in the workspace, not used
            if not isinstance(outcome, list):
                outcome.wait()

    def _start(self, bundle: list[Piece]) -> _Outcome:
        """Submit a bundle, unless all of it is finished."""
        done = self._finished(bundle)
        if len(done) == len(bundle):
            return done
        parquet.expect_texts(bundle[0])  # where the worker is a thread of this process
        named = make_shards.with_options(task_run_name=f"{self._label} {_rows(bundle)}")
        return named.submit(self._workspace.url, self._pipeline, bundle)

    def _finished(self, bundle: list[Piece]) -> list[MeasuredShard]:
        done = [self._pipeline.finished(self._workspace, piece) for piece in bundle]
        return [shard for shard in done if shard is not None]

    def _take(self, bundle: list[Piece], outcome: _Outcome, progress: BuildProgress) -> None:
        """Take up a bundle's shards, up to the one with which the limit is met."""
        shards = outcome if isinstance(outcome, list) else self._result(bundle, outcome)
        made_now = not isinstance(outcome, list)
        for measured in shards:
            if self._keeper:
                if self._keeper.is_full:
                    return
                self._keeper.add(measured)
            self.shards.append(measured)
            self.n_made += made_now
            shard = measured.shard
            progress.add(shard.rows_in, shard.rows_kept, made_now=made_now, completed_rows=self._completed_rows)

    def _result(self, bundle: list[Piece], future: PrefectFuture[BundleResult]) -> list[MeasuredShard]:
        result: BundleResult | BaseException = future.result(raise_on_failure=False)
        if isinstance(result, BundleResult):
            return [shard for shard in result.shards if isinstance(shard, MeasuredShard)]
        if not isinstance(result, ShardError | SchemaError):  # of no row or file: the next would fail too
            raise result
        self.failures.append(result)
        return self._finished(bundle)

    @property
    def _completed_rows(self) -> int:
        if self._keeper and self.entry.limit:
            return self._keeper.n_kept
        return sum(measured.shard.rows_in for measured in self.shards)


def _rows(bundle: list[Piece]) -> str:
    first, last = bundle[0], bundle[-1]
    first_name, last_name = (posixpath.basename(piece.path) for piece in (first, last))
    last_row = last.first_row + last.n_rows - 1
    if first.path != last.path:
        return f"{first_name} row {first.first_row:,} to {last_name} row {last_row:,}"
    return f"{first_name} rows {first.first_row:,} to {last_row:,}".strip()


def _failed(failures: Sequence[MarkupmillError]) -> MarkupmillError:
    """One error for all: of the input where files alone are to blame, and then it names them."""
    distinct = list({str(failure): failure for failure in failures}.values())
    if len(distinct) == 1:
        return distinct[0]
    files = [failure for failure in distinct if isinstance(failure, SchemaError)]
    if len(files) < len(distinct):
        other = next(failure for failure in distinct if not isinstance(failure, SchemaError))
        return MarkupmillError(
            f"{len(distinct)} bundles of shards or files failed; the first: {other.problem}",
            "Other shards are kept; run the same command again to re-try these",
        )
    named = "; ".join(failure.problem for failure in files[:FILES_NAMED])
    more = f"; and {len(files) - FILES_NAMED} more" if len(files) > FILES_NAMED else ""
    mend = "Mend them or leave them out, and run the same command again: the shards of all other files are kept"
    return BadInputError(f"{len(files)} files cannot be used: {named}{more}", mend)


def _summary(selection: Selection, release: Release) -> str:
    lines = [f"**{selection.rows_kept:,}** of {selection.rows_in:,} rows kept", "", "| reason | rows |", "|---|---:|"]
    lines += [f"| {reason} | {n:,} |" for reason, n in sorted(selection.rejected.items(), key=lambda r: -r[1])]
    lines += ["", "| split | rows |", "|---|---:|", *(f"| {s} | {n:,} |" for s, n in selection.splits.items())]
    return "\n".join([*lines, "", f"Release: `{release.path}`"])
