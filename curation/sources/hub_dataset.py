"""Datasets on the Hub as lists of files at one commit. The token comes from the environment only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

import yaml
from fsspec.utils import glob_translate
from huggingface_hub import HfFileSystem
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from curation.errors import AddressError
from curation.sources.files import SourceFile, is_inside, is_listed
from curation.sources.hub_client import HubFile, ask_json, hub_endpoint, hub_error, hub_token, pages_of_json
from curation.sources.ranges import fetch
from curation.sources.remote import first_answer, persistently

_MAX_CARD_BYTES: Final = 4 * 1024 * 1024


def commit_of(repo: str, revision: str) -> str:
    """The commit of the dataset `repo` that `revision` is now.

    Raises:
        AddressError: there is no such dataset or revision, or it may not be read.
        UnreachableError: the Hub does not answer.
    """
    route, what = f"/api/datasets/{repo}", f"The Hub (for {repo})"
    info_route = f"{route}/revision/{quote(revision, safe='')}"
    try:
        validate_repo_id(repo)
        info = persistently(what, lambda: first_answer(lambda: ask_json(info_route)), is_first_contact=True)
        if info.get("gated"):  # its files are listed to everyone, and refused one by one
            persistently(what, lambda: ask_json(f"{route}/auth-check"))
    except Exception as error:
        raise hub_error(repo, revision, error) from error
    return str(info["sha"])


def list_dataset(repo: str, revision: str, folder: str, config: str = "") -> tuple[str, tuple[SourceFile, ...]]:
    """The commit that `revision` is now, and the files of the dataset `repo` at it: those in `folder`, of `config`.

    An empty folder or config leaves out nothing.

    Raises:
        AddressError: there is no such dataset, revision or config, or it may not be read.
        UnreachableError: the Hub does not answer.
    """
    commit = commit_of(repo, revision)
    try:
        entries = list(pages_of_json(f"/api/datasets/{repo}/tree/{commit}?recursive=true", f"The Hub (for {repo})"))
    except Exception as error:
        raise hub_error(repo, revision, error) from error
    prefix = f"hf://datasets/{repo}@{commit}/"
    files = []
    for entry in entries:
        path = entry["path"]
        name = path.removeprefix(folder).lstrip("/")
        inside = not folder or path == folder or path.startswith(folder + "/")
        if entry["type"] == "file" and inside and is_listed(name) and is_inside(path):
            sha256 = (entry.get("lfs") or {}).get("oid", "")
            files.append(
                SourceFile(prefix + path, name or PurePosixPath(path).name, entry["size"], sha256, entry["oid"])
            )
    return commit, _of_config(f"{repo}@{commit}", files, config) if config else tuple(files)


def _of_config(repo: str, files: Sequence[SourceFile], config: str) -> tuple[SourceFile, ...]:
    """The files of a config: those that the dataset's card names, else those in a folder of its name, else a file.

    `config` may leave out a file's suffix (LLaVA's conversations: `llava_v1_5_mix665k`).
    """
    card = next((file for file in files if file.name == "README.md"), None)
    patterns = _configs_of_card(repo) if card else {}
    if config in patterns:
        wanted = re.compile("|".join(glob_translate(pattern) for pattern in patterns[config]) or "(?!)")
        found = [file for file in files if wanted.match(file.name)]
    else:
        found = [file for file in files if file.name.startswith(f"{config}/")]
        found = found or [file for file in files if config in (file.name, PurePosixPath(file.name).stem)]
    if not found:
        names = {PurePosixPath(f.name).parts[0] if "/" in f.name else PurePosixPath(f.name).stem for f in files}
        has = ", ".join(sorted(set(patterns) or names - {"README"})[:12])
        raise AddressError(f"The dataset {repo.partition('@')[0]} has no config {config!r}", f"It has: {has}")
    return tuple(found)


def _configs_of_card(repo: str) -> dict[str, list[str]]:
    """Patterns of file names by config, as the YAML at the head of the dataset's card has them.

    https://huggingface.co/docs/hub/datasets-manual-configuration: `data_files` is a pattern, a list of patterns, or
    a list of splits with a pattern or patterns each; `data_dir` is a folder.
    """
    name, _, revision = repo.partition("@")
    card = HubFile(name, revision or "main", "README.md")
    text = fetch(card, 0, _MAX_CARD_BYTES).decode("utf-8", "replace")
    head = re.match(r"\s*---\s*\n(.*?)\n---", text, re.DOTALL)
    try:
        metadata = yaml.safe_load(head[1]) if head else None
    except yaml.YAMLError:
        return {}
    entries = metadata.get("configs") if isinstance(metadata, dict) else None
    configs: dict[str, list[str]] = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("config_name"), str):
            folder = str(entry.get("data_dir") or "").strip("/")
            patterns = list(_patterns(entry.get("data_files"))) or ["**"]
            configs[entry["config_name"]] = [f"{folder}/{pattern}" if folder else pattern for pattern in patterns]
    return configs


def _patterns(data_files: object) -> Iterator[str]:
    """The patterns in any of the forms that `data_files` has."""
    if isinstance(data_files, str):
        yield data_files.removeprefix("./")
    elif isinstance(data_files, list):
        for part in data_files:
            yield from _patterns(part)
    elif isinstance(data_files, dict):  # a split with its `path`, or splits with patterns
        yield from _patterns(data_files["path"] if "path" in data_files else list(data_files.values()))


def hub_filesystem() -> HfFileSystem:
    """The Hub's file system, at the endpoint and with the token of the environment as it is now."""
    return HfFileSystem(endpoint=hub_endpoint(), token=hub_token())
