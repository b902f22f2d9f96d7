"""Data sets that a merge knows by name, each read by the source that knows its rows.

distilvit's five caption sets with its rules (`curation.sources.captions` says which of its leaks are left out), and the
sets of pages, tables and formulas that this project's recipes read.
"""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType
from typing import Any, Final, cast

from curation.errors import BadInputError
from curation.merge.spec import MergeEntry
from curation.sources.captions import PRESETS as CAPTIONS
from curation.sources.captions import Captions
from curation.sources.latex import Latex
from curation.sources.pubtabnet import PubTabNet
from curation.sources.source import Source
from curation.sources.websight import WebSight

_KINDS: Final[MappingProxyType[str, type[Any]]] = MappingProxyType(
    {
        **{name: Captions for name in CAPTIONS if name},
        "websight": WebSight,
        "pubtabnet": PubTabNet,
        "latex": Latex,
    }
)
PRESETS: Final = tuple(_KINDS)

_COLUMN_SETTINGS: Final = MappingProxyType(
    {
        "image": ("image_column",),
        "text": ("text_column", "caption_column", "html_column"),
        "original_caption": ("original_column",),
        "objects": ("objects_column",),
        "context": ("context_column",),
    }
)
"""Which setting of a source says what a column of ours is called in its files."""


def source_of(entry: MergeEntry) -> Source:
    """The source of a preset with what the entry sets. Raises `BadInputError` for a setting that it does not have."""
    kind = _KINDS[entry.preset]
    known = {field.name for field in fields(kind)}
    settings: dict[str, Any] = dict(entry.settings)
    if kind is Captions:
        settings["preset"] = entry.preset
    if entry.address:
        settings["address"] = entry.address
    if entry.license:
        settings["license"] = entry.license
    if entry.split != "all":
        settings["split"] = entry.split
    for ours, theirs in entry.columns:
        name = next((name for name in _COLUMN_SETTINGS.get(ours, ()) if name in known), "")
        if not name:
            mend = f"It maps: {', '.join(_COLUMN_SETTINGS)}; give its address without the preset to map others"
            raise BadInputError(f"preset {entry.preset} maps no column {ours!r}", mend)
        settings[name] = theirs
    if unknown := sorted(set(settings) - known):
        raise BadInputError(
            f"preset {entry.preset} has no setting {unknown[0]!r}", f"It has: {', '.join(sorted(known))}"
        )
    return cast("Source", kind(**settings))
