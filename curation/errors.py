"""Errors of curation: part of the one tree whose root is in `rendering.errors`::

MarkupmillError
+-- BadInputError
|   +-- AddressError        a source address that cannot be read
|   +-- SchemaError         a file without the column, or with another type
|   +-- TokenizerError      a tokenizer that cannot be loaded
|   +-- ModelError          weights that cannot be had or loaded
+-- StoreError              a workspace that cannot be read or written
|   +-- WorkspaceLockedError
+-- UnreachableError        a remote store that did not answer by the deadline
+-- GateFailedError         a data set does not pass its gate; exit 3
+-- ShardError              something unexpected in one shard; names stage, shard and row
"""

from __future__ import annotations

from rendering.errors import BadInputError, MarkupmillError

__all__ = [
    "AddressError",
    "BadInputError",
    "GateFailedError",
    "MarkupmillError",
    "ModelError",
    "SchemaError",
    "ShardError",
    "StoreError",
    "TokenizerError",
    "UnreachableError",
    "WorkspaceLockedError",
]


class AddressError(BadInputError):
    """A source address does not exist, may not be read, or holds nothing."""


class SchemaError(BadInputError):
    """A file lacks a column or has it with another type."""


class TokenizerError(BadInputError):
    """A tokenizer or processor cannot be loaded."""


class ModelError(BadInputError):
    """The weights of a measure's model cannot be had, or are not what they should be."""


class GateFailedError(MarkupmillError):
    """Checks of a gate failed: the data set is not fit for what the gate is for."""

    exit_code = 3


class StoreError(MarkupmillError):
    """A workspace cannot be read or written."""


class WorkspaceLockedError(StoreError):
    """Another run holds the workspace."""


class UnreachableError(MarkupmillError):
    """A remote store did not answer, or not as it should, by the deadline. The address may be right."""


class ShardError(MarkupmillError):
    """Something unexpected in one shard: a bug or a broken machine, never an expected reject."""

    def __init__(self, stage: str, shard: str, row: str, cause: str) -> None:
        Exception.__init__(self, stage, shard, row, cause)
        self.stage, self.shard, self.row, self.cause = stage, shard, row, cause
        self.problem = f"stage {stage} failed on shard {shard}, {row}: {cause}"
        self.mend = "Other shards go on; run the same command again to re-try this one"
