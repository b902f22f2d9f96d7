"""What a build would do, told from texts alone: rows, tokens, classes, how many would be kept, bytes to be fetched.

The very steps of a build are run, up to the first that needs a picture, into a workspace in memory that is emptied
after each piece; so the counts are a build's own. Nothing is kept, and no picture is fetched.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final, cast

import pyarrow as pa

from curation.classes.sample_classes import classes_of
from curation.duplicates import Mode
from curation.errors import BadInputError
from curation.ingest import Ingest, measure_path, samples_path
from curation.measures.render import RenderBack
from curation.measures.tokens import Tokens
from curation.pipeline import MEASURES, ModelChoice, Pipeline, parsers, pinned_source
from curation.reasons import Reason
from curation.sample import Task
from curation.select import MARKUP_TASKS, Keeper, MeasuredShard, Rules
from curation.sources import parquet
from curation.sources.source import Piece, Source
from curation.stages.canonical import CanonicalForm
from curation.stages.images import IMAGE_FIELDS
from curation.store import Workspace

OF_PICTURES: Final = frozenset({*IMAGE_FIELDS, *RenderBack.adds.names, "phash", "aspect"})
"""Columns that a build has and a plan has not."""

OF_TEXT: Final = ("markup", "bias", "classes", "hashes", "statistics")
"""Measures that need no picture, or little of what they tell does."""

_Chunks = dict[tuple[str, int], int]
"""Bytes by content hash of a file and row group in it."""


@dataclass
class SourcePlan:
    """What a build would make of one source.

    `n_tokens` counts rows by their number of tokens, all above the ingest ceiling as one more than that; `classes`
    counts kept rows by what is in them. Bytes are as stored, footers with the texts; `image_bytes` is None where
    they are not told before the pictures are read.
    """

    source: str
    task: str
    address: str
    revision: str
    limit: int | None
    rows_in: int = 0
    rows_kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    n_tokens: Counter[int] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    n_pictures: int = 0
    text_bytes: int = 0
    image_bytes: int | None = 0
    is_cut_short: bool = False
    """By the limit, before the source's end."""


OnPiece = Callable[[SourcePlan, int, int], None]
"""Told after each piece: its source's plan so far, the piece's rows, and how many of them were kept."""


@dataclass(frozen=True)
class Plan:
    """All sources; rows beyond the split counts; and in words what a build decides that could not be decided here."""

    sources: tuple[SourcePlan, ...]
    ceiling: int
    max_seq_length: int | None
    n_over_splits: int
    open_questions: tuple[str, ...]

    @property
    def rows_in(self) -> int:
        """Rows looked at."""
        return sum(source.rows_in for source in self.sources)

    @property
    def rows_kept(self) -> int:
        """The most that a build can keep of them."""
        return sum(source.rows_kept for source in self.sources) - self.n_over_splits

    @property
    def rejected(self) -> dict[str, int]:
        """Rows left out, by reason."""
        total: Counter[str] = Counter()
        for source in self.sources:
            total.update(source.rejected)
        total.update({str(Reason.OVER_SPLIT_COUNT): self.n_over_splits} if self.n_over_splits else {})
        return dict(sorted(total.items()))

    @property
    def n_tokens(self) -> Counter[int]:
        """Of all sources together."""
        total: Counter[int] = Counter()
        for source in self.sources:
            total.update(source.n_tokens)
        return total


def make_plan(
    sources: Sequence[tuple[Source, int | None]],
    tokens: Tokens,
    measures: Sequence[str],
    rules: Rules,
    rows_per_shard: int,
    on_piece: OnPiece = lambda *_: None,
) -> Plan:
    """Plan the build of these sources, each with how many of its rows may be kept; `on_piece` is told of each piece.

    Raises:
        MarkupmillError: what the build would end with: a bad address, a store that does not answer, a bad clause.
    """
    later = tuple(clause for clause in rules.where if OF_PICTURES & set(re.findall(r"\w+", clause)))
    # Near duplicates are looked for among all rows at once, and here those of one piece alone are at hand.
    dedup: Mode = "none" if rules.dedup == "none" else "exact"
    here = replace(rules, where=tuple(clause for clause in rules.where if clause not in later), dedup=dedup)
    plans = []
    with _scratch() as workspace:
        # Equal captions are duplicates only where their pictures are, too, which is not known here.
        keepers = {True: Keeper(workspace, here), False: Keeper(workspace, replace(here, dedup="none"))}
        for source, limit in sources:
            keeper = keepers[source.task in MARKUP_TASKS]
            keeper.begin_source(limit)
            planner = _Planner(workspace, pinned_source(source), keeper, tokens, measures)
            plans.append(planner.plan(str(getattr(source, "address", "")), limit, rows_per_shard, on_piece))
    asked = rules.splits.total
    n_over = 0 if asked is None else max(0, sum(plan.rows_kept for plan in plans) - asked)
    questions = tuple(_open_questions(plans, rules, tokens, later))
    return Plan(tuple(plans), tokens.ingest_ceiling, rules.max_seq_length, n_over, questions)


def quantile(counts: Mapping[int, int], share: float) -> int:
    """The least value which at least `share` of all are not above: always one that was counted."""
    left = share * sum(counts.values())
    for value in sorted(counts):
        left -= counts[value]
        if left <= 0:
            return value
    raise ValueError("nothing was counted")


