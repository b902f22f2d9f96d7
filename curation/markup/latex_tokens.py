"""LaTeX cut into tokens as KaTeX cuts it, and what the rewriting has to know about commands."""

from __future__ import annotations

import re
from typing import Final

CONTROL_SPACE: Final = "\\ "
SPACE: Final = " "

UNICODE_SCRIPTS: Final = (
    "⁺⁻⁼⁽⁾⁰¹²³⁴⁵⁶⁷⁸⁹ᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵝᵞᵟᵠᵡᶿ₊₋₌₍₎₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ"
)
"""Characters that KaTeX reads as sub- or superscripts (its `unicodeSupOrSub`); a run of them is one script."""

_TOKEN: Final = re.compile(
    r"""
      (?P<comment> %[^\n]*(?:\n[ \t\r]*)? )          # with its line end and the next line's indent, as TeX reads it
    | (?P<space>   [ \r\n\t]+ )
    | (?P<control_space> \\(?:[ \r\t\n]+|\Z) )        # TeX reads a backslash at a line's end as one too
    | (?P<char>    \\char[ \t\n\r]*(?:"[0-9A-Fa-f]+|'[0-7]+|`\\?[^\s\\]|[0-9]+) )
    | (?P<whole>   \\verb\*([^\n]).*?\6 | \\verb([^*a-zA-Z\n]).*?\7 )
    | (?P<word>    \\[a-zA-Z@]+ ) [ \r\n\t]*
    | (?P<scripts> [SCRIPTS]+ )
    | (?P<other>   \\. | .[\u0300-\u036f]* )
    """.replace("SCRIPTS", UNICODE_SCRIPTS),
    re.VERBOSE | re.DOTALL,
)

ARGUMENTS: Final[dict[str, str]] = {
    # m: markup of the mode around it   p: the same, where TeX takes a whole atom without braces
    # t: text   s: size   k: size without braces   r: raw   o: optional markup   S, R: optional size, raw
    **dict.fromkeys(
        (
            r"\acute \grave \ddot \tilde \bar \breve \check \hat \vec \dot \mathring \widecheck \widehat \widetilde"
            r" \overrightarrow \overleftarrow \Overrightarrow \overleftrightarrow \overgroup \overlinesegment"
            r" \overleftharpoon \overrightharpoon \underleftarrow \underrightarrow \underleftrightarrow \undergroup"
            r" \underlinesegment \utilde \pmb \cancel \bcancel \xcancel \sout \phase"
            r" \mathrm \mathit \mathbf \mathnormal \mathsfit \mathbb \mathcal \mathfrak \mathscr \mathsf \mathtt \Bbb"
            r" \bold \frak \boldsymbol \bm \overbrace \underbrace \overbracket \underbracket \mathllap \mathrlap"
            r" \mathclap \operatorname \operatorname* \operatornamewithlimits \overline \underline \phantom \vphantom"
            r" \hphantom \vcenter \boxed \substack \pmod \pod \mod \dddot \ddddot \bra \ket \braket \Bra \Ket"
        ).split(),
        "m",
    ),
    **dict.fromkeys(r"\mathord \mathbin \mathrel \mathopen \mathclose \mathpunct \mathinner \mathop".split(), "p"),
    **dict.fromkeys(r"\frac \dfrac \tfrac \cfrac \binom \dbinom \tbinom \stackrel \overset \underset".split(), "mm"),
    **dict.fromkeys(
        (
            r"\xleftarrow \xrightarrow \xLeftarrow \xRightarrow \xleftrightarrow \xLeftrightarrow \xhookleftarrow"
            r" \xhookrightarrow \xmapsto \xrightharpoondown \xrightharpoonup \xleftharpoondown \xleftharpoonup"
            r" \xrightleftharpoons \xleftrightharpoons \xlongequal \xtwoheadrightarrow \xtwoheadleftarrow \xtofrom"
        ).split(),
        "om",
    ),
    **dict.fromkeys(
        (
            r"\text \textrm \textsf \texttt \textnormal \textbf \textmd \textit \textup \emph \fbox \hbox \mbox"
            r" \llap \rlap \clap \underbar \tag \tag* \angl"
        ).split(),
        "t",
    ),
    **dict.fromkeys(r"\kern \mkern \hskip \mskip \above".split(), "k"),
    r"\sqrt": "op",
    r"\smash": "Rm",
    r"\mathchoice": "mmmm",
    r"\genfrac": "mmsrmm",
    r"\hspace": "s",
    r"\hspace*": "s",
    r"\rule": "Sss",
    r"\raisebox": "st",
    r"\color": "r",
    r"\textcolor": "rm",
    r"\colorbox": "rt",
    r"\fcolorbox": "rrt",
}
"""What follows each command that takes arguments, in KaTeX 0.19 (`numArgs` and `argTypes` in its sources)."""

TAKEN_AS_ATOM: Final = frozenset(
    r"\mathrm \mathit \mathbf \mathnormal \mathsfit \mathbb \mathcal \mathfrak \mathscr \mathsf \mathtt \Bbb \bold \frak"
    r" \frac \dfrac \tfrac \cfrac \binom \dbinom \tbinom \genfrac"
    r" \text \textrm \textsf \texttt \textnormal \textbf \textmd \textit \textup \emph \mbox".split()
)
"""Commands that may stand, with their arguments, where TeX takes an atom (KaTeX: `allowedInArgument`)."""

STARRED: Final = frozenset({r"\operatorname", r"\hspace", r"\tag"})

FONT_SWITCHES: Final = frozenset(
    r"\rm \sf \tt \bf \it \cal \mit \tiny \sixptsize \scriptsize \footnotesize \small \normalsize \large \Large \LARGE"
    r" \huge \Huge \color".split()
)
STYLE_SWITCHES: Final = frozenset(r"\displaystyle \textstyle \scriptstyle \scriptscriptstyle".split())
INFIXES: Final = frozenset(
    r"\over \choose \atop \brace \brack \above \overwithdelims \atopwithdelims \abovewithdelims".split()
)
SCRIPT_STYLES: Final = frozenset({r"\scriptstyle", r"\scriptscriptstyle"})

MACRO_COMMANDS: Final = frozenset(
    r"\def \gdef \edef \xdef \let \futurelet \global \long \newcommand \renewcommand \providecommand \expandafter"
    r" \noexpand \csname \endcsname \newenvironment \renewenvironment \DeclareMathOperator \DeclareRobustCommand"
    r" \catcode \mathcode \begingroup \endgroup \everymath \setlength \newlength \arraystretch".split()
)
"""Commands that change what others mean: a formula with one is refused."""


def has_open_comment(text: str) -> bool:
    """Whether the last line ends in a comment that says something: often a line whose end got lost."""
    last_line = text.rpartition("\n")[2]
    comments = (match[0] for match in _TOKEN.finditer(last_line) if match.lastgroup == "comment")
    return "%" in last_line and any(comment.strip("% \t\r") for comment in comments)


def tokenize(text: str) -> list[str]:
    """Control words, control symbols, characters and single spaces; comments are gone.

    A run of white space is one `" "`; white space after a control word belongs to it. A Unicode character keeps its
    combining accents, `\\verb` its argument and `\\char` its number.
    """
    tokens: list[str] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "comment":
            continue
        if kind == "space":
            tokens.append(SPACE)
        elif kind == "control_space":
            tokens.append(CONTROL_SPACE)
        elif kind == "word":
            tokens.append(match["word"])
        elif kind == "char":
            tokens.append("".join(match[0].split()))
        else:
            tokens.append(match[0])
    return tokens
