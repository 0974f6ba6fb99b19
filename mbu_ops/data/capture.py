"""Vary how photos were taken: where in the picture, in what light, how sharp, how noisy, how compressed.

Several pictures that belong together are varied alike, so that nothing but what they show tells them apart. All
randomness is torch's global one.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from kornia.enhance import jpeg_codec_differentiable
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.functional.mask import resize

_BLOCK = 16
"""JPEG's blocks, with colours at half the resolution."""


def moved(pixels: Tensor) -> Tensor:
    """Return pictures turned, scaled and moved a little, each in its own way.

    Args:
        pixels: ``(B, C, H, W)`` with whatever channels; beyond the border it goes on.

    Example:
        >>> moved(torch.rand(2, 7, 16, 32)).shape
        torch.Size([2, 7, 16, 32])
    """
    count, (height, width) = len(pixels), pixels.shape[-2:]
    scale, angle = 1 + 0.16 * (torch.rand(count) - 0.5), 0.14 * (torch.rand(count) - 0.5)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = scale * angle.cos()
    matrix[:, 0, 1] = -scale * angle.sin() * height / width
    matrix[:, 1, 0] = scale * angle.sin() * width / height
    matrix[:, :, 2] = 0.08 * (torch.rand(count, 2) - 0.5)
    grid = F.affine_grid(matrix.to(pixels), list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def mirrored(pixels: Tensor) -> Tensor:
    """Return pictures of which half are mirrored.

    Args:
        pixels: ``(B, C, H, W)``.
    """
    return torch.where(even(pixels) < 0.5, pixels.flip(-1), pixels)


def lit(pixels: Tensor, pictures: int = 1) -> Tensor:
    """Return pictures in other light, each in its own: brighter or darker, tinted; a quarter much darker.

    Args:
        pixels: ``(B, C, H, W)`` in [0, 1]; the first channels are RGB pictures, others (masks) stay as they are.
        pictures: how many pictures, of three channels each: they are lit alike.
    """
    gain, tint = 1 + 0.15 * even(pixels, torch.randn), 0.03 * torch.randn(len(pixels), 3, 1, 1).to(pixels)
    gamma = torch.where(even(pixels) < 0.25, 1 + 1.2 * even(pixels), 1.0)
    shown, others = _pictures(pixels, pictures)
    return _joined((shown ** gamma[:, None] * gain[:, None] + tint[:, None]).clamp(0, 1), others)


def softened(pixels: Tensor, pictures: int = 1) -> Tensor:
    """Return pictures of which some are soft, as enlarged small ones are; some noisy; some compressed as JPEG.

    Args:
        pixels: see :func:`lit`.
        pictures: the same; the pictures of one place are softened and compressed alike, and get the same noise.

    Example:
        >>> softened(torch.rand(2, 7, 16, 32), 2).shape
        torch.Size([2, 7, 16, 32])
    """
    shown, others = _pictures(pixels, pictures)
    count, (height, width) = len(pixels), pixels.shape[-2:]
    flat = shown.flatten(0, 1)
    factor = 1 + 2.5 * float(torch.rand(())) ** 2
    small = resize(flat, (max(1, round(height / factor)), max(1, round(width / factor))))
    soft = resize(small, (height, width), "bicubic").clamp(0, 1).view_as(shown)
    shown = torch.lerp(shown, soft, (even(pixels) * (even(pixels) < 0.35))[:, None])
    noise = 0.04 * even(pixels) * (even(pixels) < 0.3) * torch.randn(count, 3, height, width).to(pixels)
    shown = (shown + noise[:, None]).clamp(0, 1)
    compressed = torch.rand(count) < 0.2
    if bool(compressed.any()):
        quality = (40 + 55 * torch.rand(int(compressed.sum()))).repeat_interleave(pictures).to(pixels)
        shown = shown.clone()
        shown[compressed] = _compressed(shown[compressed].flatten(0, 1), quality).view_as(shown[compressed])
    return _joined(shown, others)


def even(pixels: Tensor, draw: Callable[..., Tensor] = torch.rand) -> Tensor:
    """Return a number for each picture, ``(B, 1, 1, 1)``: from 0 to 1, or as ``draw`` draws it."""
    return draw(len(pixels), 1, 1, 1).to(pixels)


def _compressed(pixels: Tensor, quality: Tensor) -> Tensor:
    height, width = pixels.shape[-2:]
    padded = F.pad(pixels, (0, -width % _BLOCK, 0, -height % _BLOCK), mode="replicate")
    result: Tensor = jpeg_codec_differentiable(padded, quality)
    return result[..., :height, :width].clamp(0, 1)


def _pictures(pixels: Tensor, pictures: int) -> tuple[Tensor, Tensor]:
    """Return ``(B, pictures, 3, H, W)``, and the channels that are no pictures."""
    return torch.unflatten(pixels[:, : 3 * pictures], 1, (pictures, 3)), pixels[:, 3 * pictures :]


def _joined(shown: Tensor, others: Tensor) -> Tensor:
    return torch.cat([shown.flatten(1, 2), others], 1)
