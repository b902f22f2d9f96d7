"""The report's templates. Every value that is put into one is made visible and escaped: no field can be forgotten."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from curation.report import wording

_FOLDER: Final = Path(__file__).with_name("templates")


def template(name: str) -> Template:
    """A template of this package."""
    return _environment().get_template(name)


def style() -> Markup:
    """The style sheet of the page and of its charts."""
    return Markup((_FOLDER / "page.css").read_text(encoding="utf-8"))  # noqa: S704 - a file of ours


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=_shown,
    )
    environment.filters |= {
        "bare": wording.bare,
        "short": wording.short,
        "cut": wording.cut,
        "human": wording.human,
        "number": wording.number,
        "rows": wording.rows,
        "count": _count,
    }
    return environment


def _shown(value: Any) -> Any:
    """What is put out: text without what UTF-8 or HTML cannot hold; what is markup already stays."""
    return wording.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _count(n: int | None) -> str:
    return "not measured" if n is None else f"{n:,}"
