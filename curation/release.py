"""A release: the folder that is published, byte for byte. `datasets.load_dataset(folder)` opens it as it is.

    data/<split>-00000-of-000NN.parquet      (data/<task>/… where a release has several tasks)
    README.md  preview.png  quality.json  recipe.yaml  manifest.json

Made from a selection in one sequential pass; image bytes are passed through. Nothing in it depends on the
clock, the machine or the order in which shards were made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from curation.card import CardFacts, dataset_card
from curation.contact_sheet import contact_sheet
from curation.errors import BadInputError
from curation.keys import content_key
from curation.quality import quality_facts
from curation.release_data import ReleaseSpec, write_data
from curation.release_folder import file_entries, new_folder, pretty, verifies, write_text
from curation.select import Selection, SourceShards
from curation.store import Workspace
from rendering.pixels import encode_png

RELEASE_VERSION: Final = 2


@dataclass(frozen=True)
class ReleaseSource:
    """Where a source's rows came from, as the card and the manifest say it.

    `beside` are the other addresses that it read (a folder of pictures, a map), each at its commit if it is the Hub's.
    """

    name: str
    task: str
    address: str
    revision: str
    license: str
    beside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """A finished release: its folder, and what its manifest says."""

    path: str
    manifest: Mapping[str, Any]
    made_now: bool


def release_key(selection: Selection, spec: ReleaseSpec, recipe_yaml: str, sources: Sequence[ReleaseSource]) -> str:
    """Key of the release: what was selected, how it is laid out, and what it says about itself."""
    return content_key(
        version=RELEASE_VERSION, selection=selection.key, spec=spec, recipe=recipe_yaml, sources=list(sources)
    )


def write_release(
    workspace: Workspace,
    selection: Selection,
    shards: Sequence[SourceShards],
    spec: ReleaseSpec,
    recipe_yaml: str,
    sources: Sequence[ReleaseSource],
) -> Release:
    """Write `releases/<name>` from a selection, or find it as it should be.

    The folder is made beside its place and moved there whole. Raises `BadInputError` where nothing was kept or
    a column to carry does not exist.
    """
    key = release_key(selection, spec, recipe_yaml, sources)
    path = f"releases/{spec.name}"
    manifest = workspace.read_json(f"{path}/manifest.json")
    if manifest and manifest["key"] == key and verifies(workspace, path, manifest):
        return Release(workspace.path(path), manifest, made_now=False)
    if selection.rows_kept == 0:
        raise BadInputError(
            f"no row of {selection.rows_in} was kept ({dict(selection.rejected)})",
            "Loosen the recipe's limits, or look at the rejects in the workspace",
        )
    with new_folder(workspace, path) as folder:
        tables = write_data(workspace, selection, shards, spec, folder)
        quality = quality_facts(workspace, selection, shards)
        write_text(folder / "quality.json", pretty(quality))
        write_text(folder / "recipe.yaml", recipe_yaml)
        preview = contact_sheet(tables.preview)
        if preview is not None:
            (folder / "preview.png").write_bytes(encode_png(preview))
        facts = CardFacts(
            spec.name, tuple(sources), selection, tables.features, tables.files, quality, preview is not None
        )
        write_text(folder / "README.md", dataset_card(facts))
        manifest = {
            "key": key,
            "selection": selection.key,
            "name": spec.name,
            "release_version": RELEASE_VERSION,
            "rows_in": selection.rows_in,
            "rows_kept": selection.rows_kept,
            "rows_rejected": dict(selection.rejected),
            "splits": dict(selection.splits),
            "sources": [vars(source) for source in sources],
            "files": file_entries(folder, tables.entries),
        }
        write_text(folder / "manifest.json", pretty(manifest))
    return Release(workspace.path(path), manifest, made_now=True)
