"""`report.html`: the report as one page that needs nothing else: no network, no script, pictures as data URLs.

Texts are strangers': all of them are escaped (`curation.report.templates`), and the page's own policy loads nothing.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Final

from curation.errors import BadInputError
from curation.report import view as views
from curation.report.facts import ReportFacts
from curation.report.figures import MAX_CLASSES
from curation.report.pictures import BUDGET_BYTES
from curation.report.templates import style, template
from curation.report.wording import TAGS, VERDICTS

MAX_BYTES: Final = 14_900_000


def write_page(facts: ReportFacts, path: Path, compare: ReportFacts | None = None) -> int:
    """Write the page of `facts`, beside `compare` if there is one. Returns its size in bytes.

    Raises:
        BadInputError: the file cannot be written.
    """
    page = report_page(facts, compare).encode("utf-8")
    try:
        path.write_bytes(page)
    except OSError as error:
        raise BadInputError(f"cannot write {path}: {error.strerror}", "Choose another --output-dir") from error
    return len(page)


def report_page(facts: ReportFacts, compare: ReportFacts | None = None) -> str:
    """The page, complete: under `MAX_BYTES` as UTF-8, with fewer pictures where its texts are long."""
    page = _rendered(facts, compare, BUDGET_BYTES)
    excess_bytes = len(page.encode()) - MAX_BYTES
    if excess_bytes > 0:
        page = _rendered(facts, compare, max(0, BUDGET_BYTES - excess_bytes))
    return page


def _rendered(facts: ReportFacts, compare: ReportFacts | None, picture_bytes: int) -> str:
    css = style()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode("ascii")
    return template("page.html").render(
        view=views.view_of(facts, compare, picture_bytes),
        style=css,
        style_hash=f"sha256-{digest}",
        verdicts=VERDICTS,
        tags=TAGS,
        shown_clusters=views.shown_clusters,
        shown_rejects=views.shown_rejects,
        limits={
            "worst": views.MAX_WORST,
            "members": views.MAX_MEMBERS,
            "rejected": views.MAX_REJECTED,
            "mentions": views.MAX_MENTIONS,
            "classes": MAX_CLASSES,
        },
    )
