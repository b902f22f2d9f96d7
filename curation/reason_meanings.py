"""What each reason for leaving a row out means, in words for a person who looks at what was left out."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from curation.reasons import Reason

MEANINGS: Final = MappingProxyType[Reason, str](
    {
        Reason.TEXT_MISSING: "The source has no text for the row.",
        Reason.TEXT_NOT_UTF8: "The text's bytes are no UTF-8, or hold half a surrogate pair.",
        Reason.ANNOTATION_BROKEN: "The row cannot be read: no JSON, a wrong type, or parts that do not fit each other.",
        Reason.OTHER_SPLIT: "The row belongs to another split of the source than the one asked for.",
        Reason.SOURCE_RULE: "A rule of the source's preset takes other rows.",
        Reason.PROMPT_MISSING: "A synthetic picture whose prompt is not there.",
        Reason.IMAGE_PATH_UNSAFE: "The picture's name leads out of its folder.",
        Reason.MEMBER_UNSAFE: "A member of the archive leads out of it, or is a link or a device.",
        Reason.TABLE_SHAPE: "Rows, columns, cells or header are not what the source was asked for.",
        Reason.TABLE_LAYOUT: "The table lays out a page: by its role, or few of its cells have text.",
        Reason.CHAT_IMAGE_MARK: "No <image> mark, more than one, or not in the first question.",
        Reason.CHAT_SEVERAL_IMAGES: "The conversation is about several pictures.",
        Reason.CHAT_ROLES: "Question and answer do not take turns, or it does not end with an answer.",
        Reason.CHAT_TURN_EMPTY: "A turn of the conversation says nothing.",
        Reason.CLASS_MISSING: "A synthetic sample has not what its prompt asks for.",
        Reason.REPLAYED: "A synthetic sample says again most of what one real row says.",
        Reason.ANSWER_MISSING: "The model gave no answer: its endpoint failed, or answered nothing that is one.",
        Reason.ANSWER_REFUSED: "The model refused, or answered in words without markup.",
        Reason.ANSWER_CUT_OFF: "The model's answer ends before the markup does.",
        Reason.MARKUP_EMPTY: "There is no text, or nothing in it that shows.",
        Reason.MARKUP_TOO_LARGE: "More bytes, elements or characters than are parsed.",
        Reason.MARKUP_INVALID: "The markup has no canonical form: a NUL, too deep, misnested, or no HTML at all.",
        Reason.TABLE_MISSING: "There is no table in the markup.",
        Reason.TABLE_NESTED: "A table within a table.",
        Reason.TABLE_SEVERAL: "More than one table beside each other.",
        Reason.TABLE_SPANS_OVERLAP: "Two cells of the table claim the same place.",
        Reason.TABLE_RAGGED: "The table's rows do not cover the same columns.",
        Reason.LATEX_INVALID: "KaTeX does not take the formula, or it has no canonical form.",
        Reason.TOO_MANY_TOKENS: "Longer than the model is to be trained on.",
        Reason.TEXT_IMAGE_MARK: "The text holds the model's mark for a picture: training would look for a second one.",
        Reason.IMAGE_MISSING: "The row has no picture, or one of no bytes.",
        Reason.IMAGE_UNREADABLE: "The bytes are no picture, or a damaged one.",
        Reason.IMAGE_TRUNCATED: "The picture's bytes end before the picture does.",
        Reason.IMAGE_TOO_LARGE: "More pixels or bytes than are decoded.",
        Reason.IMAGE_BLANK: "No ink on the page.",
        Reason.RENDER_BLANK: "The render shows nothing.",
        Reason.RENDER_CUT_OFF: "The render does not fit the picture.",
        Reason.RENDER_OVER_CAP: "More elements, pixels or bytes than are rendered.",
        Reason.RENDER_TIMEOUT: "The render took too long.",
        Reason.RENDER_KATEX_ERROR: "KaTeX shows an error in place of the formula.",
        Reason.RENDER_CRASHED: "The browser crashed on it.",
        Reason.RENDER_NAVIGATED: "The page went elsewhere while it was rendered.",
        Reason.WHERE: "A condition of the recipe's `where` does not hold.",
        Reason.DUPLICATE_EXACT: "The same as a row that is kept.",
        Reason.DUPLICATE_NEAR: "Nearly the same as a row that is kept: the best of those that are alike.",
        Reason.CONTAMINATED: "An evaluation set has the row, or much of what it says.",
        Reason.OVER_QUOTA: "More rows of its source, task or classes than a balanced data set takes.",
        Reason.OVER_LIMIT: "More rows than the source's limit.",
        Reason.OVER_SPLIT_COUNT: "More rows than the splits ask for.",
    }
)
"""Every reason has one (a test says so)."""


def meaning_of(reason: str) -> str:
    """The meaning of a reason as a manifest spells it; empty for one that this version does not know."""
    return MEANINGS.get(Reason(reason), "") if reason in set(Reason) else ""
