"""Masks of parts as image files: a picture with a palette, whose pixels are the numbers of parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mbu_ops.errors import DataError


def read_labels(path: Path, parts: int) -> NDArray[np.uint8]:
    """Return the numbers of parts that a mask's pixels hold.

    Args:
        path: an indexed or 8-bit grey PNG.
        parts: how many parts there are.

    Returns:
        ``(H, W)`` uint8.

    Raises:
        DataError: if it cannot be read, is of another kind, or holds a number that names no part.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode not in ("P", "L"):
                raise DataError(f"{path}: expected a picture with a palette, or 8-bit grey, got mode {picture.mode}")
            labels: NDArray[np.uint8] = np.array(picture, dtype=np.uint8)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise DataError(f"{path}: cannot be read as a mask: {error}") from error
    if labels.size and (largest := int(labels.max())) >= parts:
        raise DataError(f"{path}: expected numbers of parts from 0 to {parts - 1}, got {largest}")
    return labels
