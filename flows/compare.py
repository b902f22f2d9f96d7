"""`markupmill render --compare`: how well markup reproduces a picture: scores and a picture of the differences."""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import click
from PIL import Image

from curation.errors import BadInputError
from curation.markup_files import PARQUET_SUFFIX, Markup, MarkupInput, Reading, open_markups
from curation.picture_files import STDOUT, new_text_file, write_atomically
from curation.reasons import Reason, Reject
from flows.progress import BuildProgress
from flows.render import INTERRUPTED, Look, RenderOptions, batches, one_line, render_batch
from rendering.compare.comparison import Comparison, compare
from rendering.compare.side_by_side import side_by_side
from rendering.pixels import ImageFault, decode_rgb, encode_png, header_size
from rendering.renderer import Renderer

MAX_PICTURE_BYTES: Final = 200_000_000
MAX_WIDTH_PX: Final = 8_000
SCORE_DECIMALS: Final = 4


def run_compare(options: RenderOptions, picture: str) -> int:
    """Compare one markup with the picture file `picture`, or each row of Parquet with its column `picture`.

    Returns the exit code: 1 where nothing could be compared. A low score is an answer, not a failure.

    Raises `MarkupmillError` where input, output or the machinery cannot be used.
    """
    by_row = Path(options.source).suffix.lower() == PARQUET_SUFFIX
    reading = Reading(options.task, options.column, picture_column=picture if by_row else None)
    markups = open_markups(options.source, reading, sys.stdin.buffer)
    if not by_row and not markups.is_single:
        raise BadInputError(
            f"{markups.name} may hold many markups, and {picture} is one picture",
            "Name one file, or Parquet and its column of pictures",
        )
    try:
        with Renderer(options.n_pages) as renderer:
            return _compare_rows(renderer, markups, options) if by_row else _one(renderer, markups, options, picture)
    except KeyboardInterrupt:
        click.echo("markupmill: interrupted", err=True)
        return INTERRUPTED


def _one(renderer: Renderer, markups: MarkupInput, options: RenderOptions, picture: str) -> int:
    if options.out != STDOUT and Path(options.out).suffix.lower() != ".png":
        raise BadInputError(
            f"{options.out} is no .png", "Name the side-by-side picture with -o, as in -o differences.png"
        )
    source = _read_picture(picture)
    [markup] = markups
    [(result, _)] = render_batch(renderer, [markup], [_look(options, markup, source.width)])
    if isinstance(result, Reject):
        click.echo(f"{markup.place} gives no picture: {one_line(result)}", err=True)
        return 1
    comparison = compare(source, result, markup.kind)
    with Image.open(BytesIO(result.png)) as again:
        together = encode_png(side_by_side(source, again.convert("RGB"), comparison))
    if options.out == STDOUT:
        sys.stdout.buffer.write(together)
        sys.stdout.buffer.flush()
    else:
        write_atomically(Path(options.out), together)
    for line in _told(comparison):
        click.echo(line, err=options.out == STDOUT)
    if options.out != STDOUT:
        click.echo(f"Side by side: {options.out}")
    return 0


def _read_picture(path: str) -> Image.Image:
    try:
        with Path(path).open("rb") as stream:
            data = stream.read(MAX_PICTURE_BYTES + 1)
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}", "Name a picture file with --compare") from error
    if len(data) > MAX_PICTURE_BYTES:
        raise BadInputError(f"{path} has more than {MAX_PICTURE_BYTES:,} bytes", "Name a picture file with --compare")
    picture = decode_rgb(data)
    if isinstance(picture, ImageFault):
        raise BadInputError(f"{path} cannot be used ({picture.kind}: {picture.detail})", "Name another picture")
    return picture


def _look(options: RenderOptions, markup: Markup, picture_width_px: int) -> Look:
    """A page is laid out as wide as its picture, unless the user says how wide."""
    spec = options.spec(markup.kind)
    if options.width_px or markup.kind != "page":
        return Look.plain(spec)
    return Look.plain(replace(spec, width_px=min(MAX_WIDTH_PX, max(16, round(picture_width_px / options.scale)))))


