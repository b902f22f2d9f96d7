"""LLaVA's conversations: into messages without the picture's mark, through the filter into a release, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curation.errors import AddressError, SchemaError
from curation.reasons import Reason
from curation.sources import json_files
from curation.sources.llava_chat import LlavaChat, conversation
from curation.stage import Batch
from tests.curation.making import png
from tests.curation.sources.building import build, tokens
from tests.hub.server import FakeHub


def chat(
    *values: str, image: object = "a.png", roles: tuple[str, ...] = ("human", "gpt"), **more: Any
) -> dict[str, Any]:
    turns = [{"from": roles[number % len(roles)], "value": value} for number, value in enumerate(values)]
    return {"id": "1", "image": image, "conversations": turns, **more}


def write(root: Path, rows: object, name: str = "chat.json", pictures: tuple[str, ...] = ("a.png",)) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        (root / picture).parent.mkdir(parents=True, exist_ok=True)
        (root / picture).write_bytes(png(f"#{number:06x}"))
    text = "\n".join(map(json.dumps, rows)) if name.endswith("l") and isinstance(rows, list) else json.dumps(rows)
    (root / name).write_text(text)
    return root / name


def rows_of(source: LlavaChat, rows_per_shard: int = 100) -> list[dict[str, Any]]:
    return [row for piece in source.pieces(rows_per_shard) for row in source.read_texts(piece).to_pylist()]


def fault_of(tmp_path: Path, row: dict[str, Any]) -> tuple[str, str]:
    write(tmp_path, [row])
    (found,) = rows_of(LlavaChat(str(tmp_path)))
    assert found["messages"] is found["text"] is None
    return found["reject_reason"], found["reject_detail"]


@pytest.mark.parametrize("name", ["chat.json", "chat.jsonl"])
def test_single_and_many_turns_become_messages(tmp_path: Path, name: str) -> None:
    rows = [
        chat("<image>\nWhat is it?", "A dog.", id="000000033471"),
        chat("Who is here?\n<image>", "Two people.", "And  what\nelse?", "A dog.", image="b/c.jpg", id=7),
        chat("Be short.", "<image>What?", "It.", roles=("system", "human", "gpt")),
    ]
    found = rows_of(LlavaChat(str(write(tmp_path, rows, name))))
    assert [row["messages"] for row in found] == [
        [{"role": "user", "content": "What is it?"}, {"role": "assistant", "content": "A dog."}],
        [
            {"role": "user", "content": "Who is here?"},
            {"role": "assistant", "content": "Two people."},
            {"role": "user", "content": "And  what\nelse?"},
            {"role": "assistant", "content": "A dog."},
        ],
        [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "What?"},
            {"role": "assistant", "content": "It."},
        ],
    ]
    assert [row["source_key"] for row in found] == ["000000033471", "7", "1"]
    assert {(row["task"], row["text"]) for row in found} == {("image_chat", None)}


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        (chat("What?", "A dog."), Reason.CHAT_IMAGE_MARK, "0 marks <image> for one picture"),
        (chat("<image><image> Which?", "This."), Reason.CHAT_IMAGE_MARK, "2 marks <image> for one picture"),
        (chat("Hi", "Hi", "<image>?", "A."), Reason.CHAT_IMAGE_MARK, "<image> in turn 3, not in the first question"),
        (chat("Hi", "<image>"), Reason.CHAT_IMAGE_MARK, "<image> in turn 2, not in the first question"),
        (chat("<image>?", "A.", image=["a.png", "b.png"]), Reason.CHAT_SEVERAL_IMAGES, "2 pictures"),
        (chat("Hi", "Hi", image=None), Reason.IMAGE_MISSING, "the row names no picture"),
        (chat("<image>?", "A.", image=""), Reason.IMAGE_MISSING, "the row names no picture"),
        (chat("<image>?", "A.", image="../a.png"), Reason.IMAGE_PATH_UNSAFE, "../a.png"),
        (chat("<image>?", "A.", image="/etc/passwd"), Reason.IMAGE_PATH_UNSAFE, "/etc/passwd"),
        (chat("<image>?", "A.", image=7), Reason.ANNOTATION_BROKEN, "int where a picture's name is expected"),
        (chat("A.", "<image>?", roles=("gpt", "human")), Reason.CHAT_ROLES, "gpt human"),
        (chat("<image>?", "Well?", roles=("human",)), Reason.CHAT_ROLES, "human human"),
        (chat("<image>?"), Reason.CHAT_ROLES, "human"),
        (chat("Hm.", roles=("system",)), Reason.CHAT_ROLES, "system"),
        (chat("<image>?", "A.", roles=("human", "bing")), Reason.CHAT_ROLES, "human bing"),
        (chat("<image>", "A."), Reason.CHAT_TURN_EMPTY, "turn 1"),
        (chat("<image>?", " \n"), Reason.CHAT_TURN_EMPTY, "turn 2"),
        ({"image": "a.png", "conversations": []}, Reason.ANNOTATION_BROKEN, "no list of turns"),
        ({"image": "a.png"}, Reason.ANNOTATION_BROKEN, "no list of turns"),
        ({"id": "p1", "prompt": "no chat"}, Reason.ANNOTATION_BROKEN, "no list of turns"),
        ({"image": "a.png", "conversations": [{"from": "human"}]}, Reason.ANNOTATION_BROKEN, "turn 1 has no text"),
        (chat("<image>\ud800", "A."), Reason.TEXT_NOT_UTF8, "turn 1: byte 7 of 10"),
    ],
)
def test_what_is_no_conversation_about_one_picture_is_rejected(
    row: dict[str, Any], reason: Reason, detail: str, tmp_path: Path
) -> None:
    assert fault_of(tmp_path, row) == (reason, detail)


def test_a_list_with_one_picture_is_one_picture(tmp_path: Path) -> None:
    built = build(LlavaChat(str(write(tmp_path, [chat("<image>?", "A.", image=["a.png"])]))), tmp_path / "w")
    assert [row["image"]["bytes"] for row in built.samples] == [png("#000000")]


def test_conversations_come_back_from_a_release_as_they_were(tmp_path: Path) -> None:
    from datasets import load_dataset

    long = "word " * 400
    rows = [
        chat(f"<image>\nQuestion {n}?", "Yes <b>&amp;</b>\n\tno 犬", image=f"{n}.png", id=str(n)) for n in range(12)
    ]
    rows.append(chat("<image>\nAnother question?", "An answer", "More?", "No.", image="0.png", id="12"))
    rows += [chat("<image>?", long, image="0.png", id="13"), chat("<image>?", "A", image="none.png", id="14")]
    rows += [chat("<image>\0?", "A", image="0.png", id="15"), chat("?", "A", image="0.png", id="16")]
    path = write(tmp_path / "set", rows, pictures=tuple(f"{n}.png" for n in range(12)))
    built = build(LlavaChat(str(path)), tmp_path / "w", carry=("n_tokens",), ceiling=200, rows=5)

    reasons = {row["source_key"]: row["reason"] for row in built.rejects}
    assert reasons == {
        "13": "too_many_tokens",
        "14": "image_missing",
        "15": "markup_invalid",
        "16": "chat_image_mark",
    }
    excerpts = {row["source_key"]: row["excerpt"] for row in built.rejects}
    assert excerpts["16"] == "?\nA"
    assert excerpts["14"] == "user: ?\nassistant: A"
    assert built.selection.rows_kept == 13  # two conversations about one picture are no duplicates

    loaded = load_dataset(built.release.path, cache_dir=str(tmp_path / "cache"))
    found = {row["source_key"]: (split, row) for split, dataset in loaded.items() for row in dataset}
    assert found["0"][0] == found["12"][0]  # of one picture, so in one split
    for row in rows[:13]:
        messages = conversation(row["conversations"])
        assert found[row["id"]][1]["messages"] == messages
        assert found[row["id"]][1]["text"] is None
        assert found[row["id"]][1]["image"].size == (4, 3)
    with tokens(200).open() as count:
        turns = found["12"][1]["messages"]
        table = pa.table({"task": ["image_chat"] * 2, "text": [None] * 2, "messages": [turns, turns[:2]]})
        whole, half = count(Batch(table)).columns["n_tokens"].to_pylist()
    assert found["12"][1]["n_tokens"] == whole > half  # all turns are counted
    card = Path(built.release.path, "README.md").read_text()
    assert "- name: messages\n    list:\n    - name: role\n      dtype: string\n" in card


def test_pictures_that_come_later_are_taken_up(tmp_path: Path) -> None:
    path = write(tmp_path, [chat("<image>?", "A."), chat("<image>?", "B.", image="later/b.png")])
    first = build(LlavaChat(str(path)), tmp_path / "w")
    assert [row["reason"] for row in first.rejects] == ["image_missing"]
    write(tmp_path, [chat("<image>?", "A."), chat("<image>?", "B.", image="later/b.png")], pictures=("later/b.png",))
    second = build(LlavaChat(str(path)), tmp_path / "w")
    assert (second.rejects, len(second.samples)) == ([], 2)
    assert second.samples[0]["id"] == first.samples[0]["id"]
    assert second.shard_keys != first.shard_keys
    assert build(LlavaChat(str(path)), tmp_path / "w").shard_keys == second.shard_keys


def test_pictures_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path / "text", [chat("<image>?", "A.", image="coco/a.png")], pictures=())
    write(tmp_path / "pictures", [], "unused.txt", pictures=("coco/a.png",))
    built = build(LlavaChat(str(path), images=str(tmp_path / "pictures")), tmp_path / "w")
    assert len(built.samples) == 1
    with pytest.raises(AddressError, match="There is no folder of pictures"):
        list(LlavaChat(str(path), images=str(tmp_path / "nowhere/at/all")).pieces(5))


def test_conversations_and_pictures_may_be_on_the_hub(tmp_path: Path, hub: FakeHub) -> None:
    rows = [chat("<image>?", "A.", image="a.png"), chat("<image>?", "B.", image="b.png")]
    chats = hub.publish("org/chats", {"one.json": json.dumps(rows).encode(), "two.json": b"[]"})
    hub.publish("org/pictures", {"v1/a.png": png("red")})
    source = LlavaChat("org/chats:one", images="hf://datasets/org/pictures/v1")
    (piece,) = source.pieces(10)
    assert piece.revision == chats
    hub.publish("org/pictures", {"v1/a.png": png("blue"), "v1/b.png": png()})  # after the start: not looked at
    assert source.read_images(piece, [0, 1]).to_pylist() == [{"bytes": png("red"), "path": None}, None]
    (again,) = source.pieces(10)
    assert again.images_sha256 != piece.images_sha256


def list_file(root: Path, text: str) -> list[tuple[int, int]]:
    (root / "x.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    return [(piece.first_row, piece.n_rows) for piece in LlavaChat(str(root)).pieces(2)]


@pytest.fixture(params=[7, 64, 1 << 20])
def _chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A list is read in pieces: wherever they end, the result is the same."""
    monkeypatch.setattr(json_files, "_CHUNK_BYTES", request.param)
    return


