"""The `llm` backend: markup out of the answers of a chat model, which may be wrapped, broken, refused or cut off."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from curation.chat_endpoint import Answer, ChatEndpoint, Request
from curation.reasons import Reason, Reject
from curation.synthesize.candidate import Ask, Draft

ATTEMPTS: Final = 3
"""Each costs."""

LONGEST_DETAIL: Final = 120

SYSTEM: Final = {
    "page_to_html": """\
You write web pages. Answer with one complete HTML document and nothing else: no explanation, no Markdown.
Style it with classes of Tailwind CSS 2.2.19 alone, and load that style sheet with
<link href="https://cdn.jsdelivr.net/npm/tailwindcss@2.2.19/dist/tailwind.min.css" rel="stylesheet">.
No scripts. Pictures are <img src="https://source.unsplash.com/random/WIDTHxHEIGHT/?WORD">. Write real text, no
lorem ipsum. Say nothing of anybody's gender, origin, skin, faith, orientation, disability or age.""",
    "table_to_html": """\
You write tables as scientific papers have them. Answer with one HTML <table> and nothing else: no explanation, no
Markdown, no style. Use <thead> and <tbody>, and rowspan and colspan where cells are merged; every row covers the same
columns. Fill it with plausible words and numbers.""",
    "formula_to_latex": """\
You write formulas as papers in physics and mathematics have them. Answer with the LaTeX of one display formula and
nothing else: no explanation, no Markdown, no dollar signs, no \\[ \\], no equation number. Use what KaTeX knows, and
define no commands.""",
}
"""What the model is told, by task. Our own wording."""

_FENCE: Final = re.compile(r"```[ \t]*([\w+-]*)[ \t]*\r?\n(.*?)(?:\r?\n[ \t]*```|\Z)", re.DOTALL)
_THOUGHT: Final = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_PAGE: Final = re.compile(r"(?:<!doctype html[^>]*>\s*)?<html\b.*</html\s*>", re.DOTALL | re.IGNORECASE)
_TABLE: Final = re.compile(r"<table\b.*</table\s*>", re.DOTALL | re.IGNORECASE)
_DISPLAY: Final = (
    re.compile(r"\$\$(.+?)\$\$", re.DOTALL),
    re.compile(r"\\\[(.+?)\\\]", re.DOTALL),
    re.compile(r"\\\((.+?)\\\)", re.DOTALL),
    re.compile(r"\\begin\{equation\*?\}(.+?)\\end\{equation\*?\}", re.DOTALL),
    re.compile(r"(?<![\\$])\$([^$]+)\$"),
)
_LABEL: Final = re.compile(r"\A(?:here(?:'s| is)[^\n:]*|latex|formula|answer)\s*:\s*", re.IGNORECASE)
_REFUSAL: Final = re.compile(
    r"\A\W*(?:i['’]?m (?:very )?sorry|sorry\b|i can(?:no|['’])t\b|i(?:['’]| a)m (?:un|not )able|as an ai\b"
    r"|unfortunately)",
    re.IGNORECASE,
)
_PROSE: Final = re.compile(r"(?:[A-Za-z]{2,}[ ,]+){5}[A-Za-z]{2,}")
"""Six words in a row: no formula."""


class LanguageModel:
    """Drafts that a chat model writes."""

    n_attempts = ATTEMPTS

    def __init__(self, chat: ChatEndpoint, temperature: float = 0.8, max_tokens: int = 4_096) -> None:
        self._chat, self._temperature, self._max_tokens = chat, temperature, max_tokens

    @property
    def spent(self) -> str:
        """Why nothing more is asked."""
        return self._chat.budget.spent

    def cost(self) -> dict[str, float | int]:
        """Requests that were answered now, their tokens, and what they cost."""
        return self._chat.budget.facts()

    def drafts(self, asks: Sequence[Ask]) -> list[Draft | Reject]:
        """A draft for each ask; all are asked together."""
        requests = [self._request(ask) for ask in asks]
        answers = self._chat.ask_all(requests)
        return [self._draft(*one) for one in zip(asks, requests, answers, strict=True)]

    def _request(self, ask: Ask) -> Request:
        sample = ask.number * ATTEMPTS + ask.attempt
        return Request(SYSTEM[ask.prompt.task], ask.prompt.text, self._temperature, self._max_tokens, sample)

    def _draft(self, ask: Ask, request: Request, answer: Answer) -> Draft | Reject:
        if answer.why:
            return Reject(Reason.ANSWER_MISSING, answer.why[:LONGEST_DETAIL])
        text = markup_in(ask.prompt.task, answer.text)
        if answer.is_refusal or (text is None and _REFUSAL.match(answer.text)):
            return Reject(Reason.ANSWER_REFUSED, _one_line(answer.text))
        if answer.is_cut_off:
            return Reject(Reason.ANSWER_CUT_OFF, f"after {len(answer.text):,} characters")
        if text is None:
            return Reject(Reason.ANSWER_REFUSED, f"no markup in it: {_one_line(answer.text)}")
        lineage = {
            "generator": "chat model",
            "model": self._chat.endpoint.model,
            "temperature": request.temperature,
            "sample": request.sample,
        }
        return Draft(text, lineage)


def markup_in(task: str, said: str) -> str | None:
    """The markup of an answer, out of code fences and the words around it; None where there is none."""
    said = _THOUGHT.sub("", said).strip()
    fenced = max((match[2] for match in _FENCE.finditer(said)), key=len, default="")
    text = (fenced or said).strip()
    if task == "page_to_html":
        whole = _PAGE.search(text)
        if whole:
            return whole[0]
        return text if fenced and re.match(r"<\w", text) else None
    if task == "table_to_html":
        found = _TABLE.search(text)
        return found[0] if found else None
    for pattern in _DISPLAY:
        if found := pattern.search(text):
            return found[1].strip() or None
    text = _LABEL.sub("", text).strip()
    words = re.sub(r"\\(?:text|mbox|textrm|mathrm)\s*\{[^}]*\}", "", text)
    if not text or (not fenced and (_PROSE.search(words) or _REFUSAL.match(text))):
        return None
    return text


def _one_line(text: str) -> str:
    return " ".join(text.split())[:LONGEST_DETAIL]
