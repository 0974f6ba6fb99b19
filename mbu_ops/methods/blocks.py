"""Layers that methods share: a stack that halves its input, one that doubles it, and a residual block.

May import nothing of this room.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NEGATIVE_SLOPE = 0.2
"""Slope of every leaky ReLU. The paper says ReLU in the decoders; the published weights need this one."""

CONSTANTS = torch.device("cpu")
"""A context for what a network computes with and never learns, whatever the default device is: arithmetic on meta
tensors, where files are compared with their networks, would import all of torch's compiler, as long as torch itself."""


def activation() -> nn.Module:
    """Return the activation of all layers."""
    return nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True)


class DomainBatchNorm2d(nn.BatchNorm2d):
    """Batch norm with a second set of statistics: those of images that show the content.

    In training each domain is normalised by its own batch. The running averages mix the domains; for images with the
    content they are measurably wrong, and what must disappear from such images shows through (removal of glasses:
    44% with the mixed statistics, 83% with these, same weights). They are measured once the weights stand, see
    :meth:`mbu_ops.methods.networks.ContentNetworks.measure_content`.

    Args:
        channels: channels of the input.
    """

    content_mean: Tensor
    content_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.register_buffer("content_mean", torch.zeros(channels))
        self.register_buffer("content_var", torch.ones(channels))
        self.measured: int | None = None
        """Batches measured so far while the statistics are being measured, else None."""

    def forward(self, input: Tensor, content: bool = False) -> Tensor:
        """Normalise ``(B, C, H, W)``; ``content`` says that the images show the content."""
        if self.measured is not None:
            self.measured += 1
            variance, mean = torch.var_mean(input, dim=(0, 2, 3))
            self.content_mean.lerp_(mean, 1 / self.measured)
            self.content_var.lerp_(variance, 1 / self.measured)
            return F.batch_norm(input, None, None, self.weight, self.bias, training=True, eps=self.eps)
        if self.training or not content:
            return super().forward(input)
        return F.batch_norm(input, self.content_mean, self.content_var, self.weight, self.bias, eps=self.eps)


class Stack(nn.Sequential):
    """Layers in a row, of which the batch norms are told whether the images show the content."""

    def forward(self, input: Tensor, content: bool = False) -> Tensor:
        """Run the layers on ``(B, C, H, W)``."""
        for layer in self:
            input = layer(input, content) if isinstance(layer, DomainBatchNorm2d) else layer(input)
        return input


def downsampling_stack(in_channels: int, widths: Sequence[int]) -> Stack:
    """Return ``len(widths)`` blocks of 4x4 stride-2 convolution, batch norm, leaky ReLU.

    Args:
        in_channels: channels of the input.
        widths: output channels of each block, first to last.

    Returns:
        A module from ``(B, in_channels, H, W)`` to ``(B, widths[-1], H / 2**n, W / 2**n)``.
    """
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Conv2d(in_channels, width, 4, 2, 1), DomainBatchNorm2d(width), activation()]
        in_channels = width
    return Stack(*layers)


def upsampling_stack(in_channels: int, widths: Sequence[int], out_channels: int) -> Stack:
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
        layers += [nn.ConvTranspose2d(in_channels, width, 4, 2, 1), DomainBatchNorm2d(width), activation()]
        in_channels = width
    layers.append(nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1))
    return Stack(*layers)


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut, which is a 1x1 convolution where the channels differ.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: side of the kernels.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, kernel, 1, kernel // 2),
            activation(),
            nn.Conv2d(out_channels, out_channels, kernel, 1, kernel // 2),
        )
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Run the block on ``(B, C, H, W)``."""
        result: Tensor = self.shortcut(images) + self.body(images)
        return result
