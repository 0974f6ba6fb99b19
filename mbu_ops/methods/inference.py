"""The form of the networks that only edits: batch norm folded, weights as a CPU reads them fastest.

What it draws is what the networks in evaluation draw, but for rounding. It cannot be trained: gradients reach images
and codes, and no weights. May import blocks, info and the sizes; the networks name their form, and not the other way.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.methods.blocks import NEGATIVE_SLOPE, DomainBatchNorm2d, Stack
from mbu_ops.methods.info import MethodInfo
from mbu_ops.methods.mbu_config import MBUConfig

FEW_POSITIONS = 32
"""Up to so many positions in a batch, a layer is a matrix product: its weights, not its pixels, are what takes time."""


class Folded(NamedTuple):
    """A convolution, transposed or not, with the batch norm after it.

    Attributes:
        weight: as the convolution has it.
        bias: one for each output channel.
    """

    weight: Tensor
    bias: Tensor


@torch.no_grad()
def fold(stack: Stack, content: bool) -> list[Folded]:
    """Fold every batch norm of a stack into the convolution before it.

    Args:
        stack: the layers; they stay as they are.
        content: whether to take batch norm's statistics of images that show the content, or the mixed ones.

    Returns:
        The convolutions, first to last; leaky ReLU follows all of them that had a batch norm.

    Example:
        >>> import torch
        >>> from mbu_ops.methods.blocks import downsampling_stack
        >>> stack = downsampling_stack(3, [4]).eval()
        >>> ((weight, bias),) = fold(stack, content=False)
        >>> image = torch.rand(1, 3, 8, 8)
        >>> expected = torch.nn.functional.conv2d(image, weight, bias, 2, 1)
        >>> torch.allclose(stack(image), torch.nn.functional.leaky_relu(expected, 0.2), atol=1e-6)
        True
    """
    folded: list[Folded] = []
    for layer in stack:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            assert layer.bias is not None  # noqa: S101 - the stacks are built with one
            axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0  # of the output channels
            folded.append(Folded(layer.weight.detach().clone(), layer.bias.detach().clone()))
        elif isinstance(layer, DomainBatchNorm2d):
            weight, bias = folded[-1]
            mean, variance = (
                (layer.content_mean, layer.content_var) if content else (layer.running_mean, layer.running_var)
            )
            assert mean is not None  # noqa: S101 - the stacks' batch norms track them
            assert variance is not None  # noqa: S101
            # a few numbers a channel: twice the digits cost nothing and keep the folding out of the result
            scale = layer.weight.double() / (variance.double() + layer.eps).sqrt()
            shift = (bias.double() - mean.double()) * scale + layer.bias.double()
            by_channel = weight.movedim(axis, -1) * scale
            folded[-1] = Folded(by_channel.movedim(-1, axis).to(weight.dtype), shift.to(bias.dtype))
    return folded


def _few_positions(images: Tensor, height: int, width: int) -> bool:
    # decided when a call runs, never while it is traced: a graph must hold for every size of batch
    return (
        not torch.compiler.is_compiling()
        and images.device.type == "cpu"
        and images.shape[0] * height * width <= FEW_POSITIONS
    )


class _Layer(nn.Module):
    """A folded convolution: weights in channels_last and frozen."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last), requires_grad=False)
        self.bias = nn.Parameter(bias, requires_grad=False)


class _Hidden(_Layer, ABC):
    """A convolution with its leaky ReLU."""

    def forward(self, images: Tensor) -> Tensor:
        """Run the layer on ``(B, C, H, W)``."""
        return F.leaky_relu_(self._convolved(images), NEGATIVE_SLOPE)

    @abstractmethod
    def _convolved(self, images: Tensor) -> Tensor:
        """Run the convolution alone."""


