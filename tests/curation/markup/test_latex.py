"""LaTeX canonical form: what becomes of what, what is refused, and that the picture stays."""

from __future__ import annotations

import re
import time
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from curation.markup.canonical import Canonical
from curation.markup.latex import canonical_latex, canonical_latex_batch
from curation.markup.latex_reader import MAX_DEPTH
from curation.markup.latex_tokens import ARGUMENTS, FONT_SWITCHES, INFIXES
from curation.reasons import Reason, Reject
from rendering.katex import MAX_FORMULA_CHARS, KatexError, shared_katex

FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def form(text: str) -> str:
    result = canonical_latex(text)
    assert isinstance(result, Canonical), result
    return result.text


def reject(text: str) -> Reject:
    result = canonical_latex(text)
    assert isinstance(result, Reject), result
    return result


@pytest.mark.parametrize(
    ("source", "canonical"),
    [
        # tokens
        ("a+b", "a + b"),
        (r"\alpha\beta  x", r"\alpha \beta x"),
        ("\n a\t\n\nb ", "a b"),
        (r"a\,b\!c\ d~e", r"a \, b \! c \ d ~ e"),
        ("a\\\nb", r"a \ b"),
        ("a\\ ", "a ~"),
        ("a\\", "a ~"),
        (r"\{x\}\%", r"\{ x \} \%"),
        ('\\char"41 b', '\\char"41 b'),
        ("a%b\nc", "a c"),
        (r"50\%x", r"5 0 \% x"),
        # scripts
        ("x_1", "x _ { 1 }"),
        ("x^2_1", "x _ { 1 } ^ { 2 }"),
        (r"x_\alpha^{a+b}", r"x _ { \alpha } ^ { a + b }"),
        ("f'", r"f ^ { \prime }"),
        ("f''_a", r"f _ { a } ^ { \prime \prime }"),
        ("f'^2", r"f ^ { \prime 2 }"),
        ("f'^{a+b}", r"f ^ { \prime { a + b } }"),
        (r"x\sp2\sb1", "x _ { 1 } ^ { 2 }"),
        (r"{}_1^2X", "{ } _ { 1 } ^ { 2 } X"),
        (r"\sum\limits_i^n", r"\sum \limits _ { i } ^ { n }"),
        ("x²³", "x ²³"),
        (r"e^\frac12", r"e ^ { \frac { 1 } { 2 } }"),
        (r"x_\mathrm T", r"x _ { \mathrm { T } }"),
        # arguments
        (r"\frac12\sqrt x\hat\imath", r"\frac { 1 } { 2 } \sqrt { x } \hat { \imath }"),
        (r"\sqrt[3]x", r"\sqrt [ 3 ] { x }"),
        (r"\left(\frac ab\right.", r"\left( \frac { a } { b } \right."),
        (r"\left\langle x\middle|y\right\rangle", r"\left\langle x \middle| y \right\rangle"),
        (r"\Big (x\bigr\}", r"\Big ( x \bigr \}"),
        (r"\operatorname *{lim}_x", r"\operatorname* { l i m } _ { x }"),
        (r"\textcolor{ red }{x}", r"\textcolor{red} { x }"),
        (r"\mathchoice{a}{b}{c}{d}", r"\mathchoice { a }{ b }{ c }{ d }"),
        # sizes, spaced as im2latex's normaliser leaves them, too
        (r"\hspace { 1 . 5 c m }x", r"\hspace{1.5cm} x"),
        (r"\hspace * { - .5em}x", r"\hspace*{-.5em} x"),
        (r"\hskip 1cm plus 2pt minus 1pt x", r"\hskip1cm x"),
        (r"\kern - . 1 8 e m k", r"\kern-.18em k"),
        (r"\hspace{0,5 true cm}", r"\hspace{0.5cm}"),
        (r"\rule[-1 ex]{1em}{2 ex}", r"\rule[-1ex]{1em}{2ex}"),
        # fonts and fractions
        (r"{\rm Tr}\,{\bf x}{\cal L}", r"{ \mathrm { T r } } \, { \bf x } { \cal L }"),
        (r"x_{\rm max}", r"x _ { \mathrm { m a x } }"),
        (r"{\mit\Omega}", r"{ \mathnormal { \Omega } }"),
        (r"a \over b", r"\frac { a } { b }"),
        (r"{{a} \over b+c}d", r"{ \frac { a } { b + c } } d"),
        (r"{n\choose k}", r"{ \binom { n } { k } }"),
        (r"\left(a\over b\right)", r"\left( \frac { a } { b } \right)"),
        (r"{\textstyle{1\over 2}}", r"{ \textstyle { \frac { 1 } { 2 } } }"),
        (r"{\rm a\over b}", r"{ \rm a \over b }"),
        # text
        (r"\text{for  all $x_1$ }", r"\text{for all $x _ { 1 }$ }"),
        (r"\mbox{if } x", r"\text{if } x"),
        (r"x_{\mbox{eff}}", r"x _ { \hbox{eff} }"),
        (r"{\bf \mbox{a}}", r"{ \bf \hbox{a} }"),
        (r"\hbox{and}\hbox{ $+$}", r"\text{and} \hbox{ $+$}"),
        (r"\text{a\ }", r"\text{a\ }"),
        (r"\text{$a\ $}", r"\text{$a \ $}"),
        (r"\text{\o x \textbf{y  z}}", r"\text{\o x \textbf{y z}}"),
        (r"\mbox{\boldmath $\beta$}", r"\text{$\boldsymbol { \beta }$}"),
        (r"\text{a\hspace{1 em}b}", r"\text{a\hspace{1em}b}"),
        # tables
        (
            r"\begin{array}{c|c}a&b\\[ 5 pt]c&d\cr\hline\end{array}",
            r"\begin{array} { c | c } a & b \\[5pt] c & d \\ \hline \end{array}",
        ),
        ("\\begin{matrix}a\\\\ [b]\\end{matrix}", r"\begin{matrix} a \\ [ b ] \end{matrix}"),
        (r"\begin{array}[c]{*{3}{r}}a&b&c\end{array}", r"\begin{array} { r r r } a & b & c \end{array}"),
        (r"\begin{array}{c}a\over b\\c\end{array}", r"\begin{array} { c } \frac { a } { b } \\ c \end{array}"),
        (r"\pmatrix{a&b\cr c&d\cr}", r"\begin{pmatrix} a & b \\ c & d \\ \end{pmatrix}"),
        (r"\cases{a& if $b_1$\cr c\cr}", r"\begin{cases} a & \text{if $b _ { 1 }$} \\ c \\ \end{cases}"),
        (
            r"\begin{eqnarray*}a&=&b\\&=&c\end{eqnarray*}",
            r"\begin{array} { r c l } \displaystyle a & = & \displaystyle b \\ & = & \displaystyle c \end{array}",
        ),
        # what KaTeX lacks
        (r"\partial\!\!\!\slash", r"\partial \! \! \! /"),
        (r"\lefteqn{a=b}", r"\rlap{$\displaystyle a = b$}"),
        (r"\buildrel a\over =", r"\stackrel { a } { = }"),
        (r"\raise.3ex\hbox{$<$}\lower 1pt\hbox{a}", r"\raisebox{.3ex}{$<$} \raisebox{-1pt}{a}"),
        (r"\ensuremath{a}\protect b", "a b"),
        (r"x\hfill", "x"),
        (r"x = 1\eqno(2.1)", r"x = 1 \tag*{$( 2 . 1 )$}"),
        (r"x\tag{2a}", r"x \tag{2a}"),
    ],
)
def test_canonical_form(source: str, canonical: str) -> None:
    assert form(source) == canonical
    assert form(canonical) == canonical


