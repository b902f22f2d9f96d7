"""Errors of training, of the one tree whose root is in `rendering.errors`::

BadInputError
+-- SampleError       a row that cannot be trained on; names its id
    +-- TooLongError  a row with more tokens than the run takes
"""

from __future__ import annotations

from rendering.errors import BadInputError, MarkupmillError


class TrainingError(MarkupmillError):
    """A run cannot go on: its loss is no number, its files are not what it wrote."""


class SampleError(BadInputError):
    """A row of the release cannot be trained on. The message names the row's id."""


class TooLongError(SampleError):
    """A row has more tokens than `max_seq_length`: nothing is cut silently."""
