"""Which of the places that are found in a photo count, and what becomes of a photo without any. No torch in here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from mbu_ops.errors import ConfigurationError, FrameError
from mbu_ops.families.names import with_article

if TYPE_CHECKING:
    from mbu_ops.families.aligning import FrameLike

Which: TypeAlias = "Literal['all', 'largest'] | int"
"""All places, the largest, or the one of this number, the largest being number 1."""

Missing: TypeAlias = Literal["raise", "keep"]
"""What becomes of a photo without such a place: an error, or it stays as it is."""

USUAL_VIEWS = 4
"""Views of each place that photos get, unless somebody says otherwise: see :class:`mbu_ops.Framed`."""


def check_which(which: object) -> None:
    """Check a choice among faces.

    Raises:
        ConfigurationError: if it is none.
    """
    if which not in ("all", "largest") and not (type(which) is int and which >= 1):
        raise ConfigurationError(f"expected 'all', 'largest' or a number from 1 (the largest), got {which!r}")


def check_missing(missing: object) -> None:
    """Check what is to become of photos without a face.

    Raises:
        ConfigurationError: if it is neither an error nor nothing.
    """
    if missing not in ("raise", "keep"):
        raise ConfigurationError(f"expected missing to be 'raise' or 'keep', got {missing!r}")


def choose(
    places: Sequence[FrameLike], which: Which, noun: str = "object", missing: Missing = "raise"
) -> Sequence[FrameLike]:
    """Return the places that are meant.

    Args:
        places: all of a photo's, the largest first.
        which: see :class:`mbu_ops.Framed`.
        noun: what they are called in messages.
        missing: ``"keep"`` returns none where there are none, or fewer than the number asked for.

    Raises:
        FrameError: if there are none, or fewer than the number asked for.

    Example:
        >>> from mbu_ops.frames.box import Box
        >>> len(choose([Box(0, 0, 9, 9), Box(0, 0, 5, 5)], "largest")), choose([], "all", missing="keep")
        (1, ())
    """
    number = which if isinstance(which, int) else 1
    if len(places) >= number:
        return places if which == "all" else places[number - 1 : number]
    if missing == "keep":
        return ()
    if places:
        raise FrameError(f"expected at least {number} {noun}s, found {len(places)}; choose a lower number")
    raise FrameError(
        f"expected {with_article(noun)} in the photo, found none; name its place (--frame L,T,R,B, in Python a "
        "Box), or, where the picture is cut to it already, edit it whole (--no-align, in Python the op itself); "
        'missing="keep" of Python leaves such photos as they are'
    )
