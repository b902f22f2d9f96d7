"""The docs are true: their code runs, their commands exist, every recipe they show is one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from curation.ingest import Ingest, ingest_piece
from curation.stages.images import CheckImage
from curation.store import Workspace
from tests.curation.making import ListSource, png

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def run_block(page: str) -> dict[str, Any]:
    module = ModuleType("docs_example")
    import sys

    sys.modules["docs_example"] = module  # dataclasses look their module up
    module.__dict__["__name__"] = "docs_example"
    exec(compile(blocks(ROOT / "docs" / page, "python")[0], page, "exec"), module.__dict__)
    return module.__dict__


def test_the_source_of_the_docs_reads_every_row(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    for name in ("a", "b"):
        (tmp_path / "pages" / f"{name}.html").write_text(f"<p>{name}</p>")
    (tmp_path / "pages" / "a.png").write_bytes(png())
    source = run_block("adding-a-source.md")["PageFolder"](address=str(tmp_path / "pages"))
    ingest = Ingest(source, (), (CheckImage(),))
    shards = [ingest_piece(Workspace(tmp_path / "w"), ingest, piece) for piece in source.pieces(100)]
    assert [(shard.rows_kept, dict(shard.rejected)) for shard in shards] == [(1, {}), (0, {"image_missing": 1})]


def test_the_stage_of_the_docs_counts_and_rejects(tmp_path: Path) -> None:
    stage = run_block("adding-a-stage.md")["Mentions"](words=("table",))
    source = ListSource((("A table of tables", "a chair"), (png(), png())))
    shard = ingest_piece(Workspace(tmp_path), Ingest(source, (stage,), (CheckImage(),)), next(source.pieces(9)))
    assert (shard.rows_kept, dict(shard.rejected)) == (1, {"markup_invalid": 1})
    measured = Workspace(tmp_path).open_parquet(f"measures/mentions/{shard.key}.parquet").read()
    assert measured.column("n_mentions").to_pylist() == [2]


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in blocks(page, "sh") + blocks(page, "console"):
            lines = block.replace("\\\n", " ").splitlines()
            found += [(page.name, line.removeprefix("$ ").split(" #")[0].strip()) for line in lines if line.strip()]
    return found


@pytest.mark.parametrize(("page", "command"), commands())
def test_every_command_shown_exists(page: str, command: str) -> None:
    from flows.cli import main

    words = shlex.split(command)
    if words[0].endswith("markupmill"):
        context = click.Context(main)
        name = words[1]
        found = main.get_command(context, name)
        assert found is not None, f"{page}: there is no command {name}"
        found.make_context(name, words[2:], resilient_parsing=False)
    elif words[0] == "make":
        targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert [word for word in words[1:] if "=" not in word and word not in targets] == []
    else:
        others = {"git", "cd", "export", "python", ".venv/bin/python", "source", "prefect"}
        assert words[0] in others, f"{page}: {command}"


def test_every_recipe_shown_is_one(tmp_path: Path) -> None:
    from flows.loop_recipe import load_loop_recipe
    from flows.recipe import load_recipe

    shown = [block for page in PAGES for block in blocks(page, "yaml") if block.startswith("name:")]
    assert shown
    for block in shown:
        (tmp_path / "recipe.yaml").write_text(block)
        load = load_loop_recipe if "\ncurate:" in block else load_recipe
        load(str(tmp_path / "recipe.yaml"))


def test_the_keys_of_recipes_are_all_documented() -> None:
    from flows.recipe import Recipe, ReleaseSettings, TokenSettings

    text = (ROOT / "docs" / "recipes.md").read_text("utf-8")
    names = {f"tokens.{name}" for name in TokenSettings.model_fields if name != "revision"}
    names |= {f"release.{name}" for name in ReleaseSettings.model_fields}
    names |= set(Recipe.model_fields) - {"tokens", "release", "sources", "prompt", "description"}
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []
