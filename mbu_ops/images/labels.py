"""Masks of parts as image files: pictures with a palette, a colour for each part."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from mbu_ops.errors import ImageFileError, ShapeError
from mbu_ops.images.deadline import within
from mbu_ops.images.formats import format_of
from mbu_ops.images.reader import read_bytes
from mbu_ops.images.writer import write_bytes
from mbu_ops.limits import Limits, current_limits

Colour = tuple[int, int, int]
_FORMAT = str(PngImagePlugin.PngImageFile.format)
_DEPTH = 24
"""Where a PNG file says how many bits a sample has: in its header, which comes first."""
_STRETCHES = {1: 255, 2: 85, 4: 17}
"""By what decoders multiply grey samples of few bits, so that the brightest is 255."""


def read_labels(
    source: str | os.PathLike[str], colours: Sequence[Colour], *, max_pixels: int | None = None
) -> NDArray[np.uint8]:
    """Return which part each pixel of a mask shows.

    A part is named by its colour, in a picture with a palette or in one of plain colours; or by its number, in a grey
    picture, and in one with a palette of which at most half of the colours that it uses are parts'.

    Args:
        source: a PNG file.
        colours: of the parts, in the order of their numbers.
        max_pixels: refuse masks of more pixels than this, before decoding them; see :func:`mbu_ops.images.limited`.

    Returns:
        ``(H, W)`` uint8, numbers of parts.

    Raises:
        ImageFileError: if it is missing, no PNG, damaged or too large, or a pixel names no part.

    Example:
        >>> import tempfile
        >>> path, colours = Path(tempfile.mkdtemp()) / "mask.png", [(0, 0, 0), (255, 0, 0)]
        >>> write_labels(path, np.array([[0, 1]], np.uint8), colours)
        >>> read_labels(path, colours).tolist()
        [[0, 1]]
    """
    limits = current_limits()
    if max_pixels is not None:
        limits = replace(limits, max_pixels=max_pixels)
    return within(limits.timeout, lambda: _decode(read_bytes(source), colours, str(source), limits), repr(str(source)))


def _decode(data: bytes, colours: Sequence[Colour], source: str, limits: Limits) -> NDArray[np.uint8]:
    try:
        with Image.open(BytesIO(data), formats=[_FORMAT]) as picture:
            width, height = picture.size
            if flaw := limits.flaw(width, height, bits=8, scans=0, file_bytes=len(data)):
                raise ImageFileError(f"{source}: {flaw}")
            return _numbers(picture, data[_DEPTH], colours, source)
    except ImageFileError:
        raise
    except UnidentifiedImageError:
        raise ImageFileError(f"{source}: expected a mask as a PNG file, got another kind of file") from None
    except Exception as error:  # a hostile file can make a decoder raise nearly anything
        raise ImageFileError(
            f"{source}: expected a mask as a PNG file, got one that cannot be read ({error or type(error).__name__})"
        ) from error


def write_labels(
    path: str | os.PathLike[str], labels: NDArray[np.uint8], colours: Sequence[Colour], *, overwrite: bool = False
) -> None:
    """Write a mask of parts as a PNG file with a palette, whole or not at all.

    Args:
        path: where to; must end in ``.png``.
        labels: ``(H, W)`` uint8, numbers of parts.
        colours: of the parts, in the order of their numbers.
        overwrite: replace an existing file.

    Raises:
        ImageFileError: if the name has another ending, the file exists, or it cannot be written.
        ShapeError: if the labels have another shape.
    """
    if format_of(Path(path)).name != _FORMAT:
        raise ImageFileError(f"{str(path)!r}: a mask is written as PNG; end its name in .png")
    write_bytes(Path(path), encode_labels(labels, colours), overwrite=overwrite)


def encode_labels(labels: NDArray[np.uint8], colours: Sequence[Colour]) -> bytes:
    """Return a mask of parts as the bytes of a PNG file with a palette; see :func:`write_labels`."""
    if labels.ndim != 2 or not labels.size:
        raise ShapeError(f"expected labels of shape (height, width), got {labels.shape}")
    if wrong := [number for number in (int(labels.min()), int(labels.max())) if not 0 <= number < len(colours)]:
        raise ImageFileError(f"expected numbers of parts from 0 to {len(colours) - 1}, got {wrong[0]}")
    picture = Image.fromarray(np.ascontiguousarray(labels, dtype=np.uint8)).convert("P")
    picture.putpalette([value for colour in colours for value in colour])
    buffer = BytesIO()
    picture.save(buffer, format=_FORMAT, optimize=True)
    return buffer.getvalue()


def _numbers(picture: Image.Image, bits: int, colours: Sequence[Colour], name: str) -> NDArray[np.uint8]:
    if picture.mode in ("L", "LA", "1", "I;16", "I"):
        grey = picture.getchannel(0) if picture.mode == "LA" else picture
        return _checked_numbers(np.asarray(grey.convert("I")) // _STRETCHES.get(bits, 1), len(colours), name)
    if picture.mode == "P":
        indices, pixels = np.asarray(picture), np.asarray(picture.convert("RGB")).reshape(-1, 3)
        first = np.unique(indices, return_index=True)[1]
        numbers = {colour: number for number, colour in enumerate(colours)}
        parts = [numbers.get(tuple(pixels[place].tolist())) for place in first]
        # a foreign palette may hold a few of the parts' colours too: most begin with black
        if 2 * sum(part is not None for part in parts) <= len(parts):
            return _checked_numbers(indices, len(colours), name)
    return _by_colour(np.asarray(picture.convert("RGB")), colours, name)


def _checked_numbers(numbers: NDArray[np.int32] | NDArray[np.uint8], count: int, name: str) -> NDArray[np.uint8]:
    if int(numbers.max()) >= count or int(numbers.min()) < 0:
        raise ImageFileError(
            f"{name}: expected numbers of parts from 0 to {count - 1}, or the parts' colours, got {int(numbers.max())}"
        )
    return np.asarray(numbers, dtype=np.uint8)


def _by_colour(pixels: NDArray[np.uint8], colours: Sequence[Colour], name: str) -> NDArray[np.uint8]:
    wide = pixels.astype(np.int32)
    keys = wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    known = np.array([red << 16 | green << 8 | blue for red, green, blue in colours])
    order = np.argsort(known)
    places = np.searchsorted(known[order], keys).clip(max=len(known) - 1)
    numbers = order[places]
    wrong = known[numbers] != keys
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        colour = tuple(int(value) for value in pixels[row, column])
        share = wrong.mean()
        raise ImageFileError(
            f"{name}: expected only the parts' colours, got {colour} at column {column}, row {row} ({share:.1%} of the "
            "pixels are of no part): draw with a hard pencil without smoothing, and save as PNG"
        )
    return np.asarray(numbers, dtype=np.uint8)
