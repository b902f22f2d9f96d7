from __future__ import annotations

from pathlib import Path

import pytest

from curation.markup.canonical import Canonical, canonical
from curation.markup.tree import TreeSize
from curation.markup.visible_text import markup_size, visible_text
from tests.curation.markup.real_html import FOLDERS, real_texts


def seen(body: str) -> str | None:
    return visible_text("page_to_html", f"<html><head><title>unseen</title></head><body>{body}</body></html>")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("<h1>Title</h1><p>a <b>bold</b>\n word</p>", "Title\na bold word"),
        ("<ul><li>a</li><li>b</li></ul>c", "a\nb\nc"),
        ("a<br>b<hr>c", "a\nb\nc"),
        ("<table><tr><td>a</td><td> b </td></tr><tr><td>c</td><td></td></tr></table>", "a\tb\nc"),
        ("<p>1 &lt; 2 &amp; 3&nbsp;m</p>", "1 < 2 & 3 m"),
        ("<style>p{}</style><script>x</script><p>a</p><template>b</template>", "a"),
        ("<noscript>a</noscript>", "a"),
        ("<img alt='unseen'><a href='unseen' title='unseen'>a</a>", "a"),
        ("<input placeholder='Your name'><input value='Send' type=submit>", "Your name\nSend"),
        ("<input type=hidden value=unseen><input type=checkbox value=unseen>a", "a"),
        ("<p hidden>b</p><p style='display: none'>b</p><p class='sr-only'>b <i>c</i></p>a", "a"),
        ("", ""),
    ],
)
def test_the_words_that_a_reader_sees(body: str, words: str) -> None:
    assert seen(body) == words


@pytest.mark.parametrize(
    ("classes", "shown"),
    [
        ("hidden", False),
        ("hidden md:flex", True),
        ("md:hidden", False),
        ("block lg:hidden", False),
        ("hidden 2xl:block", False),  # from 1536 px on
        ("md:hidden xl:block", True),
        ("overflow-hidden", True),
    ],
)
def test_tailwind_hides_at_the_width_of_a_page(classes: str, shown: bool) -> None:
    assert (seen(f'<div class="{classes}">a</div>') == "a") is shown


def test_other_targets() -> None:
    assert visible_text("image_to_caption", "A dog.") == "A dog."
    assert visible_text("formula_to_latex", "a + b") is None
    assert visible_text("page_to_html", "<div>" * 600) is None


def test_a_table_counts_from_its_own_element() -> None:
    table = "<table><tbody><tr><td>a</td><td><b>b</b></td></tr></tbody></table>"
    assert markup_size("table_to_html", table) == TreeSize(n_nodes=6, depth=5)
    assert markup_size("page_to_html", "<html><head></head><body><p>a<br></p></body></html>") == TreeSize(5, 4)


@pytest.mark.parametrize(
    ("formula", "size"),
    [
        (r"\frac { a } { b _ { 2 } }", TreeSize(n_nodes=11, depth=2)),
        (r"\left\{ x \right\}", TreeSize(n_nodes=5, depth=0)),  # escaped braces nest nothing
        ("", TreeSize(0, 0)),
    ],
)
def test_a_formula_counts_tokens_and_braces(formula: str, size: TreeSize) -> None:
    assert markup_size("formula_to_latex", formula) == size


def test_a_caption_has_no_tree() -> None:
    assert markup_size("image_to_caption", "A dog.") is None


@pytest.mark.parametrize("folder", FOLDERS)
def test_real_rows_say_something_and_count_their_tags(shared_data: Path, folder: str) -> None:
    task = FOLDERS[folder][0]
    for text in real_texts(shared_data, folder):
        form = canonical(task, text)
        assert isinstance(form, Canonical)
        assert visible_text(task, form.text)
        size = markup_size(task, form.text)
        assert size is not None
        assert size.n_nodes == form.text.count("<") - form.text.count("</") - form.text.count("<!")
