"""The aligner of a family: what finds, in any photo, the places that its networks know."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mbu_ops.errors import ConfigurationError, FamilyError, FrameError, GuideWarning, PluginError, is_out_of_memory
from mbu_ops.families import FamilySpec, get_family
from mbu_ops.families.names import with_article
from mbu_ops.families.registry import frame_of, load_target, plugin_code
from mbu_ops.frames.box import Box
from mbu_ops.frames.frame import Frame

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from mbu_ops.frames.frame import Aligner, FrameLike
    from mbu_ops.images import ImageFile
    from mbu_ops.ops.plan import Guide, InFrame, StepPlan


LOOKS_AWAY = 25.0
"""Degrees from which a guide's head hides a part of what is to be taken."""


def aligner(family: FamilySpec | str = "faces", device: torch.device | str | None = None) -> Aligner:
    """Return what finds a family's places in photos, for :class:`mbu_ops.Framed`.

    Args:
        family: the family or its name.
        device: where to put it; the CPU by default. Photos must be there too.

    Raises:
        FamilyError: if there is no such family.
        ConfigurationError: if it has no aligner: its pictures are edited whole.
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
    build = load_target(spec, "aligner")
    with plugin_code(spec, "building its aligner"):
        found: Aligner = build()
    if not callable(getattr(found, "find", None)):
        raise PluginError(
            f"family {spec.name!r}: aligner {spec.aligner!r} must return something with find(photo), got "
            f"{type(found).__name__}"
        )
    if isinstance(found, nn.Module):
        found.to(device).eval()
    return found


@dataclass(frozen=True, slots=True)
class GuardedAligner:
    """A family's aligner for a run over many photos: whatever a plugin's code does then costs one photo only.

    Attributes:
        family: whose it is.
        aligner: what it guards.
    """

    family: FamilySpec
    aligner: Aligner

    def __str__(self) -> str:
        return self.family.name

    @property
    def noun(self) -> str:
        """What it finds, in one word for messages: the family's noun."""
        return self.family.noun

    def find(self, image: Tensor) -> tuple[FrameLike, ...]:
        """Return the places.

        Raises:
            PluginError: if the plugin raises something, or returns what are no places in the photo.
        """
        memory: RuntimeError | None = None
        found: tuple[FrameLike, ...] = ()
        with plugin_code(self.family, "finding what to edit"):
            try:
                found = tuple(self.aligner.find(image))
                for place in found:
                    if type(place) not in (Frame, Box):
                        raise TypeError(f"expected Frame or Box, got {type(place).__name__}")
                    place.bounds(image)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                memory = error  # the caller's trouble, who may try fewer photos at a time
        if memory is not None:
            raise memory
        return found


def noun_of(aligner: Aligner) -> str:
    """Return what an aligner finds, in one word for messages."""
    return aligner.noun if isinstance(aligner, GuardedAligner) else "object"


def family_to_align(plans: Sequence[StepPlan]) -> FamilySpec | None:
    """Return the family whose aligner suits the steps of a chain; None if none of theirs has one.

    Args:
        plans: the steps. Weights that belong to no family that is known here go with any.

    Raises:
        ConfigurationError: if two families would align photos differently, or one aligns them and one takes them whole.
    """
    found: dict[str | None, FamilySpec] = {}
    for name in {plan.info.family for plan in plans if plan.info.family}:
        try:
            spec = get_family(name)
        except FamilyError:  # weights work without the plugin that they were made for
            continue
        found[spec.aligner] = spec
    if len(found) > 1:
        names = " and ".join(sorted(spec.name for spec in found.values()))
        raise ConfigurationError(
            f"the families {names} look for different things in a photo: use one command for each, or --no-align "
            "where pictures are cut to what is edited"
        )
    found.pop(None, None)
    return next(iter(found.values()), None)


def align_guides(
    plans: Sequence[StepPlan], aligner: GuardedAligner, device: torch.device | str | None = None
) -> tuple[StepPlan, ...]:
    """Return the steps with every guide picture cut to the step's frame of the largest place that the aligner finds.

    A thing that is cut out on a transparent ground shows no place: it is laid where the family's own guides have it.

    Args:
        plans: the steps.
        aligner: the family's, which finds it.
        device: where the aligner is; the CPU by default.

    Raises:
        FrameError: if there is nothing in a guide.

    Warns:
        GuideWarning: if a guide shows the place with less than half of the pixels that the networks see, or looks away.
    """
    from mbu_ops.images import ImageFile
    from mbu_ops.methods import get_method
    from mbu_ops.ops.plan import InFrame

    def cut(plan: StepPlan, guide: Guide) -> Guide:
        if isinstance(guide, int | InFrame):
            return guide
        if isinstance(guide, ImageFile):
            if guide.is_cut_out and get_method(plan.info.method).info.takes_pixels:
                return InFrame(_laid(plan, guide).to(device))
            guide = guide.to_tensor()[None]
        return _cut(plan, guide.to(device), aligner)

    return tuple(replace(plan, guides=tuple(cut(plan, guide) for guide in plan.guides)) for plan in plans)


def _cut(plan: StepPlan, photo: Tensor, aligner: GuardedAligner) -> InFrame:
    """Return the step's frame of the largest place in a guide photo."""
    from mbu_ops.ops.plan import InFrame

    places = aligner.find(photo)
    if not places:
        raise FrameError(
            f"expected {with_article(aligner.noun)} in the guide picture of {str(plan.step)!r}, found none; choose "
            f"another picture, or cut each picture to its {aligner.noun} and add --no-align"
        )
    frame = frame_of(plan.info.family, plan.info.frame)
    part = places[0].part(frame)
    if not part.rectangle.touches(photo.shape[-2], photo.shape[-1]):
        raise FrameError(
            f"expected the frame {frame.name!r} of the {aligner.noun} inside the guide picture of "
            f"{str(plan.step)!r}, it lies outside; choose another picture"
        )
    if part.rectangle.width < plan.info.resolution / 2:
        shown = aligner.noun if frame.is_whole else frame.name
        warnings.warn(
            f"the guide picture of {str(plan.step)!r} shows the {shown} in {part.rectangle.width:.0f} pixels, "
            f"less than half of the {plan.info.resolution} that networks see: a larger picture gives a sharper edit",
            GuideWarning,
            stacklevel=2,
        )
    if abs(yaw := places[0].yaw) > LOOKS_AWAY:
        warnings.warn(
            f"the guide picture of {str(plan.step)!r} shows {with_article(aligner.noun)} that looks {abs(yaw):.0f} "
            f"degrees to the {'right' if yaw > 0 else 'left'}: what it hides of the thing cannot be taken; "
            "a guide who looks at the camera suits most",
            GuideWarning,
            stacklevel=2,
        )
    return InFrame(part.cut(photo), places[0].yaw)


def _laid(plan: StepPlan, guide: ImageFile) -> Tensor:
    """Return a cut-out where the family's own guides of the step's attribute lie in its frame."""
    from mbu_ops.frames.cut_outs import laid_like
    from mbu_ops.weights import pixels_of, read_guide, shipped_guides

    for example in shipped_guides(plan.info):
        if (picture := read_guide(example)).is_cut_out:
            return laid_like(pixels_of(guide, True), pixels_of(picture, True))
    raise FrameError(
        f"expected a photo as the guide of {str(plan.step)!r}, got a picture with a transparent ground, and the family "
        f"{plan.info.family!r} has none to tell where such things lie: use a photo that shows one"
    )