@pytest.mark.parametrize(
    "source",
    [
        r"$x_1$",
        r"$$x_1$$",
        r"\[x_1\]",
        r"\(x_1\)",
        r" \begin{equation*} x_1 \end{equation*} ",
        r"\begin{displaymath}x_1\end{displaymath}",
        r"$$\begin{equation}\label{eq:a_1}x_1\nonumber\end{equation}$$",
        r"\label{eq:{a}}x_1\label {b}",
        "```latex\nx_1\n```",
    ],
)
def test_what_stands_around_a_formula_is_gone(source: str) -> None:
    assert canonical_latex(source) == Canonical("x _ { 1 }")


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (r"\begin{align*}a&=b\end{align*}", r"\begin{aligned} a & = b \end{aligned}"),
        (r"\begin{gather}a\nonumber\end{gather}", r"\begin{gathered} a \end{gathered}"),
        (r"\begin{alignat*}{2}a&=b&c\end{alignat*}", r"\begin{alignedat} { 2 } a & = b & c \end{alignedat}"),
        (r"\begin{align*}a&=b\tag{1}\end{align*}", r"\begin{align*} a & = b \tag{1} \end{align*}"),
    ],
)
def test_environments_of_documents_become_their_kin_in_formulas(source: str, shown: str) -> None:
    assert canonical_latex(source) == Canonical(shown)


