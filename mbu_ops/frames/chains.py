"""The module that a chain is on photos: its networks, what finds the places, and guides cut by the same finder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mbu_ops.families.aligning import aligner
from mbu_ops.frames.aligners import GuardedAligner, align_guides
from mbu_ops.frames.choice import USUAL_VIEWS, Missing, Which
from mbu_ops.frames.framed import Framed
from mbu_ops.ops.plan import StepPlan, assemble

if TYPE_CHECKING:
    import torch
    from torch import nn

    from mbu_ops.families import FamilySpec
    from mbu_ops.families.aligning import Aligner


def assemble_on_photos(
    plans: Sequence[StepPlan],
    family: FamilySpec | None,
    place: Aligner | None = None,
    *,
    which: Which = "all",
    views: int = USUAL_VIEWS,
    missing: Missing = "raise",
    small: bool = False,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    compile: bool = False,
) -> nn.Module:
    """Load the weights of a chain and build the module that makes its edits in photos.

    Args:
        plans: the steps.
        family: whose aligner looks for places in photos and guides, see
            :func:`mbu_ops.frames.aligners.family_to_align`; None looks for nothing.
        place: where to edit, if nothing is looked for; None edits whole pictures.
        which: see :class:`mbu_ops.Framed`.
        views: see :class:`mbu_ops.Framed`.
        missing: see :class:`mbu_ops.Framed`.
        small: whether to look for small places too, see :func:`mbu_ops.aligner`.
        device: where to put the networks; the CPU by default.
        dtype: floating-point type of the networks; float32 by default.
        compile: see :meth:`mbu_ops.ops.ChainSpec.bind`.

    Returns:
        A module of one input, photos ``(B, 3, H, W)`` RGB in [0, 1]; what it returns is a chain's.

    Raises:
        MBUOpsError: if weights or the aligner cannot be loaded, or there is nothing in a guide.

    Example:
        >>> from mbu_ops.frames.aligners import family_to_align
        >>> from mbu_ops.ops import ChainSpec
        >>> plans = ChainSpec.parse("remove:smile").plan()
        >>> assemble_on_photos(plans, family_to_align(plans)).views
        4
    """
    if family is not None:
        place = GuardedAligner(family, aligner(family, device, small))
        plans = align_guides(plans, place, device)
    chain = assemble(plans, device, dtype, compile=compile)
    return chain if place is None else Framed(chain, place, which, views, missing)
