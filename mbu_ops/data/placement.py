"""Stretch and move pictures at random, so that where and how large things are says nothing of their domain."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.families.spec import Placement


def place(images: Tensor, placement: Placement | None, random: np.random.Generator) -> Tensor:
    """Stretch and move each image in its own way; what comes in from outside has the border's colours.

    Args:
        images: ``(B, C, H, W)`` floating point.
        placement: the ranges to draw from; ``None`` returns the images as they are.
        random: where the randomness comes from.

    Returns:
        ``(B, C, H, W)``.

    Example:
        >>> image = torch.eye(4).view(1, 1, 4, 4)
        >>> moved = place(image, Placement(down=(0.25, 0.25)), np.random.default_rng(0))
        >>> torch.equal(moved[..., 1:, :], image[..., :-1, :])
        True
    """
    if placement is None:
        return images
    width, height, right, down = (
        torch.from_numpy(random.uniform(*extent, len(images)))
        for extent in (placement.width, placement.height, placement.right, placement.down)
    )
    # grid coordinates run over [-1, 1], so a shift by the whole picture is 2
    matrix = torch.zeros(len(images), 2, 3, dtype=torch.float64)
    matrix[:, 0, 0], matrix[:, 0, 2] = 1 / width, -2 * right / width
    matrix[:, 1, 1], matrix[:, 1, 2] = 1 / height, -2 * down / height
    grid = F.affine_grid(matrix.to(images.dtype), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
