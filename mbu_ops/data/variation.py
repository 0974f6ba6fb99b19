"""Vary pictures together with their labels: turn, scale, move, recolour, blur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from kornia.enhance import adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.mask import resize


@dataclass(frozen=True, slots=True)
class Variation:
    """How far pictures are varied, in proportion to one number.

    Attributes:
        strength: 1 turns by up to 20 degrees, scales by up to 25%, moves by up to 8% of the side, changes brightness,
            contrast and saturation by up to 35% and hues by up to 5%.
        blurs: whether a quarter of the pictures are blurred too, for networks that read pictures and draw none.

    Raises:
        ConfigurationError: if it is no number above 0, or so large that pictures would be lost.
    """

    strength: float
    blurs: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 2:
            raise ConfigurationError(f"expected a variation above 0 and at most 2, got {self.strength}")


def varied(pixels: Tensor, labels: Tensor, variation: Variation, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Vary each picture in its own way, and its labels with it; what comes in from outside continues the border.

    Args:
        pixels: ``(B, 3, H, W)`` RGB in [0, 1].
        labels: ``(B, 1, H, W)`` uint8.
        variation: how far.
        random: where the randomness comes from.

    Returns:
        Both, of the same shapes and types.

    Example:
        >>> pixels, labels = torch.rand(2, 3, 8, 8), torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
        >>> [tuple(one.shape) for one in varied(pixels, labels, Variation(1.0), np.random.default_rng(0))]
        [(2, 3, 8, 8), (2, 1, 8, 8)]
    """
    count, strength = len(pixels), variation.strength

    def draw(extent: float) -> Tensor:
        return torch.from_numpy(random.uniform(-extent, extent, count)).float()

    angle, scale, stretch = torch.deg2rad(draw(20 * strength)), draw(0.22 * strength).exp(), draw(0.06 * strength).exp()
    right, down = draw(0.16 * strength), draw(0.16 * strength)
    cosine, sine = angle.cos() / scale, angle.sin() / scale
    matrices = torch.stack(
        [torch.stack([cosine * stretch, -sine, right], 1), torch.stack([sine * stretch, cosine, down], 1)], 1
    )
    grid = F.affine_grid(matrices, list(pixels.shape), align_corners=False)
    moved = F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)
    named = F.grid_sample(labels.float(), grid, mode="nearest", padding_mode="border", align_corners=False)
    moved = recoloured(moved, strength, random)
    moved = blurred(moved, strength, random) if variation.blurs else moved
    # the weights of a blur may sum to a little over 1
    return moved.clamp(0, 1), named.round().to(torch.uint8)


def recoloured(pixels: Tensor, strength: float, random: np.random.Generator) -> Tensor:
    """Recolour pictures, each in its own way.

    Args:
        pixels: ``(B, 3, H, W)`` RGB in [0, 1].
        strength: see :class:`Variation`.
        random: where the randomness comes from.
    """
    count = len(pixels)

    def draw(extent: float) -> Tensor:
        return torch.from_numpy(random.uniform(-extent, extent, count)).float()

    pixels = adjust_brightness(pixels, draw(0.25 * strength))
    pixels = adjust_contrast(pixels, (1 + draw(0.35 * strength)).clamp(min=0.1))
    pixels = adjust_saturation(pixels, (1 + draw(0.35 * strength)).clamp(min=0))
    pixels = adjust_hue(pixels, draw(2 * np.pi * 0.05 * strength))
    return pixels.clamp(0, 1)


def blurred(pixels: Tensor, strength: float, random: np.random.Generator) -> Tensor:
    """Blur a quarter of some pictures, as enlarged small ones are.

    Args:
        pixels: ``(B, 3, H, W)`` RGB in [0, 1].
        strength: 1 for pictures of up to a third of the size.
        random: where the randomness comes from.
    """
    size = pixels.shape[-2:]
    factor = float(random.uniform(1, 1 + 2 * strength))
    small = resize(pixels, (max(1, int(size[0] / factor)), max(1, int(size[1] / factor))))
    chosen = torch.from_numpy(random.random(len(pixels)) < 0.25)[:, None, None, None]
    return torch.where(chosen, resize(small, (size[0], size[1])), pixels)


def jittered(images: Tensor) -> Tensor:
    """Return images turned, moved, scaled, softened and recoloured a little, each in its own way.

    Drawn by torch's own generator.

    Args:
        images: ``(B, 3, H, W)`` RGB in [0, 1].

    Example:
        >>> jittered(torch.rand(2, 3, 8, 8)).shape
        torch.Size([2, 3, 8, 8])
    """
    count, place = len(images), images.device
    normal, even = torch.randn(count, 5), torch.rand(count, 3)  # drawn on the CPU: the same wherever it trains
    # as small as in pictures that are cut wider, and as large as in those that are cut tight
    scale, angle = (0.18 * normal[:, 0]).clamp(-0.4, 0.25).exp(), 0.1 * normal[:, 1]
    mirror = torch.where(even[:, 0] < 0.5, -1.0, 1.0)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = mirror * scale * angle.cos(), -scale * angle.sin()
    matrix[:, 1, 0], matrix[:, 1, 1] = mirror * scale * angle.sin(), scale * angle.cos()
    matrix[:, :, 2] = 0.05 * normal[:, 2:4]
    grid = F.affine_grid(matrix.to(place), list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    soft = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode="bilinear")
    images = torch.where((even[:, 1] < 0.4).to(place)[:, None, None, None], soft, images)
    contrast, tint = 1 + 0.2 * normal[:, 4].to(place)[:, None, None, None], 0.08 * torch.randn(count, 3).to(place)
    return (images * contrast + tint[:, :, None, None]).clamp(0, 1)
