"""The plots under distilvit's names, drawn by the project's own browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from curation.errors import BadInputError
from curation.report.plots import plot_documents, write_plots
from tests.curation.report.facts_making import empty_report, hostile_report, report

NAMES = ["lorenz_curve.png", "object_freq_loglog.png", "caption_length_hist.png"]


def test_they_are_written_with_axes_words_and_colours(tmp_path: Path) -> None:
    paths = write_plots(report(), tmp_path)
    assert [path.name for path in paths] == NAMES
    for path in paths:
        with Image.open(path) as opened:
            plot = opened.convert("RGB")
        assert 900 < plot.width < 1_600
        assert 700 < plot.height < 1_400
        colors = {color for _, color in plot.getcolors(1 << 24) or []}
        assert {(255, 255, 255), (0x2B, 0x5F, 0xB4)} <= colors
        assert plot.getpixel((2, 2)) == plot.getpixel((plot.width - 3, plot.height - 3)) == (255, 255, 255)


def test_objects_and_captions_come_first() -> None:
    documents = plot_documents(report())
    assert [label.text.split(":")[0] for label in documents[NAMES[0]][0].labels] == ["object", "tag", "component"]
    assert documents[NAMES[2]][0].x_title == "words"
    tasks = report().tasks
    without = replace(report(), tasks=(replace(tasks[0], distributions=tasks[0].distributions[:1]),))
    assert plot_documents(without)[NAMES[2]][0].x_title == "tokens"


def test_what_strangers_wrote_is_text() -> None:
    for _, document in plot_documents(hostile_report()).values():
        assert "<script" not in document.replace("&lt;script", "")
        assert document.encode("utf-8")


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    assert write_plots(empty_report(), tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot write into .*No such folder"):
        write_plots(report(), tmp_path / "nowhere")
