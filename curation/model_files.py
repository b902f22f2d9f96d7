"""Files of models that measures run, by name: a folder, an installed package or the Hub; and the hash that names them.

Not for tokenizers alone (`curation.tokenizers`), nor for loading weights (`curation.clip_model`).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from curation.errors import ModelError

PACKAGE_PREFIX: Final = "package:"
HUB_TIMEOUT_S: Final = 5.0
"""How long the Hub may take to answer: without a network the user should read the mend within seconds."""

WEIGHT_SUFFIXES: Final = (".safetensors", ".bin", ".pth", ".pt")
_SETTING_SUFFIXES: Final = (".json", ".txt", ".model", ".jinja")

Choose = Callable[[list[str]], list[str]]
"""Which of a repository's files a model is made of; none where it is no such model."""


def is_path(name: str) -> bool:
    """Whether a model's name is a place on this machine: a folder that is there, or what looks like a path."""
    return name.startswith(("/", ".", "~")) or name.count("/") > 1 or Path(name).is_dir()


def local_folder(name: str, mend: str) -> Path:
    """The folder at a path. Raises `ModelError` where there is none."""
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise ModelError(f"There is no model folder at {name!r}", f"Check the path, or {mend}")
    return folder.resolve()


def packaged_folder(package: str, mend: str) -> Path:
    """The folder inside an installed package that holds a `config.json` with weights beside it; nothing is imported.

    Raises `ModelError` where the package is not installed or ships none.
    """
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        raise ModelError(f"The package {package!r} is not installed", f"Run `make setup`, or {mend}") from None
    folders = {Path(str(file.locate())).parent for file in files if file.name == "config.json"}
    found = sorted(folder for folder in folders if any(folder.glob("*.safetensors")))
    if not found:
        raise ModelError(f"The package {package!r} ships no weights", f"Check the name, or {mend}")
    return found[0]


def hub_folder(repo: str, revision: str | None, choose: Choose, mend: str) -> Path:
    """The folder of the Hub's cache that holds the chosen files of a model repository, fetched where they are not.

    Raises `ModelError` where they cannot be had; without a network within seconds, unless the cache has them.
    """
    from huggingface_hub import HfApi, errors, snapshot_download  # noqa: PLC0415 - half a second that most runs save

    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        info = HfApi(endpoint=endpoint).model_info(repo, revision=revision, timeout=HUB_TIMEOUT_S)
        wanted = choose([sibling.rfilename for sibling in info.siblings or []])
        if wanted:
            # By its name and not its commit: only so does the cache remember which commit the name stood for.
            fetched = snapshot_download(
                repo, revision=revision, allow_patterns=wanted, etag_timeout=HUB_TIMEOUT_S, endpoint=endpoint
            )
            return Path(fetched)
    except errors.GatedRepoError:
        raise ModelError(f"The model {repo} is gated", f"Ask for access and set HF_TOKEN, or {mend}") from None
    except errors.RevisionNotFoundError:
        raise ModelError(f"The model {repo} has no revision {revision!r}", "Give a branch, tag or commit") from None
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        wrong = f"Check the name (a private one needs HF_TOKEN), or {mend}"
        raise ModelError(f"There is no model {repo!r} on the Hub", wrong) from None
    except Exception as error:  # noqa: BLE001 - connection errors come as several kinds from several libraries
        cached = cached_folder(repo, revision or "main", choose)
        if cached is None:
            problem = f"{repo} cannot be fetched from the Hub ({type(error).__name__})"
            raise ModelError(problem, mend[:1].upper() + mend[1:]) from None
        return cached
    raise ModelError(f"{repo} on the Hub holds no weights that can be read", f"Check the name, or {mend}")


def cached_folder(repo: str, revision: str, choose: Choose) -> Path | None:
    """The folder of the Hub's cache that holds a revision (a name as it was last fetched, or a commit).

    None where there is none, or nothing in it that `choose` would choose.

    Not through `snapshot_download`: it refuses a snapshot of which some files were never wanted.
    """
    from huggingface_hub import constants  # noqa: PLC0415 - as above
    from huggingface_hub.file_download import repo_folder_name  # noqa: PLC0415 - as above

    cache = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="model")
    reference = cache / "refs" / revision
    folder = cache / "snapshots" / (reference.read_text("utf-8").strip() if reference.is_file() else revision)
    return folder if folder.is_dir() and choose(sorted(file.name for file in folder.iterdir())) else None


def model_files(folder: Path) -> list[Path]:
    """The files of a folder that decide what a model computes: weights, settings and vocabularies, sorted by name."""
    suffixes = (*WEIGHT_SUFFIXES, *_SETTING_SUFFIXES)
    return sorted(file for file in folder.iterdir() if file.suffix in suffixes and file.is_file())


def content_sha256(files: Iterable[Path]) -> str:
    """SHA-256 over names and contents: the same wherever the files lie. A file is read once in a process."""
    digest = hashlib.sha256()
    for file in files:
        status = file.stat()
        digest.update(f"{file.name}\0{_file_sha256(file, status.st_size, status.st_mtime_ns)}\0".encode())
    return digest.hexdigest()


@lru_cache(maxsize=256)
def _file_sha256(file: Path, size: int, mtime_ns: int) -> str:  # noqa: ARG001 - they tell whether the file is the same
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def first_line(error: Exception) -> str:
    """What an error of a library says, cut to one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