class _Stem(_Hidden):
    """The first layer of an encoder, which reads pixels in blocks: here one convolution with larger steps."""

    def __init__(self, weight: Tensor, bias: Tensor, patch: int) -> None:
        blocks = weight.view(len(weight), -1, patch, patch, 4, 4)
        super().__init__(blocks.permute(0, 1, 4, 2, 5, 3).flatten(4, 5).flatten(2, 3), bias)
        self.patch = patch

    def _convolved(self, images: Tensor) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        return F.conv2d(images, self.weight, self.bias, stride=2 * self.patch, padding=self.patch)


class _Down(_Hidden):
    """A 4x4 convolution with stride 2 and padding 1."""

    def _convolved(self, images: Tensor) -> Tensor:
        count, _, height, width = images.shape
        if not _few_positions(images, height // 2, width // 2):
            return F.conv2d(images, self.weight, self.bias, stride=2, padding=1)
        windows = F.pad(images.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1)).unfold(1, 4, 2).unfold(2, 4, 2)
        rows = windows.permute(0, 1, 2, 4, 5, 3).reshape(count * (height // 2) * (width // 2), -1)
        products = F.linear(rows, self.weight.permute(0, 2, 3, 1).flatten(1), self.bias)
        return products.view(count, height // 2, width // 2, -1).permute(0, 3, 1, 2)


class _Up(_Hidden):
    """A transposed 4x4 convolution with stride 2 and padding 1."""

    def _convolved(self, images: Tensor) -> Tensor:
        count, channels, height, width = images.shape
        if not _few_positions(images, height, width):
            return F.conv_transpose2d(images, self.weight, self.bias, stride=2, padding=1)
        products = images.permute(0, 2, 3, 1).reshape(-1, channels) @ self.weight.permute(0, 2, 3, 1).flatten(1)
        # row 2y - 1 + t of the output gets tap t of position y; t = 2 * far + odd
        taps = products.view(count, height, width, 2, 2, 2, 2, -1)
        sums = products.new_zeros(count, height + 1, 2, width + 1, 2, taps.shape[-1])
        for down in (0, 1):
            for right in (0, 1):
                part = taps[:, :, :, down, :, right].transpose(2, 3)
                sums[:, down : down + height, :, right : right + width] += part
        rows = sums.view(count, 2 * height + 2, 2 * width + 2, -1)[:, 1:-1, 1:-1]
        return (rows + self.bias.to(rows.dtype)).permute(0, 3, 1, 2)


class _Head(_Layer):
    """The last layer of a decoder and what follows it, up to values in [0, 1].

    A transposed convolution to a few channels and pixel shuffle are slow; a 2x2 convolution that gives the values of
    all pixels around each corner, laid out once, is the same. tanh brought to [0, 1] is a sigmoid of twice the value, a
    factor that goes into the weights.

    Args:
        weight: ``(I, C * patch**2, 4, 4)``.
        bias: ``(C * patch**2,)``.
        patch: side of the pixel block that a position writes.
        masks: how many of the channels, from the first, are drawn by a sigmoid; the others by a tanh.
    """

    def __init__(self, weight: Tensor, bias: Tensor, patch: int, masks: int) -> None:
        taps = weight.reshape(len(weight), -1, patch, patch, 2, 2, 2, 2)
        channels = taps.shape[1]
        factor = torch.full((channels,), 2.0).index_fill(0, torch.arange(masks), 1.0).to(weight)
        # input, channel, block row, block column, then each axis' tap as 2 * far + odd; the far tap comes first
        kernels = taps.flip(4, 6).permute(5, 2, 7, 3, 1, 0, 4, 6) * factor.view(-1, 1, 1, 1)
        blocks = bias.view(channels, patch, patch).permute(1, 2, 0) * factor
        biases = blocks[None, :, None].expand(2, -1, 2, -1, -1)
        super().__init__(kernels.flatten(0, 4), biases.flatten().clone())
        self.patch = patch

    def forward(self, images: Tensor) -> Tensor:
        """Draw ``(B, C, 2 * patch * H, 2 * patch * W)`` in [0, 1] from ``(B, I, H, W)``."""
        corners = F.conv2d(images, self.weight, self.bias, padding=1).permute(0, 2, 3, 1)
        count, height, width, values = corners.shape
        side, margin = 2 * self.patch, self.patch
        pixels = corners.reshape(count, height, width, side, side, values // side**2).transpose(2, 3)
        pixels = pixels.reshape(count, height * side, width * side, -1)[:, margin:-margin, margin:-margin]
        return torch.sigmoid(pixels.permute(0, 3, 1, 2).contiguous())


class FoldedEncoder(nn.Sequential):
    """An encoder in its fast form.

    Args:
        stack: the encoder.
        content: see :func:`fold`.
        patch: side of the pixel block that the first layer reads as one position.

    Shape:
        ``(B, 3, R, R)`` in [-1, 1] to ``(B, C, S, S)``.
    """

    def __init__(self, stack: Stack, content: bool, patch: int) -> None:
        first, *rest = fold(stack, content)
        super().__init__(_Stem(*first, patch), *(_Down(*layer) for layer in rest))


class FoldedDecoder(nn.Module):
    """A decoder in its fast form.

    Args:
        stack: the decoder.
        content: see :func:`fold`.
        patch: side of the pixel block that the last layer writes as one position.
        masks: how many of the channels that it draws, from the first, are masks, the sigmoid's; the rest are tanh's.
        inputs: how many of the input channels are not always 0; all when None.

    Shape:
        ``(B, C, S, S)`` to ``(B, channels, R, R)`` in [0, 1].
    """

    def __init__(self, stack: Stack, content: bool, patch: int, masks: int = 0, inputs: int | None = None) -> None:
        super().__init__()
        layers = fold(stack, content)
        layers[0] = Folded(layers[0].weight[:inputs], layers[0].bias)
        *rest, (weight, bias) = layers
        self.up = nn.Sequential(*(_Up(*layer) for layer in rest))
        self.head = _Head(weight, bias, patch, masks)
        drawn = masks * patch**2
        self.mask_head = _Head(weight[:, :drawn], bias[:drawn], patch, masks) if masks else None

    def forward(self, codes: Tensor) -> Tensor:
        """Draw all channels."""
        drawn: Tensor = self.head(self.up(codes))
        return drawn

    def masks(self, codes: Tensor) -> Tensor:
        """Draw the masks alone."""
        assert self.mask_head is not None  # noqa: S101
        drawn: Tensor = self.mask_head(self.up(codes))
        return drawn


class InferenceNetworks(nn.Module):
    """What the fast forms of all methods share: their sizes and the encoders.

    Weights are frozen; :class:`mbu_ops.ops.base.Method` says what the verbs take and return.

    Args:
        info: the method's.
        config: the networks' sizes.
        common_encoder: the networks' own, which stays as it is.
        separate_encoder: the same.
    """

    contents = 1

    def __init__(self, info: MethodInfo, config: MBUConfig, common_encoder: Stack, separate_encoder: Stack) -> None:
        super().__init__()
        self.info, self.config = info, config
        self.common_encoder = FoldedEncoder(common_encoder, False, config.patch)
        self.content_common_encoder = FoldedEncoder(common_encoder, True, config.patch)
        self.separate_encoder = FoldedEncoder(separate_encoder, False, config.patch)
        self.eval()

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """Shape of one guide code: channels, height, width."""
        return self.config.separate_code_shape

    def encode_guide(self, guide: Tensor) -> Tensor:
        """Return what a guide shows: its separate code.

        Args:
            guide: ``(B, 3, R, R)`` RGB in [0, 1], images with the content.

        Returns:
            ``(B, *config.separate_code_shape)``.
        """
        code: Tensor = self.separate_encoder(guide * 2 - 1)
        return code

    def common_code(self, image: Tensor, content: bool = False) -> Tensor:
        """Encode ``(B, 3, R, R)`` RGB in [0, 1] into common codes; ``content`` says that the images show it."""
        encoder = self.content_common_encoder if content else self.common_encoder
        code: Tensor = encoder(image * 2 - 1)
        return code
