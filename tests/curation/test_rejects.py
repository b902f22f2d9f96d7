"""What was left out: counts that are the manifests', examples with pictures, and a page that nothing can get out of."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.errors import BadInputError, StoreError
from curation.rejects import LeftOut, as_table, left_out, one_line
from curation.rejects_page import rejects_page
from curation.select import Rules, Selection, select
from curation.store import Workspace
from tests.curation.making import png, shards_of

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>\0\x1b]0;x\x07"
TEXTS = ("a", "b", "a", None, "x" * 2_000, f"y{HOSTILE}", "z")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def selected(workspace: Workspace, **rules: object) -> Selection:
    images = [png(f"#0000{n:02x}") for n in range(len(TEXTS))]
    shards = shards_of(workspace, TEXTS, images=(*images[:6], images[6][:-9]))
    return select(workspace, [shards], Rules(**rules))  # type: ignore[arg-type]


def counts(found: LeftOut) -> dict[str, int]:
    return {group.reason: group.n_rows for group in found.groups}


def test_ingest_and_selection_are_counted_together_as_the_manifest_has_them(workspace: Workspace) -> None:
    selection = selected(workspace, where=("n_tokens < 50",))
    found = left_out(workspace)
    assert counts(found) == dict(selection.rejected)
    assert counts(found) == {
        "duplicate_exact": 1, "image_truncated": 1, "text_missing": 1, "too_many_tokens": 1, "where": 1,
    }  # fmt: skip
    assert (found.rows_in, found.rows_kept, found.n_rows) == (7, 2, 5)
    by_reason = {group.reason: group for group in found.groups}
    (twin,) = by_reason["duplicate_exact"].examples
    assert (twin.stage, twin.source_key, twin.excerpt) == ("selection", "row 2", "a")
    assert twin.detail.startswith("same as ")
    assert twin.thumbnail is not None
    assert by_reason["where"].examples[0].detail == "n_tokens < 50"
    assert dict(by_reason["too_many_tokens"].stages) == {"length": 1}


def test_a_shard_whose_rows_are_all_rejected_counts(workspace: Workspace) -> None:
    select(workspace, [shards_of(workspace, (None, None, None, "a"))], Rules())
    found = left_out(workspace)
    assert (found.rows_in, found.rows_kept, counts(found)) == (4, 1, {"text_missing": 3})


def test_one_reason_and_few_examples(workspace: Workspace) -> None:
    select(workspace, [shards_of(workspace, (None,) * 9 + ("a", "a", "a"))], Rules())
    found = left_out(workspace, reason="text_missing", n_examples=4)
    assert counts(found) == {"text_missing": 9}
    assert len(found.groups[0].examples) == 4
    assert (found.rows_in - found.rows_kept, found.n_rows) == (11, 9)
    with pytest.raises(BadInputError, match="no row was left out for 'image_blank'. There are: duplicate_exact, text"):
        left_out(workspace, reason="image_blank")


def test_what_cannot_be_shown_is_one_line(workspace: Workspace) -> None:
    with pytest.raises(BadInputError, match="holds no finished shard"):
        left_out(workspace)
    selected(workspace)
    with pytest.raises(BadInputError, match="has no release 'x'. It has: none"):
        left_out(workspace, "x")
    path = next(Path(workspace.root).glob("rejects/*.parquet"))
    other = next(p for p in Path(workspace.root).glob("rejects/*.parquet") if p != path)
    path.write_bytes(other.read_bytes())
    with pytest.raises(StoreError, match="Run the build again"):
        left_out(workspace)


def test_nothing_of_an_excerpt_is_markup_on_the_page(workspace: Workspace) -> None:
    selected(workspace, where=("n_tokens < 50",))
    page = rejects_page(left_out(workspace))
    assert "&lt;script&gt;alert(1)" in page
    for forbidden in ("<script", "<img src=x", "\0", "\x1b", "http://", "https://"):
        assert forbidden not in page
    assert "default-src 'none'" in page
    assert page.count('<img src="data:image/png;base64,') == 3  # the cut one lacks its end mark only


def test_a_table_stays_within_the_terminal_and_does_not_steer_it(workspace: Workspace) -> None:
    selected(workspace, where=("n_tokens < 50",))
    lines = list(as_table(left_out(workspace), 100))
    assert len(lines) == 6
    assert all(len(line) <= 100 and line.isprintable() for line in lines)
    assert one_line("a\x1b[2J\n\u202eb" + "c" * 50, 12) == "a [2J bcccc…"


def test_a_workspace_in_memory_is_shown_too() -> None:
    workspace = Workspace("memory://rejects-shown")
    select(workspace, [shards_of(workspace, ("a", "a"))], Rules())
    assert counts(left_out(workspace)) == {"duplicate_exact": 1}
