"""Rows of a release: every layout gives the same rows, read at random, with a few row groups in memory."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import training.rows
from curation.conversation import Prompt
from curation.layouts import Layout
from rendering.errors import BadInputError
from tests.training.written_release import png, write_release
from training.config import DataConfig
from training.rows import Rows, open_rows

FORMULAS = DataConfig(task="formula_to_latex")
CHATS = DataConfig(task="image_chat")
CHAT = [
    {"role": "user", "content": "What is it?"},
    {"role": "assistant", "content": "A cat."},
    {"role": "user", "content": "Where?"},
    {"role": "assistant", "content": "There."},
]
LAYOUTS: list[Layout] = ["image_text", "messages", "prompt_completion"]
PROMPT = Prompt(system="Be exact.", user="Write it.")


def texts(n: int) -> list[str]:
    return [f"x _ {{ {i} }}" for i in range(n)]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("r") / "release", texts(450))


@pytest.fixture(scope="module")
def rows(release: Path) -> Rows:
    return open_rows(release, FORMULAS, "train", None)


def test_rows_are_those_of_the_release_in_its_order(rows: Rows) -> None:
    assert len(rows) == 450
    assert rows.group_sizes.tolist() == [100, 100, 100, 100, 50]
    for i in [449, 0, 100, 99, 317]:
        row = rows[i]
        assert (row.id, row.task, row.text) == (f"train-{i}", "formula_to_latex", texts(450)[i])
        assert row.image == png(f"#{i:06x}")  # still encoded, byte for byte
        assert row.conversation is None
        assert row.classes == ()
    for beyond in (450, -1):
        with pytest.raises(IndexError):
            rows[beyond]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("renamed", [False, True])
def test_every_layout_gives_the_same_rows(tmp_path: Path, layout: Layout, renamed: bool) -> None:
    names = ["image", "text"] if layout == "image_text" else ["images", *(["messages"] if layout == "messages" else ["prompt", "completion"])]  # fmt: skip  # noqa: E501
    rename = {name: f"their_{name}" for name in [*names, "id", "task"]} if renamed else {}
    write_release(tmp_path / "r", texts(5), layout=layout, prompt=PROMPT, rename=rename)
    rows = open_rows(tmp_path / "r", FORMULAS, "train", None)
    assert [(rows[i].id, rows[i].text, rows[i].conversation) for i in range(5)] == [
        (f"train-{i}", texts(5)[i], None) for i in range(5)
    ]
    assert rows[3].image == png("#000003")
    assert rows.ids().to_pylist() == [f"train-{i}" for i in range(5)]
    assert rows.prompt == (Prompt() if layout == "image_text" else PROMPT)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("system", [None, "Be kind."])
def test_chats_come_with_their_turns_in_every_layout(tmp_path: Path, layout: Layout, system: str | None) -> None:
    write_release(
        tmp_path / "r", ["", ""], task="image_chat", chats=[CHAT, CHAT[:2]], layout=layout, prompt=Prompt(system=system)
    )
    rows = open_rows(tmp_path / "r", CHATS, "train", None)
    assert [list(rows[i].conversation or ()) for i in range(2)] == [CHAT, CHAT[:2]]
    assert rows[0].text == ""


def test_classes_come_along_where_the_release_carries_them(tmp_path: Path) -> None:
    classes = pa.array([["cmd:\\frac", "size:short"], None, []], pa.list_(pa.string()))
    write_release(tmp_path / "r", texts(3), beside={"classes": classes})
    rows = open_rows(tmp_path / "r", FORMULAS, "train", None)
    assert [rows[i].classes for i in range(3)] == [("cmd:\\frac", "size:short"), (), ()]


def test_one_of_several_tasks(tmp_path: Path) -> None:
    write_release(tmp_path / "r", texts(3), in_task_folder=True)
    write_release(tmp_path / "r", ["<p>"] * 2, task="page_to_html", in_task_folder=True)
    assert len(open_rows(tmp_path / "r", FORMULAS, "train", None)) == 3
    assert open_rows(tmp_path / "r", DataConfig(task="page_to_html"), "train", None)[1].text == "<p>"
    with pytest.raises(
        BadInputError, match=r"no rows of image_chat\. Set data\.task to one of: formula_to_latex, page"
    ):
        open_rows(tmp_path / "r", CHATS, "train", None)


def test_what_is_not_there_is_told_in_one_line(release: Path, tmp_path: Path) -> None:
    def refused(folder: Path, data: DataConfig = FORMULAS, split: str = "train") -> str:
        with pytest.raises(BadInputError) as error:
            open_rows(folder, data, split, None)
        said = str(error.value)
        assert "\n" not in said
        return said

    assert "is no release: it has no folder data" in refused(tmp_path)
    assert "has no split test of formula_to_latex. It has: train" in refused(release, split="test")
    assert "rows of formula_to_latex and not of image_chat" in refused(release, CHATS)
    write_release(tmp_path / "other", texts(2), rename={"text": "latex"})
    (tmp_path / "other" / "recipe.yaml").unlink()
    assert "no layout of a release" in refused(tmp_path / "other")
    part = write_release(tmp_path / "part", texts(2)) / "data"
    (part / "train-00000-of-00001.parquet").rename(part / "train-00000-of-00002.parquet")
    assert "has 1 of the 2 files of its split train" in refused(tmp_path / "part")
    (part / "train-00001-of-00002.parquet").write_bytes(b"no parquet")
    assert "cannot be read" in refused(tmp_path / "part")
    empty = tmp_path / "empty" / "data"
    empty.mkdir(parents=True)
    schema = pq.read_schema(release / "data" / "train-00000-of-00001.parquet")
    pq.write_table(schema.empty_table(), empty / "train-00000-of-00001.parquet")
    assert "empty has no rows of formula_to_latex in its split train" in refused(tmp_path / "empty")


def test_a_limit_takes_the_start_of_the_shuffled_order(release: Path) -> None:
    some = open_rows(release, FORMULAS, "train", 120)
    assert len(some) == 120
    assert some.group_sizes.sum() == 120
    ids = [some[i].id for i in range(120)]
    assert ids == some.ids().to_pylist()
    numbers = [int(one.removeprefix("train-")) for one in ids]
    assert numbers == sorted(set(numbers))  # numbered in the release's order
    assert numbers != list(range(120))
    again = open_rows(release, FORMULAS, "train", 120)
    assert again.ids() == some.ids()
    assert open_rows(release, DataConfig(task="formula_to_latex", seed=1), "train", 120).ids() != some.ids()
    fewer = open_rows(release, FORMULAS, "train", 50).ids().to_pylist()
    assert set(fewer) < set(ids)  # more rows are the same and more
    assert len(open_rows(release, FORMULAS, "train", 9_999)) == 450


def test_a_scan_gives_columns_of_wanted_rows_in_order(release: Path, rows: Rows) -> None:
    some = open_rows(release, FORMULAS, "train", 200)
    wanted = np.zeros(200, np.bool_)
    wanted[[3, 77, 150]] = True
    found = [(i, id_) for at, table in some.scan(("id", "classes"), wanted) for i, id_ in zip(at, table.column("id").to_pylist(), strict=True)]  # noqa: E501  # fmt: skip
    assert found == [(i, some[i].id) for i in (3, 77, 150)]
    assert sum(table.num_rows for _, table in rows.scan(("id",))) == 450


def test_a_few_row_groups_are_held_and_none_travels(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = training.rows._read
    monkeypatch.setattr(training.rows, "_read", lambda group, names: read.append(group.index) or real(group, names))
    rows = open_rows(release, FORMULAS, "train", None)
    read.clear()
    for i in (0, 150, 50, 199, 1):
        rows[i]
    assert read == [0, 1]
    assert len(pickle.dumps(rows)) < 3_000
    monkeypatch.setattr(training.rows, "CACHE_BYTES", 1)
    fresh = pickle.loads(pickle.dumps(rows))
    for i in (0, 150, 50):
        fresh[i]
    assert read == [0, 1, 0, 1, 0]  # one at a time
    assert open_rows(release, FORMULAS, "train", None).window_groups == 1


def test_a_window_is_read_once(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training.order import Order

    n_read = 0
    real = training.rows._read

    def counted(*given: object) -> pa.Table:
        nonlocal n_read
        n_read += 1
        return real(*given)

    rows = open_rows(release, FORMULAS, "train", None)
    monkeypatch.setattr(training.rows, "_read", counted)
    order = Order(rows.group_sizes, 1, window_groups=2)
    for position in range(450):
        rows[order.row_at(position)]
    assert n_read == 5
