"""Bring small edited pixels to the size of a photo with the photo's own detail, where the edit left it valid."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.functional.mask import change_mask, resize

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


def restore_detail(raw: Tensor, low: Tensor, image: Tensor, amount: float = 1.0) -> Tensor:
    """Return edited pixels at the size of the photo, with the detail that they are too small to hold.

    What the photo holds beyond their resolution is added back where they show the structure that the photo shows
    there, so an eye behind removed glasses, or skin that is only lit otherwise, stays sharp; where something new was
    drawn nothing is added.

    Args:
        raw: ``(B, 3, h, w)`` in [0, 1], the edited pixels.
        low: the photo at that size.
        image: ``(B, 3, H, W)``, the photo.
        amount: share of the detail to add; 0 only enlarges.

    Returns:
        ``(B, 3, H, W)`` in [0, 1]; ``raw`` itself if it has that size already.

    Example:
        >>> photo = torch.rand(1, 3, 64, 64)
        >>> low = resize(photo, (16, 16))
        >>> bool((restore_detail(low, low, photo) - photo).abs().max() < 1e-5)
        True
    """
    height, width = image.shape[-2:]
    if raw.shape[-2:] == image.shape[-2:]:
        return raw
    large = _enlarge(raw, (height, width))
    if amount == 0 or (height <= raw.shape[-2] and width <= raw.shape[-1]):
        return large.clamp(0, 1)
    share = amount * resize(agreement(raw, low), (height, width))
    return (large + share * (image - _enlarge(low, (height, width)))).clamp(0, 1)


def _around(values: Tensor) -> Tensor:
    return F.avg_pool2d(values, WINDOW, 1, WINDOW // 2, count_include_pad=False)


def _enlarge(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Bicubic where both sides grow: bilinear pixels of a small network show as squares."""
    grows = size[0] >= pixels.shape[-2] and size[1] >= pixels.shape[-1]
    return resize(pixels, size, "bicubic" if grows else "bilinear")


def carry_over(image: Tensor, before: Tensor, after: Tensor, gain: float = 3.0) -> Tensor:
    """Return the edit that two drawings of an image show, on the image itself.

    Where the drawings differ little, their difference is added to the image, whose own detail stays; where they differ
    much, what the image shows must go, and the second drawing takes its place. For methods that draw whole pictures,
    blurred: the blur is in both drawings, and so not in their difference.

    Args:
        image: ``(B, 3, H, W)`` RGB in [0, 1].
        before: the image as the method draws it, the same shape.
        after: the image as it is to be, as the method draws it.
        gain: of the difference, see :func:`mbu_ops.functional.mask.change_mask`; with 3, a third of the range over a
            few pixels is much.

    Returns:
        ``(B, 3, H, W)`` in [0, 1]; the image itself, bit for bit, where the drawings are equal.

    Example:
        >>> import torch
        >>> image, drawing = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
        >>> torch.equal(carry_over(image, drawing, drawing), image)
        True
        >>> torch.allclose(carry_over(image, 0 * drawing, 0 * drawing + 1), torch.ones(1))
        True
    """
    much = change_mask(before, after, gain)
    return (image + (after - before) - much * (image - before)).clamp(0, 1)
