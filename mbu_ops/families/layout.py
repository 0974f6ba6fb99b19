"""How training pictures are stretched and moved, where two sets differ in more than the content. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass

from mbu_ops.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Layout:
    """How to stretch and move pictures in training, at random within ranges.

    For sets that differ in more than the content: bags with a handle are tall, and those without lie flat in the middle
    of the picture. Ranges that make the rest of the two alike leave only the handle to be learnt.

    Attributes:
        width: least and greatest factor to stretch by, about the centre.
        height: the same, top to bottom.
        right: least and greatest distance to move right, in widths of the picture.
        down: least and greatest distance to move down, in heights of the picture.
        taper: least and greatest share by which the top edge is narrower than the bottom edge.
        warp: how far, in widths of the picture, a smooth random warp moves points, typically; 0 = none.

    Raises:
        ConfigurationError: if a range is malformed.

    Example:
        >>> Layout(width=(0.6, 1.0), down=(0.0, 0.2)).height
        (1.0, 1.0)
    """

    width: tuple[float, float] = (1.0, 1.0)
    height: tuple[float, float] = (1.0, 1.0)
    right: tuple[float, float] = (0.0, 0.0)
    down: tuple[float, float] = (0.0, 0.0)
    taper: tuple[float, float] = (0.0, 0.0)
    warp: float = 0.0

    def __post_init__(self) -> None:
        bounds = {"width": (0.1, 10), "height": (0.1, 10), "right": (-1, 1), "down": (-1, 1), "taper": (-0.9, 0.9)}
        for field, (least, greatest) in bounds.items():
            given = getattr(self, field)
            numbers = isinstance(given, tuple) and len(given) == 2 and all(type(x) in (int, float) for x in given)
            if not numbers or not least <= given[0] <= given[1] <= greatest:
                raise ConfigurationError(
                    f"placement: {field} must be (least, greatest) between {least} and {greatest}, got {given!r}"
                )
        if type(self.warp) not in (int, float) or not 0 <= self.warp <= 0.2:
            raise ConfigurationError(f"placement: warp must be between 0 and 0.2, got {self.warp!r}")
