"""Pictures of noise that several test folders share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def draw(path: Path, size: tuple[int, int] = (24, 20), seed: int = 0, **options: Any) -> Path:
    """Write a picture of noise, of that width and height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def draw_tree(folder: Path) -> Path:
    """Write five pictures of two sizes, in a tree."""
    for index in range(3):
        draw(folder / f"{index}.png", seed=index)
    draw(folder / "trip" / "a.png", (16, 30), 3)
    draw(folder / "trip" / "deep" / "b.jpg", (16, 30), 4)
    return folder
