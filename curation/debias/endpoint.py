"""Captions written again by a model behind an OpenAI-compatible endpoint; its answers are checked, never trusted.

Address, key and model come from the environment. What fails is tried again a bounded number of times; what does not
come, or cannot be used, is made by rule, and says so.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from curation.chat_endpoint import Endpoint, Limits, Sender, Sleep, completion, read_answer
from curation.debias.rules import changeable, rewrite
from curation.errors import UnreachableError

if TYPE_CHECKING:
    import httpx

LIMITS: Final = Limits(n_tries=4, timeout_s=60.0)

MOST_FAILURES: Final = 10
"""Captions in a row for which no answer came: then the endpoint is given up."""

GUIDELINES: Final = """\
You edit captions of pictures so that they say nothing of people's gender, sexual orientation, race, \
ethnicity, nationality, religion, disability or age, and change nothing else.

1. Say "person" or "people" for adults and "child" or "children" for those who are clearly young; say a role \
("cyclist", "chef", "police officer") only if the caption says it or what the person does makes it plain.
2. Use "they", "them" and "their" for a person, with the verb in the plural: "they are", "they ride".
3. Two persons who stood side by side stay two: "a man and a woman" becomes "two people". Keep all numbers \
true.
4. Leave out words for origin, skin, faith or age of a person; keep colours of clothes and things, names of \
places, dishes and breeds. Keep wheelchairs, canes and other things that are seen.
5. Keep every object, action, place, colour and number, and the order in which they are told. Add nothing. Do \
not make it shorter or nicer, and do not mend what is not about rule 1 to 4.
6. Keep the grammar right: articles ("an" before a vowel), plurals, possessives.
7. If nothing has to change, answer with the caption as it is.

Answer with the new caption alone: one line, without quotation marks, without a comment.\
"""
"""Our own wording."""

_REFUSAL: Final = re.compile(
    r"^(?:i(?:'|’)?m sorry|sorry\b|i can(?:no|')t|i can’t|i am unable|i'm unable|as an ai|unfortunately)", re.IGNORECASE
)
_QUOTED: Final = re.compile(r"""^["“'‘](.*)["”'’]$""", re.DOTALL)
_LABEL: Final = re.compile(r"^(?:caption|rewritten caption|new caption|answer)\s*:\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Rewritten:
    """A caption as it is to be; `made_by` says who made it, `note` why it is not the model's."""

    caption: str
    made_by: str
    note: str = ""


def rewrite_all(
    captions: Sequence[str], endpoint: Endpoint, limits: Limits = LIMITS, sleep: Sleep = time.sleep
) -> list[Rewritten]:
    """Each caption written again by the model; those without a mention are not sent and stay as they are.

    An answer that is empty, a refusal, of several lines, much longer or shorter than the caption, or that still says
    what it should not, is not taken: the caption is made by rule, with a note. Equal captions are asked for once.

    Raises:
        BadInputError: the endpoint refuses the key, or knows no such model or address.
        UnreachableError: it does not answer, after all tries, `MOST_FAILURES` captions in a row.
    """
    import httpx  # noqa: PLC0415 - one of two rewriters needs it

    asked = list(dict.fromkeys(caption for caption in captions if changeable(caption)))
    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    answers: dict[str, Rewritten] = {}
    failures, sender = 0, Sender(endpoint, limits, sleep)
    with (
        httpx.Client(timeout=limits.timeout_s, headers=headers, follow_redirects=False) as client,
        ThreadPoolExecutor(limits.n_at_once) as pool,
    ):
        for start in range(0, len(asked), MOST_FAILURES):
            some = asked[start : start + MOST_FAILURES]
            for caption, (answer, came) in zip(
                some, pool.map(lambda one: _one(client, sender, endpoint.model, one), some), strict=True
            ):
                answers[caption] = answer
                failures = 0 if came else failures + 1
            if failures >= MOST_FAILURES:
                problem = f"{endpoint.address} gave no answer to {failures} captions in a row ({answer.note})"
                raise UnreachableError(problem, "Try again later, or debias by --rewriter rules")
    return [answers.get(caption, Rewritten(caption, endpoint.model)) for caption in captions]


def _one(client: httpx.Client, sender: Sender, model: str, caption: str) -> tuple[Rewritten, bool]:
    """A caption's rewriting, and whether an answer came."""
    body = {
        "model": model,
        "messages": [{"role": "system", "content": GUIDELINES}, {"role": "user", "content": caption}],
        "temperature": 0,
    }
    found, why = sender.post(client, "/chat/completions", body, completion)
    if found is None:
        return Rewritten(rewrite(caption), "rules", why), False
    answer = _cleaned(read_answer(found).text, caption)
    problem = _problem_of(answer, caption)
    return (Rewritten(rewrite(caption), "rules", problem) if problem else Rewritten(answer, model)), True


def _cleaned(said: str, caption: str) -> str:
    """The answer without a label or quotation marks of its own, between the white space that the caption has."""
    text = _LABEL.sub("", said.strip())
    quoted = _QUOTED.match(text)
    if quoted and not _QUOTED.match(caption.strip()):
        text = quoted[1].strip()
    start = caption[: len(caption) - len(caption.lstrip())]
    return start + text + caption[len(caption.rstrip()) :] if text else ""


def _problem_of(answer: str, caption: str) -> str:
    """Why an answer cannot be taken; empty where it can."""
    if not answer.strip():
        return "the answer is empty"
    if _REFUSAL.match(answer.strip()):
        return "the answer is a refusal"
    if "\n" in answer.strip() and "\n" not in caption.strip():
        return "the answer has several lines"
    n_was, n_is = len(caption.split()), len(answer.split())
    if n_is > 1.5 * n_was + 6 or n_is < 0.4 * n_was - 2:
        return f"the answer has {n_is} words for {n_was}"
    left = sorted({f"{mention.category}:{mention.term}" for mention in changeable(answer)})
    return f"the answer still says {', '.join(left)}" if left else ""
