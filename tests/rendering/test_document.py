"""Which tables may share a sheet."""

import time

import pytest

from rendering.document import is_plain_page, is_plain_table, n_tags


@pytest.mark.parametrize(
    "markup",
    [
        "<table><tr><td colspan=2>a &amp; b</td></tr></table>",
        "<html><body><table><thead><tr><th><b>p</b> < 0.05</th></tr></thead></table></body></html>",
        '<table><tr><td style="text-align:right">1<sup>a</sup></td></tr></table>&nbsp;',
    ],
)
def test_plain_tables(markup: str) -> None:
    assert is_plain_table(markup)


@pytest.mark.parametrize(
    "markup",
    [
        "<table><tr><td><img src=x></td></tr></table>",
        "<style>td{color:red}</style><table></table>",
        "<table background=x><tr><td>a</td></tr></table>",
        "<table style='background:url(x)'></table>",
        "<table style='background:u\\72l(x)'></table>",
        "<table style='background:&#117;rl(x)'></table>",
        "<table style=a=b;background:url(x)></table>",
        "<table style='width:50vw'></table>",
        "<table><tr><td><iframe></iframe></td></tr></table>",
        "<!-- a comment --><table></table>",
        "<table><tr><td><svg></svg></td></tr></table>",
    ],
)
def test_tables_that_need_a_document_of_their_own(markup: str) -> None:
    assert not is_plain_table(markup)


@pytest.mark.parametrize(
    "page",
    [
        "<!DOCTYPE html>\n<html lang=en><head><meta charset='utf-8'><title>a@b.c</title></head><body><p>x</body>",
        "<link rel='stylesheet' href=https://example.com/a.css><style>@media print{p{color:red}}</style>",
        "<link href=https://example.com/a.css rel=stylesheet><!-- a comment --><h1>a</h1>",
        "<form><input placeholder=a><textarea></textarea><button>go</button></form><img src=a.png>",
        '<svg viewBox="0 0 1 1"><linearGradient id=a></linearGradient><path d="M0 0"/></svg>',
    ],
)
def test_pages_that_leave_nothing_behind(page: str) -> None:
    assert is_plain_page(page)


@pytest.mark.parametrize(
    "page",
    [
        "<meta http-equiv='Content-Security-Policy' content=\"img-src 'none'\">",
        "<META HTTP-EQUIV=default-style content=b>",
        "<meta name=color-scheme content=dark>",
        "<meta charset=shift_jis>",
        "<base href=https://example.com/>",
        "<style title=a>p{color:red}</style>",
        "<link rel='alternate stylesheet' title = b href=b.css>",
        "<link rel=stylesheet&#32;alternate href=b.css>",
        "<link rel=preload as=image href=a.png>",
        "<link rel = icon href=a.png>",
        "<style>@font-face{font-family:a;src:url(data:,)}</style>",
        "<style>p{color:red}</style><!-- < --><style>@import url(a.css)</style>",
        "<style>@\\69mport url(a.css)</style>",
        "<input autofocus>",
        "<p style='background:url(a.png)'>x",
        "<p style='background:u\\72l(a.png)'>x",
        "<p style='background:&#117;rl(a.png)'>x",
        "<body background=a.png>",
        *(f"<p>a<{tag}>" for tag in ("iframe", "object", "embed", "video", "audio", "script", "template", "dialog")),
        *(f"<svg><{tag}>" for tag in ("animate", "set", "use", "foreignObject")),
        "<!-- <iframe> -->",
        "<div<iframe>",
        "<p>a</p><?php",
        "<p><![CDATA[a]]>",
        "<my-element>",
        '<link rel="stylesheet" href="https://cdn.jsdelivr.net/npm/katex@0.16.9/dist/katex.min.css">',
    ],
)
def test_pages_that_may_leave_something_behind(page: str) -> None:
    assert not is_plain_page(page)


def test_tags_are_counted_without_parsing() -> None:
    assert n_tags("<p><b>x</b></p><br>") == 3


@pytest.mark.parametrize(
    "part", ["style=", 'style="', "style='", "style=a ", "<table style=", "rel= ", "<meta ", "<", "@"]
)
def test_hostile_markup_is_looked_through_in_linear_time(part: str) -> None:
    """Of 100 kB to 1.3 MB; quadratic time would be minutes."""
    began = time.process_time()
    is_plain_table("<table " + part * 100_000)
    is_plain_page("<style></style><p " + part * 100_000)
    assert time.process_time() - began < 5
