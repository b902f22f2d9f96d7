"""LaTeX cut into tokens as KaTeX cuts it, and what the rewriting has to know about commands."""

# ruff: noqa: S105 - a token here is LaTeX's, no secret
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


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ARGUMENTS: Final[dict[str, str]] = {
    # m: markup of the mode around it   p: the same, where TeX takes a whole atom without braces
    # t: text   s: size   k: size without braces   r: raw   o: optional markup   S, R: optional size, raw
    **dict.fromkeys(
        _words(
            r"\acute \grave \ddot \tilde \bar \breve \check \hat \vec \dot \mathring \widecheck \widehat \widetilde"
            r" \overrightarrow \overleftarrow \Overrightarrow \overleftrightarrow \overgroup \overlinesegment"
            r" \overleftharpoon \overrightharpoon \underleftarrow \underrightarrow \underleftrightarrow \undergroup"
            r" \underlinesegment \utilde \pmb \cancel \bcancel \xcancel \sout \phase"
            r" \mathrm \mathit \mathbf \mathnormal \mathsfit \mathbb \mathcal \mathfrak \mathscr \mathsf \mathtt \Bbb"
            r" \bold \frak \boldsymbol \bm \overbrace \underbrace \overbracket \underbracket \mathllap \mathrlap"
            r" \mathclap \operatorname \operatorname* \operatornamewithlimits \overline \underline \phantom \vphantom"
            r" \hphantom \vcenter \boxed \substack \pmod \pod \mod \dddot \ddddot \bra \ket \braket \Bra \Ket"
        ),
        "m",
    ),
    **dict.fromkeys(_words(r"\mathord \mathbin \mathrel \mathopen \mathclose \mathpunct \mathinner \mathop"), "p"),
    **dict.fromkeys(_words(r"\frac \dfrac \tfrac \cfrac \binom \dbinom \tbinom \stackrel \overset \underset"), "mm"),
    **dict.fromkeys(
        _words(
            r"\xleftarrow \xrightarrow \xLeftarrow \xRightarrow \xleftrightarrow \xLeftrightarrow \xhookleftarrow"
            r" \xhookrightarrow \xmapsto \xrightharpoondown \xrightharpoonup \xleftharpoondown \xleftharpoonup"
            r" \xrightleftharpoons \xleftrightharpoons \xlongequal \xtwoheadrightarrow \xtwoheadleftarrow \xtofrom"
        ),
        "om",
    ),
    **dict.fromkeys(
        _words(
            r"\text \textrm \textsf \texttt \textnormal \textbf \textmd \textit \textup \emph \fbox \hbox \mbox"
            r" \llap \rlap \clap \underbar \tag \tag* \angl"
        ),
        "t",
    ),
    **dict.fromkeys(_words(r"\kern \mkern \hskip \mskip \above"), "k"),
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

TAKEN_AS_ATOM: Final = _words(
    r"\mathrm \mathit \mathbf \mathnormal \mathsfit \mathbb \mathcal \mathfrak \mathscr \mathsf \mathtt \Bbb \bold"
    r" \frak \frac \dfrac \tfrac \cfrac \binom \dbinom \tbinom \genfrac"
    r" \text \textrm \textsf \texttt \textnormal \textbf \textmd \textit \textup \emph \mbox"
)
"""Commands that may stand, with their arguments, where TeX takes an atom (KaTeX: `allowedInArgument`)."""

STARRED: Final = frozenset({r"\operatorname", r"\hspace", r"\tag"})

FONT_SWITCHES: Final = _words(
    r"\rm \sf \tt \bf \it \cal \mit \tiny \sixptsize \scriptsize \footnotesize \small \normalsize \large \Large \LARGE"
    r" \huge \Huge \color"
)
STYLE_SWITCHES: Final = _words(r"\displaystyle \textstyle \scriptstyle \scriptscriptstyle")
INFIXES: Final = _words(r"\over \choose \atop \brace \brack \above \overwithdelims \atopwithdelims \abovewithdelims")
SCRIPT_STYLES: Final = frozenset({r"\scriptstyle", r"\scriptscriptstyle"})

MACRO_COMMANDS: Final = _words(
    r"\def \gdef \edef \xdef \let \futurelet \global \long \newcommand \renewcommand \providecommand \expandafter"
    r" \noexpand \csname \endcsname \newenvironment \renewenvironment \DeclareMathOperator \DeclareRobustCommand"
    r" \catcode \mathcode \begingroup \endgroup \everymath \setlength \newlength \arraystretch"
)
"""Commands that change what others mean: a formula with one is refused."""


def has_open_comment(text: str) -> bool:
    """Whether the last line ends in a comment that says something: often a line whose end got lost."""
    last_line = text.rpartition("\n")[2]
    comments = (match[0] for match in _TOKEN.finditer(last_line) if match.lastgroup == "comment")
    return "%" in last_line and any(comment.strip("% \t\r") for comment in comments)


def tokenize(text: str) -> list[str]:
    r"""Control words, control symbols, characters and single spaces; comments are gone.

    A run of white space is one `" "`; white space after a control word belongs to it. A Unicode character keeps its
    combining accents, `\verb` its argument and `\char` its number.
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


def join_math(tokens: list[str]) -> str:
    """Tokens with a space between; a control space at the end keeps its own."""
    return " ".join(tokens) + (" " if tokens and tokens[-1] == "\\" else "")


def braced(tokens: list[str]) -> list[str]:
    """`tokens` as a group."""
    return ["{", *tokens, "}"]


def unwrapped(tokens: list[str]) -> list[str]:
    """What is inside, where `tokens` is one braced group, else `tokens`."""
    if len(tokens) < 2 or tokens[0] != "{" or tokens[-1] != "}":
        return tokens
    depth = 0
    for token in tokens[:-1]:
        depth += (token == "{") - (token == "}")
        if depth == 0:
            return tokens
    return tokens[1:-1]
