"""Convolution stacks shared by the methods: a stack that halves its input, and one that doubles it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

NEGATIVE_SLOPE = 0.2
"""Slope of every leaky ReLU. The paper says ReLU in the decoders; the published weights need this one."""


def _activation() -> nn.Module:
    return nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True)


def downsampling_stack(in_channels: int, widths: Sequence[int]) -> nn.Sequential:
    """Return ``len(widths)`` blocks of 4x4 stride-2 convolution, batch norm, leaky ReLU.

    Args:
        in_channels: channels of the input.
        widths: output channels of each block, first to last.

    Returns:
        A module from ``(B, in_channels, H, W)`` to ``(B, widths[-1], H / 2**n, W / 2**n)``.
    """
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Conv2d(in_channels, width, 4, 2, 1), nn.BatchNorm2d(width), _activation()]
        in_channels = width
    return nn.Sequential(*layers)


def upsampling_stack(in_channels: int, widths: Sequence[int], out_channels: int) -> nn.Sequential:
    """Return blocks of 4x4 stride-2 transposed convolution, batch norm, leaky ReLU, and a plain last one.

    Args:
        in_channels: channels of the input.
        widths: output channels of each hidden block, first to last.
        out_channels: channels of the last transposed convolution, which has no norm or activation.

    Returns:
        A module from ``(B, in_channels, H, W)`` to ``(B, out_channels, H * 2**(n+1), W * 2**(n+1))``.
    """
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.ConvTranspose2d(in_channels, width, 4, 2, 1), nn.BatchNorm2d(width), _activation()]
        in_channels = width
    layers.append(nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1))
    return nn.Sequential(*layers)
