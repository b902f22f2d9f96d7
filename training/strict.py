"""The base of every config: frozen, and an unknown key is an error."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A frozen record that takes its own keys alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)
