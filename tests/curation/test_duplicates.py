"""What is a duplicate of what, which row of a cluster is kept, and that neither hangs on the order of rows."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from curation.duplicates import DUPLICATES_SCHEMA, PICTURE_TASKS, RULES, Mode, NearRule, find_duplicates
from curation.errors import SchemaError
from curation.near_pairs import WINDOW, _neighbours, hamming, pairs_by_picture
from curation.sample import TASKS
from curation.select import MARKUP_TASKS
from tests.curation.hashing import SCHEMA, Row, picture, shards_of_rows, signature, table_of

PAGE = "page_to_html"
CAPTION = "image_to_caption"


def duplicates_of(*rows: Row, mode: Mode = "near") -> dict[str, str | None]:
    """`duplicate_of` by id; all rows in one table."""
    found = find_duplicates([table_of(rows)], mode)
    assert found.schema == DUPLICATES_SCHEMA
    return dict(zip(found.column("id").to_pylist(), found.column("duplicate_of").to_pylist(), strict=True))


def alike(id_: str, of: str, words: float = 0.1, tags: float = 0.0, task: str = PAGE, bits: int = 60) -> Row:
    """A row whose signatures are those of the row named, with some of their slots changed."""
    return Row(
        id_, task, signature(f"text {of}", words), signature(f"skeleton {of}", tags), picture(of, bits), n_tokens=None
    )


def test_every_task_has_a_rule_and_is_either_markup_or_picture() -> None:
    assert set(RULES) == set(TASKS)
    assert set(TASKS) - MARKUP_TASKS == PICTURE_TASKS
    assert {task for task, rule in RULES.items() if rule.radius_bits is not None} == PICTURE_TASKS


@pytest.mark.parametrize("task", sorted(MARKUP_TASKS))
def test_markup_is_duplicate_where_words_and_skeleton_are_alike_whatever_the_picture(task: str) -> None:
    copy = alike("b", "a", task=task)
    sibling = Row("c", task, skeleton_minhash=signature("skeleton a"), phash=picture("a"))
    rebuilt = Row("d", task, signature("text a"), phash=picture("a"))
    assert duplicates_of(Row("a", task), copy, sibling, rebuilt) == {"a": None, "b": "a", "c": None, "d": None}


@pytest.mark.parametrize("task", sorted(PICTURE_TASKS))
def test_captions_are_duplicates_where_picture_and_words_are_alike(task: str) -> None:
    copy = Row("b", task, signature("text a", 0.1), None, picture("a", 4))
    other_caption = Row("c", task, None, None, picture("a"))
    other_words = Row("d", task, skeleton_minhash=None, phash=picture("a", 2))
    other_picture = Row("e", task, signature("text a"), None)
    rows = [Row("a", task, skeleton_minhash=None), copy, other_caption, other_words, other_picture]
    found = find_duplicates([table_of(rows)])
    assert found.column("duplicate_of").to_pylist() == [None, "a", None, None, None]
    # What shows one picture stays on one side of a split.
    assert found.column("group").to_pylist() == ["a", "a", "a", "a", "e"]
    assert found.column("cluster").to_pylist() == ["a", "a", "c", "d", "e"]


def test_thresholds_are_what_the_rule_says() -> None:
    rules = {PAGE: NearRule(text=0.8, skeleton=0.5)}
    rows = [
        Row("a"),
        alike("b", "a", words=0.15, tags=0.4),
        alike("c", "a", words=0.25),
        alike("d", "a", words=0.0, tags=0.6),
    ]
    assert find_duplicates([table_of(rows)], "near", rules).column("kept").to_pylist() == [True, False, True, True]


def test_no_task_is_compared_with_another() -> None:
    row = Row("a", minhash=signature("x"), skeleton_minhash=signature("y"), text_sha256="t", image_sha256="i", phash=1)
    rows = [Row(f"{task} row", task, row.minhash, row.skeleton_minhash, 1, "t", "i") for task in TASKS]
    assert set(duplicates_of(*rows).values()) == {None}


@pytest.mark.parametrize("mode", ["exact", "near"])
def test_exact_duplicates_need_no_hashes(mode: Mode) -> None:
    nothing = {"minhash": None, "skeleton_minhash": None, "phash": None}
    rows = [
        Row("a", PAGE, text_sha256="same", **nothing),
        Row("b", PAGE, text_sha256="same", **nothing),
        Row("c", CAPTION, text_sha256="same", image_sha256="one", **nothing),
        Row("d", CAPTION, text_sha256="same", image_sha256="one", **nothing),
        Row("e", CAPTION, text_sha256="same", **nothing),
        Row("f", CAPTION, image_sha256="one", **nothing),
    ]
    assert duplicates_of(*rows, mode=mode) == {"a": None, "b": "a", "c": None, "d": "c", "e": None, "f": None}
    group = find_duplicates([table_of(rows)], mode).column("group").to_pylist()
    assert group == ["a", "a", "c", "c", "e", "c"]


def test_rows_without_hashes_are_like_nothing() -> None:
    rows = [
        Row(f"{task} {n}", task, None, None, None, None, None)  # two of each task
        for task in TASKS
        for n in range(2)
    ]
    assert set(duplicates_of(*rows).values()) == {None}
    only_words = [Row(id_, PAGE, signature("same"), None) for id_ in "ab"]
    assert set(duplicates_of(*only_words).values()) == {None}


def test_modes() -> None:
    rows = [Row("a", text_sha256="same"), Row("b", text_sha256="same"), alike("c", "a")]
    assert duplicates_of(*rows, mode="none") == {"a": None, "b": None, "c": None}
    assert duplicates_of(*rows, mode="exact") == {"a": None, "b": "a", "c": None}
    assert duplicates_of(*rows, mode="near") == {"a": None, "b": "a", "c": "a"}


def test_to_be_a_duplicate_is_transitive() -> None:
    first = signature("text a")
    changed = list(range(256))
    random.Random(0).shuffle(changed)

    def step(n: int) -> bytes:
        slots = bytearray(first)
        for place in changed[: n * 40]:  # 40 of 256 slots a step: neighbours 0.84 alike, the ends of four steps 0.37
            slots[place] ^= 0xFF
        return bytes(slots)

    rows = [Row(str(n), minhash=step(n), skeleton_minhash=signature("s")) for n in range(5)]
    ends = duplicates_of(rows[0], rows[4])
    assert ends == {"0": None, "4": None}
    assert duplicates_of(*rows) == {"0": None, **{str(n): "0" for n in range(1, 5)}}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"priority": 0}, {"priority": 1, "n_tokens": 9}),
        ({"parent_id": None, "image_origin": "synthetic"}, {"parent_id": "p", "image_origin": "source"}),
        ({"image_origin": "source"}, {"image_origin": "rendered", "width_px": 99, "height_px": 99}),
        ({"image_origin": "rendered"}, {"image_origin": "synthetic"}),
        ({"width_px": 9, "height_px": 2}, {"width_px": 4, "height_px": 4, "n_tokens": 9}),
        ({"n_tokens": 9}, {"n_tokens": 8}),
        ({"n_tokens": 9}, {"n_tokens": None}),
    ],
)
def test_the_best_row_is_kept(better: dict[str, object], worse: dict[str, object]) -> None:
    # The ids would choose the other one.
    rows = [Row("a", text_sha256="same", **worse), Row("b", text_sha256="same", **better)]  # type: ignore[arg-type]
    found = find_duplicates([table_of(rows)])
    assert found.column("kept").to_pylist() == [False, True]
    assert found.column("duplicate_of").to_pylist() == ["b", None]
    assert found.column("cluster").to_pylist() == ["a", "a"]


def test_of_rows_that_are_equally_good_the_smallest_id_is_kept() -> None:
    names = [name for name in SCHEMA.names if name not in {"priority", "parent_id", "image_origin", "n_tokens"}]
    table = table_of([Row(id_, text_sha256="same") for id_ in "cab"]).select(names)
    assert find_duplicates([table]).column("duplicate_of").to_pylist() == ["a", None, "a"]


def test_one_sample_in_two_workspaces_is_kept_once() -> None:
    found = find_duplicates([table_of([Row("a")]), table_of([Row("a"), Row("b")])])
    assert sorted(found.column("kept").to_pylist()[:2]) == [False, True]
    assert found.column("cluster").to_pylist() == ["a", "a", "b"]


def many_rows() -> list[Row]:
    """400 rows in families, of all tasks, with ties and with rows that lack hashes."""
    chooser = random.Random(3)
    rows = []
    for n in range(400):
        task = TASKS[n % 5]
        family = f"family {chooser.randrange(15)}"
        changes = [chooser.choice([0.0, 0.05, 0.1, 0.2, 0.3]) for _ in range(2)]
        rows.append(
            Row(
                f"{chooser.getrandbits(64):016x}",
                task,
                chooser.choice([None, *[signature(family, changes[0])] * 9]),
                chooser.choice([None, *[signature(f"s{family}", changes[1])] * 9]),
                chooser.choice([None, *[picture(family, chooser.choice([0, 2, 4, 8]))] * 9]),
                chooser.choice(["", "", f"text of {family}"]),
                chooser.choice(["", "", f"image of {family}"]),
                width_px=chooser.choice([100, 200]),
                height_px=100,
                n_tokens=chooser.choice([None, 10, 20]),
            )
        )
    return rows


def test_neither_the_order_of_rows_nor_the_shards_matter() -> None:
    rows = many_rows()

    def found(rows: list[Row], rows_per_shard: int) -> list[dict[str, object]]:
        table = pa.Table.from_batches(find_duplicates(shards_of_rows(rows, rows_per_shard)).to_batches())
        assert table.column("id").to_pylist() == [row.id for row in rows]
        return sorted(table.to_pylist(), key=lambda row: str(row["id"]))

    expected = found(rows, 400)
    assert 100 < sum(not row["kept"] for row in expected) < 350
    for seed, rows_per_shard in [(1, 400), (2, 37), (3, 1)]:
        assert found(random.Random(seed).sample(rows, len(rows)), rows_per_shard) == expected


def test_kept_cluster_and_duplicate_of_agree() -> None:
    found = find_duplicates(shards_of_rows(many_rows(), 50)).to_pylist()
    kept = {row["cluster"]: row["id"] for row in found if row["kept"]}
    assert len(kept) == sum(row["kept"] for row in found)  # one of each cluster
    assert set(kept) == {row["cluster"] for row in found}
    for row in found:
        assert row["duplicate_of"] == (None if row["kept"] else kept[row["cluster"]])
    group_of = {row["cluster"]: row["group"] for row in found}
    assert all(row["group"] == group_of[row["cluster"]] for row in found)


def test_nothing_in_nothing_out() -> None:
    assert find_duplicates([]) == DUPLICATES_SCHEMA.empty_table()
    assert find_duplicates([SCHEMA.empty_table()]) == DUPLICATES_SCHEMA.empty_table()


def test_tables_without_hashes_or_with_others_are_refused() -> None:
    with pytest.raises(SchemaError, match="minhash"):
        find_duplicates([table_of([Row("a")]).drop_columns(["minhash"])])
    with pytest.raises(SchemaError, match="256 bytes"):
        find_duplicates([table_of([Row("a", minhash=b"short")])])


def test_a_crowd_that_is_alike_is_one_cluster() -> None:
    # 200 rows in every bucket: far more than a row is compared with.
    rows = [alike(f"{n:03}", "a", words=0.02 + n / 100_000) for n in range(200)]
    assert set(find_duplicates([table_of(rows)]).column("cluster").to_pylist()) == {"000"}


def test_rows_of_one_key_are_paired_within_a_window_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curation.near_pairs._PLACES_AT_ONCE", 7)
    rng = np.random.default_rng(0)
    for n_keys in [1, 1, 2, 3, 5, 8, 40, 500] * 4:
        keys, tiebreak = (rng.integers(0, n, rng.integers(0, 120)).astype(np.uint64) for n in (n_keys, 5))
        tiebreak = np.resize(tiebreak, len(keys)) if len(tiebreak) else np.zeros(len(keys), np.uint64)
        found = [
            pair for pairs in _neighbours(keys, tiebreak) for pair in zip(*(p.tolist() for p in pairs), strict=True)
        ]
        order = np.lexsort((tiebreak, keys)).tolist()
        close = [(one, two) for at, one in enumerate(order) for two in order[at + 1 : at + 1 + WINDOW]]
        assert sorted(found) == sorted((one, two) for one, two in close if keys[one] == keys[two])


@pytest.mark.parametrize("radius", [0, 1, 3, 6, 8, 12])
def test_no_picture_within_the_radius_is_passed_over(radius: int) -> None:
    rng = np.random.default_rng(radius)
    hashes = rng.integers(0, 2**64, 40, dtype=np.uint64)
    turned = [hash_ ^ np.bitwise_or.reduce(bits) for hash_ in hashes for bits in _bits(rng, radius)]
    all_hashes = np.concatenate([hashes, np.array(turned, np.uint64)])
    every = np.triu_indices(len(all_hashes), 1)
    near = hamming(all_hashes, *every) <= radius
    expected = set(zip(every[0][near].tolist(), every[1][near].tolist(), strict=True))
    found = set()
    for left, right in pairs_by_picture(all_hashes, radius, np.zeros(len(all_hashes), np.uint64)):
        within = hamming(all_hashes, left, right) <= radius
        found |= {(min(pair), max(pair)) for pair in zip(left[within].tolist(), right[within].tolist(), strict=True)}
    assert found == expected
    assert len(found) >= 80


def _bits(rng: np.random.Generator, radius: int) -> list[np.ndarray[tuple[int], np.dtype[np.uint64]]]:
    """Two draws of `radius` bits to turn."""
    return [
        np.append(np.uint64(1) << rng.choice(64, radius, replace=False).astype(np.uint64), np.uint64(0)).astype(
            np.uint64
        )
        for _ in range(2)
    ]
