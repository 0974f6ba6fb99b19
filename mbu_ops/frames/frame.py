"""Where an op works: a box of pixels, or a square that lies turned in the photo. No torch until one is used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mbu_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from torch import Tensor

    from mbu_ops.functional.similarity import Square

LARGEST = 1024
"""Largest side that a frame is cut out at: networks of 128 pixels add nothing beyond it."""

FARTHEST = 1e6
"""No photo is larger, in pixels."""

STEP = 32
"""Frames are cut out at multiples of this, so that faces of about one size share a batch."""

RIM = 0.05
"""Share of a frame's side in which masks fall to nothing at its border."""


class Placed(Protocol):
    """A place in a photo."""

    def cut(self, image: Tensor, limit: int | None = None) -> Tensor:
        """Return what is there, upright, no side longer than the limit: ``(B, C, H, W)`` to ``(B, C, h, w)``."""

    def fade(self, mask: Tensor) -> Tensor:
        """Return a mask of the size of :meth:`cut` without what should not show at the place's border."""

    def bounds(self, image: Tensor) -> tuple[int, int, int, int]:
        """Return left, top, right, bottom of the pixels it touches."""

    def spread(self, pixels: Tensor, image: Tensor, rows: tuple[int, int] | None = None) -> Tensor:
        """Return pixels of the size of :meth:`cut` as they lie in these rows within :meth:`bounds`, or in all."""


class Aligner(Protocol):
    """Finds the places in photos that a family's networks know how to edit."""

    def find(self, image: Tensor) -> Sequence[Placed]:
        """Return the places in one photo ``(1, 3, H, W)`` RGB in [0, 1], the largest first."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A square that lies anywhere in a photo, in pixels; pixel ``i`` covers ``i`` to ``i + 1``.

    It may reach beyond the photo's border.

    Attributes:
        x: of its centre.
        y: of its centre.
        side: its length.
        angle: how far it is turned, in degrees, clockwise as seen.
        score: how sure it is that something is there, 0 to 1.

    Raises:
        ConfigurationError: if a number is not finite or more than a million, the score not in [0, 1], or the side less
            than one pixel.

    Example:
        >>> [tuple(round(value) for value in corner) for corner in Frame(50, 40, 20, 90).corners]
        [(60, 30), (60, 50), (40, 50), (40, 30)]
    """

    x: float
    y: float
    side: float
    angle: float = 0.0
    score: float = 1.0

    def __post_init__(self) -> None:
        if not (
            all(abs(value) <= FARTHEST for value in (self.x, self.y, self.side, self.angle))  # false for NaN too
            and self.side >= 1
            and 0 <= self.score <= 1
        ):
            raise ConfigurationError(
                f"expected a frame of finite numbers, a side of at least 1 pixel and a score from 0 to 1, got {self}"
            )

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """Top left, top right, bottom right and bottom left of the upright content, as (x, y)."""
        return self._square().corners

    def cut(self, image: Tensor, limit: int | None = None) -> Tensor:
        """Return its content, upright and square.

        Args:
            image: ``(B, C, H, W)`` floating point.
            limit: longest side of the result; :data:`LARGEST` where there is none.

        Returns:
            ``(B, C, size, size)``: the frame's own side, rounded up to a multiple of :data:`STEP` but not to
            more than twice as much, or the limit.

        Raises:
            ShapeError: if it lies outside the image.
        """
        from mbu_ops.functional.similarity import extract

        # at most twice its own size: what is shrunk on its way back spills over the border
        size = min(limit or LARGEST, math.ceil(self.side / STEP) * STEP, int(2 * self.side))
        return extract(image, self._square(), size)

    def fade(self, mask: Tensor) -> Tensor:
        """Return an upright mask that falls to 0 at the frame's border."""
        from mbu_ops.functional.similarity import window

        return mask * window(mask.shape[-1], RIM, mask)

    def bounds(self, image: Tensor) -> tuple[int, int, int, int]:
        """Return left, top, right, bottom of the image's pixels that it touches."""
        return self._square().bounds(image.shape[-2], image.shape[-1])

    def spread(self, pixels: Tensor, image: Tensor, rows: tuple[int, int] | None = None) -> Tensor:
        """Return upright pixels as they lie in the image, ``(B, C, bottom - top, right - left)``.

        Args:
            pixels: ``(B, C, size, size)``, as :meth:`cut` gives them.
            image: the image; its size counts.
            rows: first row and first after the last, within :meth:`bounds`; all of those if None.
        """
        from mbu_ops.functional.similarity import spread

        return spread(pixels, self._square(), (image.shape[-2], image.shape[-1]), rows)

    def _square(self) -> Square:
        from mbu_ops.functional.similarity import Square

        return Square(self.x, self.y, self.side, math.radians(self.angle))
