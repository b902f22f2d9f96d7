"""`markupmill render`: markup to pictures, alone or by the thousand, with what gave no picture listed."""

from __future__ import annotations

import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self, get_args

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from curation.errors import BadInputError, MarkupmillError
from curation.markup_files import Markup, MarkupInput, Reading, open_markups
from curation.picture_files import STDOUT, Folder, OneFile, ParquetFile, PictureSink, RejectList
from curation.reasons import Reason, Reject
from flows.progress import BuildProgress
from rendering.pictures import pictures_of
from rendering.profiles import profile_named
from rendering.renderer import Renderer
from rendering.result import Rendered, RenderFailure
from rendering.spec import MarkupKind, RenderSpec
from rendering.variation import Variation, finish, lineage_of, render_varied, vary

INTERRUPTED: Final = 130
ROWS_PER_BATCH: Final = {"page": 100, "table": 300, "formula": 800}
"""A few sheets for each page of the browser; at a batch's end some of them wait for the last."""
CHARS_PER_BATCH: Final = 4_000_000
OTHER_PICTURES: Final = (".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".svg", ".pdf")
LATEX_REWRITTEN: Final = "formula rewritten for KaTeX"


@dataclass(frozen=True)
class RenderOptions:
    """The options of `markupmill render`, as they were given."""

    source: str
    out: str
    task: MarkupKind | None = None
    column: str | None = None
    width_px: int | None = None
    scale: float = 1.0
    font_size_px: int = 16
    padding_px: int = 8
    max_height_px: int = 8_000
    pictures: str = "palette"
    profile: str | None = None
    seed: int = 0
    n_pages: int = 6
    limit: int | None = None

    def spec(self, kind: MarkupKind) -> RenderSpec:
        """What these options ask for, for one kind of markup."""
        spec = RenderSpec(
            kind,
            max_height_px=self.max_height_px,
            scale=self.scale,
            padding_px=self.padding_px,
            font_size_px=self.font_size_px,
        )
        spec = replace(spec, pictures=pictures_of(self.pictures))
        return replace(spec, width_px=self.width_px) if self.width_px else spec


def run_render(options: RenderOptions) -> int:
    """Render everything and say what came of it; returns the exit code.

    Raises `MarkupmillError` where input, output or the machinery cannot be used.
    """
    looks = Looks(options)
    reading = Reading(options.task, options.column)
    markups = open_markups(options.source, reading, sys.stdin.buffer)
    total = markups.n_markups()
    if total == 0:
        raise BadInputError(f"{markups.name} has no rows", "Name another input")
    sink, rejects = _outputs(options.out, markups)
    tally = _Tally(sink, rejects)
    try:
        with Renderer(options.n_pages) as renderer:
            renderer.start()
            with rejects, sink, BuildProgress(kept="pictures") as progress:
                if not markups.is_single:
                    progress.begin_source(markups.name, total and min(total, options.limit or total))
                _render_all(renderer, markups, looks, tally, progress)
    except KeyboardInterrupt:
        kept = f"{tally.n_pictures:,} pictures are in {options.out}" if isinstance(sink, Folder) else "no file written"
        click.echo(f"markupmill: interrupted after {tally.n_rows:,} rows; {kept}", err=True)
        return INTERRUPTED
    except OSError as error:  # inputs have errors of their own: this is a full disk or the like
        raise MarkupmillError(f"{options.out} cannot be written: {error.strerror or error}", "Make room") from error
    _report(options, markups, tally, rejects)
    return 0 if tally.n_pictures else 1


def _render_all(renderer: Renderer, markups: MarkupInput, looks: Looks, tally: _Tally, progress: BuildProgress) -> None:
    for batch in batches(itertools.islice(markups, looks.options.limit)):
        before = tally.n_pictures
        made = render_batch(renderer, batch, [looks.of(markup) for markup in batch])
        for markup, (result, variation) in zip(batch, made, strict=True):
            tally.take(markup, result, variation, looks.lineage(variation))
        if not markups.is_single:
            progress.add(len(batch), tally.n_pictures - before, made_now=True, completed_rows=tally.n_rows)


@dataclass(frozen=True)
class Look:
    """How one markup is to be rendered: as a profile draws it, or (where that cuts content off) by its base."""

    variation: Variation
    base: RenderSpec

    @classmethod
    def plain(cls, spec: RenderSpec) -> Self:
        """Not varied."""
        return cls(Variation(spec), spec)


class Looks:
    """How each markup is rendered: as the options say, or as their profile draws for it by its id."""

    def __init__(self, options: RenderOptions) -> None:
        self.options = options
        self._specs = {kind: options.spec(kind) for kind in get_args(MarkupKind)}
        self._profile = profile_named(options.profile) if options.profile else None

    def of(self, markup: Markup) -> Look:
        """The look of one markup."""
        spec = self._specs[markup.kind]
        if self._profile is None or isinstance(markup.text, Reject):
            return Look.plain(spec)
        return Look(vary(self._profile, spec, markup.id, self.options.seed, markup.text), spec)

    def lineage(self, variation: Variation) -> str | None:
        """What a varied picture's lineage says, as canonical JSON."""
        if self._profile is None:
            return None
        return json.dumps(lineage_of(self._profile, self.options.seed, variation), sort_keys=True)


class _Tally:
    """Hands pictures and rejects on and counts them: rows in = pictures + rejects."""

    def __init__(self, sink: PictureSink, rejects: RejectList) -> None:
        self._sink, self._rejects = sink, rejects
        self.n_rows = self.n_pictures = 0
        self.warnings: Counter[str] = Counter()
        """By what they begin with: the rest is addresses of strangers, without number."""

    def take(self, markup: Markup, result: Rendered | Reject, variation: Variation, lineage: str | None) -> None:
        """Take one."""
        self.n_rows += 1
        if isinstance(result, Reject):
            self._rejects.add(markup, result)
            return
        self._sink.add(markup, finish(result, variation), result.warnings, lineage)
        self.n_pictures += 1
        self.warnings.update({warning.partition(": ")[0] for warning in result.warnings})


def batches(markups: Iterable[Markup]) -> Iterator[list[Markup]]:
    """Runs of markups to render together, bounded in number and in characters."""
    batch: list[Markup] = []
    n_chars = 0
    for markup in markups:
        batch.append(markup)
        n_chars += len(markup.text) if isinstance(markup.text, str) else 0
        if len(batch) >= ROWS_PER_BATCH[markup.kind] or n_chars >= CHARS_PER_BATCH:
            yield batch
            batch, n_chars = [], 0
    if batch:
        yield batch


def render_batch(
    renderer: Renderer, batch: Sequence[Markup], looks: Sequence[Look]
) -> list[tuple[Rendered | Reject, Variation]]:
    """What becomes of each markup of the batch, in order, and the variation that it has in the end.

    A formula that KaTeX does not take as it stands is tried again in canonical form.
    """
    rejects = {index: markup.text for index, markup in enumerate(batch) if isinstance(markup.text, Reject)}
    todo = {index: markup.text for index, markup in enumerate(batch) if isinstance(markup.text, str)}
    done = _render_some(renderer, todo, looks)
    refused = {index: todo[index] for index, (result, _) in done.items() if _is_refused(result)}
    if refused:
        for index, (result, variation) in _render_some(renderer, _rewritten(refused), looks).items():
            if isinstance(result, Rendered):
                done[index] = replace(result, warnings=(*result.warnings, LATEX_REWRITTEN)), variation
    made: list[tuple[Rendered | Reject, Variation]] = []
    for index, look in enumerate(looks):
        if index in rejects:
            made.append((rejects[index], look.variation))
            continue
        result, variation = done[index]
        if isinstance(result, RenderFailure):
            made.append((Reject(Reason(f"render_{result.reason}"), result.detail), variation))
        else:
            made.append((result, variation))
    return made


def _render_some(
    renderer: Renderer, texts: dict[int, str], looks: Sequence[Look]
) -> dict[int, tuple[Rendered | RenderFailure, Variation]]:
    """Render those of a batch whose texts are given, by their places in it."""
    chosen = [looks[index] for index in texts]
    variations, bases = [look.variation for look in chosen], [look.base for look in chosen]
    return dict(zip(texts, render_varied(renderer, list(texts.values()), variations, bases), strict=True))


def _is_refused(result: Rendered | RenderFailure) -> bool:
    return isinstance(result, RenderFailure) and result.reason == "katex_error"


def _rewritten(formulas: dict[int, str]) -> dict[int, str]:
    """Those that have a canonical form, in it."""
    from curation.markup.latex import canonical_latex_batch  # noqa: PLC0415 - imports pyarrow, which most runs save

    forms = canonical_latex_batch(list(formulas.values()))
    return {index: form.text for index, form in zip(formulas, forms, strict=True) if not isinstance(form, Reject)}


def _outputs(out: str, markups: MarkupInput) -> tuple[PictureSink, RejectList]:
    """Where pictures and rejects go, by the name of OUT and whether there is one markup or many."""
    path = Path(out)
    suffix = path.suffix.lower()
    if suffix in OTHER_PICTURES:
        raise BadInputError(f"pictures are PNG, and {out} says {suffix}", f"Name it {path.with_suffix('.png')}")
    if suffix == ".parquet":
        return ParquetFile(path), RejectList(path.with_suffix(".rejects.jsonl"))
    if out == STDOUT or (suffix == ".png" and not path.is_dir()):
        if not markups.is_single:
            raise BadInputError(f"{markups.name} may hold many markups, and {out} is one picture",
                                "Name a folder or a .parquet file with -o")  # fmt: skip
        return OneFile(out, sys.stdout.buffer), RejectList(None)
    if path.exists() and not path.is_dir():
        raise BadInputError(f"{out} is a file", "Name a folder, a .png or a .parquet file with -o")
    return Folder(path), RejectList(path / "rejects.jsonl")


def _report(options: RenderOptions, markups: MarkupInput, tally: _Tally, rejects: RejectList) -> None:
    err = options.out == STDOUT  # where the picture goes
    n_rejects = sum(rejects.counts.values())
    if markups.is_single:
        for markup, reject in rejects.first.values():
            click.echo(f"{markup.place} gives no picture: {one_line(reject)}", err=True)
        if tally.n_pictures and options.out != STDOUT:
            click.echo(f"Picture: {options.out}", err=err)
    else:
        click.echo(f"{tally.n_rows:,} rows in = {tally.n_pictures:,} pictures + {n_rejects:,} rejects", err=err)
        if n_rejects:
            _list_rejects(rejects)
        if tally.n_pictures:
            click.echo(f"Pictures: {options.out}", err=err)
    for warning, n in sorted(tally.warnings.items(), key=lambda item: (-item[1], item[0])):
        of = "" if markups.is_single else f" ({n:,} of {tally.n_pictures:,})"
        click.echo(f"Note: {_plain(warning)}{of}", err=err)
    if n_rejects and rejects.path is not None:
        click.echo(f"Rejects: {rejects.path}", err=err)


def _list_rejects(rejects: RejectList) -> None:
    """By reason, the most common first, each with its first row: a table on a terminal, lines elsewhere."""
    rows = [
        (reason, n, rejects.first[reason][0].place, _plain(rejects.first[reason][1].detail))
        for reason, n in sorted(rejects.counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    if not sys.stdout.isatty():
        for reason, n, place, detail in rows:
            click.echo(f"  {n:>9,}  {reason:<18}  {place}: {detail[:200]}")
        return
    table = Table("reason", Column("rows", justify="right"), "first", "detail", box=None, header_style="bold")
    for reason, n, place, detail in rows:
        table.add_row(Text(reason), Text(f"{n:,}"), Text(place), Text(detail[:200]))
    Console().print(table)


def one_line(reject: Reject) -> str:
    """A reject for a terminal."""
    return f"{reject.reason.value}: {_plain(reject.detail)}" if reject.detail else reject.reason.value


def _plain(text: str) -> str:
    """Text of strangers for a terminal: one line, and nothing that moves the cursor."""
    return "".join(char if char.isprintable() else " " for char in text)
