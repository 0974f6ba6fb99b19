"""Numbers of parts as colours that people can tell apart, and back."""

from __future__ import annotations

import colorsys

import torch
from torch import Tensor

_TURN = 0.61803398875
"""Golden ratio: hues that many turns apart are never close."""


def spread_palette(count: int) -> Tensor:
    """Return colours for parts that nobody chose any for, ``(count, 3)`` in [0, 1]; the first is black.

    Example:
        >>> spread_palette(3)[0].tolist()
        [0.0, 0.0, 0.0]
    """
    hues = (number * _TURN % 1 for number in range(1, count))
    colours = [colorsys.hsv_to_rgb(hue, 0.75, 0.65 + 0.3 * (number % 2)) for number, hue in enumerate(hues)]
    return torch.tensor([(0.0, 0.0, 0.0), *colours])


def palette_image(labels: Tensor, palette: Tensor) -> Tensor:
    """Return labels as a picture.

    Args:
        labels: ``(B, 1, H, W)`` whole numbers, rows of the palette.
        palette: ``(parts, 3)`` RGB in [0, 1].

    Returns:
        ``(B, 3, H, W)``.

    Example:
        >>> palette_image(torch.ones(1, 1, 2, 2, dtype=torch.uint8), spread_palette(2)).shape
        torch.Size([1, 3, 2, 2])
    """
    return palette[labels[:, 0].long()].movedim(-1, 1)
