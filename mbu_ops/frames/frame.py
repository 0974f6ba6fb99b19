"""Where an op works: a box of pixels, or a frame that lies turned in the photo. No torch until one is used."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mbu_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from torch import Tensor

    from mbu_ops.families.frames import FrameSpec
    from mbu_ops.functional.similarity import Rectangle

FARTHEST = 1e6
"""No photo is larger, in pixels."""

_ROUNDING = 1e-6
"""By so much the height of a part, its width times a quotient, may be less than it was meant to be."""

SIDEWAYS = 90
"""Degrees by which nothing that is seen looks further away."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle, mostly a square, that lies anywhere in a photo, in pixels; pixel ``i`` covers ``i`` to ``i + 1``.

    It may reach beyond the photo's border.

    Attributes:
        x: of its centre.
        y: of its centre.
        side: its width.
        angle: how far it is turned, in degrees, clockwise as seen.
        score: how sure it is that something is there, 0 to 1.
        aspect: its height, in widths: 1 for a square.
        yaw: how far what it shows looks away from the camera, in degrees, positive to the picture's right; 0 where
            nobody can tell.

    Raises:
        ConfigurationError: if a number is not finite or more than a million, the score not in [0, 1], the yaw not
            within 90 degrees, or a side less than one pixel.

    Example:
        >>> [tuple(round(value) for value in corner) for corner in Frame(50, 40, 20, 90).corners]
        [(60, 30), (60, 50), (40, 50), (40, 30)]
    """

    x: float
    y: float
    side: float
    angle: float = 0.0
    score: float = 1.0
    aspect: float = 1.0
    yaw: float = 0.0

    def __post_init__(self) -> None:
        numbers = self.x, self.y, self.side, self.angle, self.aspect
        if not (
            all(abs(value) <= FARTHEST for value in numbers)  # false for NaN too
            and min(self.side, self.height) > 1 - _ROUNDING
            and 0 <= self.score <= 1
            and abs(self.yaw) <= SIDEWAYS
        ):
            raise ConfigurationError(
                "expected a frame of finite numbers, sides of at least 1 pixel, a score from 0 to 1 and a yaw within "
                f"{SIDEWAYS} degrees, got {self}"
            )

    @property
    def height(self) -> float:
        """Its height, in pixels."""
        return self.side * self.aspect

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """Top left, top right, bottom right and bottom left of the upright content, as (x, y)."""
        return self.rectangle.corners

    @property
    def rectangle(self) -> Rectangle:
        """Where it lies; what is drawn in it fades towards its border."""
        from mbu_ops.functional.similarity import RIM, Rectangle

        return Rectangle(self.x, self.y, self.side, self.height, math.radians(self.angle), RIM)

    def part(self, spec: FrameSpec) -> Frame:
        """Return the frame that a family declares within this one.

        Args:
            spec: the frame, in this one's sides; see :meth:`mbu_ops.families.FamilySpec.frame`.

        Example:
            >>> from mbu_ops.families import FrameSpec
            >>> Frame(50, 40, 20, 90).part(FrameSpec("eyes", within="face", y=0.25, width=1.0, height=0.5))
            Frame(x=55.0, y=40.0, side=20.0, angle=90, score=1.0, aspect=0.5, yaw=0.0)
        """
        if spec.is_whole:
            return self
        found = self.rectangle.part(spec.x, spec.y, spec.width, spec.height)
        width, height = max(found.width, 1.0), max(found.height, 1.0)
        return Frame(found.x, found.y, width, self.angle, self.score, height / width, self.yaw)

    def moved(self, right: int, down: int, times: int = 1) -> Frame:
        """Return the frame in a photo that is so many times as large, then begins so many pixels further left and up.

        Example:
            >>> Frame(50, 40, 20).moved(-10, 5, times=2)
            Frame(x=90, y=85, side=40, angle=0.0, score=1.0, aspect=1.0, yaw=0.0)
        """
        return replace(self, x=times * self.x + right, y=times * self.y + down, side=times * self.side)

    def cut(self, image: Tensor, limit: int | None = None) -> Tensor:
        """Return its content, upright.

        Args:
            image: ``(B, C, H, W)`` floating point.
            limit: longest side of the result; 1,024 where there is none.

        Returns:
            ``(B, C, h, w)``: the longer side is the frame's own, rounded up to a multiple of 32 but not to more than
            twice as much, or the limit.

        Raises:
            ShapeError: if it lies outside the image.
        """
        from mbu_ops.functional.similarity import extract

        return extract(image, self.rectangle, self.cut_size(limit))

    def cut_size(self, limit: int | None = None) -> tuple[int, int]:
        """Return height and width of :meth:`cut`."""
        return self.rectangle.cut_size(limit)

    def bounds(self, image: Tensor) -> tuple[int, int, int, int]:
        """Return left, top, right, bottom of the image's pixels that it touches."""
        return self.rectangle.bounds(image.shape[-2], image.shape[-1])
