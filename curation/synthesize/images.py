"""The `images` backend: a picture for each prompt from an OpenAI-compatible images endpoint, the prompt as caption.

Pictures are put where `curation.sources.synthetic_images` finds them (`<prompt id>.png`), and go through what it and
every picture goes through. One that is there is not asked for again.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from curation.chat_endpoint import Endpoint, Limits, Sender
from curation.errors import StoreError
from curation.prompts.files import write_prompts
from curation.prompts.prompt import Prompt
from curation.synthesize.rounds import write_whole
from rendering.integrity import check_file
from rendering.pixels import MAX_PIXELS, ImageFault

if TYPE_CHECKING:
    import httpx

MOST_BYTES: Final = 40_000_000


@dataclass(frozen=True)
class ImagesEndpoint:
    """Where pictures are made, how it is treated, and how large they are to be."""

    endpoint: Endpoint
    limits: Limits = field(default_factory=Limits)
    size: str = "1024x1024"


@dataclass(frozen=True)
class Pictures:
    """How many prompts have a picture now, and why others have none."""

    n_made: int
    missing: Counter[str]


def make_pictures(images: ImagesEndpoint, prompts: Sequence[Prompt], folder: Path) -> Pictures:
    """Write `prompts.jsonl` and, below `pictures`, a picture for each prompt that one can be had for.

    Raises:
        BadInputError: the endpoint refuses the key, or knows no such model or address.
        StoreError: a picture cannot be written.
    """
    import httpx  # noqa: PLC0415 - only who asks a model pays for it

    write_prompts(prompts, folder / "prompts.jsonl")
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    sender = Sender(images.endpoint, images.limits)
    headers = {"Authorization": f"Bearer {images.endpoint.key}"} if images.endpoint.key else {}
    with (
        httpx.Client(timeout=images.limits.timeout_s, headers=headers, follow_redirects=False) as client,
        ThreadPoolExecutor(images.limits.n_at_once) as pool,
    ):
        faults = list(pool.map(lambda one: _picture(client, sender, images, one, folder / "pictures"), prompts))
    missing = Counter(fault for fault in faults if fault)
    write_whole(folder / "pictures.json", json.dumps({"missing": missing}, indent=2) + "\n")
    return Pictures(len(prompts) - missing.total(), missing)


def _picture(client: httpx.Client, sender: Sender, images: ImagesEndpoint, prompt: Prompt, folder: Path) -> str:
    """Make a prompt's picture. Returns why there is none, or nothing."""
    path = folder / f"{prompt.id}.png"  # whatever its format: the source looks at its bytes
    if path.is_file():
        return ""
    body = {"model": images.endpoint.model, "prompt": prompt.text, "n": 1, "size": images.size}
    found, why = sender.post(client, "/images/generations", {**body, "response_format": "b64_json"}, _first, MOST_BYTES)
    if found is None:
        return why
    data = _bytes_of(client, sender, images.endpoint, found)
    if isinstance(data, str):
        return data
    size = check_file(data, MAX_PIXELS)
    if isinstance(size, ImageFault):
        return f"what came is no picture: {size.kind}"
    try:
        new = path.with_name(f".{path.name}.new")
        new.write_bytes(data)
        new.replace(path)
    except OSError as error:
        problem = f"{path} cannot be written: {error.strerror or error}"
        raise StoreError(problem, "Choose another --workspace") from error
    return ""


def _first(found: Any) -> dict[str, Any] | None:
    """The first picture of an answer; None where it is not of the shape that it should be."""
    try:
        first = found["data"][0]
    except (KeyError, IndexError, TypeError):
        return None
    has = isinstance(first, dict) and (isinstance(first.get("b64_json"), str) or isinstance(first.get("url"), str))
    return first if has else None


def _bytes_of(client: httpx.Client, sender: Sender, endpoint: Endpoint, found: dict[str, Any]) -> bytes | str:
    """The picture's bytes, or why they cannot be had. An address of another host is not gone to."""
    if isinstance(found.get("b64_json"), str):
        try:
            return base64.b64decode(found["b64_json"], validate=True)
        except (binascii.Error, ValueError):
            return "what came is no Base64"
    url, own = urlsplit(found["url"]), urlsplit(endpoint.address)
    if (url.scheme, url.netloc) != (own.scheme, own.netloc):
        return "the picture lies on another host"
    return sender.get(client, found["url"], MOST_BYTES)
