"""The frames that a family's networks see: rectangles within what its aligner finds. No torch in here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mbu_ops.errors import ConfigurationError, FamilyError
from mbu_ops.families.names import NAME, did_you_mean


@dataclass(frozen=True, slots=True)
class FrameSpec:
    """A rectangle that networks see, named by the weights that were trained on it.

    A family's first frame is what its aligner finds (a face), or the whole picture where there is no aligner. Others
    lie within it, or within each other: ``eyes`` within ``face``.

    Attributes:
        name: short name, as in a weights file's description.
        within: name of the frame whose sides the numbers are shares of; None for a family's first frame.
        x: of its centre, in widths of that frame; 0.5 is its middle.
        y: of its centre, in heights of that frame.
        width: in widths of that frame; may be more than 1, and the frame reach beyond the picture.
        height: in heights of that frame.
        curvature: how round what it shows is about an upright axis: 1 / radius, in 1 / widths of this frame. A guide's
            own pixels are turned by it to where the other face looks; 0 for what is flat, or does not turn.

    Raises:
        ConfigurationError: if a field is malformed.

    Example:
        >>> FrameSpec("eyes", within="face", y=0.45, width=0.7, height=0.4).width
        0.7
    """

    name: str
    within: str | None = None
    x: float = 0.5
    y: float = 0.5
    width: float = 1.0
    height: float = 1.0
    curvature: float = 0.0

    def __post_init__(self) -> None:
        for field in ("name", "within"):
            value = getattr(self, field)
            if not (field == "within" and value is None) and not (isinstance(value, str) and NAME.match(value)):
                raise ConfigurationError(
                    f"frame {self.name!r}: {field} must be lower-case letters, digits and underscores, a letter first; "
                    f"got {value!r}"
                )
        for field in ("x", "y", "width", "height", "curvature"):
            value = getattr(self, field)
            least, greatest = {"x": (-10, 10), "y": (-10, 10), "curvature": (0, 10)}.get(field, (0.01, 10))
            if type(value) not in (int, float) or not (math.isfinite(value) and least <= value <= greatest):
                raise ConfigurationError(
                    f"frame {self.name!r}: {field} must be a number from {least} to {greatest}, got {value!r}"
                )
        if self.within is None and not self.is_whole:
            raise ConfigurationError(f"frame {self.name!r}: name the frame that it lies within")

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the frame that it lies within."""
        return (self.x, self.y, self.width, self.height) == (0.5, 0.5, 1.0, 1.0)

    @property
    def lies_inside(self) -> bool:
        """Whether no part of it reaches beyond the frame that it lies within, whose picture then shows all of it."""
        across, down = self.width / 2, self.height / 2
        return across <= self.x <= 1 - across and down <= self.y <= 1 - down

    def inside(self, outer: FrameSpec) -> FrameSpec:
        """Return this frame, which lies within another one, in the sides of the frame that the other lies within.

        Example:
            >>> eyes = FrameSpec("eyes", within="face", y=0.25, width=0.5, height=0.25)
            >>> FrameSpec("left", within="eyes", x=0.25, width=0.5).inside(eyes)
            FrameSpec(name='left', within='face', x=0.375, y=0.25, width=0.25, height=0.25, curvature=0.0)
        """
        return replace(
            self,
            within=outer.within,
            x=outer.x + (self.x - 0.5) * outer.width,
            y=outer.y + (self.y - 0.5) * outer.height,
            width=self.width * outer.width,
            height=self.height * outer.height,
        )

    def covers(self, beside: FrameSpec) -> bool:
        """Return whether it shows all of another frame; both are in the sides of the same."""
        return all(
            abs(ours - theirs) + their_side / 2 <= our_side / 2
            for ours, our_side, theirs, their_side in (
                (self.x, self.width, beside.x, beside.width),
                (self.y, self.height, beside.y, beside.height),
            )
        )

    def seen_from(self, beside: FrameSpec) -> FrameSpec:
        """Return this frame in the sides of another one; both are in the sides of the same.

        Example:
            >>> eyes = FrameSpec("eyes", within="face", y=0.25, width=0.5, height=0.25)
            >>> FrameSpec("left", within="face", x=0.375, y=0.25, width=0.25, height=0.25).seen_from(eyes)
            FrameSpec(name='left', within='eyes', x=0.25, y=0.5, width=0.5, height=1.0, curvature=0.0)
        """
        return replace(
            self,
            within=beside.name,
            x=0.5 + (self.x - beside.x) / beside.width,
            y=0.5 + (self.y - beside.y) / beside.height,
            width=self.width / beside.width,
            height=self.height / beside.height,
        )


WHOLE_FRAME = FrameSpec("whole")
"""The frame of families that declare none, and of weights that belong to no family."""


def check_frames(frames: Sequence[FrameSpec]) -> None:
    """Check that a family's frames can be found from each other.

    Args:
        frames: the first is what the aligner finds; each other one lies within one that was named before.

    Raises:
        ConfigurationError: if a name is claimed twice, or a frame lies within none that was named before it.
    """
    known: list[str] = []
    for spec in frames:
        if spec.name in known:
            raise ConfigurationError(f"frame names must be unique, got twice: {spec.name}")
        if known and spec.within not in known:
            raise ConfigurationError(
                f"frame {spec.name!r}: within must name a frame before it ({', '.join(known)}), got {spec.within!r}"
            )
        if not known and spec.within is not None:
            raise ConfigurationError(f"frame {spec.name!r}: the first frame lies within no other, got {spec.within!r}")
        known.append(spec.name)


def find_frame(frames: Sequence[FrameSpec], name: str | None) -> FrameSpec:
    """Return a frame in the sides of the family's first one.

    Args:
        frames: a family's frames.
        name: which; None for the first.

    Raises:
        FamilyError: if there is none of that name.

    Example:
        >>> face, eyes = FrameSpec("face"), FrameSpec("eyes", within="face", width=0.5, height=0.25)
        >>> left = FrameSpec("left", within="eyes", x=0.25, width=0.5)
        >>> find_frame((face, eyes, left), "left").x
        0.375
        >>> find_frame((), None).name
        'whole'
    """
    if name is None:
        return frames[0] if frames else WHOLE_FRAME
    known = {spec.name: spec for spec in frames or (WHOLE_FRAME,)}
    if name not in known:
        raise FamilyError(f"there is no frame {name!r}.{did_you_mean(name, known)}")
    found = known[name]
    while found.within is not None and known[found.within].within is not None:
        found = found.inside(known[found.within])
    return found
