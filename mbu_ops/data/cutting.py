"""The one way to cut training pictures: where the family's first frame lies, and which of its frames to take.

Imports no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mbu_ops import images
from mbu_ops.errors import ShapeError
from mbu_ops.families.frames import WHOLE_FRAME, FrameSpec

Sides = tuple[float, float, float, float]
"""Left, top, right and bottom of an upright frame, in pixels or as fractions of a picture's width and height."""

Size = int | tuple[int, int]
"""Height and width in pixels, or the side of a square."""

_NEGLIGIBLE = 0.01
"""Pixels that a frame may reach beyond a picture by rounding: nothing is filled in for them."""


class Picture(NamedTuple):
    """A file to learn from, and where the family's first frame lies in it.

    Attributes:
        path: the file.
        frame: as fractions of its width and height; None for the largest centred square.
    """

    path: Path
    frame: Sides | None = None


def height_and_width(size: Size) -> tuple[int, int]:
    """Return a size as height and width.

    Example:
        >>> height_and_width(128), height_and_width((64, 128))
        ((128, 128), (64, 128))
    """
    return (size, size) if isinstance(size, int) else size


def first_frame(width: int, height: int, frame: Sides | None = None) -> Sides:
    """Return where a family's first frame lies in a picture, in its pixels.

    Args:
        width: of the picture.
        height: of the picture.
        frame: as fractions of its sides; None for the largest centred square.

    Example:
        >>> first_frame(40, 30)
        (5.0, 0.0, 35.0, 30.0)
    """
    if frame is not None:
        return frame[0] * width, frame[1] * height, frame[2] * width, frame[3] * height
    side = min(width, height)
    return (width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2


def frame_within(first: Sides, spec: FrameSpec) -> Sides:
    """Return where one of a family's frames lies, in the same units as its first.

    Args:
        first: sides of the first frame.
        spec: the frame, in the first one's sides.

    Example:
        >>> frame_within((0, 0, 100, 100), FrameSpec("eyes", within="face", y=0.25, width=0.5, height=0.25))
        (25.0, 12.5, 75.0, 37.5)
    """
    if spec.is_whole:
        return first
    left, top, right, bottom = first
    x, y = left + spec.x * (right - left), top + spec.y * (bottom - top)
    width, height = spec.width * (right - left), spec.height * (bottom - top)
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def cut(
    pixels: NDArray[np.uint8],
    sides: Sides,
    size: Size,
    resampling: Image.Resampling = Image.Resampling.LANCZOS,
) -> NDArray[np.uint8]:
    """Return what an upright frame shows; beyond the picture's border the border goes on.

    Args:
        pixels: ``(H, W)`` or ``(H, W, C)`` of a picture, or the numbers of its parts.
        sides: of the frame, in pixels.
        size: of the result.
        resampling: Pillow's filter; ``NEAREST`` for numbers of parts.

    Returns:
        ``(*size)`` or ``(*size, C)``.

    Raises:
        ShapeError: if the frame lies outside the picture.

    Example:
        >>> ramp = np.arange(4, dtype=np.uint8)[None].repeat(4, 0)
        >>> cut(ramp, (2, 0, 6, 4), 4, Image.Resampling.NEAREST)[0].tolist()
        [2, 3, 3, 3]
    """
    height, width = pixels.shape[:2]
    rows, columns = height_and_width(size)
    across, down = _Reach.of(sides[0], sides[2], width, columns), _Reach.of(sides[1], sides[3], height, rows)
    if across.count < 1 or down.count < 1:
        raise ShapeError(f"expected a frame that touches the picture of {width} x {height} pixels, got {sides}")
    if any((*across.beyond, *down.beyond)):
        pixels = _continued(pixels, down.beyond, across.beyond)
    box = (
        across.low + across.beyond[0],
        down.low + down.beyond[0],
        across.high + across.beyond[0],
        down.high + down.beyond[0],
    )
    shown = np.asarray(Image.fromarray(pixels).resize((across.count, down.count), resampling, box=box))
    missing = [(reach.before, total - reach.before - reach.count) for reach, total in ((down, rows), (across, columns))]
    return _continued(shown, *missing) if any(map(any, missing)) else shown


def cut_file(picture: Picture, size: Size, spec: FrameSpec = WHOLE_FRAME) -> NDArray[np.uint8]:
    """Read a picture and return one of its family's frames, ``(H, W, 3)`` RGB.

    Args:
        picture: the file.
        size: of the result.
        spec: the frame, in the sides of the family's first.

    Raises:
        ImageFileError: if it cannot be read.
    """
    pixels = images.read(picture.path).in_8_bits()
    height, width = pixels.shape[:2]
    return cut(pixels, frame_within(first_frame(width, height, picture.frame), spec), size)


@dataclass(frozen=True, slots=True)
class _Reach:
    """Which of a frame's pixels, along one axis, a picture can fill, and from where.

    Attributes:
        low: where the first of them begins in the picture.
        high: where the last of them ends.
        before: how many of the frame's pixels lie before them.
        count: how many they are.
        beyond: whole pixels by which they reach beyond the picture, before and after it; fewer than one of the frame's.
    """

    low: float
    high: float
    before: int
    count: int
    beyond: tuple[int, int]

    @classmethod
    def of(cls, low: float, high: float, length: int, count: int) -> _Reach:
        low = 0.0 if -_NEGLIGIBLE < low < 0 else low
        high = float(length) if length < high < length + _NEGLIGIBLE else high
        if low >= 0 and high <= length:
            return cls(low, high, 0, count, (0, 0))
        # what lies wholly outside is the border's colours: it is added to the result, which may be far smaller
        step = (high - low) / count
        first, last = max(0, math.floor(-low / step)), min(count, math.ceil((length - low) / step))
        # a pixel larger than the picture would be filled with more of its border than memory holds
        low, high = max(low + first * step, -length), min(low + last * step, 2.0 * length)
        beyond = max(0, math.ceil(-low)), max(0, math.ceil(high - length))
        return cls(low, high, first, last - first, beyond)


def _continued(pixels: NDArray[np.uint8], rows: tuple[int, int], columns: tuple[int, int]) -> NDArray[np.uint8]:
    """Return pixels with so many more rows and columns of the border's colours before and after them."""
    return np.pad(pixels, (rows, columns, *((0, 0),) * (pixels.ndim - 2)), mode="edge")
