"""Token counts of whole conversations, saturating at a ceiling: what training will see, counted fast.

A text that is certainly too long is not tokenised to its end: n tokens in a part of it are enough, where the part
is cut so that it cannot have more tokens than the whole. Counts are those of counting everything, always: what is
not certain from a part is counted whole, and whatever is over the ceiling is `ceiling + 1`.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from tokenizers.pre_tokenizers import ByteLevel

from curation.conversation import IMAGE_MARK, ConversationFrame, Prompt, chat_template
from curation.image_tokens import ImageTokens, Size
from curation.tokenizers import LoadedTokenizer

MARGIN_TOKENS: Final = 4
"""A part cut before white space never had more tokens than the whole in 12,800 comparisons with each of four
tokenizers, one cut anywhere else up to 3 more; 4 covers even those."""

BATCH_CHARS: Final = 1_000_000
"""Texts of this length together are tokenised at a time: encodings take some 100 bytes a token."""

FIRST_CHARS_PER_TOKEN: Final = 6.0
"""More than tokenizers have on markup (3.6 and 2.6 measured), so that the first parts are long enough."""

_LONG_TOKEN_CHARS: Final = 64
"""Vocabularies have tokens at least so long (runs of spaces and dashes; 128 in DeepSeek's)."""

_WORTH_A_PART: Final = 1.15
"""A part must be this much shorter than the whole: some parts turn out to be in vain."""

_HIGH_QUANTILE: Final = 0.95
_CUT = re.compile(r"(?<=\S)[ \t\n\r]")
_IMAGE_MARKS: Final = (IMAGE_MARK, "<|image_pad|>", "<|image|>", "[IMG]", "<image_soft_token>", "<start_of_image>")


class TokenCounter:
    """Counts the tokens of conversations of one task: template, prompts, picture and text.

    `image_mark` is what stands for the picture in a conversation; a text must not hold it.
    Threads may share one. Tokenising runs on all cores, outside the interpreter's lock, as
    `TOKENIZERS_PARALLELISM` and `RAYON_NUM_THREADS` say.
    """

    def __init__(
        self, tokenizer: LoadedTokenizer, prompt: Prompt, task: str, image_tokens: ImageTokens, ceiling: int
    ) -> None:
        self.ceiling = ceiling
        self._backend = tokenizer.backend
        self._images = image_tokens
        special_tokens = dict(tokenizer.special_tokens)
        known_mark = image_tokens.mark or special_tokens.get("image_token") or IMAGE_MARK
        template = chat_template(tokenizer.own_template, special_tokens, prompt, known_mark)
        self._frame = ConversationFrame(template, task, prompt)
        self.image_mark, self._mark_is_token = _image_mark(tokenizer, known_mark, self._frame.render("x"))
        self._can_cut = _cuts_are_safe(self._backend)
        example = self.render("x")
        self._beside_picture = image_tokens.beside(example, self._encode([example])[0])
        self._chars_per_token = 0.0  # a high estimate; 0 until something was counted

    def count(
        self,
        texts: Sequence[str | None],
        image_sizes: Sequence[Size | None] | None = None,
        conversations: Sequence[Sequence[Mapping[str, str]] | None] | None = None,
    ) -> list[int]:
        """Tokens of each conversation, or `ceiling + 1` where there are more than `ceiling`.

        `image_sizes` are (width, height) in px; where one is not known, the count is a lower bound.
        `conversations` are the `messages` of `image_chat` samples, in place of texts.
        """
        counts = [0] * len(texts)
        limits = [self.ceiling - self._picture(size) for size in image_sizes or [None] * len(texts)]
        waiting = deque((row, 0) for row in range(len(texts)))  # row, and how many characters its part must have
        while waiting:
            batch: list[tuple[int, str, bool]] = []  # row, its conversation or a part of it, and which
            n_chars = 0
            while waiting and n_chars < BATCH_CHARS:
                row, part_chars = waiting.popleft()
                whole = self.render(texts[row], conversations[row] if conversations else None)
                if limits[row] < 0 or self._is_certainly_over(len(whole), limits[row]):
                    counts[row] = self.ceiling + 1
                    continue
                part = self._part(whole, max(part_chars, self._likely_chars(limits[row])))
                batch.append((row, part, len(part) == len(whole)))
                n_chars += len(part)
            n_tokens_of = self._encode([part for _, part, _ in batch]) if batch else []
            for (row, part, is_whole), n_tokens in zip(batch, n_tokens_of, strict=True):
                if n_tokens > limits[row] + (0 if is_whole else MARGIN_TOKENS):
                    counts[row] = self.ceiling + 1
                elif is_whole:
                    counts[row] = n_tokens + self.ceiling - limits[row]
                else:  # its tokens are longer than most: a longer part, by what this one had
                    enough = (limits[row] + MARGIN_TOKENS + 1) * len(part) / max(n_tokens, 1)
                    waiting.append((row, int(max(1.5 * len(part), 1.1 * enough))))
            self._learn([len(part) / max(n, 1) for (_, part, _), n in zip(batch, n_tokens_of, strict=True)])
        return counts

    def with_pictures(self, counts: Sequence[int], image_sizes: Sequence[Size | None]) -> list[int]:
        """Exact counts from the lower bounds that `count` gave without sizes, without tokenising again.

        Only for rows that are not over the ceiling.
        """
        grown = [n + self._picture(size) - self._picture(None) for n, size in zip(counts, image_sizes, strict=True)]
        return [min(n, self.ceiling + 1) for n in grown]

    def render(self, text: str | None, conversation: Sequence[Mapping[str, str]] | None = None) -> str:
        """What is tokenised: the conversation in which the picture's mark stands for all its tokens."""
        rendered = self._frame.render(text or "") if conversation is None else self._frame.render_chat(conversation)
        # A stand-in tokenizer would take the mark to pieces, which the target model's does not.
        return rendered if self._mark_is_token else rendered.replace(self.image_mark, "", 1)

    def _picture(self, size: Size | None) -> int:
        """Tokens of the picture beyond those that the rendered conversation has for it."""
        n_tokens = self._images.lower_bound if size is None else self._images.of(size)
        return n_tokens + self._beside_picture - self._mark_is_token

    def _likely_chars(self, limit: int) -> int:
        """Length of a part that most texts need to be over the limit and the margin."""
        return int((limit + MARGIN_TOKENS + 1) * (self._chars_per_token or FIRST_CHARS_PER_TOKEN))

    def _part(self, whole: str, n_chars: int) -> str:
        """The start of a conversation, `n_chars` or a little longer, cut where white space begins; or all of it."""
        if not self._can_cut or len(whole) < n_chars * _WORTH_A_PART:
            return whole
        cut = _CUT.search(whole, n_chars, int(n_chars * _WORTH_A_PART))
        return whole[: cut.start()] if cut else whole

    def _is_certainly_over(self, n_chars: int, limit: int) -> bool:
        """Whether even the longest tokens of the vocabulary would be too many. A character has a byte or more."""
        if n_chars <= limit * _LONG_TOKEN_CHARS:  # saves looking through the vocabulary
            return False
        return self._max_token_bytes > 0 and n_chars > limit * self._max_token_bytes

    @cached_property
    def _max_token_bytes(self) -> int:
        return _max_token_bytes(self._backend)

    def _encode(self, parts: list[str]) -> list[int]:
        return [len(e) for e in self._backend.encode_batch_fast(parts, add_special_tokens=False)]

    def _learn(self, ratios: list[float]) -> None:
        """Keep a high quantile of characters per token, moving slowly: it decides speed, never a verdict."""
        if not ratios:
            return
        high = sorted(ratios)[int(_HIGH_QUANTILE * (len(ratios) - 1))]
        known = self._chars_per_token
        self._chars_per_token = 0.7 * known + 0.3 * high if known else high


def _image_mark(tokenizer: LoadedTokenizer, known: str, rendered: str) -> tuple[str, bool]:
    """What a template wrote for the picture, and whether the tokenizer has it as one token."""
    marks = [mark for mark in (known, *_IMAGE_MARKS) if mark in rendered]
    added = {token.content for token in tokenizer.backend.get_added_tokens_decoder().values()}
    of_tokenizer = next((mark for mark in marks if mark in added), None)
    return (of_tokenizer, True) if of_tokenizer else (marks[0] if marks else known, False)


def _cuts_are_safe(backend: Any) -> bool:
    """Whether no added token goes over the start of white space: cutting one gives up any number of tokens for it."""
    return not any(_CUT.search(token.content) for token in backend.get_added_tokens_decoder().values())


def _max_token_bytes(backend: Any) -> int:
    """Bytes of the longest token where every byte of a text ends in some token; 0 where that is not sure.

    It is for byte-level BPE that knows all 256 bytes, without a normaliser, without a splitter that drops what it
    finds, and without added tokens that take in the white space beside them.
    """
    added = list(backend.get_added_tokens_decoder().values())
    if type(backend.model).__name__ != "BPE" or any(token.lstrip or token.rstrip for token in added):
        return 0
    normalizer, splitter = (_leaves(part) for part in (backend.normalizer, backend.pre_tokenizer))
    if normalizer or not any(leaf["type"] == "ByteLevel" for leaf in splitter):
        return 0
    if any(leaf["type"] not in ("ByteLevel", "Split") or leaf.get("behavior") == "Removed" for leaf in splitter):
        return 0
    if any(backend.token_to_id(byte) is None for byte in ByteLevel.alphabet()):
        return 0
    vocabulary = backend.get_vocab(with_added_tokens=False)
    return max(*map(len, vocabulary), *(len(token.content.encode()) for token in added))


def _leaves(component: Any) -> list[dict[str, Any]]:
    """The parts of a normaliser or pre-tokenizer, sequences taken apart, as their JSON."""
    if component is None:
        return []
    todo, leaves = [json.loads(component.__getstate__())], []
    while todo:
        part = todo.pop()
        inner = [*part.get("normalizers", []), *part.get("pretokenizers", [])]
        if part["type"] == "Sequence":
            todo += inner
        else:
            leaves.append(part)
    return leaves
