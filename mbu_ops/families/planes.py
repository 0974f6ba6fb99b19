"""What families say of pictures, one plane for each: where a content is."""

from __future__ import annotations

import torch
from torch import Tensor

from mbu_ops.errors import PluginError
from mbu_ops.families.registry import load_target, plugin_code
from mbu_ops.families.spec import AttributeSpec, FamilySpec


def derived_masks(family: FamilySpec, attribute: AttributeSpec, pixels: Tensor) -> Tensor | None:
    """Return the true masks that the family derives from pictures.

    Args:
        family: the family; its ``masks`` names the function that derives.
        attribute: what the masks are to show.
        pixels: ``(N, 3, H, W)`` RGB in [0, 1], pictures with the attribute.

    Returns:
        ``(N, 1, H, W)`` bool, empty for a picture where nobody can tell; None if the family cannot tell for any.

    Raises:
        PluginError: if its function cannot be loaded, fails, or returns something else.
    """
    if family.masks is None:
        return None
    derive = load_target(family, "masks")
    with plugin_code(family, "deriving masks"):
        masks = derive(attribute.name, pixels)
    if masks is None:
        return None
    check_plane(family, "masks", masks, pixels)
    derived: Tensor = masks > 0.5
    return derived


def check_plane(family: FamilySpec, what: str, masks: object, pixels: Tensor) -> None:
    """Make sure that what a family's function returned is one plane for each picture.

    Raises:
        PluginError: if it is anything else.
    """
    wanted = (len(pixels), 1, *pixels.shape[-2:])
    if not isinstance(masks, torch.Tensor) or tuple(masks.shape) != wanted:
        got = tuple(masks.shape) if isinstance(masks, torch.Tensor) else type(masks).__name__
        raise PluginError(f"family {family.name!r}: expected {what} of shape {wanted}, got {got}")