def _told(comparison: Comparison) -> Iterator[str]:
    width = max(map(len, ("score", *comparison.parts)))
    yield f"{'score':<{width}}  {comparison.score:.{SCORE_DECIMALS}f}"
    for name, value in comparison.parts.items():
        yield f"{name:<{width}}  {value:.{SCORE_DECIMALS}f}"
    kinds = [region.kind for region in comparison.regions]
    by_kind = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))
    n = len(kinds)
    yield f"{n} region{'' if n == 1 else 's'} differ{'s' if n == 1 else ''}{': ' if kinds else ''}{by_kind}"


def _compare_rows(renderer: Renderer, markups: MarkupInput, options: RenderOptions) -> int:
    """A CSV line for each row: its scores, or why it has none."""
    if Path(options.out).suffix.lower() != ".csv":
        raise BadInputError(f"{options.out} is no .csv", "Name the table of scores with -o, as in -o scores.csv")
    n_rows = n_scores = 0
    total = 0.0
    with BuildProgress(kept="scores") as progress, new_text_file(Path(options.out)) as file:
        totals = [n for n in (markups.n_markups(), options.limit) if n is not None]
        progress.begin_source(markups.name, min(totals))
        table: csv.DictWriter[str] | None = None
        for batch in batches(itertools.islice(markups, options.limit)):
            lines = [_csv_line(*row) for row in zip(batch, _compared(renderer, batch, options), strict=True)]
            if table is None:
                # All parts that there are: those of pairs that are far apart may be fewer.
                names = dict.fromkeys(name for line in lines for name in line)
                table = csv.DictWriter(file, list(names), extrasaction="ignore")
                table.writeheader()
            table.writerows(lines)
            scores = [line["score"] for line in lines if line["score"] != ""]
            n_rows, n_scores, total = n_rows + len(batch), n_scores + len(scores), total + sum(scores)
            progress.add(len(batch), len(scores), made_now=True, completed_rows=n_rows)
    click.echo(f"{n_rows:,} rows in = {n_scores:,} scores + {n_rows - n_scores:,} rejects")
    if n_scores:
        click.echo(f"Mean score: {total / n_scores:.{SCORE_DECIMALS}f}")
    click.echo(f"Scores: {options.out}")
    return 0 if n_scores else 1


def _compared(renderer: Renderer, batch: Sequence[Markup], options: RenderOptions) -> Iterator[Comparison | Reject]:
    """What became of each row; pictures are decoded one at a time."""
    sizes = [header_size(markup.picture) for markup in batch]
    looks = [
        Look.plain(options.spec(markup.kind)) if isinstance(size, ImageFault) else _look(options, markup, size[0])
        for markup, size in zip(batch, sizes, strict=True)
    ]
    for markup, (result, _) in zip(batch, render_batch(renderer, batch, looks), strict=True):
        picture = decode_rgb(markup.picture)
        if isinstance(result, Reject):
            yield result
        elif isinstance(picture, ImageFault):
            yield Reject(Reason(f"image_{picture.kind}"), picture.detail)
        else:
            yield compare(picture, result, markup.kind)


def _csv_line(markup: Markup, outcome: Comparison | Reject) -> dict[str, Any]:
    line: dict[str, Any] = {
        "row": markup.row,
        "id": markup.id,
        "score": "",
        "n_regions": "",
        "reject": "",
        "detail": "",
    }
    if isinstance(outcome, Reject):
        return line | {"reject": outcome.reason.value, "detail": outcome.detail}
    parts = {name: round(value, SCORE_DECIMALS) for name, value in outcome.parts.items()}
    return line | {"score": round(outcome.score, SCORE_DECIMALS), "n_regions": len(outcome.regions)} | parts