class _Planner:
    """Runs one source's text stages, piece by piece, and adds up what comes out."""

    def __init__(
        self, workspace: Workspace, source: Source, keeper: Keeper, tokens: Tokens, measures: Sequence[str]
    ) -> None:
        self._workspace, self._source, self._keeper = workspace, source, keeper
        self._ceiling = tokens.ingest_ceiling
        self._texts_only = _TextsOnly(source)
        ingest = Ingest(cast("Source", self._texts_only), (CanonicalForm(parsers()), tokens), ())
        self._pipeline = Pipeline(ingest, tuple(MEASURES[name](ModelChoice()) for name in OF_TEXT if name in measures))
        self._text_chunks: _Chunks = {}
        self._image_chunks: _Chunks = {}

    def plan(self, address: str, limit: int | None, rows_per_shard: int, on_piece: OnPiece) -> SourcePlan:
        plan = SourcePlan(self._source.name, self._source.task, address, "", limit)
        for piece, following in _with_next(self._source.pieces(rows_per_shard)):
            if following:
                parquet.expect_texts(following)
            plan.revision = piece.revision
            rows_in, rows_kept = plan.rows_in, plan.rows_kept
            self._add(plan, piece)
            on_piece(plan, plan.rows_in - rows_in, plan.rows_kept - rows_kept)
            if self._keeper.is_full:
                plan.is_cut_short = following is not None
                break
        if plan.rows_in == 0:
            raise BadInputError(f"source {self._source.name} has no rows", "Check its address and settings")
        return plan

    def _add(self, plan: SourcePlan, piece: Piece) -> None:
        self._texts_only.images.clear()
        measured = self._pipeline.run(self._workspace, piece)
        judged = self._keeper.add(measured)
        rejected = dict(measured.shard.rejected)
        plan.rows_in += measured.shard.rows_in
        plan.rows_kept = self._keeper.n_kept
        plan.rejected.update(rejected)
        plan.rejected.update(str(row.reason) for row in judged if row.reason)
        plan.n_tokens.update(self._n_tokens(measured))
        if n_over := rejected.get(str(Reason.TOO_MANY_TOKENS), 0):
            plan.n_tokens[self._ceiling + 1] += n_over
        plan.classes.update(self._classes(measured, [row.reason is None for row in judged]))
        self._add_bytes(plan, piece)
        self._workspace.fs.rm(self._workspace.root, recursive=True)

    def _n_tokens(self, measured: MeasuredShard) -> list[int]:
        ref = next((measure for measure in measured.measures if measure.measure == Tokens.name), None)
        if ref is None:  # nothing survived
            return []
        with self._workspace.open_parquet(measure_path(ref.measure, ref.key)) as file:
            return cast("list[int]", file.read(["n_tokens"]).column("n_tokens").to_pylist())

    def _classes(self, measured: MeasuredShard, is_kept: Sequence[bool]) -> Iterator[str]:
        with self._workspace.open_parquet(samples_path(measured.shard.key)) as file:
            table = file.read(["task", "text", "objects"]).filter(pa.array(is_kept, pa.bool_()))
        for row in table.to_pylist():
            yield from classes_of(row["task"], row["text"], row["objects"]) or ()

    def _add_bytes(self, plan: SourcePlan, piece: Piece) -> None:
        """Chunks of a row group that pieces share are fetched, and counted, once."""
        if piece.row_groups:
            self._text_chunks |= parquet.text_chunks(piece)
            self._text_chunks[piece.content_sha256, -1] = parquet.footer_bytes(piece)
            plan.text_bytes = sum(self._text_chunks.values())
        else:
            plan.text_bytes += piece.byte_range[1] - piece.byte_range[0]
        if self._source.read_images(piece, []) is None:
            return  # they are rendered
        survivors = self._texts_only.images
        plan.n_pictures += len(survivors)
        column = str(getattr(self._source, "image_column", ""))
        if piece.row_groups and plan.image_bytes is not None and column in parquet.column_names(piece):
            self._image_chunks |= parquet.image_chunks(piece, column, survivors)
            plan.image_bytes = sum(self._image_chunks.values())
        else:
            plan.image_bytes = None


@dataclass(frozen=True)
class _TextsOnly:
    """A source whose pictures are not read: notes whose would be. (A field named `images` is no part of a key.)"""

    version: ClassVar[int] = 1

    source: Source
    images: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def task(self) -> Task:
        return self.source.task

    def read_texts(self, piece: Piece) -> pa.Table:
        return self.source.read_texts(piece)

    def read_images(self, piece: Piece, rows: Sequence[int]) -> None:  # noqa: ARG002 - the protocol's signature
        self.images.extend(rows)


def _with_next(pieces: Iterator[Piece]) -> Iterator[tuple[Piece, Piece | None]]:
    previous: Piece | None = None
    for piece in pieces:
        if previous:
            yield previous, piece
        previous = piece
    if previous:
        yield previous, None


@contextmanager
def _scratch() -> Iterator[Workspace]:
    """A workspace in memory, gone at the end."""
    workspace = Workspace(f"memory://markupmill-plan-{uuid.uuid4().hex}")
    try:
        yield workspace
    finally:
        if workspace.fs.exists(workspace.root):
            workspace.fs.rm(workspace.root, recursive=True)


def _open_questions(plans: Sequence[SourcePlan], rules: Rules, tokens: Tokens, later: Sequence[str]) -> Iterator[str]:
    if any(plan.n_pictures for plan in plans):
        yield "Pictures that are missing, broken or too large are found when they are fetched."
    if any(not plan.n_pictures for plan in plans):
        yield "Markup that does not render is found when it is rendered."
    for clause in later:
        yield f"`where` clause {clause!r} needs pictures: not applied."
    if tokens.image_tokens == "processor":
        yield "Tokens of pictures are known when they are fetched: counts are lower bounds."
    if rules.dedup == "near":
        yield "Near duplicates are found among measured rows: not looked for. To meet a limit a build may read further."
    if rules.dedup != "none" and any(plan.task not in MARKUP_TASKS for plan in plans):
        yield "Captions and conversations are duplicates where their pictures are, too: not looked for."
