"""Baselines by name: who writes markup for pictures, so that a model of ours can be compared with it.

Three kinds: any model that transformers loads as `AutoModelForImageTextToText`, Pix2Struct (which it does not), and an
endpoint that speaks OpenAI's chat completions (vLLM, llama.cpp, a hosted model). Decoding is greedy, and what comes
back is the completion alone.
"""

from __future__ import annotations

import base64
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from PIL import Image

from curation.errors import ModelError, UnreachableError
from curation.markup.canonical import without_fence
from curation.model_files import first_line
from rendering.pixels import encode_png

Kind = Literal["image_text_to_text", "pix2struct", "openai"]

KEY_VARIABLE: Final = "OPENAI_API_KEY"
"""Where an endpoint's key is looked for; it is never written anywhere."""
TIMEOUT_S: Final = 300.0
WAITS_S: Final = (1.0, 4.0, 15.0)
"""Before each further try after 429, 5xx or a lost connection."""
_RETRIED: Final = (408, 409, 425, 429, 500, 502, 503, 504, 529)
_MAX_ANSWER_BYTES: Final = 20_000_000


@dataclass(frozen=True)
class Baseline:
    """A model to predict with.

    `model` is a Hub id, a folder, or what the endpoint calls it; `revision` pins a Hub id; `url` is an endpoint's base
    address (`http://127.0.0.1:8000/v1`). `max_patches` is Pix2Struct's. `device` "auto" is a GPU where there is one.
    """

    name: str
    model: str
    kind: Kind = "image_text_to_text"
    revision: str | None = None
    url: str = ""
    max_new_tokens: int = 1_024
    max_patches: int = 1_024
    device: str = "auto"
    dtype: str = "auto"
    image_mark: str = "<image>"
    """What stands for the picture in the prompt of a model without a chat template."""


class Predictor(Protocol):
    """A model in memory, or at the other end of a line."""

    def predict(self, images: Iterable[Image.Image], prompt: str) -> Iterator[str]:
        """The completion for each picture (RGB), in their order."""
        ...


def open_baseline(baseline: Baseline) -> Predictor:
    """Load a model, or find its endpoint's settings in order.

    Raises `ModelError` where the weights cannot be had or loaded, or an endpoint has no address.
    """
    if baseline.kind == "openai":
        return Endpoint(baseline)
    try:
        return Pix2Struct(baseline) if baseline.kind == "pix2struct" else ImageTextToText(baseline)
    except ImportError as error:
        raise ModelError("A baseline needs torch and transformers", "Run `make setup`") from error
    except Exception as error:  # files of others raise anything
        problem = f"The baseline {baseline.name} ({baseline.model}) cannot be loaded: {first_line(error)}"
        raise ModelError(problem, "Check its name, its revision and its kind") from error


class ImageTextToText:
    """A vision-language model of transformers; prompts go through its chat template where it has one."""

    def __init__(self, baseline: Baseline) -> None:
        from transformers import AutoModelForImageTextToText, AutoProcessor

        self._baseline = baseline
        self.processor: Any = AutoProcessor.from_pretrained(baseline.model, revision=baseline.revision)
        self._model = _placed(AutoModelForImageTextToText, baseline)

    def predict(self, images: Iterable[Image.Image], prompt: str) -> Iterator[str]:
        """See `Predictor`."""
        return self.write(images, self._prompt(prompt))

    def write(self, images: Iterable[Image.Image], text: str, *, add_special_tokens: bool = True) -> Iterator[str]:
        """The completion of `text`, a prompt as the model is given it, for each picture."""
        settings = {"add_special_tokens": add_special_tokens, "return_tensors": "pt"}
        for image in images:
            inputs = self.processor(images=[image.convert("RGB")], text=[text], **settings)
            tokens = _generated(self._model, inputs, self._baseline.max_new_tokens)
            if not self._model.config.is_encoder_decoder:  # a decoder repeats what it was given
                tokens = tokens[:, inputs["input_ids"].shape[1] :]
            yield self.processor.batch_decode(tokens, skip_special_tokens=True)[0].strip()

    def _prompt(self, prompt: str) -> str:
        if getattr(self.processor, "chat_template", None) is None:
            return f"{self._baseline.image_mark}{prompt}"
        turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}
        return str(self.processor.apply_chat_template([turn], add_generation_prompt=True, tokenize=False))


