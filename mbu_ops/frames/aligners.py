"""Aligners for whole runs: guarded against what a plugin does, and the one that suits the steps of a chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from mbu_ops.errors import ConfigurationError, FamilyError, is_out_of_memory
from mbu_ops.families import FamilySpec, get_family
from mbu_ops.families.aligning import places_in
from mbu_ops.families.registry import plugin_code
from mbu_ops.frames.box import Box
from mbu_ops.frames.frame import Frame
from mbu_ops.limits import current_limits
from mbu_ops.ops.guides import InFrame, in_frame

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from mbu_ops.families.aligning import Aligner, FrameLike
    from mbu_ops.ops.guides import Guide
    from mbu_ops.ops.plan import StepPlan


@dataclass(frozen=True, slots=True)
class GuardedAligner:
    """A family's aligner for a run over many photos: whatever a plugin's code does then costs one photo only.

    It has as long as a photo may take to be read, ``timeout`` of :class:`mbu_ops.limits.Limits`. Nothing ends a thread
    that does not come back: it is left behind, and takes its share of the processor until the process ends.

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

    @property
    def largest(self) -> object:
        """Longest side at which it searches photos, if it says so; see :class:`mbu_ops.families.aligning.Aligner`.

        Raises:
            PluginError: if the plugin raises something.
        """
        with plugin_code(self.family, "saying at which size it searches photos"):
            return getattr(self.aligner, "largest", None)

    def find(self, image: Tensor) -> tuple[FrameLike, ...]:
        """Return the places.

        Raises:
            PluginError: if the plugin raises something, takes too long, or returns what are no places in the photo.
        """
        from mbu_ops.images.deadline import within  # with all that reads pictures

        timeout = current_limits().timeout
        memory: RuntimeError | None = None
        found: tuple[FrameLike, ...] = ()
        with plugin_code(self.family, "finding what to edit"):
            try:
                found = within(
                    timeout, partial(self._places, image, image.is_inference()), str(self), late=_late(timeout)
                )
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

    def _places(self, image: Tensor, inference: bool) -> tuple[FrameLike, ...]:
        import torch

        with torch.inference_mode(inference):  # which each thread has of its own
            return places_in(image, self.aligner.find)


def _late(timeout: float | None) -> TimeoutError:
    return TimeoutError(
        f"expected to end within {timeout or 0:g} s, and did not; it never ends, or the photo is far too large: leave "
        "the photo out, or raise the timeout"
    )


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

    Args:
        plans: the steps.
        aligner: the family's, which finds it.
        device: where the aligner is; the CPU by default.

    Raises:
        FrameError: if there is nothing in a guide.

    Warns:
        GuideWarning: as :func:`mbu_ops.ops.guides.in_frame`.
    """

    def cut(plan: StepPlan, guide: Guide) -> Guide:
        if isinstance(guide, int | InFrame):
            return guide
        return in_frame(guide, plan.info, aligner.find, aligner.noun, str(plan.step), device)

    return tuple(replace(plan, guides=tuple(cut(plan, guide) for guide in plan.guides)) for plan in plans)
