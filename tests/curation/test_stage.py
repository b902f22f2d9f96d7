"""A batch's pictures are decoded when somebody looks, and once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from curation import stage
from curation.sample import IMAGE_TYPE
from curation.stage import Batch
from rendering.pixels import DecodedImage, ImageFault
from tests.curation.making import png


def test_each_picture_is_decoded_once_however_many_threads_look(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [png("red"), None, b"not a picture", png("blue")]
    images = [{"bytes": data, "path": None} if data else None for data in files]
    decoded: list[bytes | None] = []
    decode = stage.decode_rgb

    def counted(data: bytes | None) -> DecodedImage:
        decoded.append(data)
        return decode(data)

    monkeypatch.setattr(stage, "decode_rgb", counted)
    pictures = Batch(pa.table({"image": pa.array(images, IMAGE_TYPE)})).images
    assert (len(pictures), decoded) == (4, [])
    assert isinstance(pictures[2], ImageFault)
    assert decoded == [b"not a picture"]
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: list(pictures), range(8)))
    assert len(decoded) == 4
    assert all(one is other for one, other in zip(seen[0], seen[7], strict=True))
    assert [kind.kind if isinstance(kind, ImageFault) else kind.mode for kind in pictures] == [
        "RGB",
        "missing",
        "unreadable",
        "RGB",
    ]
