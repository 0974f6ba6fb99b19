"""The samples of a decoded picture, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mbu_ops.images import deep
from mbu_ops.images.file import Pixels, row_bands
from mbu_ops.limits import RefusedError


def samples_of(high: Image.Image, low: Image.Image | None) -> tuple[Pixels, Pixels | None, bool]:
    """Return RGB pixels ``(H, W, 3)``, alpha ``(H, W)`` or None, and whether the picture is grey.

    It is done a few rows at a time, which keeps copies of a large picture small.

    Args:
        high: a picture that is decoded.
        low: the lower bytes of its samples, see :func:`mbu_ops.images.deep.load`.

    Raises:
        RefusedError: if its samples are of another kind.

    Example:
        >>> pixels, alpha, grey = samples_of(Image.new("LA", (2, 1), (7, 9)), None)
        >>> pixels.tolist(), alpha.tolist(), grey
        ([[[7, 7, 7], [7, 7, 7]]], [[9, 9]], True)
    """
    if low is not None:
        pixels, alpha, grey = _split(high.height, (deep.join(*both) for both in _bands(high, low)))
        return pixels, _keyed_alpha(pixels, high.info.get("transparency")) if alpha is None else alpha, grey
    if high.mode.startswith("I"):
        pixels, _, _ = _split(high.height, (_in_16_bits(np.asarray(band)) for (band,) in _bands(high)))
        return pixels, _keyed_alpha(pixels, high.info.get("transparency")), True
    if high.mode in ("F", "LAB"):
        raise RefusedError(f"expected grey, RGB or CMYK samples of 8 or 16 bits, got mode {high.mode}; convert it")
    grey = high.mode in ("1", "L", "LA", "La")
    transparent = high.has_transparency_data
    if high.mode == "1" and transparent:
        high = high.convert("L")
    mode = "LA" if grey and transparent else "L" if grey else "RGBA" if transparent else "RGB"
    bands = (band if band.mode == mode else band.convert(mode) for (band,) in _bands(high))
    return _split(high.height, (np.asarray(band) for band in bands))


def _bands(*images: Image.Image) -> Iterator[tuple[Image.Image, ...]]:
    """Yield rows of images of one size."""
    width, height = images[0].size
    for top, bottom in row_bands(height, width):
        yield tuple(image.crop((0, top, width, bottom)) for image in images)


def _in_16_bits(wide: NDArray[Any]) -> Pixels:
    if wide.min(initial=0) < 0 or wide.max(initial=0) > 0xFFFF:
        raise RefusedError("expected 8 or 16 bits a sample, got 32; convert it to 16 bits")
    return wide.astype(np.uint16)


def _split(height: int, bands: Iterable[Pixels]) -> tuple[Pixels, Pixels | None, bool]:
    """Return RGB pixels, alpha and whether the picture is grey, of rows of one to four samples a pixel."""
    pixels: Pixels | None = None
    alpha: Pixels | None = None
    grey, top = False, 0
    for rows in map(np.atleast_3d, bands):
        count, width, channels = rows.shape
        grey, transparent = channels < 3, channels % 2 == 0
        if pixels is None:
            pixels = np.empty((height, width, 3), rows.dtype)
            alpha = np.empty((height, width), rows.dtype) if transparent else None
        pixels[top : top + count] = rows[..., :-1] if transparent else rows  # one grey channel fills three
        if alpha is not None:
            alpha[top : top + count] = rows[..., -1]
        top += count
    assert pixels is not None  # noqa: S101 - a picture has rows
    return pixels, alpha, grey


def _keyed_alpha(pixels: Pixels, key: int | tuple[int, ...] | None) -> Pixels | None:
    """Return the alpha of 16-bit pixels of which one colour is transparent, or None."""
    if key is None:
        return None
    return np.where((pixels == np.array(key)).all(axis=2), 0, 0xFFFF).astype(np.uint16)