@pytest.mark.parametrize(
    ("source", "warning"),
    [
        (r"\begin{equation}x\end{equation}", "latex_equation_number_dropped"),
        (r"\begin{align}a&=b\\c&=d\nonumber\end{align}", "latex_equation_number_dropped"),
        (r"\begin{array}{c}a\vspace{3mm}\\b\end{array}", "latex_vertical_space_dropped"),
        (r"a+%b", "latex_comment_cut"),
    ],
)
def test_what_shows_and_is_left_out_is_a_warning(source: str, warning: str) -> None:
    result = canonical_latex(source)
    assert isinstance(result, Canonical)
    assert result.warnings == (warning,)


@pytest.mark.parametrize("source", [r"a\vspace{3mm}", r"\begin{array}{c}{a\smallskip}\end{array}", "a%\n", "a%%% \n"])
def test_what_does_not_show_is_no_warning(source: str) -> None:
    result = canonical_latex(source)
    assert isinstance(result, Canonical)
    assert result.warnings == ()


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        (r"\foo", r"Undefined control sequence: \foo at character 0"),
        ("x_1_2", "Double subscript at character 10"),
        ("a}", "unexpected }"),
        ("{a", "the formula ends too early"),
        ("x^", "got nothing as a script without braces"),
        (r"\text{a", "text ends too early"),
        (r"\frac\mathrm{a}b", r"got \mathrm as the argument of \frac without braces"),
        (r"\def\a{\a\a}\a", r"\def changes what other commands mean"),
        (r"\newcommand{\a}{b}\a", r"\newcommand changes what other commands mean"),
        (r"\href{https://example.org}{x}", r"\href is not allowed"),
        ("$a$ and $b$", "Can't use function '$' in math mode at character 0"),
        (r"\begin{array}[t]{c}a\end{array}", "vertical position of array"),
        (r"\begin{array}{c}a\hfill\end{array}", r"Undefined control sequence: \hfill at character 22"),
        (r"\begin{multline}a\end{multline}", "No such environment: multline at character 6"),
        (r"x\begin{equation}a\end{equation}", "equation inside a formula"),
        (r"\begin{matrix}a\end{pmatrix}", r"\begin{matrix} ended by \end{pmatrix}"),
        (r"\hskip 0pt plus 1fil x", "a space that stretches without limit"),
        (r"\hspace{\textwidth}", r"invalid size \textwidth"),
        (r"\raisebox{0ex}[1ex]{a}", "got [ as text without braces"),
        (r"a \over b \over c", "two infix operators in one group"),
        (r"\sqrt [ [object Object] ] { x }", "[object Object] in place of what was there"),
        ("a\x07b", "control character U+0007 at 1"),
        ("{" * (MAX_DEPTH + 1) + "}" * (MAX_DEPTH + 1), f"nested deeper than {MAX_DEPTH}"),
    ],
)
def test_what_has_no_canonical_form(source: str, detail: str) -> None:
    found = reject(source)
    assert found.reason == Reason.LATEX_INVALID
    assert found.detail.startswith(detail)
    assert "\n" not in found.detail


def test_what_is_left_of_comments_and_labels_may_be_nothing() -> None:
    for source in ("%", r"\label{a}", "\xa0%", "~\xa0% x"):
        result = canonical_latex(source)
        assert isinstance(result, Reject) or canonical_latex(result.text) == Canonical(result.text)


