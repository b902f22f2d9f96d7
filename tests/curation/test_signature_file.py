"""Signatures in a scratch file: what goes in comes out, by column or by row, in the order asked for."""

from __future__ import annotations

import errno
import gc
import tempfile
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from curation.duplicates import find_clusters
from curation.errors import StoreError
from curation.near_pairs import SIGNATURE_BYTES
from curation.sample import sha256_hex
from curation.signature_file import SignatureFile

RNG = np.random.default_rng(0)
ROWS = RNG.integers(0, 256, (9_000, SIGNATURE_BYTES), dtype=np.uint8)  # more than are read at once


@pytest.fixture
def stored() -> SignatureFile:
    file = SignatureFile()
    file.add(ROWS[:10])
    file.add(ROWS[10:10])
    file.add(ROWS[10:])
    return file


def test_rows_and_columns_come_back(stored: SignatureFile) -> None:
    assert len(stored) == 9_000
    assert (stored.slots([3, 255, 0]) == ROWS[:, [3, 255, 0]]).all()
    places = np.array([8_999, 0, 5, 5, 4_096])
    assert (stored.take(places) == ROWS[places]).all()
    assert stored.take(np.empty(0, np.int64)).shape == (0, SIGNATURE_BYTES)


def test_an_order_is_kept_to(stored: SignatureFile) -> None:
    order = RNG.permutation(9_000)
    stored.arrange(order)
    assert (stored.slots(range(6)) == ROWS[order][:, :6]).all()
    assert (stored.take(np.array([7, 3, 7])) == ROWS[order][[7, 3, 7]]).all()


def test_nothing_in_nothing_out() -> None:
    empty = SignatureFile()
    assert len(empty) == 0
    assert empty.slots(range(14)).shape == (0, 14)


def test_the_file_is_closed_with_it() -> None:
    file = SignatureFile()
    raw = file._file
    del file
    gc.collect()
    assert raw.closed


def test_a_full_disk_is_one_line_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            pass

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    with pytest.raises(StoreError, match=r"No space left on device.*(\n.*)?TMPDIR"):
        SignatureFile().add(ROWS[:1])


def tables(n_rows: int) -> Iterator[pa.Table]:
    for start in range(0, n_rows, 500):
        ids = [sha256_hex(str(start + row)) for row in range(500)]
        signatures = pa.array([row.tobytes() for row in np.roll(ROWS[:500], start, axis=1) ^ np.uint8(start % 251)])
        yield pa.table(
            {
                "id": ids,
                "task": ["page_to_html"] * 500,
                "image_sha256": ids,
                "text_sha256": ids,
                "phash": pa.array(RNG.integers(0, 2**63, 500, dtype=np.uint64)),
                "minhash": signatures,
                "skeleton_minhash": signatures,
            }
        )


def test_finding_duplicates_holds_no_signatures() -> None:
    made = list(tables(12_000))

    def peak_bytes(n_shards: int) -> int:
        tracemalloc.start()
        find_clusters(made[:n_shards])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(1)  # what is imported and made once
    # Signatures alone are 512 bytes a row; while rows are sorted and compared, some 250 are held.
    assert (peak_bytes(24) - peak_bytes(12)) / 6_000 < 320
