"""What near duplicates are told by: the tokens of what a target says and of how it is built, as sets of shingles.

Nothing here compares anything: `curation.measures.hashes` makes signatures of the sets, `curation.duplicates` decides.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from curation.markup.latex_tokens import CONTROL_SPACE, SPACE, tokenize
from curation.markup.tree import Start, events, parse, root_of
from curation.markup.visible_text import visible_text
from curation.reasons import Reject
from curation.sample import Task

_WORD: Final = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"  # kana and Han have no spaces between words: a character each
    r"|[^\W\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+(?:[.,:/'’-][^\W\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+)*"
)
_SPANS: Final = ("colspan", "rowspan")
_DIGITS: Final = re.compile(r"[0-9]+")

GLUE: Final = "\x1f"
"""Between the tokens of a shingle: no token has it."""


def words(text: str) -> list[str]:
    """Words and numbers (`12.5`, `don't`, `well-known`), case-folded and NFKC; the marks of a text without any."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return _WORD.findall(text) or text.split()


def text_tokens(task: Task, text: str | None, messages: Sequence[Mapping[str, str]] | None = None) -> list[str]:
    """What a target says: visible words of a page, table, caption or conversation, the tokens of a formula.

    Empty where it says nothing. `text` is in canonical form; of a chat, `messages` are read.
    """
    if task == "image_chat":
        return words("\n".join(message["content"] or "" for message in messages or ()))
    if text is None:
        return []
    if task == "formula_to_latex":
        return [token for token in tokenize(text) if token not in {SPACE, CONTROL_SPACE}]
    return words(visible_text(task, text) or "")


def skeleton_tokens(task: Task, text: str | None) -> list[str]:
    r"""How a target is built: depth and tag of each element (and the spans of a cell); commands and signs of a formula.

    Attributes, words, names of variables and numbers do not count: `\frac { x } { 12 }` is `\frac { a } { 0 }`.
    Empty for captions, for chats and for markup over a cap.
    """
    if text is None or task in {"image_to_caption", "image_chat"}:
        return []
    if task == "formula_to_latex":
        return [_name_or_sign(token) for token in tokenize(text) if token not in {SPACE, CONTROL_SPACE}]
    tree = parse(text)
    if isinstance(tree, Reject):
        return []
    tokens: list[str] = []
    depth = 0
    for event in events(root_of(tree)):
        if isinstance(event, Start):
            spans = "".join(f" {name}={event.attributes[name]}" for name in _SPANS if name in event.attributes)
            tokens.append(f"{depth} {event.tag}{spans}")
            depth += 1
        elif not isinstance(event, str):
            depth -= 1
    return tokens


def shingles(tokens: Sequence[str]) -> set[str]:
    """Each token with how often it came before, and each pair of neighbours: what two texts must share to be alike.

    Runs of three words are usual for long documents. Of 300 WebSight pages (10 to 228 words) with 1 to 3 words changed
    the least alike pair has a Jaccard index of 0.72 by this and 0.38 by those; the most alike two pages that have
    nothing to do with each other have 0.65 and 0.52.
    """
    seen: Counter[str] = Counter()
    found = {GLUE.join(pair) for pair in pairwise(tokens)}
    for token in tokens:
        found.add(f"{token}{GLUE}{GLUE}{seen[token]}")
        seen[token] += 1
    return found


def _name_or_sign(token: str) -> str:
    if token.startswith("\\"):
        return token
    return "0" if _DIGITS.fullmatch(token) else "a" if token.isalnum() else token
