from __future__ import annotations

from curation.classes.page_tree import TEXT_CHARS, Element, elements_of
from curation.markup.tree import parse, root_of
from curation.reasons import Reject


def body(markup: str) -> Element:
    tree = parse(markup)
    assert not isinstance(tree, Reject)
    return next(element for element in elements_of(root_of(tree)) if element.tag == "body")


def test_counts_are_of_the_whole_subtree() -> None:
    found = body("<div><h2>A b</h2><p>c <a href='#'>d</a><img></p></div><nav><button>e</button></nav>")
    assert (found.text, found.n_words) == ("A b c d e", 5)
    assert (found.n_headings, found.n_links, found.n_images, found.n_buttons, found.n_frames) == (1, 1, 1, 1, 1)
    assert [(child.tag, child.position) for child in found.children] == [("div", 0), ("nav", 1)]


def test_scripts_and_styles_say_nothing() -> None:
    assert body("<style>p { color: red }</style><script>let a</script><p>a</p>").n_words == 1


def test_text_is_kept_to_a_start_and_words_are_counted_in_full() -> None:
    found = body("<p>" + "word " * 1_000)
    assert TEXT_CHARS - 5 <= len(found.text) <= TEXT_CHARS
    assert found.n_words == 1_000


def test_the_class_of_the_widest_breakpoint_holds() -> None:
    found = body('<body class="w-full md:w-1/2 xl:w-1/3 2xl:w-1/4">')
    assert found.styled("w-") == "1/3"
    assert found.styled("h-") == ""


def test_a_row_stands_side_by_side() -> None:
    rows = ("flex", "md:flex", "inline-flex flex-wrap", "grid grid-cols-1 lg:grid-cols-2", "flex-col flex md:flex-row")
    columns = ("", "flex flex-col", "grid", "grid grid-cols-1", "grid grid-cols-none")
    assert all(body(f'<body class="{classes}">').is_row for classes in rows)
    assert not any(body(f'<body class="{classes}">').is_row for classes in columns)


def test_headings_are_told_by_tag_or_as_a_short_bold_line() -> None:
    yes = ("<h4>a</h4>", '<p class="font-bold">a b</p>')
    no = ("<p>a</p>", '<a class="font-bold">a</a>', f'<p class="font-bold">{"a " * 9}</p>')
    assert all(body(markup).children[0].is_heading for markup in yes)
    assert not any(body(markup).children[0].is_heading for markup in no)
