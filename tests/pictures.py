"""Files that several test folders share: pictures of noise, and files that only have names."""

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


def touch(root: Path, *relative: str) -> None:
    """Write files that hold their own names."""
    for name in relative:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def smooth(width: int, height: int) -> np.ndarray:
    """Return a picture of two ramps, ``(H, W, 3)`` uint8, which lossy formats keep well."""
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.dstack([across, down, np.full_like(down, 99)]).astype(np.uint8)
