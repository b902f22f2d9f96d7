"""Tables and pages with what is asked for, from the generator alone and from the parts of a reference."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

from curation.classes.sample_classes import classes_of
from curation.markup.canonical import canonical
from curation.reasons import Reject
from curation.synthesize.likeness import Reference
from curation.synthesize.table_grid import blocks_of, read_table
from curation.synthesize.table_recombination import TableParts, other_digits
from curation.synthesize.templates import Templates

SPANNED = (
    '<table frame="hsides"><caption>c</caption><thead><tr><td>h</td><td>i</td></tr></thead>'
    '<tbody><tr><td rowspan="2">a</td><td>1</td></tr><tr><td>2</td></tr><tr><td>b</td><td>3</td></tr></tbody></table>'
)


def test_a_table_is_read_and_written_as_it_was() -> None:
    grid = read_table(SPANNED)
    assert grid is not None
    assert grid.write() == SPANNED
    assert [len(block) for block in blocks_of(grid.body)] == [2, 1]


def test_numbers_keep_their_pattern() -> None:
    text = "0.05 (12 %) in 1998, &#8211; <sup>2</sup> 100"
    made = {other_digits(Random(seed), text) for seed in range(20)}
    assert len(made) > 10
    for one in made:
        assert one.startswith("0.")
        assert len(one) == len(text)
        assert "&#8211;" in one
        assert "<sup>" in one
        assert " in 19" in one
        assert one.endswith(" 100")


@pytest.fixture(scope="module")
def tables(shared_data: Path) -> list[str]:
    rows = pq.read_table(shared_data / "pubtabnet-markup-only", columns=["html_table"]).column(0).to_pylist()
    forms = (canonical("table_to_html", row) for row in rows[:60])
    return [one.text for one in forms if not isinstance(one, Reject)]


def test_tables_of_parts_are_sound_new_and_the_same_for_a_seed(tables: list[str]) -> None:
    parts, reference = TableParts(tables), Reference({"table_to_html": tables})
    made = [parts.make(Random(seed)).write() for seed in range(30)]
    assert made == [parts.make(Random(seed)).write() for seed in range(30)]
    good = [one.text for one in (canonical("table_to_html", text) for text in made) if not isinstance(one, Reject)]
    assert len(good) == 30
    assert len(set(good)) == 30
    assert not any(reference.replays("table_to_html", text) for text in good)


def test_a_real_row_and_one_with_other_numbers_are_replays(tables: list[str]) -> None:
    reference = Reference({"table_to_html": tables})
    assert all(reference.replays("table_to_html", text) for text in tables)
    assert reference.replays("table_to_html", tables[0].replace("0</td>", "7</td>", 1))
    assert not reference.replays(
        "table_to_html", "<table><tr><td>something else altogether, of seven words</td></tr></table>"
    )


WANTED = [
    *[("table_to_html", name) for name in ("span:3x1", "span:1x4", "span:2x2", "shape:1x2", "shape:20-49x5-7")],
    *[("table_to_html", name) for name in ("shape:50+x3-4", "shape:header-0", "shape:header-3", "shape:sections")],
    *[("table_to_html", name) for name in ("shape:caption", "shape:foot", "shape:row-headers", "shape:empty-cells")],
    *[("table_to_html", name) for name in ("shape:many-empty-cells", "tag:sub", "tag:br", "tag:th", "tag:strong")],
    *[
        ("page_to_html", f"component:{name}")
        for name in ("accordion", "breadcrumb", "carousel", "dialog", "pagination")
    ],
    *[("page_to_html", f"component:{name}") for name in ("progress", "quote", "search", "tabs", "video", "pricing")],
    *[("page_to_html", f"component:{name}") for name in ("newsletter", "login", "team", "faq", "table", "sidebar")],
    *[("page_to_html", f"layout:{name}") for name in ("sidebar-left", "sidebar-right", "split", "centered", "grid-5")],
    *[("page_to_html", f"tag:{name}") for name in ("title", "fieldset", "svg", "dl", "kbd", "select", "meter", "hr")],
]


@pytest.mark.parametrize("like", [False, True])
def test_what_is_asked_for_is_had_within_a_few_drafts(like: bool, tables: list[str]) -> None:
    templates = Templates(Reference({"table_to_html": tables} if like else {}), 5)
    missed = []
    for task, name in WANTED if not like else WANTED[:18]:
        for attempt in range(12):
            form = canonical(task, templates.draw(task, (name,), f"{name} {attempt}"))  # type: ignore[arg-type]
            if not isinstance(form, Reject) and name in (classes_of(task, form.text, None) or ()):
                break
        else:
            missed.append(name)
    assert missed == []
