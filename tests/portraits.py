"""Photos for tests: the one real face that comes with the library, on coloured texture."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from mbu_ops.families import get_family


def texture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Coloured blobs of several sizes."""
    random, canvas = np.random.default_rng(seed), np.zeros((height, width, 3), np.float32)
    for grain, weight in ((4, 0.4), (16, 0.3), (64, 0.2), (256, 0.1)):
        noise = Image.fromarray(random.integers(0, 256, (grain, grain, 3), dtype=np.uint8))
        canvas += weight * np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    return Image.fromarray(canvas.clip(0, 255).astype(np.uint8))


def portrait() -> Image.Image:
    data = get_family("faces").samples[0].locate().read_bytes()
    return Image.open(io.BytesIO(data)).convert("RGB")


def head_on_texture(width: int, height: int, *heads: tuple[int, int, int]) -> Image.Image:
    """Put the portrait's head on a texture, with that left, top and side; its frame is 0.6 of that side."""
    canvas, head = texture(width, height), portrait().crop((75, 0, 375, 300))
    for left, top, side in heads:
        canvas.paste(head.resize((side, side), Image.Resampling.LANCZOS), (left, top))
    return canvas
