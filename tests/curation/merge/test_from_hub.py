"""Sets on the Hub: read by ranges at one commit, planned without fetching a picture, the same as the files here."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.errors import AddressError
from tests.curation.merge.sets import CAPTIONS, merged, picture, rows_of, texts, write_set
from tests.hub.server import FakeHub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    with FakeHub(has_storage=True).serve() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        yield server


def large_pictures(n: int) -> list[bytes]:
    noise = random.Random(n)
    return [picture(i) + noise.randbytes(20_000) for i in range(n)]


def test_a_set_of_the_hub_is_the_set_here(hub: FakeHub, tmp_path: Path) -> None:
    photos = write_set(tmp_path / "a" / "train.parquet", texts(30, said=CAPTIONS), large_pictures(30))
    pages = write_set(tmp_path / "b" / "train.parquet", texts(30), large_pictures(30))
    commits = [
        hub.publish(f"org/{file.parent.name}", {"data/train.parquet": file.read_bytes()}) for file in (photos, pages)
    ]
    remote = merged(tmp_path, Path("org/a"), Path("org/b"), out="remote")
    local = merged(tmp_path, photos.parent, pages.parent, out="local")
    here = {row["id"]: row for row in rows_of(local.path)}
    for row in rows_of(remote.path):
        assert row["source_revision"] == commits["ab".index(row["source"])]
        assert here[row["id"]] | {"source_revision": row["source_revision"]} == row
    assert len(here) == 60

    asked = len(hub.requests)
    again = merged(tmp_path, Path("org/a"), Path("org/b"), out="remote")
    assert not again.made_now
    assert hub.bytes_sent("resolve") == sum(r.bytes_sent for r in hub.requests[:asked] if "resolve" in r.path)
    hub.publish("org/b", {"data/train.parquet": write_set(pages, texts(31)).read_bytes()})
    assert merged(tmp_path, Path("org/a"), Path("org/b"), out="remote").rows_kept == 61


def test_a_dry_run_fetches_no_picture_and_says_what_it_did_not_compare(hub: FakeHub, tmp_path: Path) -> None:
    file = write_set(tmp_path / "train.parquet", texts(60, said=CAPTIONS), large_pictures(60))
    hub.publish("org/photos", {"train.parquet": file.read_bytes()})
    planned = merged(tmp_path, Path("org/photos"), dry_run=True)
    assert (planned.rows_kept, planned.not_compared) == (60, 60)
    assert 1_000_000 < planned.bytes_kept < 1_400_000
    assert hub.bytes_sent() < 100_000


def test_what_is_not_on_the_hub_is_one_line(hub: FakeHub, tmp_path: Path) -> None:
    with pytest.raises(AddressError, match="no dataset on the Hub named org/nothing"):
        merged(tmp_path, Path("org/nothing"))
