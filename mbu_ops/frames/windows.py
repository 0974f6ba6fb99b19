"""The parts of a photo that hold all that is edited in it: of a large one, nothing else needs to become a tensor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mbu_ops.families.aligning import FrameLike
from mbu_ops.families.frames import FrameSpec

_HALO = 0.5
"""What an edit takes from around its frame, pixels that move and where masks fade, in the frame's longer sides."""

_Sides = tuple[int, int, int, int]


class Window(NamedTuple):
    """A part of a photo.

    Attributes:
        left: first column.
        top: first row.
        right: first column after it.
        bottom: first row after it.
        places: numbers of the photo's places whose edits it holds.
    """

    left: int
    top: int
    right: int
    bottom: int
    places: tuple[int, ...]

    @property
    def pixels(self) -> int:
        """How many there are."""
        return (self.right - self.left) * (self.bottom - self.top)

    @property
    def region(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def windows(places: Sequence[FrameLike], specs: Sequence[FrameSpec], height: int, width: int) -> list[Window]:
    """Return windows that no pixel is in two of, and that hold some frames of all places, with what is around them.

    Args:
        places: of one photo.
        specs: the frames within each place.
        height: of the photo.
        width: of the photo.

    Example:
        >>> from mbu_ops.families.frames import WHOLE_FRAME
        >>> from mbu_ops.frames.box import Box
        >>> windows([Box(10, 10, 20, 30), Box(15, 0, 30, 20), Box(80, 80, 90, 90)], [WHOLE_FRAME], 100, 100)
        [Window(left=0, top=0, right=40, bottom=40, places=(0, 1)), Window(left=75, top=75, right=95, bottom=95, \
places=(2,))]
    """
    apart: list[Window] = []
    for number, place in enumerate(places):
        found = _around(list(_sides(place, specs, height, width)), (number,))
        while touching := [one for one in apart if _touch(one, found)]:
            apart = [one for one in apart if one not in touching]
            members = [*touching, found]
            found = _around([one[:4] for one in members], tuple(sorted(each for one in members for each in one.places)))
        apart.append(found)
    return apart


def _sides(place: FrameLike, specs: Sequence[FrameSpec], height: int, width: int) -> Iterator[_Sides]:
    # the place itself is asked whether it lies in the photo
    for lying in (place.rectangle, *(place.part(spec).rectangle for spec in specs)):
        if lying.touches(height, width):
            left, top, right, bottom = lying.bounds(height, width)
            halo = int(_HALO * max(right - left, bottom - top))
            yield max(left - halo, 0), max(top - halo, 0), min(right + halo, width), min(bottom + halo, height)


def _around(sides: Sequence[_Sides], places: tuple[int, ...]) -> Window:
    lefts, tops, rights, bottoms = zip(*sides, strict=True)
    return Window(min(lefts), min(tops), max(rights), max(bottoms), places)


def _touch(one: Window, other: Window) -> bool:
    return one.left < other.right and other.left < one.right and one.top < other.bottom and other.top < one.bottom
