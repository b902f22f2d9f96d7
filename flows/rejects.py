"""`markupmill rejects`: what a build left out and why, as a table on the terminal and as a page with examples."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from curation.rejects import as_table, left_out
from curation.rejects_page import rejects_page
from curation.store import Workspace
from rendering.errors import BadInputError


@dataclass(frozen=True)
class RejectsOptions:
    """The options of the command, as they were given."""

    workspace: str
    release: str | None = None
    out: str | None = None
    reason: str | None = None
    n_examples: int = 20


def run_rejects(options: RejectsOptions) -> str:
    """Write the page, and return what to tell the user. Raises `MarkupmillError`."""
    if "://" not in options.workspace and not Path(options.workspace).is_dir():
        raise BadInputError(f"there is no workspace {options.workspace}", "Give the --workspace of a build")
    workspace = Workspace(options.workspace)
    found = left_out(workspace, options.release, reason=options.reason, n_examples=options.n_examples)
    page = rejects_page(found).encode()
    if options.out is None:
        with workspace.new_file("rejects.html") as file:
            file.write(page)
        written = f"{options.workspace.rstrip('/')}/rejects.html"
    else:
        written = options.out
        try:
            Path(written).write_bytes(page)
        except OSError as error:
            raise BadInputError(f"cannot write {written}: {error.strerror}", "Choose another place with -o") from error
    n_left_out = found.rows_in - found.rows_kept
    head = f"{found.what}: {found.rows_in:,} rows in = {found.rows_kept:,} kept + {n_left_out:,} left out"
    table = as_table(found, shutil.get_terminal_size((120, 24)).columns) if found.groups else ["Nothing was left out."]
    return "\n".join([head, "", *table, "", f"Page: {written}"])