def test_nothing_and_too_much() -> None:
    assert reject("%x").reason == Reason.MARKUP_EMPTY
    assert reject(r"$$\label{a}$$").reason == Reason.MARKUP_EMPTY
    assert reject("\ud800").reason == Reason.TEXT_NOT_UTF8
    assert reject("x" * (MAX_FORMULA_CHARS + 1)).reason == Reason.MARKUP_TOO_LARGE
    assert reject("x" * (MAX_FORMULA_CHARS - 1)).reason == Reason.MARKUP_TOO_LARGE  # its canonical form is too long


def test_a_batch_is_its_formulas_one_by_one() -> None:
    sources = ["x_1", r"\foo", "%", r"a\over b", "\x00"]
    assert canonical_latex_batch(sources) == [canonical_latex(source) for source in sources]
    assert canonical_latex_batch([]) == []


@pytest.mark.parametrize(
    "source",
    [
        "{" * 19_000,
        "$" * 19_000,
        "'" * 19_000,
        "%" * 19_000,
        "\\" * 19_000,
        "²" * 19_000,
        r"x^" * 9_000,
        r"\\[" * 6_000,
        r"\label{" * 2_500,
        r"\left(" * 3_000,
        r"\hskip" * 3_000,
        r"a\over " * 2_500,
        "{" * 90 + r"a\over b}" * 90,
        r"\lefteqn{" * 90 + "}" * 90,
        r"\text{$" * 90 + "$}" * 90,
        r"\begin{math}\begin{equation}" * 600,
        r"\begin{array}{*{9}{*{9}{*{9}{*{9}{*{9}{*{9}{c}}}}}}}a\end{array}",
    ],
    ids=lambda source: f"{source[:12]}…",
)
def test_hostile_formulas_take_bounded_time(source: str) -> None:
    start = time.process_time()
    canonical_latex(source)
    assert time.process_time() - start < 3


# Properties

_STRUCTURES = (
    r"\left( \right) \middle| \begin{array}{cc} \end{array} \begin{aligned} \end{aligned} \begin{eqnarray}"
    r" \end{eqnarray} \\ \\[2pt] \cr \label{a} \nonumber \matrix{ \cases{ \lefteqn{ \raise1pt\hbox{ \boldmath"
    r" \alpha \sum \limits \dots \, \ \! \slash \mit \vspace{1em} \hfill \eqno \sp \sb \tag{1} $$"
)
_PIECES = st.one_of(
    st.sampled_from(sorted(ARGUMENTS)),
    st.sampled_from(sorted(FONT_SWITCHES | INFIXES)),
    st.sampled_from([*"{{}}[]_^'$&~ ab1+-=(|.%\n²é\\", "{x}", "_{1}", "^{2}", "1em ", "{c}", "  "]),
    st.sampled_from(_STRUCTURES.split(" ")),
)


@given(st.lists(_PIECES, max_size=14).map("".join))
@example("{" * 60 + r"a\over b" + "}" * 60)
@example(r"{\rm\rm x}")
@example(r"{\over\rm x}")
@FUZZ
def test_canonical_form_of_any_formula_stays(source: str) -> None:
    result = canonical_latex(source)
    if isinstance(result, Canonical):
        assert canonical_latex(result.text) == Canonical(result.text)
        assert not isinstance(shared_katex().to_html([result.text])[0], KatexError)


@given(st.text(max_size=40))
@FUZZ
def test_any_text_gets_an_answer(source: str) -> None:
    result = canonical_latex(source)
    if isinstance(result, Canonical):
        assert canonical_latex(result.text) == Canonical(result.text)


# Real formulas


@cache
def real_formulas(shared_data: Path) -> tuple[list[str], list[str]]:
    """The tokenised formulas and the raw ones."""
    tokenised = (shared_data / "latex-formulas" / "formulas.txt").read_text().splitlines()
    files = sorted((shared_data / "latex-im2markup").glob("*.parquet"))
    return tokenised, [text for file in files for text in pq.read_table(file, columns=["text"])["text"].to_pylist()]


