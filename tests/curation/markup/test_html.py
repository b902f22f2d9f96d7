from __future__ import annotations

from pathlib import Path

import pytest

from curation.markup.canonical import Canonical
from curation.markup.html import canonical_page
from curation.reasons import Reason, Reject
from rendering.renderer import Renderer
from tests.curation.markup.real_html import TAILWIND, broken_page, pixel_differences, real_texts


def page(text: str) -> Canonical:
    result = canonical_page(text)
    assert isinstance(result, Canonical), result
    return result


def body(text: str) -> str:
    """What stands in the canonical form's body."""
    return page(text).text.partition("<body>")[2].removesuffix("</body></html>")


def refused(text: str) -> Reject:
    result = canonical_page(text)
    assert isinstance(result, Reject), result
    return result


# The tree is the browser's


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("<b><p>a</b>b</p>", "<b></b><p><b>a</b>b</p>"),  # adoption agency
        ("<table>a<tr><td>b</table>", "a<table><tbody><tr><td>b</td></tr></tbody></table>"),  # foster parenting
        ("<main><p>a</main>", "<main><p>a</p></main>"),  # HTML 5 elements are blocks
        ("&copy; &amp; &lt;b&gt; &notit; &#150;", "© &amp; &lt;b&gt; ¬it; –"),
        (
            "<svg viewbox='0 0 1 1'><lineargradient/></svg>",
            '<svg viewBox="0 0 1 1"><linearGradient></linearGradient></svg>',
        ),
        ("<img src=a><br/>", '<img src="a"><br>'),
        ("<svg><source>a</source></svg>", "<svg><source>a</source></svg>"),  # void in HTML only
        ("<svg><style>a&lt;b</style></svg>", "<svg><style>a&lt;b</style></svg>"),  # raw in HTML only
        ("<p a='\"<>&\xa0'>a", '<p a="&quot;&lt;&gt;&amp;&nbsp;">a</p>'),
        ("<input disabled>", '<input disabled="">'),
    ],
)
def test_text_is_what_a_browser_serialises(source: str, expected: str) -> None:
    assert body(f"<body>{source}") == expected


def test_every_implied_tag_is_written() -> None:
    source = '<html>\n<link rel="stylesheet" href="a.css">\n<body>\n<p>a</p>\n</body>\n</html>\n'
    assert page(source).text == (
        '<html><head><link rel="stylesheet" href="a.css">\n</head><body>\n<p>a</p>\n</body></html>'
    )


def test_attributes_keep_their_order() -> None:
    assert body('<p title="b" id="a" class="z  y">a') == '<p title="b" id="a" class="z  y">a</p>'


# Document type: the rendering mode stays


@pytest.mark.parametrize(
    ("declared", "kept"),
    [
        ("", ""),
        ("<!DOCTYPE html>", "<!DOCTYPE html>\n"),
        ("<!-- a --> <!doctype HTML SYSTEM 'about:legacy-compat'>", "<!DOCTYPE html>\n"),
        ('<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://a">', "<!DOCTYPE html>\n"),
        ('<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 3.2 Final//EN">', ""),
        ('<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">', ""),
        (
            '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN" "http://a">',
            '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "">\n',
        ),
    ],
)
def test_the_shortest_document_type_of_the_same_mode(declared: str, kept: str) -> None:
    assert page(f"{declared}<p>a").text == f"{kept}<html><head></head><body><p>a</p></body></html>"


# What goes, and what is said of it


def test_comments_go_silently_and_the_text_around_them_is_one() -> None:
    assert page("<body>a <!-- b --> c<?php d ?>") == Canonical("<html><head></head><body>a c</body></html>")


def test_scripts_handlers_templates_and_refreshes_go_with_a_warning() -> None:
    source = (
        "<head><meta http-equiv=Refresh content=0><script src=a></script></head>"
        "<body onload=a()><p onclick=b()>a</p><template>b</template><script>c</script>"
    )
    result = page(source)
    assert result.text == "<html><head></head><body><p>a</p></body></html>"
    assert sorted(result.warnings) == [
        "1 page refreshes removed",
        "1 templates removed",
        "2 event handlers removed",
        "2 scripts removed",
    ]


def test_noscript_stays_because_scripts_are_off() -> None:
    assert body("<body><noscript><p>a</noscript>") == "<noscript><p>a</p></noscript>"


def test_a_script_that_siblings_count_leaves_its_shell() -> None:
    parent = '<div class="flex space-x-4">'
    assert body(f"<body>{parent}<script>a</script><p>b") == f"{parent}<script></script><p>b</p></div>"
    styled = page("<style>p:first-child{color:red}</style><body><script>a</script><p>b")
    assert styled.text.endswith("<body><script></script><p>b</p></body></html>")


def test_nested_svg_scripts_go_together() -> None:
    assert body("<body><svg><script><script>a</script></script><g/></svg>") == "<svg><g></g></svg>"


