"""Pictures made from prompts find their prompt again; what has no counterpart is a row with its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curation.errors import AddressError
from curation.sources.synthetic_images import SyntheticImages
from tests.curation.making import png
from tests.curation.sources.building import Built, build


def prompt(prompt_id: object, **more: Any) -> dict[str, Any]:
    return {"id": prompt_id, "prompt": f"A picture of {prompt_id}", **more}


def write(root: Path, prompts: list[Any], *pictures: str, name: str = "prompts.jsonl") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("\n".join(json.dumps(row) for row in prompts))
    for number, picture in enumerate(pictures):
        (root / picture).parent.mkdir(parents=True, exist_ok=True)
        (root / picture).write_bytes(png(f"#{number:06x}"))
    return root / name


def made(built: Built) -> dict[str, str]:
    """The text of each sample, by the file that its lineage names."""
    return {json.loads(row["lineage"])["file"]: row["text"] for row in built.samples}


def rejected(built: Built) -> set[tuple[str, str, str]]:
    return {(row["source_key"], row["reason"], row["detail"]) for row in built.rejects}


def test_pictures_are_matched_by_their_names_and_all_are_accounted_for(tmp_path: Path) -> None:
    prompts = [prompt("p1"), prompt("p1_2"), prompt("p2", objects=["dog", "hair drier"]), prompt(3), prompt("p4")]
    pictures = (
        "p1.png",
        "p1_2.png",
        "p1_3.png",
        "deep/er/p2.png",
        "p2_12.jpg",
        "3.png",
        "p5.png",
        "p1x.png",
        "p1_x.png",
    )
    write(tmp_path / "set", prompts, *pictures)
    built = build(SyntheticImages(str(tmp_path / "set"), generator="sd-3"), tmp_path / "w", rows=2)
    assert made(built) == {
        "p1.png": "A picture of p1",
        "p1_2.png": "A picture of p1_2",  # a prompt's own id goes before a number
        "p1_3.png": "A picture of p1",
        "deep/er/p2.png": "A picture of p2",
        "p2_12.jpg": "A picture of p2",
        "3.png": "A picture of 3",
    }
    assert rejected(built) == {
        ("p4", "image_missing", "no picture of prompt p4"),
        ("p5.png", "prompt_missing", "there is no prompt 'p5'"),
        ("p1x.png", "prompt_missing", "there is no prompt 'p1x'"),
        ("p1_x.png", "prompt_missing", "there is no prompt 'p1_x'"),
    }
    assert built.selection.rows_in == 10
    p2 = next(row for row in built.samples if row["image"]["bytes"] == png("#000003"))
    assert json.loads(p2["lineage"]) == {
        "file": "deep/er/p2.png",
        "generator": "sd-3",
        "prompt": "A picture of p2",
        "prompt_id": "p2",
    }
    assert (p2["image_origin"], p2["objects"], p2["context"]) == ("synthetic", ["dog", "hair drier"], "A picture of p2")
    assert len({row["id"] for row in (*built.samples, *built.rejects)}) == 10


def test_pictures_of_one_prompt_are_of_one_family(tmp_path: Path) -> None:
    prompts = [prompt(f"p{n}") for n in range(6)]
    write(tmp_path, prompts, *(f"p{n}_{m}.png" for n in range(6) for m in range(5)))
    built = build(SyntheticImages(str(tmp_path)), tmp_path / "w", carry=("lineage",))
    from datasets import load_dataset

    splits = load_dataset(built.release.path, cache_dir=str(tmp_path / "cache"))
    found = {(json.loads(row["lineage"])["prompt_id"], split) for split, rows in splits.items() for row in rows}
    assert len(found) == len({prompt_id for prompt_id, _ in found}) == 6
    assert {row["image_origin"] for rows in splits.values() for row in rows} == {"synthetic"}
    assert built.selection.rows_kept == 30


def test_a_map_names_pictures_that_have_other_names(tmp_path: Path) -> None:
    prompts = write(tmp_path / "text", [prompt("p1"), prompt("p2"), prompt("p3")])
    write(tmp_path / "out", [], "0001.png", "0002.png", "p2.png", "p1_7.png", name="unused.txt")
    mapped = [
        {"prompt_id": "p1", "file": "0001.png"},
        {"prompt_id": "p2", "file": "0002.png"},
        {"prompt_id": "p1", "file": "p1_7.png"},
        {"prompt_id": "p9", "file": "0009.png"},
        {"prompt_id": "p3", "file": "../text/secret.png"},
        {"prompt_id": "p3", "file": "gone.png"},
        {"prompt_id": "p3"},
        "no object",
    ]
    by_map = write(tmp_path / "maps", mapped, name="map.jsonl")
    source = SyntheticImages(str(prompts), images=str(tmp_path / "out"), images_map=str(by_map))
    built = build(source, tmp_path / "w")
    assert made(built) == {
        "0001.png": "A picture of p1",
        "p1_7.png": "A picture of p1",
        "0002.png": "A picture of p2",
        "p2.png": "A picture of p2",
    }
    assert rejected(built) == {
        ("p3", "image_path_unsafe", "../text/secret.png"),
        ("p3", "image_missing", "no picture bytes"),
        ("0009.png", "prompt_missing", "there is no prompt 'p9'"),
        ("map:6", "annotation_broken", "no file is named"),
        ("map:7", "annotation_broken", "the row is no object"),
    }


def test_a_prompt_may_say_its_task_and_its_target(tmp_path: Path) -> None:
    prompts = [
        prompt("a", caption="A short caption."),
        prompt("b", task="formula_to_latex", text="x^{2}", classes=["cmd:\\frac"]),
        prompt("c", task="table_to_html"),
        prompt("d", task="image_chat"),
        prompt("e", classes=["object:dog", "tag:nav"]),
        {"id": "f"},
        {"prompt": "no id"},
        prompt("a"),
        ["no object"],
    ]
    write(tmp_path, prompts, *(f"{name}.png" for name in "abcdef"))
    built = build(SyntheticImages(str(tmp_path)), tmp_path / "w")
    assert [(row["task"], row["text"], row["objects"]) for row in built.samples] == [
        ("image_to_caption", "A short caption.", None),
        ("formula_to_latex", "x ^ { 2 }", []),
        ("image_to_caption", "A picture of e", ["dog"]),
    ]
    assert rejected(built) == {
        ("c", "text_missing", "a prompt is no target of table_to_html"),
        ("d", "annotation_broken", "there is no task 'image_chat' for a picture"),
        ("f", "text_missing", "no prompt"),
        ("prompts.jsonl:6", "annotation_broken", "the prompt has no id"),
        ("prompts.jsonl:7", "annotation_broken", "its id is that of line 0 too"),
        ("prompts.jsonl:8", "annotation_broken", "the row is no object"),
    }
    assert next(row for row in built.rejects if row["source_key"] == "c")["excerpt"] == "A picture of c"


def test_pictures_that_come_later_are_taken_up_with_the_same_ids(tmp_path: Path) -> None:
    write(tmp_path / "set", [prompt("p1"), prompt("p2")], "p1_2.png")
    first = build(SyntheticImages(str(tmp_path / "set")), tmp_path / "w")
    for name, color in (("p1.png", "green"), ("p2.png", "blue")):
        (tmp_path / "set" / name).write_bytes(png(color))
    second = build(SyntheticImages(str(tmp_path / "set")), tmp_path / "w")
    assert (len(first.samples), len(first.rejects)) == (1, 1)
    assert (len(second.samples), second.rejects) == (3, [])
    ids = {json.loads(row["lineage"])["file"]: row["id"] for row in second.samples}
    assert ids["p1_2.png"] == first.samples[0]["id"]


def test_what_cannot_be_found_is_one_line_with_the_mend(tmp_path: Path) -> None:
    write(tmp_path / "none", [prompt("p1")])
    with pytest.raises(AddressError, match=r"holds no \.png or"):
        list(SyntheticImages(str(tmp_path / "none")).pieces(5))
    write(tmp_path / "two", [prompt("p1")], "p1.png", name="a.jsonl")
    write(tmp_path / "two", [prompt("p1")], name="b.jsonl")
    with pytest.raises(AddressError, match=r"several JSONL files: a\.jsonl, b\.jsonl\. Give the one with the prompts"):
        list(SyntheticImages(str(tmp_path / "two")).pieces(5))
