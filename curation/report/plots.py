"""The three plots that distilvit's report has, under its names, as PNG.

They are the page's own charts, drawn by the browser that the project renders with: one geometry, one look, and no
second plotting library.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from curation.browser import shared_renderer
from curation.errors import BadInputError, MarkupmillError
from curation.report.charts import MAX_CURVES, Curve, Frame, distribution_chart, lorenz_chart, rank_chart
from curation.report.facts import Distribution, ReportFacts
from curation.report.shapes import Chart
from curation.report.templates import style, template
from curation.report.wording import short
from rendering.pixels import ImageFault, crop_to_ink, decode_rgb, encode_png
from rendering.result import RenderFailure
from rendering.spec import RenderSpec

LORENZ: Final = "lorenz_curve.png"
RANKS: Final = "object_freq_loglog.png"
LENGTHS: Final = "caption_length_hist.png"

_LENGTH_COLUMNS: Final = ("n_words", "n_tokens", "n_chars")
_CAPTIONS: Final = "image_to_caption"
_OBJECTS: Final = "object"
_MARGIN_PX: Final = 16
_SCALE: Final = 2.0
_SQUARE: Final = Frame(560, 540, left=52, right=26)
_WIDE: Final = Frame(720, 440, left=52, right=20)


def write_plots(facts: ReportFacts, folder: Path) -> tuple[Path, ...]:
    """Write the plots for which there are numbers into `folder`; returns their paths.

    Raises:
        RenderingError: there is no browser to draw with.
        BadInputError: the folder is not there, or a file cannot be written.
    """
    documents = plot_documents(facts)
    if not documents:
        return ()
    if not folder.is_dir():  # before the browser starts
        raise BadInputError(f"cannot write into {folder}: No such folder", "Choose another --output-dir")
    specs = [
        RenderSpec("page", width_px=chart.width + 2 * _MARGIN_PX, scale=_SCALE, color_scheme="light")
        for chart, _ in documents.values()
    ]
    with shared_renderer() as renderer:
        pictures = renderer.render([html for _, html in documents.values()], specs)
    paths = []
    for name, picture in zip(documents, pictures, strict=True):
        if isinstance(picture, RenderFailure):
            raise MarkupmillError(f"{name} was not drawn: {picture}", "Run again without --plot")
        path = folder / name
        try:
            path.write_bytes(_trimmed(picture.png))
        except OSError as error:
            raise BadInputError(f"cannot write {path}: {error.strerror}", "Choose another --output-dir") from error
        paths.append(path)
    return tuple(paths)


def plot_documents(facts: ReportFacts) -> dict[str, tuple[Chart, str]]:
    """Chart and HTML document of each plot, by file name."""
    charts: dict[str, Chart] = {}
    curves = _curves(facts)
    if curves:
        charts[LORENZ] = lorenz_chart(curves, _SQUARE)
        charts[RANKS] = rank_chart(curves, _WIDE)
    lengths = _lengths(facts)
    if lengths is not None:
        charts[LENGTHS] = distribution_chart(lengths, None, _WIDE)
    titles = {
        LORENZ: "Lorenz curve of classes",
        RANKS: "Occurrences by rank",
        LENGTHS: f"Length of the text: {lengths.title}" if lengths else "",
    }
    document = template("plot.html")
    return {
        name: (chart, document.render(chart=chart, style=style(), title=f"{short(facts.name, 60)} – {titles[name]}"))
        for name, chart in charts.items()
    }


def _trimmed(png: bytes) -> bytes:
    """Without the empty rest of the browser's window."""
    pixels = decode_rgb(png)
    assert not isinstance(pixels, ImageFault)  # it is our own
    trimmed = crop_to_ink(pixels, round(_MARGIN_PX * _SCALE))
    assert trimmed is not None  # it has a title
    return encode_png(trimmed)


def _curves(facts: ReportFacts) -> Sequence[Curve]:
    """The balances, objects first; named by their task too where several tasks have the same namespace."""
    found = [(task.task, balance) for task in facts.tasks for balance in task.balances if balance.n_classes]
    namespaces = [balance.namespace for _, balance in found]
    named = [
        Curve(
            short(f"{task} {balance.namespace}" if namespaces.count(balance.namespace) > 1 else balance.namespace, 40),
            balance,
        )
        for task, balance in found
    ]
    return sorted(named, key=lambda curve: curve.balance.namespace != _OBJECTS)[:MAX_CURVES]


def _lengths(facts: ReportFacts) -> Distribution | None:
    """The captions' lengths in words; else those of the first task that has any length."""
    for task in sorted(facts.tasks, key=lambda task: task.task != _CAPTIONS):
        by_name = {each.name: each for each in task.distributions}
        for name in _LENGTH_COLUMNS:
            if name in by_name:
                return by_name[name]
    return None
