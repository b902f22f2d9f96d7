"""Baselines: tiny models saved and loaded by name, and an endpoint of our own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image

from curation.errors import ModelError, UnreachableError
from training import baselines
from training.baselines import Baseline, open_baseline

PICTURE = Image.new("RGB", (60, 40), (200, 30, 30))
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %}\n{% endfor %}ASSISTANT: "
)


def tokenizer(*special: str) -> Any:
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    names = ["<pad>", "<s>", "</s>", *special]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        ["<table>"], trainers.BpeTrainer(vocab_size=300, special_tokens=names, initial_alphabet=alphabet)
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    import transformers

    torch.manual_seed(0)
    words = tokenizer("<image>")
    image_token = words.convert_tokens_to_ids("<image>")
    size = {"height": 32, "width": 32}
    pictures = transformers.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=size)
    processor = transformers.LlavaProcessor(
        image_processor=pictures, tokenizer=words, patch_size=8, vision_feature_select_strategy="default",
        image_token="<image>", num_additional_image_tokens=1, chat_template=TEMPLATE,
    )  # fmt: skip
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 4}
    text = {"model_type": "llama", "num_hidden_layers": 2, "num_key_value_heads": 2, "vocab_size": len(words), **shape}
    vision = {"model_type": "clip_vision_model", "num_hidden_layers": 3, "image_size": 32, "patch_size": 8, **shape}
    config = transformers.LlavaConfig(text_config=text, vision_config=vision, image_token_id=image_token)
    folder = tmp_path_factory.mktemp("llava")
    transformers.LlavaForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def pix2struct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    import transformers

    torch.manual_seed(0)
    words = tokenizer()
    pictures = transformers.Pix2StructImageProcessorPil(patch_size={"height": 8, "width": 8}, max_patches=16)
    shape = {"hidden_size": 16, "d_kv": 4, "d_ff": 32}
    config = transformers.Pix2StructConfig(
        text_config={"vocab_size": len(words), "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0,
                     "pad_token_id": 0, "eos_token_id": 2, **shape},
        vision_config={"patch_embed_hidden_size": 192, "num_hidden_layers": 2, "num_attention_heads": 4,
                       "patch_size": 8, "seq_len": 4096, **shape},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("pix2struct")
    transformers.Pix2StructForConditionalGeneration(config).save_pretrained(folder)
    transformers.Pix2StructProcessor(image_processor=pictures, tokenizer=words).save_pretrained(folder)
    return folder


def test_an_image_text_to_text_model_gives_its_completion_alone(llava: Path) -> None:
    predictor = open_baseline(Baseline("tiny", str(llava), max_new_tokens=6, device="cpu"))
    first, second = predictor.predict([PICTURE, PICTURE], "Convert this table to HTML.")
    assert first == second  # greedy
    assert first
    assert "Convert" not in first
    assert "ASSISTANT" not in first


def test_pix2struct(pix2struct: Path) -> None:
    baseline = Baseline("tiny", str(pix2struct), "pix2struct", max_new_tokens=6, max_patches=16, device="cpu")
    [text] = open_baseline(baseline).predict([PICTURE], "is written nowhere")
    assert isinstance(text, str)
    assert "written" not in text


def test_a_model_that_cannot_be_loaded_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="The baseline gone .* cannot be loaded"):
        open_baseline(Baseline("gone", str(tmp_path)))
    with pytest.raises(ModelError, match="has no address"):
        open_baseline(Baseline("endpoint", "m", "openai"))


class Endpoint(BaseHTTPRequestHandler):
    """Answers as told, and keeps what it was asked."""

    answers: ClassVar[list[tuple[int, bytes]]] = []
    asked: ClassVar[list[tuple[str, str | None, dict[str, Any]]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, self.headers.get("Authorization"), body))
        code, answer = self.answers.pop(0)
        self.send_response(code)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        pass


def said(text: str | None) -> tuple[int, bytes]:
    return 200, json.dumps({"choices": [{"message": {"content": text}}]}).encode()


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Baseline]:
    monkeypatch.setattr(baselines, "WAITS_S", (0.0, 0.0))
    monkeypatch.setenv("OPENAI_API_KEY", "canary-key")
    Endpoint.answers.clear()
    Endpoint.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Baseline("served", "some-model", "openai", url=f"http://127.0.0.1:{server.server_port}/v1/", max_new_tokens=9)
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_endpoint_is_asked_as_openai_has_it(endpoint: Baseline) -> None:
    Endpoint.answers += [said("```html\n<p>a</p>\n```"), said(None)]
    assert list(open_baseline(endpoint).predict([PICTURE, PICTURE], "Write it.")) == ["<p>a</p>", ""]
    path, key, body = Endpoint.asked[0]
    assert (path, key) == ("/v1/chat/completions", "Bearer canary-key")
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("some-model", 9, 0)
    picture, text = body["messages"][0]["content"]
    assert picture["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert text == {"type": "text", "text": "Write it."}


def test_a_busy_endpoint_is_asked_again_and_a_refusing_one_is_not(endpoint: Baseline) -> None:
    predictor = open_baseline(endpoint)
    Endpoint.answers += [(429, b""), (200, b"no json"), said("x")]
    assert list(predictor.predict([PICTURE], "Write it.")) == ["x"]
    Endpoint.answers[:] = [(401, b"canary-key")]
    with pytest.raises(UnreachableError, match="answers 401") as raised:
        list(predictor.predict([PICTURE], "Write it."))
    assert "canary" not in str(raised.value)
    Endpoint.answers[:] = [(503, b"")] * 3
    with pytest.raises(UnreachableError, match="answers 503"):
        list(predictor.predict([PICTURE], "Write it."))
    assert Endpoint.answers == []
