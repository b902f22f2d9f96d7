"""Pictures from an images endpoint: as bytes or by address of its own host, checked, asked for once."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from curation.chat_endpoint import Endpoint, Limits
from curation.prompts.prompt import Prompt
from curation.sources.synthetic_images import SyntheticImages
from curation.synthesize.images import ImagesEndpoint, Pictures, make_pictures
from tests.curation.synthesize.chat_server import Reply, serving

PROMPTS = [
    Prompt(f"A photo of {name} on a shelf.", "image_to_caption", (f"object:{name}",), (1,))
    for name in ("toaster", "kite")
]


def png(size: tuple[int, int] = (8, 6)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, "teal").save(stream, "PNG")
    return stream.getvalue()


def made(address: str, folder: Path) -> Pictures:
    limits = Limits(n_at_once=2, n_tries=2, timeout_s=1, deadline_s=3, first_wait_s=0.01)
    return make_pictures(ImagesEndpoint(Endpoint(address, "painter", "secret"), limits), PROMPTS, folder)


def in_bytes(data: bytes) -> Reply:
    return 200, {"data": [{"b64_json": base64.b64encode(data).decode()}]}


def test_pictures_come_back_through_the_source_of_synthetic_images(tmp_path: Path) -> None:
    with serving(lambda *_: in_bytes(png())) as server:
        assert made(server.address, tmp_path).n_made == 2
        assert made(server.address, tmp_path).n_made == 2
        assert sorted(body["prompt"] for body in server.bodies) == sorted(prompt.text for prompt in PROMPTS)
    assert all("secret" not in path.read_text() for path in tmp_path.glob("*.json*"))
    source = SyntheticImages(str(tmp_path / "prompts.jsonl"), str(tmp_path / "pictures"), generator="painter")
    tables = [source.read_texts(piece) for piece in source.pieces(10)]
    rows = pa.concat_tables(tables).to_pylist()
    assert [row["text"] for row in rows] == [prompt.text for prompt in PROMPTS]
    assert {row["image_origin"] for row in rows} == {"synthetic"}
    assert {json.loads(row["lineage"])["generator"] for row in rows} == {"painter"}


def test_an_address_of_the_same_host_is_gone_to_and_no_other(tmp_path: Path) -> None:
    files = {"/files/a.png": png()}

    def answer(body: dict[str, object], _: int) -> Reply:
        host = server.host if "toaster" in str(body["prompt"]) else "http://127.0.0.2:1"
        return 200, {"data": [{"url": f"{host}/files/a.png"}]}

    with serving(answer, files) as server:
        found = made(server.address, tmp_path)
    assert found.n_made == 1
    assert dict(found.missing) == {"the picture lies on another host": 1}
    assert server.got == ["/files/a.png"]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (in_bytes(b"<html>no</html>"), "what came is no picture"),
        (in_bytes(png()[:40]), "what came is no picture"),
        ((200, {"data": [{"b64_json": "%%%"}]}), "what came is no Base64"),
        ((200, {"data": []}), "not of the shape"),
        ((400, {"error": "policy"}), "HTTP 400"),
        ((503, "down"), "HTTP 503"),
    ],
)
def test_what_is_no_picture_is_missing_and_says_why(reply: Reply, why: str, tmp_path: Path) -> None:
    with serving(lambda *_: reply) as server:
        found = made(server.address, tmp_path)
    assert found.n_made == 0
    assert all(why in said for said in found.missing)
    assert not list((tmp_path / "pictures").iterdir())
