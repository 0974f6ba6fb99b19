"""A box of pixels. No torch until one is used: the command line reads boxes before it loads anything."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mbu_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from torch import Tensor

    from mbu_ops.families.frames import FrameSpec
    from mbu_ops.frames.frame import Frame
    from mbu_ops.functional.similarity import Rectangle


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of whole pixels; ``right`` and ``bottom`` are the first column and row outside it.

    It is cut out and put back as it is, without resampling, and it is the aligner that finds itself in every photo.

    Attributes:
        left: first column, 0 or more.
        top: first row, 0 or more.
        right: first column after the box.
        bottom: first row after the box.

    Raises:
        ConfigurationError: if the box is empty or starts left of, or above, the image.

    Example:
        >>> box = Box.parse("10,20,110,140")
        >>> box.width, box.height, str(box)
        (100, 120, '10,20,110,140')
    """

    left: int
    top: int
    right: int
    bottom: int

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right and 0 <= self.top < self.bottom):
            raise ConfigurationError(
                f"expected a box left,top,right,bottom with 0 <= left < right and 0 <= top < bottom, got {self}"
            )

    @classmethod
    def parse(cls, text: str) -> Box:
        """Read ``"left,top,right,bottom"``.

        Args:
            text: four whole numbers, separated by commas; spaces around them are ignored.

        Raises:
            ConfigurationError: if that is not what ``text`` holds.
        """
        try:
            left, top, right, bottom = (int(part) for part in text.split(","))
        except ValueError:
            raise ConfigurationError(
                f"expected a box as four whole numbers left,top,right,bottom such as 10,20,110,140, got {text!r}"
            ) from None
        return cls(left, top, right, bottom)

    @property
    def width(self) -> int:
        """Columns in the box."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows in the box."""
        return self.bottom - self.top

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom, as :func:`mbu_ops.functional.crop` takes them."""
        return self.left, self.top, self.right, self.bottom

    def find(self, image: Tensor) -> tuple[Box, ...]:  # noqa: ARG002
        """Return the box: it lies in every photo at the same place."""
        return (self,)

    def cut(self, image: Tensor, limit: int | None = None) -> Tensor:
        """Return the pixels inside.

        Args:
            image: ``(B, C, H, W)``.
            limit: longest side of the result; a larger box is shrunk to it.

        Raises:
            ShapeError: if the box is not inside the image.
        """
        from mbu_ops.functional.mask import resize
        from mbu_ops.functional.warp import crop

        return resize(crop(image, self.sides), self.cut_size(limit))

    def cut_size(self, limit: int | None = None) -> tuple[int, int]:
        """Return height and width of :meth:`cut`."""
        scale = min(1.0, (limit or math.inf) / max(self.width, self.height))
        return max(1, round(self.height * scale)), max(1, round(self.width * scale))

    @property
    def rectangle(self) -> Rectangle:
        """Where it lies; it is edited up to its border."""
        from mbu_ops.functional.similarity import Rectangle

        x, y = (self.left + self.right) / 2, (self.top + self.bottom) / 2
        return Rectangle(x, y, self.width, self.height)

    @property
    def yaw(self) -> float:
        """Return 0: nobody knows which way what it shows looks."""
        return 0.0

    def part(self, spec: FrameSpec) -> Box | Frame:
        """Return the frame that a family declares within this box.

        Args:
            spec: the frame, in this box's sides.
        """
        from mbu_ops.frames.frame import Frame

        return self if spec.is_whole else Frame(*self.rectangle[:3], aspect=self.height / self.width).part(spec)

    def moved(self, right: int, down: int, times: int = 1) -> Box:
        """Return the box in a photo that is so many times as large, then begins so many pixels further left and up.

        Raises:
            ConfigurationError: if it begins outside.

        Example:
            >>> str(Box(10, 20, 110, 140).moved(-10, 5, times=2))
            '10,45,210,285'
        """
        first, top, last, bottom = (times * side for side in self.sides)
        return Box(first + right, top + down, last + right, bottom + down)

    def bounds(self, image: Tensor) -> tuple[int, int, int, int]:
        """Return :attr:`sides`.

        Raises:
            ShapeError: if the box is not inside the image.
        """
        from mbu_ops.functional.warp import crop

        crop(image, self.sides)  # raises
        return self.sides

    def __str__(self) -> str:
        return f"{self.left},{self.top},{self.right},{self.bottom}"
