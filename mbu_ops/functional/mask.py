"""Masks: cut their small values off, and bring them to another size."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.functional.any_size import is_open, resized


def binarise(mask: Tensor, threshold: float = 0.1, softness: float = 0.0) -> Tensor:
    """Return a mask that is exactly 0 up to ``threshold``, hard or with a ramp above it.

    With ``softness`` 0 this is the indicator ``1[mask > threshold]`` of MBU's removal (section 3); it has no gradient.
    Otherwise the mask rises from 0 at ``threshold`` to 1 at ``threshold + softness``, and gradients pass on the ramp.

    Args:
        mask: any shape, values in [0, 1], floating point.
        threshold: the largest value that becomes 0.
        softness: length of the ramp.

    Returns:
        A tensor like ``mask``, in [0, 1].

    Example:
        >>> import torch
        >>> mask = torch.tensor([0.1, 0.3, 0.5, 0.9])
        >>> binarise(mask, 0.1)
        tensor([0., 1., 1., 1.])
        >>> binarise(mask, 0.1, 0.4)
        tensor([0.0000, 0.5000, 1.0000, 1.0000])
    """
    if softness == 0:
        return (mask > threshold).to(mask.dtype)
    return ((mask - threshold) / softness).clamp(0, 1)


def dilate(mask: Tensor, radius: int) -> Tensor:
    """Return a mask grown by some pixels each way: the largest value in a square around each pixel.

    Args:
        mask: ``(B, 1, H, W)`` floating point, in [0, 1].
        radius: how far it grows, in pixels; 0 returns the mask itself.

    Returns:
        A tensor like ``mask``.

    Example:
        >>> import torch
        >>> dilate(torch.tensor([[[[0.0, 0.0, 0.0, 0.7]]]]), 1)
        tensor([[[[0.0000, 0.0000, 0.7000, 0.7000]]]])
    """
    if not radius:
        return mask
    side = 2 * radius + 1  # along the rows, then along the columns: the same in a fraction of the time
    return F.max_pool2d(F.max_pool2d(mask, (1, side), 1, (0, radius)), (side, 1), 1, (radius, 0))


def resize(pixels: Tensor, size: tuple[int, int], mode: str = "bilinear") -> Tensor:
    """Return pixels at another size, antialiased when a side shrinks.

    Args:
        pixels: ``(B, C, H, W)`` floating point, an image or a mask.
        size: height and width wanted.
        mode: ``"bilinear"`` or ``"bicubic"``, which overshoots a little.

    Returns:
        ``(B, C, *size)`` of the same dtype; ``pixels`` itself if it has that size.

    Example:
        >>> import torch
        >>> resize(torch.rand(2, 3, 7, 400), (16, 16)).shape
        torch.Size([2, 3, 16, 16])
    """
    height, width = pixels.shape[-2:]
    if is_open(height, width, *size):
        return resized(pixels, size, smooth=mode == "bicubic")
    if (height, width) == tuple(size):
        return pixels
    # the antialiasing kernel has no half-precision version on CPU
    wide = pixels.float() if pixels.dtype in (torch.float16, torch.bfloat16) else pixels
    shrinks = size[0] < height or size[1] < width
    return F.interpolate(wide, size, mode=mode, antialias=shrinks).to(pixels.dtype)


def change_mask(before: Tensor, after: Tensor, gain: float = 3.0, window: int = 5) -> Tensor:
    """Return where and how much two drawings of one image differ, as a soft mask.

    For methods that draw no masks: both drawings have the same faults, so their difference is the edit alone.

    Args:
        before: ``(B, 3, H, W)`` RGB in [0, 1].
        after: the same.
        gain: mask value for a difference of 1; the mask ends at 1.
        window: side of the square over which differences are averaged, in pixels, odd.

    Returns:
        ``(B, 1, H, W)`` in [0, 1], of the same dtype; 0 where nothing in the square differs.

    Example:
        >>> import torch
        >>> image = torch.rand(1, 3, 8, 8)
        >>> change_mask(image, image).max().item()
        0.0
    """
    difference = (after - before).abs().amax(1, keepdim=True)
    return (gain * F.avg_pool2d(difference, window, 1, window // 2)).clamp(max=1)