@pytest.mark.usefixtures("_chunk")
def test_a_list_is_read_in_pieces_wherever_its_bytes_are_cut(tmp_path: Path) -> None:
    rows = [chat(f"<image>\n{text}", '答え \\ " ] } [', id=text) for text in ("犬", "é" * 30, 'a"b', "x]", "\\")]
    for indent, tail in ((None, ""), (2, "\n \n"), (None, "\r\n")):
        text = json.dumps(rows, indent=indent, ensure_ascii=indent is None) + tail
        (tmp_path / "x.json").write_text(("\ufeff" if indent else " ") + text)
        source = LlavaChat(str(tmp_path))
        pieces = list(source.pieces(2))
        assert [(piece.first_row, piece.n_rows) for piece in pieces] == [(0, 2), (2, 2), (4, 1)]
        read = [found for piece in pieces for found in json_files.read_objects(piece)]
        assert read == rows
        (tmp_path / "x.json").unlink()


@pytest.mark.usefixtures("_chunk")
def test_a_list_may_be_empty_and_hold_what_is_no_object(tmp_path: Path) -> None:
    assert list_file(tmp_path, "[]") == list_file(tmp_path, " [ \n ] ") == []
    assert list_file(tmp_path, '[12345678, "x", null, {"a": [[]]}, ]') == [(0, 2), (2, 2)]
    found = rows_of(LlavaChat(str(tmp_path)))
    assert [row["reject_detail"] for row in found[:3]] == ["the row is no object"] * 3


