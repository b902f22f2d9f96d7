"""Datasets on the Hub as lists of files at one commit. The token comes from the environment only."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Literal, TypeVar, cast

from huggingface_hub import HfApi, HfFileSystem, errors
from huggingface_hub.hf_api import RepoFile

from curation.errors import AddressError
from curation.sources.files import SourceFile, is_inside, is_listed
from curation.sources.remote import first_answer, unreachable

_Answer = TypeVar("_Answer")


def list_dataset(repo: str, revision: str, folder: str) -> tuple[str, tuple[SourceFile, ...]]:
    """The commit that `revision` is now, and the files of the dataset `repo` (in `folder`, unless empty) at it.

    Raises:
        AddressError: there is no such dataset or revision, it may not be read, or the Hub cannot be reached.
    """
    api = HfApi(endpoint=_hub_endpoint(), token=_hub_token())
    try:
        info = first_answer(lambda: _with_retries(lambda: api.repo_info(repo, repo_type="dataset", revision=revision)))
        commit = cast("str", info.sha)
        if info.gated:  # its files are listed to everyone, and refused one by one
            api.auth_check(repo, repo_type="dataset")
        entries = list(api.list_repo_tree(repo, repo_type="dataset", revision=commit, recursive=True))
    except Exception as error:
        raise _hub_error(repo, revision, error) from error
    prefix = f"hf://datasets/{repo}@{commit}/"
    files = []
    for entry in entries:
        name = entry.path.removeprefix(folder).lstrip("/")
        inside = not folder or entry.path == folder or entry.path.startswith(folder + "/")
        if isinstance(entry, RepoFile) and inside and is_listed(name) and is_inside(entry.path):
            sha256 = entry.lfs.sha256 if entry.lfs else ""
            name = name or PurePosixPath(entry.path).name
            files.append(SourceFile(prefix + entry.path, name, entry.size, sha256, entry.blob_id))
    return commit, tuple(files)


def _hub_error(repo: str, revision: str, error: Exception) -> AddressError:
    """What a person can do about a Hub error. The Hub's own message is not shown: it repeats the request."""
    if isinstance(error, errors.GatedRepoError):
        mend = "Ask for access on its page, then set HF_TOKEN to a token that may read it"
        return AddressError(f"The dataset {repo} is gated", mend)
    if isinstance(error, errors.RevisionNotFoundError):
        return AddressError(f"The dataset {repo} has no revision {revision!r}", "Give a branch, tag or commit of it")
    if isinstance(error, errors.RepositoryNotFoundError):
        mend = "Check the name; a private dataset needs HF_TOKEN to be set"
        return AddressError(f"There is no folder and no dataset on the Hub named {repo}", mend)
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        if status in {401, 403}:
            return AddressError(f"The Hub refuses to show {repo} (HTTP {status})", "Check the token in HF_TOKEN")
        return AddressError(f"The Hub cannot show {repo} now (HTTP {status})", "Try again later")
    if isinstance(error, errors.HFValidationError):
        return AddressError(f"{repo!r} names no dataset of the Hub", "Write org/name or org/name@revision")
    if isinstance(error, OSError) or type(error).__module__.startswith("httpx"):
        return unreachable(f"The Hub (for {repo})", error)
    raise error


def hub_filesystem() -> HfFileSystem:
    """The Hub's file system, at the endpoint and with the token of the environment as it is now."""
    return HfFileSystem(endpoint=_hub_endpoint(), token=_hub_token())


def _hub_endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _hub_token() -> str | Literal[False]:
    return os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN") or False


def _with_retries(call: Callable[[], _Answer]) -> _Answer:
    """Try again when a server is busy: the Hub's client does so for every call but `repo_info`."""
    for pause_s in (1.0, 2.0, 4.0):
        try:
            return call()
        except errors.HfHubHTTPError as error:
            if error.response.status_code not in {429, 500, 502, 503, 504}:
                raise
            time.sleep(pause_s)
    return call()