class Pix2Struct:
    """Pix2Struct, which writes prompts into the picture (as a header) where it was trained so, and takes none else."""

    def __init__(self, baseline: Baseline) -> None:
        from transformers import Pix2StructForConditionalGeneration, Pix2StructProcessor

        self._baseline = baseline
        self._processor: Any = Pix2StructProcessor.from_pretrained(baseline.model, revision=baseline.revision)
        self._model = _placed(Pix2StructForConditionalGeneration, baseline)

    def predict(self, images: Iterable[Image.Image], prompt: str) -> Iterator[str]:
        """See `Predictor`."""
        settings: dict[str, Any] = {"max_patches": self._baseline.max_patches, "return_tensors": "pt"}
        if self._processor.image_processor.is_vqa:
            settings["text"] = prompt
        for image in images:
            inputs = self._processor(images=image.convert("RGB"), **settings)
            tokens = _generated(self._model, inputs, self._baseline.max_new_tokens)
            yield self._processor.batch_decode(tokens, skip_special_tokens=True)[0].strip()


class Endpoint:
    """An OpenAI-compatible endpoint. Markup inside one Markdown fence, as chat models write it, is taken out of it."""

    def __init__(self, baseline: Baseline) -> None:
        if not baseline.url.startswith(("http://", "https://")):
            problem = f"The baseline {baseline.name} has no address"
            raise ModelError(problem, "Set url: http://…/v1, as vLLM or llama.cpp tell it")
        self._baseline = baseline
        self._url = f"{baseline.url.rstrip('/')}/chat/completions"

    def predict(self, images: Iterable[Image.Image], prompt: str) -> Iterator[str]:
        """See `Predictor`. Raises `UnreachableError` where the endpoint does not answer, after several tries."""
        for image in images:
            picture = base64.b64encode(encode_png(image.convert("RGB"))).decode("ascii")
            content = [
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
                {"type": "text", "text": prompt},
            ]
            answer = self._asked(
                {
                    "model": self._baseline.model,
                    "messages": [{"role": "user", "content": content}],
                    "max_tokens": self._baseline.max_new_tokens,
                    "temperature": 0,
                }
            )
            yield without_fence(answer).strip()

    def _asked(self, question: dict[str, Any]) -> str:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(KEY_VARIABLE):
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(self._url, json.dumps(question).encode(), headers, method="POST")  # noqa: S310 - http or https, see above
        problem = ""
        for wait_s in (0.0, *WAITS_S):
            time.sleep(wait_s)
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310 - as above
                    return _completion(json.loads(response.read(_MAX_ANSWER_BYTES)))
            except urllib.error.HTTPError as error:
                problem = f"answers {error.code}"
                if error.code not in _RETRIED:
                    break
            except (OSError, ValueError) as error:  # a lost connection, no answer in time, no JSON
                problem = f"gives no answer ({type(error).__name__})"
        raise UnreachableError(f"The endpoint of {self._baseline.name} {problem}", "Check its url, model and key")


def _completion(answer: Any) -> str:
    """The text of the first choice; empty where the model wrote none (a refusal)."""
    try:
        content = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError("no chat completion") from error
    return content if isinstance(content, str) else ""


def _placed(kind: Any, baseline: Baseline) -> Any:
    """The model, on its device, ready to predict."""
    import torch

    device = baseline.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    # Half precision on a CPU is slower than none.
    dtype = ("bfloat16" if device.startswith("cuda") else "float32") if baseline.dtype == "auto" else baseline.dtype
    model = kind.from_pretrained(baseline.model, revision=baseline.revision, dtype=getattr(torch, dtype))
    return model.to(device).eval()


def _generated(model: Any, inputs: Any, max_new_tokens: int) -> Any:
    """Token ids of a greedy completion, shape (1, tokens)."""
    import torch

    inputs = inputs.to(model.device)
    for name, value in inputs.items():
        if torch.is_floating_point(value):
            inputs[name] = value.to(model.dtype)
    with torch.inference_mode():
        return model.generate(**inputs, max_new_tokens=max_new_tokens, do_sample=False)