@pytest.mark.usefixtures("_chunk")
@pytest.mark.parametrize(
    "text", ['[{"a": 1}', '[{"a": 1}, {"b"', '[{"a": 1} {"b": 2}]', '[{"a": 1}, {b}]', "[", "[1", '[{"a": "x]']
)
def test_a_list_that_is_cut_or_broken_is_one_line_with_the_place(text: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"x\.json is cut or broken at byte \d+\. Fetch it again"):
        list_file(tmp_path, text)


def test_deep_nesting_breaks_nothing(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="cut or broken"):
        list_file(tmp_path, "[" + "[" * 100_000 + "]" * 100_001)


def test_bytes_that_are_no_utf8_cost_their_row_only(tmp_path: Path) -> None:
    rows = json.dumps([chat("<image>?", "A."), chat("<image>XX", "B.")]).encode().replace(b"XX", b"\xff\xfe")
    (tmp_path / "chat.json").write_bytes(rows)
    found = rows_of(LlavaChat(str(tmp_path)))
    assert [row["reject_reason"] for row in found] == [None, "text_not_utf8"]


def test_a_broken_line_is_a_row(tmp_path: Path) -> None:
    good = json.dumps(chat("<image>?", "A."))
    (tmp_path / "chat.jsonl").write_text(f'{good}\n{{"id": \n[]\n{good}')
    found = rows_of(LlavaChat(str(tmp_path)), 2)
    assert [row["reject_reason"] for row in found] == [None, "annotation_broken", "annotation_broken", None]
