"""Where an edit left a photo's own detail valid."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

WINDOW = 7
"""Side of the neighbourhood in which two images are compared, in their pixels."""

FLAT = 0.001
"""Variance below which a neighbourhood counts as flat, and flat ones agree: about (0.03 of the range) squared."""


def agreement(first: Tensor, second: Tensor) -> Tensor:
    """Return how far two images show the same structure, whatever their brightness.

    The contrast-and-structure term of SSIM, ``(2 cov + c) / (var1 + var2 + c)``, on the mean of the channels.

    Source: Wang, Bovik, Sheikh, Simoncelli, *Image quality assessment: from error visibility to structural similarity*,
    IEEE TIP 2004, equations 9 and 10 joined.

    Args:
        first: ``(B, C, H, W)`` in [0, 1], floating point.
        second: the same shape.

    Returns:
        ``(B, 1, H, W)`` in [0, 1].

    Example:
        >>> image = torch.rand(1, 3, 16, 16)
        >>> bool(agreement(image, image / 2 + 0.5).mean() < agreement(image, image + 0.1).mean())
        True
    """
    # small differences of squares: half precision would hold little but noise
    work = torch.promote_types(first.dtype, torch.float32)
    # around the middle of the range: smaller squares round less
    one, two = (image.to(work).mean(1, keepdim=True) - 0.5 for image in (first, second))
    mean_one, mean_two = _around(one), _around(two)
    variances = _around(one * one) - mean_one * mean_one + _around(two * two) - mean_two * mean_two
    covariance = _around(one * two) - mean_one * mean_two
    return ((2 * covariance + FLAT) / (variances + FLAT)).clamp(0, 1).to(first.dtype)


def _around(values: Tensor) -> Tensor:
    return F.avg_pool2d(values, WINDOW, 1, WINDOW // 2, count_include_pad=False)