# White space


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>a  b\n   c", "<p>a b c</p>"),
        ("<div>\n\n   <p>a</p>\n   </div>", "<div>\n<p>a</p>\n</div>"),
        ("<i>a</i> <i>b</i>", "<i>a</i> <i>b</i>"),  # shows between inline elements
        ("<p>a\x0c\x0cb&nbsp;&nbsp;c", "<p>a\x0c\x0cb&nbsp;&nbsp;c</p>"),  # not collapsible
        ("<pre>  a\n  b</pre>", "<pre>  a\n  b</pre>"),
        ("<pre>\n\na</pre>", "<pre>\n\na</pre>"),  # the parser drops the first
        ("<pre><!-- a -->\nb</pre>", "<pre>\n\nb</pre>"),
        ("<textarea>\n\n a  b</textarea>", "<textarea>\n\n a  b</textarea>"),
        ('<p class="md:whitespace-pre-line">a  <b>b  c</b>', '<p class="md:whitespace-pre-line">a  <b>b  c</b></p>'),
        ('<p class="whitespace-nowrap">a  b', '<p class="whitespace-nowrap">a b</p>'),
        ('<p style="white-space: pre">a  b', '<p style="white-space: pre">a  b</p>'),
        ('<svg><text xml:space="preserve">a  b</text></svg>', '<svg><text xml:space="preserve">a  b</text></svg>'),
    ],
)
def test_a_run_becomes_one_character_where_white_space_collapses(source: str, expected: str) -> None:
    assert body(f"<body>{source}") == expected


@pytest.mark.parametrize("css", ["p{white-space:pre}", "p{white-space-collapse:preserve}", r"p{white-spac\65:pre}"])
def test_a_style_sheet_that_may_keep_white_space_keeps_it(css: str) -> None:
    assert "<p>a  b</p>" in page(f"<style>{css}</style><p>a  b").text
    assert "<p>a b</p>" in page("<style>p{white-space:nowrap}</style><p>a  b").text


# Refused


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("just words", Reason.MARKUP_INVALID),
        ("<!-- only a comment -->", Reason.MARKUP_INVALID),
        ("<html><body> \n</body></html>", Reason.MARKUP_EMPTY),
        ("<script>a</script>", Reason.MARKUP_EMPTY),
        ("<form><div></form><form>a", Reason.MARKUP_INVALID),  # a form in a form: no text gives this tree
        ("<p>a<plaintext>b", Reason.MARKUP_INVALID),
        ("<div><template shadowrootmode=open>a</template></div>", Reason.MARKUP_INVALID),
        ("<script style='display:block'>a</script><p>b", Reason.MARKUP_INVALID),
        ("<object><!-- a --></object>", Reason.MARKUP_INVALID),
    ],
)
def test_what_has_no_canonical_form(source: str, reason: Reason) -> None:
    assert refused(source).reason == reason


# Promise: canonical form shows what the source shows


def test_real_pages_show_the_same(shared_data: Path, renderer: Renderer) -> None:
    sources = real_texts(shared_data, "websight")
    pairs = [(source, page(source).text) for source in sources]
    assert all(source != form for source, form in pairs)
    assert pixel_differences(renderer, "page_to_html", pairs) == []


def test_broken_pages_show_the_same(renderer: Renderer) -> None:
    sources = [broken_page(seed) for seed in range(400)]
    forms = [canonical_page(source) for source in sources]
    pairs = [(s, form.text) for s, form in zip(sources, forms, strict=True) if isinstance(form, Canonical)]
    assert len(pairs) > 0.9 * len(sources)
    assert pixel_differences(renderer, "page_to_html", pairs) == []


@pytest.mark.parametrize(
    "source",
    [
        "<p><table border=1><tr><td>a</table>",  # in quirks mode a table stands in a paragraph
        "<!doctype html><p><table border=1><tr><td>a</table>",
        "<table style='font-size:30px'><tr><td>quirks: tables do not inherit</table>",
        f"{TAILWIND}<div class='flex space-x-8'><script>a</script><p>a</p> <p>b</p></div>",
        f"{TAILWIND}<p class='whitespace-pre-line'>a\n\n  b</p>",
        "<style>p:empty{border:9px solid}</style><p> </p><p><!-- a --></p>",
        "<object><script></script></object>after",
        "<noscript>shown</noscript>",
        "<div style='display:inline'>a</div>\n\n<div style='display:inline'>b</div>",
        "<pre>\n\n  a</pre><textarea>\n\nb</textarea>",
    ],
)
def test_what_could_show_another_page_does_not(renderer: Renderer, source: str) -> None:
    assert pixel_differences(renderer, "page_to_html", [(source, page(source).text)]) == []


def test_the_comparison_sees_a_difference(renderer: Renderer) -> None:
    pairs = [("<p>a", "<p>a"), ("<i>a</i> <i>b</i>", "<i>a</i><i>b</i>"), ("<p>a", "<!DOCTYPE html><pre>a")]
    assert pixel_differences(renderer, "page_to_html", pairs) == [1, 2]
