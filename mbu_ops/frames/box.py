"""A box of pixels. No torch here: the command line reads boxes before it loads anything."""

from __future__ import annotations

from dataclasses import dataclass

from mbu_ops.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of whole pixels; ``right`` and ``bottom`` are the first column and row outside it.

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

    def __str__(self) -> str:
        return f"{self.left},{self.top},{self.right},{self.bottom}"
