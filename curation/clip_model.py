"""CLIP models by name, through open_clip: the files they are made of, and what they make of a picture or a text.

Not for deciding which text a sample is held against (`curation.measures.clip`).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from curation.errors import ModelError
from curation.model_files import Choose, content_sha256, first_line, hub_folder, is_path, local_folder, model_files
from curation.text_windows import windows

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "bf16"]
Embeddings = npt.NDArray[np.float32]
"""Rows of length 1."""

OVERRIDE: Final = "use --clip-model FOLDER, one that holds open_clip_config.json and open_clip_model.safetensors"

HUB_PREFIX: Final = "hf-hub:"
CONFIG: Final = "open_clip_config.json"
_SAFE_WEIGHTS: Final = "open_clip_model.safetensors"
_WEIGHTS: Final = "open_clip_pytorch_model.bin"
"""open_clip's own names on the Hub, the first of which it prefers."""

CPU_BATCH: Final = 8
"""ViT-B/32 on a core takes as long for a picture in batches of 4 as of 32; small ones overlap better with decoding."""
CUDA_BATCH_PER_GIB: Final = 16
MAX_BATCH: Final = 1_024


@dataclass(frozen=True)
class ClipFiles:
    """What a model is made of: its name as `open_clip.create_model` takes it, its weights, and all files hashed.

    `tag` are the settings of one of open_clip's own pretrained tags: how pictures were prepared for those weights.
    """

    name: str
    files: tuple[Path, ...]
    checkpoint: Path | None = None
    tag: dict[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Over names and contents of the files."""
        return content_sha256(self.files)


def library_version() -> str:
    """open_clip's name and version, for keys: it prepares the pictures; empty where it is not installed."""
    try:
        return f"open_clip {version('open-clip-torch')}"
    except PackageNotFoundError:
        return ""


def find_clip(model: str, pretrained: str) -> ClipFiles:
    """The files of a model, fetched where they are not there.

    `model` is a name of open_clip's with `pretrained` one of its tags or a checkpoint file; or, whatever `pretrained`
    says, `hf-hub:org/name` (`@revision` after it) or a folder with open_clip_config.json and weights.

    Raises `ModelError`, one line with the mend, where they cannot be had; without a network within seconds.
    """
    model = model.removeprefix("local-dir:")
    if model.startswith(HUB_PREFIX):
        repo, _, revision = model.removeprefix(HUB_PREFIX).partition("@")
        return _of_folder(hub_folder(repo, revision or None, _model_of_repository, OVERRIDE), model)
    if is_path(model):
        return _of_folder(local_folder(model, OVERRIDE), model)
    open_clip = _open_clip()
    if model not in open_clip.list_models():
        near = get_close_matches(model, open_clip.list_models(), 1)
        mend = f"Did you mean {near[0]!r}?" if near else f"For a model of the Hub write {HUB_PREFIX}{model}"
        raise ModelError(f"open_clip has no model {model!r}", f"{mend} Or {OVERRIDE}")
    if Path(pretrained).expanduser().is_file():
        checkpoint = Path(pretrained).expanduser().resolve()
        return ClipFiles(model, (checkpoint,), checkpoint)
    return _of_tag(model, pretrained)


def _of_folder(folder: Path, said: str) -> ClipFiles:
    if not (folder / CONFIG).is_file():
        raise ModelError(f"{said!r} holds no {CONFIG}", "Save the model with open_clip's push_to_hf_hub.save_for_hf")
    if not any(file.suffix in (".safetensors", ".bin", ".pth") for file in folder.iterdir()):
        raise ModelError(f"{said!r} holds no weights", f"Put {_SAFE_WEIGHTS} beside its {CONFIG}")
    return ClipFiles(f"local-dir:{folder}", tuple(model_files(folder)))


def _of_tag(model: str, tag: str) -> ClipFiles:
    """One of open_clip's own tags; all of them lie on the Hub."""
    from open_clip.pretrained import (  # type: ignore[import-untyped]
        get_pretrained_cfg,
        list_pretrained_tags_by_model,
    )

    config = get_pretrained_cfg(model, tag)
    if not config or not config.get("hf_hub"):
        tags = ", ".join(list_pretrained_tags_by_model(model)) or "none"
        raise ModelError(f"{tag!r} is neither weights of {model} nor a file", f"Its tags: {tags}. Or {OVERRIDE}")
    repo, _, name = config["hf_hub"].rpartition("/")
    wanted = [_SAFE_WEIGHTS, _WEIGHTS] if not name else [f"{Path(name).stem}.safetensors", name]
    folder = hub_folder(repo, None, _first_of(wanted), OVERRIDE)
    checkpoint = next(folder / name for name in wanted if (folder / name).is_file())
    return ClipFiles(model, (checkpoint,), checkpoint, {key: config[key] for key in config if key != "size"})


def _first_of(names: Sequence[str]) -> Choose:
    return lambda there: [name for name in names if name in there][:1]


def _model_of_repository(there: list[str]) -> list[str]:
    """Settings, vocabularies and the weights that open_clip would take."""
    weights = _first_of([_SAFE_WEIGHTS, _WEIGHTS])(there)
    if CONFIG not in there or not weights:
        return []
    return [*weights, *(name for name in there if "/" not in name and name.endswith((".json", ".txt", ".model")))]


class ClipModel:
    """A model in memory. Threads may share it: texts are tokenised, and batches computed, one at a time."""

    def __init__(self, files: ClipFiles, device: str, precision: Precision, batch_size: int | Literal["auto"]) -> None:
        import torch
        from open_clip.transform import (  # type: ignore[import-untyped]
            PreprocessCfg,
            image_transform_v2,
        )

        self._device = torch.device(device)
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self._batch_size = default_batch_size(device) if batch_size == "auto" else batch_size
        self._model, self._tokenizer = _load(files, device, precision)
        self._transform = image_transform_v2(PreprocessCfg(**self._model.visual.preprocess_cfg), is_train=False)
        self._computing, self._tokenizing = Lock(), Lock()
        self._n_tokens = _counter(self._tokenizer)

    @property
    def context_length(self) -> int:
        """Tokens that a text may have, special ones included."""
        return int(self._tokenizer.context_length)

    @property
    def batch_size(self) -> int:
        """How many pictures or windows are computed at a time; halved where the device had no memory for them."""
        return self._batch_size

    def windows(self, text: str) -> list[str]:
        """The text in windows of the context length, measured by the model's own tokenizer."""
        with self._tokenizing:
            return windows(text, self._n_tokens, self.context_length)

    def tokens(self, texts: Sequence[str]) -> torch.Tensor:
        """Token ids, shape (texts, context length)."""
        with self._tokenizing:
            ids: torch.Tensor = self._tokenizer(list(texts))
        return ids

    def prepared(self, picture: Image.Image) -> torch.Tensor:
        """The picture as the model was trained to see it, shape (3, height, width), float32. Any thread may call."""
        pixels: torch.Tensor = self._transform(picture)
        return pixels

    def embed_texts(self, tokens: torch.Tensor) -> Embeddings:
        """One row for each row of `tokens`."""
        return self._embed_all(self._model.encode_text, tokens)

    def embed_pictures(self, pictures: Sequence[torch.Tensor]) -> Embeddings:
        """One row for each prepared picture."""
        import torch

        return self._embed_all(self._model.encode_image, torch.stack(list(pictures)).to(self._dtype))

    def _embed_all(self, encode: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor) -> Embeddings:
        """Encode batch after batch; where the device has no memory for one, by halves from then on."""
        import torch

        embedded: list[Embeddings] = []
        done = 0
        while done < len(inputs):
            size = min(self._batch_size, len(inputs) - done)
            try:
                embedded.append(self._embed(encode, inputs[done : done + size]))
            except torch.OutOfMemoryError:
                if size == 1:
                    raise
                self._batch_size = size // 2
            else:
                done += size
        return np.concatenate(embedded)

    def _embed(self, encode: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor) -> Embeddings:
        import torch

        with self._computing, torch.inference_mode():
            there = inputs.pin_memory() if self._device.type == "cuda" else inputs
            encoded = encode(there.to(self._device, non_blocking=True))
            unit: Embeddings = torch.nn.functional.normalize(encoded.float(), dim=-1).cpu().numpy()
            return unit


def device_and_precision(device: str) -> tuple[str, Precision]:
    """The device that "auto" stands for on this machine, and what is computed with there: bf16 on a GPU, else fp32."""
    if device == "auto":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    return device, "bf16" if device.startswith("cuda") else "fp32"


def default_batch_size(device: str) -> int:
    """As many as the device computes well at a time."""
    if not device.startswith("cuda"):
        return CPU_BATCH
    import torch

    gib = torch.cuda.get_device_properties(device).total_memory / 2**30
    return max(CPU_BATCH, min(MAX_BATCH, int(gib * CUDA_BATCH_PER_GIB)))


def _load(files: ClipFiles, device: str, precision: Precision) -> tuple[Any, Any]:
    open_clip = _open_clip()
    settings: dict[str, Any] = {"require_pretrained": True, "precision": precision, "device": device}
    if files.checkpoint:
        # Not by tag: open_clip would look on the Hub for a newer one. What the tag says of the weights still holds.
        settings |= {"pretrained": str(files.checkpoint), "force_preprocess_cfg": files.tag or None}
        settings |= {"force_quick_gelu": bool(files.tag.get("quick_gelu"))}
    try:
        with _quiet():
            model = open_clip.create_model(files.name, **settings)
            tokenizer = open_clip.get_tokenizer(files.name)
    except Exception as error:  # files of others raise anything
        raise ModelError(
            f"{files.name} cannot be loaded ({first_line(error)})", f"Check its files, or {OVERRIDE}"
        ) from error
    return model.eval(), tokenizer


@contextmanager
def _quiet() -> Iterator[None]:
    """open_clip logs to the root logger, and warns of what `_load` has settled."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _counter(tokenizer: Any) -> Callable[[str], int]:
    """Tokens of a text, special ones included, as this kind of tokenizer of open_clip's would have them uncut."""
    from open_clip.tokenizer import (  # type: ignore[import-untyped]
        HFTokenizer,
        SimpleTokenizer,
        basic_clean,
        canonicalize_text,
    )

    if isinstance(tokenizer, SimpleTokenizer):
        return lambda text: len(tokenizer.encode(text)) + 2  # start and end
    of_siglip = not isinstance(tokenizer, HFTokenizer)
    clean = (lambda text: canonicalize_text(basic_clean(text))) if of_siglip else tokenizer.clean_fn
    # The mode "clips" puts three of its own around the words.
    ends = {"add_special_tokens": False} if getattr(tokenizer, "tokenizer_mode", "") == "clips" else {}
    return lambda text: len(tokenizer.tokenizer(clean(text), verbose=False, **ends)["input_ids"]) + (3 if ends else 0)


def _open_clip() -> Any:
    try:
        import open_clip  # type: ignore[import-untyped]
    except ImportError as error:
        raise ModelError("The clip measure needs open_clip", "Run `make setup`, or leave the measure out") from error
    return open_clip
