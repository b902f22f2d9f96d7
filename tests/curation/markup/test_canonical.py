from __future__ import annotations

import time
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.markup.canonical import Canonical, canonical, canonical_batch, canonical_caption, without_fence
from curation.reasons import Reason, Reject
from curation.sample import Task
from rendering.errors import AssetsMissingError
from rendering.katex import shared_katex
from tests.curation.markup.real_html import FOLDERS, HtmlTask, hostile_markup, real_texts, soup, table_soup

HTML_TASKS: list[HtmlTask] = list(get_args(HtmlTask))
FUZZ = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def form(task: Task, text: str) -> str:
    result = canonical(task, text)
    assert isinstance(result, Canonical), result
    return result.text


def reason(task: Task, text: str) -> Reason:
    result = canonical(task, text)
    assert isinstance(result, Reject), result
    return result.reason


# Which form a task has


def test_each_task_has_its_own_form() -> None:
    assert form("page_to_html", "<p>a") == "<html><head></head><body><p>a</p></body></html>"
    assert form("table_to_html", "<table><td>a") == "<table><tbody><tr><td>a</td></tr></tbody></table>"
    assert form("image_to_caption", " A  dog. ") == "A dog."


def test_a_formula_goes_to_latex() -> None:
    try:
        shared_katex().parse_errors(["a"])
    except AssetsMissingError:
        pytest.skip("needs KaTeX, which this machine does not have")
    assert form("formula_to_latex", "$$a^2$$") == "a ^ { 2 }"


def test_a_batch_is_its_rows_one_by_one() -> None:
    tasks = ["table_to_html", "image_to_caption", "page_to_html", "image_to_caption"]
    texts = ["<p>no table", " a  b", "<p>a", None]
    assert canonical_batch(tasks, texts) == [
        Reject(Reason.TABLE_MISSING),
        Canonical("a b"),
        Canonical("<html><head></head><body><p>a</p></body></html>"),
        Reject(Reason.TEXT_MISSING),
    ]


# Captions


def test_a_caption_is_one_line_in_composed_unicode() -> None:
    assert canonical_caption("  Cafe\u0301\n on a\u00a0street\t") == Canonical("Café on a street")


@given(st.text())
@FUZZ
def test_a_caption_in_canonical_form_stays(text: str) -> None:
    result = canonical_caption(text)
    if isinstance(result, Canonical):
        assert canonical_caption(result.text) == result


# What no task takes


@pytest.mark.parametrize("task", ["page_to_html", "table_to_html", "formula_to_latex", "image_to_caption"])
def test_blank_and_broken_text_is_refused_by_every_task(task: Task) -> None:
    assert reason(task, "") == Reason.MARKUP_EMPTY
    assert reason(task, " \n\t") == Reason.MARKUP_EMPTY
    assert reason(task, "<table><td>a\ud800b") == Reason.TEXT_NOT_UTF8
    assert reason(task, "<table><td>a\0b") == Reason.MARKUP_INVALID


# Code fences


@pytest.mark.parametrize("fenced", ["```html\n<p>a\n```", "```\n<p>a```", " ```HTML \n<p>a\n ```\n\n", "\ufeff<p>a"])
def test_a_fence_or_byte_order_mark_around_the_whole_goes(fenced: str) -> None:
    assert without_fence(fenced) == "<p>a"
    assert form("page_to_html", fenced) == form("page_to_html", "<p>a")


@pytest.mark.parametrize("text", ["Here it is:\n```html\n<p>a\n```", "<pre>```html\na\n```</pre>"])
def test_a_fence_inside_the_text_is_text(text: str) -> None:
    assert without_fence(text) == text


# Promise: canonical form of canonical form is itself


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_real_row_has_a_stable_form(shared_data: Path, folder: str) -> None:
    task = FOLDERS[folder][0]
    for text in real_texts(shared_data, folder):
        once = form(task, text)
        assert canonical(task, once) == Canonical(once)


@pytest.mark.parametrize("task", HTML_TASKS)
@given(text=st.one_of(soup, table_soup))
@FUZZ
def test_soup_has_a_stable_form_or_a_reason(task: HtmlTask, text: str) -> None:
    result = canonical(task, text)
    if isinstance(result, Canonical):
        again = canonical(task, result.text)
        assert isinstance(again, Canonical)
        assert again.text == result.text
        assert result.text == result.text.encode().decode()


# Hostile text


@pytest.mark.parametrize("task", HTML_TASKS)
@pytest.mark.parametrize("name", hostile_markup())
def test_hostile_markup_is_answered_in_bounded_time(task: HtmlTask, name: str) -> None:
    markup = hostile_markup()[name]
    start_s = time.process_time()
    result = canonical(task, markup)
    assert time.process_time() - start_s < 10  # seconds; each takes under 2, without bounds minutes
    assert isinstance(result, Canonical | Reject)


def test_too_much_is_refused_before_it_is_parsed() -> None:
    markup = hostile_markup()
    assert reason("page_to_html", markup["10 MB"]) == Reason.MARKUP_TOO_LARGE
    assert reason("page_to_html", markup["nested div"]) == Reason.MARKUP_INVALID
    assert reason("page_to_html", markup["formatting left open"]) == Reason.MARKUP_TOO_LARGE
    assert reason("table_to_html", markup["colspan"]) == Reason.MARKUP_TOO_LARGE
