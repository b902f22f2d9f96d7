"""Which tables may share a sheet."""

import pytest

from rendering.document import is_plain_table, n_tags


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
        "<table><tr><td><iframe></iframe></td></tr></table>",
        "<!-- a comment --><table></table>",
        "<table><tr><td><svg></svg></td></tr></table>",
    ],
)
def test_tables_that_need_a_document_of_their_own(markup: str) -> None:
    assert not is_plain_table(markup)


def test_tags_are_counted_without_parsing() -> None:
    assert n_tags("<p><b>x</b></p><br>") == 3
