"""The U-Net that native methods share: blocks of pixels in, a few planes for each pixel out.

Sources: U-Net (Ronneberger, Fischer, Brox, MICCAI 2015, arXiv:1505.04597); residual blocks and group norm (He et al.,
CVPR 2016; Wu and He, ECCV 2018). May import blocks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.methods.blocks import activation

GROUPS = 8
"""Channels are normalised in so many groups."""

HALVINGS = 2


class UNet(nn.Module):
    """A network with two levels below the first, and dilated convolutions at the lowest.

    A subclass calls :meth:`make_layers`, and runs :meth:`down_to` and then :meth:`up_to`.
    """

    def make_layers(self, width: int, patch: int, inputs: int, outputs: int, beside: int = 0) -> None:
        """Make the layers.

        Args:
            width: channels of the first level, a multiple of :data:`GROUPS`; each level below has twice as many.
            patch: side of the blocks of pixels that are read and written as one position.
            inputs: channels of what is read at each pixel.
            outputs: channels of what is written there.
            beside: channels of what else is read at each pixel, at the last level only.
        """
        self.patch = patch
        self.stem = nn.Sequential(nn.Conv2d(inputs * patch**2, width, 3, 1, 1), activation())
        self.down = nn.ModuleList(
            nn.Sequential(_convolution(before, 2 * before, halves=True), _Residual(2 * before))
            for before in (width, 2 * width)
        )
        deepest = 4 * width
        self.middle = nn.Sequential(
            nn.Conv2d(deepest, deepest, 3, 1, 2, 2),
            activation(),
            nn.Conv2d(deepest, deepest, 3, 1, 4, 4),
            activation(),
            _Residual(deepest),
            _Residual(deepest),
        )
        self.shrink = nn.ModuleList((_convolution(deepest, 2 * width), _convolution(2 * width, width)))
        self.merge = nn.ModuleList(
            (
                nn.Sequential(_convolution(4 * width, 2 * width), _Residual(2 * width)),
                nn.Sequential(
                    _convolution(2 * width + beside * patch**2, width), nn.Conv2d(width, width, 3, 1, 1), activation()
                ),
            )
        )
        self.paint = nn.Conv2d(width, outputs * patch**2, 3, 1, 1)

    def down_to(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features of all levels, the lowest last.

        Args:
            pixels: ``(B, inputs, H, W)``.
        """
        first = self.stem(F.pixel_unshuffle(pixels, self.patch))
        second = self.down[0](first)
        return first, second, self.middle(self.down[1](second))

    def up_to(self, first: Tensor, second: Tensor, lowest: Tensor, beside: Tensor | None = None) -> Tensor:
        """Return what is written at each pixel, ``(B, outputs, H, W)``.

        Args:
            first: features as of :meth:`down_to`.
            second: the same.
            lowest: the same.
            beside: ``(B, beside, H, W)``, what else is read at the last level.
        """
        features = self.merge[0](torch.cat([F.interpolate(self.shrink[0](lowest), scale_factor=2.0), second], 1))
        last = [F.interpolate(self.shrink[1](features), scale_factor=2.0), first]
        if beside is not None:
            last.append(F.pixel_unshuffle(beside, self.patch))
        return F.pixel_shuffle(self.paint(self.merge[1](torch.cat(last, 1))), self.patch)


def _convolution(before: int, after: int, halves: bool = False) -> nn.Sequential:
    """Return a 3x3 convolution, or a 4x4 one that halves the resolution, with its norm and activation."""
    kernel, stride = (4, 2) if halves else (3, 1)
    return nn.Sequential(nn.Conv2d(before, after, kernel, stride, 1), nn.GroupNorm(GROUPS, after), activation())


class _Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_convolution(width, width), nn.Conv2d(width, width, 3, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = features + self.body(features)
        return result
