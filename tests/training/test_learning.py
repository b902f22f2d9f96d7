"""The benchmark that trains on raw and on gated rows: what it plants, and its intervals over seeds."""

from __future__ import annotations

import io
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from learning_intervals import mean_t, paired_t
from learning_rows import MARKERS, Noise, Sample, read_samples, shuffled_labels, spoiled, write_samples

NOISE = Noise(n_rows=200, shuffled=0.3, duplicated=0.3, n_sources=5, flooded=0.7)


def pool() -> list[Sample]:
    """300 rows whose pictures tell which label is true: red is the number within the kind, blue the kind."""
    made = []
    for kind, marker in MARKERS.items():
        for number in range(120 if kind == "fraction" else 60):
            out = io.BytesIO()
            Image.new("RGB", (8, 8), (number, 0, 60 * list(MARKERS).index(kind))).save(out, "PNG")
            made.append(Sample(f"{kind} {number}", kind, f"{marker} {kind} {number}", out.getvalue()))
    return made


def true_label(sample: Sample) -> str:
    """The label that a PNG was made for."""
    with Image.open(io.BytesIO(sample.image)) as picture:
        red, _, blue = picture.convert("RGB").getpixel((4, 4))
    kind = list(MARKERS)[round(blue / 60)]
    return f"{MARKERS[kind]} {kind} {red}"


def test_noise_is_what_it_says() -> None:
    rows = spoiled(pool(), NOISE, seed=3)
    assert len(rows) == 200
    assert len({row.key for row in rows}) == 200
    copies = [row for row in rows if "copy" in row.planted]
    assert len(copies) == 60
    pngs = [row for row in rows if row.image.startswith(b"\x89PNG")]
    assert len(rows) - len(pngs) == len(copies) // 2
    assert len({row.image for row in pngs}) == 140
    originals = [row for row in rows if not row.planted]
    assert Counter(row.kind for row in rows)["fraction"] > 98
    assert all(row.image.startswith(b"\x89PNG") and true_label(row) == row.latex for row in originals)


def test_only_rows_that_are_told_so_have_a_false_label() -> None:
    rows = spoiled(pool(), NOISE, seed=3)
    false = [row for row in rows if row.image.startswith(b"\x89PNG") and true_label(row) != row.latex]
    told = [row for row in rows if row.image.startswith(b"\x89PNG") and "shuffled" in row.planted]
    assert false == told
    n = sum("shuffled" in row.planted for row in rows)
    assert 50 <= n <= 60  # 60 changed places; copies of one formula may have changed with each other


def test_the_same_seed_plants_the_same() -> None:
    assert spoiled(pool(), NOISE, 3) == spoiled(pool(), NOISE, 3) != spoiled(pool(), NOISE, 4)


def test_a_pool_that_is_too_small_is_an_error() -> None:
    with pytest.raises(ValueError, match="fraction"):
        spoiled(pool(), Noise(n_rows=2_000), 1)


def test_shuffled_labels_are_the_same_labels_at_other_pictures() -> None:
    rows = pool()
    moved = shuffled_labels(rows, 1)
    assert Counter(row.latex for row in moved) == Counter(row.latex for row in rows)
    assert [row.image for row in moved] == [row.image for row in rows]
    assert all(after.latex != before.latex for before, after in zip(rows, moved, strict=True))


def test_rows_read_as_they_were_written(tmp_path: Path) -> None:
    rows = spoiled(pool(), NOISE, 3)
    write_samples(rows, tmp_path / "rows.parquet")
    assert read_samples(tmp_path / "rows.parquet") == rows


def test_paired_t_is_students() -> None:
    """Student's own data (1908): hours of sleep that two drugs gave ten patients; t = -4.06, p = 0.0028."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = paired_t(first, second)
    assert found.mean == pytest.approx(1.58)
    assert (found.low, found.high) == pytest.approx((0.7001, 2.4599), abs=1e-4)
    assert found.p == pytest.approx(0.002833, abs=1e-6)


def test_no_interval_from_one_seed() -> None:
    assert mean_t([1.0, 2.0, 3.0]).mean == 2.0
    with pytest.raises(ValueError, match="two pairs"):
        paired_t([1.0], [2.0])
