"""Stretch and move pictures at random, so that where and how large things are says nothing of their domain."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.families.layout import Layout

_KNOTS = (5, 5)
"""Points whose random displacements a warp interpolates."""


def place(images: Tensor, placement: Layout | None, random: np.random.Generator) -> Tensor:
    """Stretch, move and warp each image in its own way; what comes in from outside has the border's colours.

    Args:
        images: ``(B, C, H, W)`` floating point.
        placement: the ranges to draw from; ``None`` returns the images as they are.
        random: where the randomness comes from.

    Returns:
        ``(B, C, H, W)``.

    Example:
        >>> image = torch.eye(4).view(1, 1, 4, 4)
        >>> moved = place(image, Layout(down=(0.25, 0.25)), np.random.default_rng(0))
        >>> torch.equal(moved[..., 1:, :], image[..., :-1, :])
        True
    """
    if placement is None:
        return images
    count, size = len(images), images.shape[-2:]
    width, height, right, down, taper = (
        torch.from_numpy(random.uniform(*extent, (count, 1, 1))).to(images.dtype)
        for extent in (placement.width, placement.height, placement.right, placement.down, placement.taper)
    )
    # where each pixel of the result comes from, in coordinates that run over [-1, 1]
    grid = F.affine_grid(
        torch.eye(2, 3, dtype=images.dtype).expand(count, 2, 3), list(images.shape), align_corners=False
    )
    y = (grid[..., 1] - 2 * down) / height
    x = (grid[..., 0] - 2 * right) / (width * (1 - taper * (1 - y.clamp(-1, 1)) / 2))
    grid = torch.stack([x, y], dim=-1)
    if placement.warp:
        knots = torch.from_numpy(random.normal(0, 2 * placement.warp, (count, 2, *_KNOTS))).to(images.dtype)
        grid = grid + F.interpolate(knots, size, mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
