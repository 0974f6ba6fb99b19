"""What finds places in photos: what every aligner is like, and a family's own. No torch to import."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from mbu_ops.errors import ConfigurationError, PluginError
from mbu_ops.families.containment import same_builtins
from mbu_ops.families.frames import FrameSpec
from mbu_ops.families.registry import get_family, load_target, plugin_code
from mbu_ops.families.spec import FamilySpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from mbu_ops.functional.similarity import Rectangle

MOST_PLACES = 1000
"""That an aligner may find in a photo."""


class FrameLike(Protocol):
    """A place in a photo: a :class:`mbu_ops.frames.Frame` or a :class:`mbu_ops.frames.Box`."""

    @property
    def rectangle(self) -> Rectangle:
        """Where it lies."""

    @property
    def yaw(self) -> float:
        """How far what it shows looks away, in degrees, positive to the picture's right; 0 where nobody can tell."""

    def cut(self, image: Tensor, limit: int | None = None) -> Tensor:
        """Return what is there, upright, no side longer than the limit: ``(B, C, H, W)`` to ``(B, C, h, w)``."""

    def cut_size(self, limit: int | None = None) -> tuple[int, int]:
        """Return height and width of :meth:`cut`."""

    def bounds(self, image: Tensor) -> tuple[int, int, int, int]:
        """Return left, top, right, bottom of the pixels it touches."""

    def part(self, spec: FrameSpec) -> FrameLike:
        """Return the rectangle that a family declares within it."""

    def moved(self, right: int, down: int, times: int = 1) -> FrameLike:
        """Return it in a photo that is so many times as large, then begins so many pixels further left and up."""


class Aligner(Protocol):
    """Finds the places in photos that a family's networks know how to edit.

    One that has a number ``largest``, the longest side in pixels at which it searches photos, may be given photos that
    were shrunk, to no less than three times that.
    """

    def find(self, image: Tensor) -> Sequence[FrameLike]:
        """Return the places in one photo ``(1, 3, H, W)`` RGB in [0, 1], the largest first."""


def aligner(
    family: FamilySpec | str = "faces", device: torch.device | str | None = None, small: bool = False
) -> Aligner:
    """Return what finds a family's places in photos, for :class:`mbu_ops.Framed`.

    Args:
        family: the family or its name.
        device: where to put it; the CPU by default. Photos must be there too.
        small: whether to look for small places too, which takes longer.

    Raises:
        FamilyError: if there is no such family.
        ConfigurationError: if it has no aligner: its pictures are edited whole; or none for small places.
        PluginError: if its aligner cannot be built.

    Example:
        >>> import mbu_ops
        >>> from mbu_ops.families import get_family
        >>> from mbu_ops.images import read
        >>> photo = read(get_family("faces").samples[0].locate().read_bytes()).to_tensor()[None]
        >>> len(mbu_ops.aligner("faces").find(photo))
        1
    """
    from torch import nn

    spec = get_family(family) if isinstance(family, str) else family
    if spec.aligner is None:
        raise ConfigurationError(f"the family {spec.name!r} has no aligner: its pictures are edited whole")
    if small and spec.small_aligner is None:
        raise ConfigurationError(f"the family {spec.name!r} has no search of its own for small places: leave that out")
    field = "small_aligner" if small else "aligner"
    build = load_target(spec, field)
    with plugin_code(spec, "building its aligner"):
        found: Aligner = build()
    if not callable(getattr(found, "find", None)):
        raise PluginError(
            f"family {spec.name!r}: {field} {getattr(spec, field)!r} must return something with find(photo), "
            f"got {type(found).__name__}"
        )
    if isinstance(found, nn.Module):
        found.to(device).eval()
    return found


def places_in(photo: Tensor, find: Callable[[Tensor], Iterable[FrameLike]]) -> tuple[FrameLike, ...]:
    """Return the places that a plugin's code finds in a photo; what it does to the photo is done to a copy.

    Args:
        photo: ``(1, 3, H, W)`` RGB in [0, 1].
        find: the aligner's method.

    Raises:
        ValueError: if it finds more than :data:`MOST_PLACES`, be it without end.
    """
    with same_builtins():
        found = tuple(islice(find(photo.clone()), MOST_PLACES + 1))
    if len(found) > MOST_PLACES:
        raise ValueError(f"expected at most {MOST_PLACES} places in a photo, got more")
    return found
