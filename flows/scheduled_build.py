"""A build that a schedule runs: where the sources hold something new, a release; else it says so and does nothing.

What was read and made is written down in `<workspace>/scheduled/build/<recipe>.json`, outside of the release: the
revision of each source, and a key over all that a build depends on. An equal key and a release that is there: nothing
new. A key that differs only asks for a build, which finds for itself what is to be made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from prefect import flow
from prefect.client.schemas.objects import State

from curation.keys import content_key
from curation.last_good import last_good_kept
from curation.report.gate import load_gate
from curation.revisions import Revision, revisions_of, told
from curation.store import Workspace
from flows.build import BuildResult, build_release
from flows.programs import programs_key
from flows.progress import BuildProgress
from flows.recipe import Recipe, load_recipe
from flows.scheduled import NOTHING_NEW, IfBusy, Job, Outcome, run_job, title_of

WORKSPACE: Final = "build/workspace"


@flow(name="scheduled-build", flow_run_name=title_of("build"))
def scheduled_build(
    recipe: str,
    workspace: str = WORKSPACE,
    addresses: list[str] = [],  # noqa: B006 - Prefect shows it as a form; it is never changed
    overrides: list[str] = [],  # noqa: B006 - as above
    limit: int | None = None,
    runner: Literal["threads", "processes"] = "threads",
    workers: int | None = None,
    if_busy: IfBusy = "wait",
) -> State[Any]:
    """Build RECIPE's release where its sources hold something new.

    Parameters are those of `markupmill build`. Branches are resolved once, and the revision is recorded. A run that
    meets another one on the workspace waits for it or is skipped. A run that fails leaves the last good release.
    """
    made = _recipe(recipe, overrides, addresses, limit)
    place = Workspace(workspace)
    title = f"build {made.name}"

    def work() -> Outcome:
        with place.lock():
            return _build_if_new(made, place, runner, workers)

    return run_job(Job(title, work, lambda: place, lambda: _last_good(place, made.name)), if_busy)


def check(
    recipe: str,
    addresses: Sequence[str] = (),
    overrides: Sequence[str] = (),
    limit: int | None = None,
    **_: Any,
) -> None:
    """Raises `RecipeError` where a build with these parameters could not begin."""
    _recipe(recipe, overrides, addresses, limit)


def _recipe(recipe: str, overrides: Sequence[str], addresses: Sequence[str], limit: int | None) -> Recipe:
    loaded = load_recipe(recipe, overrides, addresses)
    if not limit:
        return loaded
    entries = tuple(entry.model_copy(update={"limit": limit}) for entry in loaded.sources)
    return loaded.model_copy(update={"sources": entries})


@dataclass(frozen=True)
class _Found:
    """What the sources hold now: for each its name and revisions; and the key of all that a build depends on."""

    sources: tuple[tuple[str, tuple[Revision, ...]], ...]
    key: str

    @property
    def revisions(self) -> tuple[Revision, ...]:
        return tuple(one for _, revisions in self.sources for one in revisions)

    @property
    def at(self) -> str:
        """` at 8b9f968`, or nothing where no source has a revision."""
        return f" at {told(self.revisions)}" if told(self.revisions) else ""

    @property
    def is_known(self) -> bool:
        """Whether every source tells what it holds without being read."""
        return all(one.revision for one in self.revisions)


def _find(recipe: Recipe) -> _Found:
    sources = tuple((entry.type, revisions_of(entry.build())) for entry in recipe.sources)
    read = [[one.revision for one in revisions] for _, revisions in sources]
    gates = [repr(load_gate(name)) for name in recipe.gates]
    return _Found(sources, content_key(recipe=recipe.to_yaml(), gates=gates, read=read, programs=programs_key()))


def _build_if_new(recipe: Recipe, place: Workspace, runner: str, workers: int | None) -> Outcome:
    before = place.read_json(_record_path(recipe.name)) or {}
    found = _find(recipe)
    if found.is_known and before.get("key") == found.key and _is_there(place, recipe.name, before):
        return _nothing_new(recipe, found, before)
    with last_good_kept(place, recipe.name), BuildProgress() as progress:
        result = build_release(recipe, place.url, progress, runner=runner, n_workers=workers)
    now = _record(found, result)
    place.write_json(_record_path(recipe.name), now)
    if not result.release.made_now:
        return _nothing_new(recipe, found, now)
    rows = f"{result.selection.rows_kept:,} rows"
    message = f"{rows}{found.at}; release {result.release.path}"
    table = list(_facts(before, now))
    return Outcome(f"build {recipe.name}: {rows}{found.at}", message, _page(recipe, found, before, now, table), table)


def _record_path(name: str) -> str:
    return f"scheduled/build/{name}.json"


def _record(found: _Found, result: BuildResult) -> dict[str, Any]:
    """What is written down of a build. No clock: the same sources give the same record."""
    manifest = result.release.manifest
    return {
        "key": found.key,
        "sources": [
            {"type": name, "read": [{"address": one.address, "revision": one.revision} for one in revisions]}
            for name, revisions in found.sources
        ],
        "release": {
            "key": manifest["key"],
            "path": result.release.path,
            "rows_in": manifest["rows_in"],
            "rows_kept": manifest["rows_kept"],
            "rows_rejected": manifest["rows_rejected"],
            "splits": manifest["splits"],
            "n_files": len(manifest["files"]),
            "n_bytes": sum(entry["n_bytes"] for entry in manifest["files"].values()),
        },
    }


def _is_there(place: Workspace, name: str, record: Mapping[str, Any]) -> bool:
    """Whether the release that was written down is there, with all its files."""
    manifest = place.read_json(f"releases/{name}/manifest.json") or {}
    return manifest.get("key") == record["release"]["key"] and all(
        place.fs.exists(place.path("releases", name, file)) for file in manifest["files"]
    )


def _nothing_new(recipe: Recipe, found: _Found, record: Mapping[str, Any]) -> Outcome:
    release = record["release"]
    message = f"nothing new{found.at}: the release stays as it is, {release['rows_kept']:,} rows"
    lines = [f"## {recipe.name}: nothing new", "", f"The release stays as it is: {_release_line(release)}", ""]
    lines += _sources(found.sources)
    return Outcome(f"build {recipe.name}: nothing new{found.at}", message, "\n".join(lines), state=NOTHING_NEW)


def _last_good(place: Workspace, name: str) -> str:
    record = place.read_json(_record_path(name))
    if record is None or not _is_there(place, name, record):
        return "There is no earlier release of a scheduled run."
    read = [Revision(**one) for source in record["sources"] for one in source["read"]]
    at = f", read at {told(read)}" if told(read) else ""
    return f"The last good release stays: {_release_line(record['release'])}{at}"


def _release_line(release: Mapping[str, Any]) -> str:
    return f"{release['rows_kept']:,} rows in `{release['path']}`"


def _page(
    recipe: Recipe, found: _Found, before: Mapping[str, Any], now: Mapping[str, Any], table: Sequence[Mapping[str, str]]
) -> str:
    release, earlier = now["release"], before.get("release")
    lines = [f"## {recipe.name}: {release['rows_kept']:,} rows", ""]
    if earlier:
        change = release["rows_kept"] - earlier["rows_kept"]
        more = "as many as" if not change else f"{abs(change):,} {'more' if change > 0 else 'fewer'} than"
        lines += [f"{more[0].upper()}{more[1:]} in the release before. In `{release['path']}`.", ""]
    else:
        lines += [f"The first release of this schedule. In `{release['path']}`.", ""]
    lines += _sources(found.sources)
    heads = list(table[0])
    lines += ["", f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    lines += ["| " + " | ".join(row.values()) + " |" for row in table]
    return "\n".join(lines) + "\n"


def _sources(sources: Sequence[tuple[str, Sequence[Revision]]]) -> list[str]:
    lines = ["| source | address | revision |", "|---|---|---|"]
    for name, revisions in sources:
        if not revisions:
            lines.append(f"| {name} | generated | |")
        lines += [f"| {name} | `{one.address}` | {_described(one)} |" for one in revisions]
    return lines


def _described(one: Revision) -> str:
    if not one.revision:
        return "not told"
    return f"`{one.revision}`" if one.is_commit else f"`{one.short}`, of its files' names, sizes and times"


def _facts(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The release's facts, beside those of the release before where there is one."""
    earlier, release = (_flat(record["release"]) if record else {} for record in (before, now))
    for fact in dict.fromkeys([*release, *earlier]):
        row = {"fact": fact, "before": earlier.get(fact, "–")} if earlier else {"fact": fact}
        yield {**row, "now": release.get(fact, "–")}


def _flat(release: Mapping[str, Any]) -> dict[str, str]:
    rejected = sorted(release["rows_rejected"].items(), key=lambda reason: (-reason[1], reason[0]))
    return {
        "rows read": f"{release['rows_in']:,}",
        "rows kept": f"{release['rows_kept']:,}",
        **{f"rows rejected: {reason}": f"{n:,}" for reason, n in rejected},
        **{f"rows in {split}": f"{n:,}" for split, n in release["splits"].items()},
        "files": f"{release['n_files']:,}",
        "bytes": f"{release['n_bytes']:,}",
    }
