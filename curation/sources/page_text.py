"""Bytes of a web page as text: in the encoding that a browser would take, or not at all."""

from __future__ import annotations

import codecs
import re
from typing import Final

from curation.reasons import Reason, Reject

_LOOKED_THROUGH_BYTES: Final = 1024  # HTML Standard, "prescan a byte stream to determine its encoding"
_META: Final = re.compile(rb"<meta[^>]{0,500}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le"))

_ENCODINGS: Final = re.compile(
    r"utf-?8|windows-(?:125[0-8]|874)|iso-8859-(?:[2-8]|1[0346])|koi8-[ru]|gb18030|big5|euc-(?:jp|kr)|iso-2022-jp"
)
_ALIASES: Final = {
    **dict.fromkeys(("iso-8859-1", "latin1", "latin-1", "iso8859-1", "ascii", "us-ascii"), "windows-1252"),
    "iso-8859-9": "windows-1254",
    **dict.fromkeys(("gb2312", "gbk", "x-gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "windows-31j"), "cp932"),
    **dict.fromkeys(("ks_c_5601-1987", "euc-kr"), "cp949"),
    "big5-hkscs": "big5hkscs",
}
"""As the Encoding Standard reads these labels. Python knows more encodings than the web does, some of them a trap."""


def decode_page(data: bytes, declared: str = "") -> str | Reject:
    """A page's text, or why it has none.

    `declared` is the server's word on its encoding: a byte order mark is stronger, a meta tag weaker.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding)
    in_page = _META.search(data[:_LOOKED_THROUGH_BYTES])
    label = (declared or (in_page[1].decode("ascii") if in_page else "")).lower()
    encoding = _ALIASES.get(label) or (label if _ENCODINGS.fullmatch(label) else "utf-8")
    return _decoded(data, encoding)


def _decoded(data: bytes, encoding: str) -> str | Reject:
    try:
        return codecs.decode(data, encoding)
    except UnicodeError as error:
        at = f"byte {error.start} of {len(data)}" if isinstance(error, UnicodeDecodeError) else "broken"
        return Reject(Reason.TEXT_NOT_UTF8, f"{at}, read as {encoding}")