@cache
def real_results(shared_data: Path) -> tuple[list[Canonical | Reject], list[Canonical | Reject]]:
    tokenised, raw = real_formulas(shared_data)
    return canonical_latex_batch(tokenised), canonical_latex_batch(raw)


def test_most_real_formulas_have_one(shared_data: Path) -> None:
    tokenised, raw = real_results(shared_data)
    assert sum(isinstance(result, Canonical) for result in tokenised) >= 0.99 * len(tokenised)
    assert sum(isinstance(result, Canonical) for result in raw) >= 0.97 * len(raw)


def test_it_stays_on_real_formulas(shared_data: Path) -> None:
    texts = [
        result.text for results in real_results(shared_data) for result in results if isinstance(result, Canonical)
    ]
    assert canonical_latex_batch(texts) == [Canonical(text) for text in texts]


def test_it_is_what_im2latex_wrote(shared_data: Path) -> None:
    tokenised, _ = real_formulas(shared_data)
    results, _ = real_results(shared_data)
    same = sum(
        isinstance(result, Canonical) and result.text == text for result, text in zip(results, tokenised, strict=True)
    )
    assert same > 0.9 * len(tokenised)


def test_the_picture_stays_on_real_formulas(shared_data: Path) -> None:
    """KaTeX makes the same drawing of source and canonical form of every real formula whose source it takes."""
    katex = shared_katex()
    sources, texts = [], []
    for formulas, results in zip(real_formulas(shared_data), real_results(shared_data), strict=True):
        for source, result in zip(formulas, results, strict=True):
            if isinstance(result, Canonical):
                sources.append(katex_takes(source))
                texts.append(result.text)
    compared = 0
    for source, text, of_source, of_text in zip(
        sources, texts, katex.to_html(sources), katex.to_html(texts), strict=True
    ):
        if isinstance(of_source, str):
            assert isinstance(of_text, str)
            assert of_source == of_text or drawing(of_source) == drawing(of_text), (source, text)
            compared += 1
    assert compared > 0.995 * len(texts)


def katex_takes(source: str) -> str:
    """The source without what KaTeX does not know and TeX does not show, apart from all rewriting above."""
    source = re.sub(r"\\label\s*(\{[^{}]*\}|\S+)", "", source)
    source = re.sub(r"\\(nonumber|protect|smallskip|hfill)(?![a-zA-Z])|\\vspace\s*\{[^}]*\}", "", source)
    source = re.sub(r"\\(?:mbox|makebox)(?![a-zA-Z])", r"\\text", source)
    source = re.sub(r"\\slash(?![a-zA-Z])", "/", source)
    source = re.sub(r"\\sp(?![a-zA-Z])", "^", re.sub(r"\\sb(?![a-zA-Z])", "_", source))
    source = re.sub(
        r"(\\[hk](?:space|ern)) ([-{. \d]+[a-z] [a-z] ?\}?)", lambda m: m[1] + m[2].replace(" ", ""), source
    )
    # KaTeX pads a root's body in another span where it has no braces; `~` is as wide as a control space.
    source = re.sub(r"\\sqrt\s*([a-zA-Z\d]|\\[a-zA-Z]+)", r"\\sqrt{\1}", source)
    return re.sub(r"(?<!\\)\\ ?$", "~", source)


_TAG = re.compile(r'<span(?: class="([^"]*)")?([^>]*)>|</span>|[^<]+|<[^>]*>')
_DRAWS_NOTHING = frozenset({"mord", "mbin", "mrel", "mopen", "mclose", "mpunct", "minner", "mtight", "text"})
"""Classes that KaTeX's style sheet has no rule for."""


def drawing(html: str) -> str:
    """KaTeX's HTML without spans that neither move nor style what they hold."""
    kept: list[str] = []
    open_spans: list[bool] = []
    for match in _TAG.finditer(html):
        if match[0].startswith("<span"):
            draws = bool(match[2]) or not _DRAWS_NOTHING.issuperset((match[1] or "").split())
            open_spans.append(draws)
        else:
            draws = open_spans.pop() if match[0] == "</span>" else True
        if draws:
            kept.append(match[0])
    return "".join(kept)
