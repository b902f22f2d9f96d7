"""What tests of rendering share."""

from __future__ import annotations

import io

from PIL import Image

from rendering.result import Rendered, RenderFailure


def picture(result: Rendered | RenderFailure) -> Image.Image:
    assert isinstance(result, Rendered), result
    image = Image.open(io.BytesIO(result.png)).convert("RGB")
    assert image.size == (result.width_px, result.height_px)
    return image
