"""Words of a text, as the statistics count them."""

from __future__ import annotations

import re
from typing import Final

_CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD: Final = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+(?:['’-][^\W_{_CJK}]+)*")


def words_in(text: str) -> list[str]:
    """Runs of letters and digits, case folded; an apostrophe or hyphen inside does not divide ("t-shirt", "don't").

    Languages written without spaces in Han characters or kana count a word a character.
    """
    return [word.replace("’", "'") for word in _WORD.findall(text.casefold())]
