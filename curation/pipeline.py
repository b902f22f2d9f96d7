"""Which stages and measures a source's rows go through. One place decides; every stage stays ignorant of the others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from itertools import zip_longest
from typing import Final, get_args

from curation.errors import SchemaError, ShardError
from curation.ingest import Ingest, MeasureRef, ShardRef, finished_shard, ingest_piece, manifest_of, measure_path
from curation.measures.bias import Bias
from curation.measures.classes import Classes
from curation.measures.hashes import Hashes
from curation.measures.markup import Markup
from curation.measures.ocr import Ocr
from curation.measures.render import RenderBack
from curation.measures.statistics import Statistics
from curation.measures.tokens import Tokens
from curation.measuring import measure_ref, measure_shard
from curation.select import MeasuredShard
from curation.sources import parquet
from curation.sources.address import pinned
from curation.sources.source import Piece, Source
from curation.stage import Stage
from curation.stages.canonical import CanonicalForm
from curation.stages.images import CheckImage, CropToInk
from curation.stages.rendered import RenderTarget
from curation.store import Workspace
from rendering.assets import MODULES_DIR
from rendering.pictures import PictureSource
from rendering.profiles import profile_named
from rendering.renderer import fingerprint
from rendering.spec import MarkupKind, RenderSpec
from rendering.variation import profile_fingerprint


@dataclass(frozen=True)
class Pipeline:
    """One source's whole way into the workspace: ingest, then measures. Picklable; workers open what they need."""

    ingest: Ingest
    measures: tuple[Stage, ...]

    def finished(self, workspace: Workspace, piece: Piece) -> MeasuredShard | None:
        """The piece's shard with all its measures, if everything is there and verifies."""
        shard = finished_shard(workspace, self.ingest.shard_key(piece))
        if shard is None:
            return None
        refs = [measure_ref(stage, shard.key) for stage in self.measures]
        if not all(workspace.finished(manifest_of(measure_path(ref.measure, ref.key))) for ref in refs):
            return None
        return self._measured(shard, refs)

    def run(self, workspace: Workspace, piece: Piece) -> MeasuredShard:
        """Make the piece's shard and measures, or those of them that are missing. Raises `ShardError`."""
        shard = ingest_piece(workspace, self.ingest, piece)
        return self._measured(shard, measure_shard(workspace, self.measures, shard.key))

    @staticmethod
    def _measured(shard: ShardRef, refs: Sequence[MeasureRef]) -> MeasuredShard:
        return MeasuredShard(shard, (*shard.measures, *refs))


@dataclass(frozen=True)
class BundleResult:
    """What became of a bundle: a shard or an error for each piece, in order."""

    shards: tuple[MeasuredShard | ShardError | SchemaError, ...]


def run_bundle(workspace: Workspace, pipeline: Pipeline, pieces: Sequence[Piece]) -> BundleResult:
    """Run several pieces one after another; one that fails unexpectedly, or whose file is damaged, stops no other."""
    shards: list[MeasuredShard | ShardError | SchemaError] = []
    for piece, following in zip_longest(pieces, pieces[1:]):
        if following and not pipeline.finished(workspace, following):
            parquet.expect_texts(following)
        try:
            shards.append(pipeline.run(workspace, piece))
        except (ShardError, SchemaError) as error:
            shards.append(error)
    return BundleResult(tuple(shards))


@dataclass(frozen=True)
class RenderChoice:
    """How targets without a picture are rendered: by which profile, varied by which seed, with which pictures."""

    profile: str = "plain"
    seed: int = 42
    pictures: PictureSource = "palette"


@dataclass(frozen=True)
class ModelChoice:
    """Which models measure; empty: each measure's own default.

    `clip` is `NAME` or `NAME:WEIGHTS` of open_clip, `hf-hub:org/name` or a local checkpoint; `bertscore` is an
    encoder's name or folder.
    """

    clip: str = ""
    bertscore: str = ""
    device: str = "auto"


def pipeline_of(
    source: Source,
    tokens: Tokens,
    measures: Sequence[str],
    *,
    has_images: bool,
    render: RenderChoice = RenderChoice(),
    models: ModelChoice = ModelChoice(),
) -> Pipeline:
    """The pipeline of a source whose rows bring pictures (`has_images`) or have to be rendered as `render` says.

    `measures` are names out of `MEASURES`.
    """
    images: list[Stage] = []
    if has_images:
        images += [CropToInk()] if getattr(source, "crop", "none") == "ink" else []
        images += [CheckImage()]
    else:
        made_with = f"{_render_fingerprint(render.pictures)} {profile_fingerprint(profile_named(render.profile))}"
        images += [RenderTarget(made_with, render.profile, render.seed, render.pictures)]
    if tokens.image_tokens == "processor":  # pictures' sizes are known only now: the count becomes exact
        images += [tokens]
    chosen = tuple(MEASURES[name](models) for name in MEASURES if name in measures)
    return Pipeline(Ingest(source, (CanonicalForm(parsers()), tokens), tuple(images)), chosen)


def pinned_source(source: Source) -> Source:
    """The source with the moving Hub revisions in its addresses resolved: all of the run reads one commit."""
    addresses = {name: getattr(source, name, None) for name in ("address", "images", "images_map")}
    moved = {name: pinned(value) for name, value in addresses.items() if isinstance(value, str) and value}
    return replace(source, **moved) if moved else source  # type: ignore[type-var]  # sources are dataclasses


def first_piece(source: Source, rows_per_shard: int) -> Piece | None:
    """The first piece of a source, or None where it has none."""
    return next(iter(source.pieces(rows_per_shard)), None)


def bundles(pieces: Iterator[Piece], n_pieces: int) -> Iterator[list[Piece]]:
    """Consecutive pieces, `n_pieces` at a time."""
    bundle: list[Piece] = []
    for piece in pieces:
        bundle.append(piece)
        if len(bundle) == n_pieces:
            yield bundle
            bundle = []
    if bundle:
        yield bundle


@lru_cache(maxsize=1)
def parsers() -> str:
    """Versions of what decides canonical form: part of every key."""
    katex = json.loads((MODULES_DIR / "katex" / "package.json").read_text("utf-8"))["version"]
    return f"selectolax {version('selectolax')}, katex {katex}"


@lru_cache(maxsize=8)
def _render_fingerprint(pictures: PictureSource = "palette") -> str:
    return " ".join(fingerprint(RenderSpec(kind, pictures=pictures)) for kind in get_args(MarkupKind))


def _clip(models: ModelChoice) -> Stage:
    from curation.measures.clip import Clip, clip_names  # noqa: PLC0415 - only who asks for it pays for it

    model, pretrained = (*clip_names(models.clip), "", "")[:2]
    return Clip.pinned(model or Clip.model, pretrained or Clip.pretrained, device=models.device)


def _bertscore(models: ModelChoice) -> Stage:
    from curation.measures.bertscore import BertScore  # noqa: PLC0415 - as above

    return BertScore.pinned(models.bertscore or BertScore.model, device=models.device)


MEASURES: Final[dict[str, Callable[[ModelChoice], Stage]]] = {
    "markup": lambda _: Markup(),
    "render": lambda _: RenderBack(_render_fingerprint()),
    "bias": lambda _: Bias(),
    "classes": lambda _: Classes(),
    "hashes": lambda _: Hashes(),
    "statistics": lambda _: Statistics(),
    "ocr": lambda _: Ocr(),
    "clip": _clip,
    "bertscore": _bertscore,
}
"""Measures that a recipe can ask for by name, beside `tokens`, which ingest always makes."""
