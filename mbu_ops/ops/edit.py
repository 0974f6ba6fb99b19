"""Edits as triples, and the edit that any module makes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mbu_ops.functional.render import Edit, compose

__all__ = ["Edit", "compose", "edit_with"]


def edit_with(module: nn.Module, image: Tensor) -> Edit:
    """Return the edit a one-in one-out module makes.

    Args:
        module: an op with ``edit(image)``, or any module from images to images of the same size, whose edit then covers
            the whole image.
        image: ``(B, 3, H, W)`` RGB in [0, 1].
    """
    edit = getattr(module, "edit", None)
    if edit is not None:
        result: Edit = edit(image)
        return result
    output = module(image)
    return Edit(output, torch.ones_like(output[:, :1]), output)
