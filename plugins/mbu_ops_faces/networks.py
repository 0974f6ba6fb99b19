"""Find faces in a picture and 68 points on each, in torch.

Source: the networks ``tiny_face_detector`` (a small YOLO v2 with separable convolutions) and ``face_landmark_68`` of
face-api.js by Vincent Mühler, as published in the package ``@vladmandic/face-api`` 1.7.15 (MIT; the notice lies beside
the weights). ``tools/convert_face_networks.py`` made the weights.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CELL = 32
"""Pixels of the picture a detector's cell covers."""

ANCHORS = ((1.603231, 2.094468), (6.041143, 7.080126), (2.882459, 3.518061), (4.266906, 5.178857), (9.041765, 10.66308))
"""Widths and heights of the boxes a cell starts from, in cells."""

_WIDTHS = (16, 32, 64, 128, 256, 512)
POINTS = 68
POINTS_SIDE = 112


class _Separable(nn.Module):
    """A 3x3 convolution of each channel alone, then a mixture of the channels."""

    def __init__(self, channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.depthwise = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, width, 1)

    def forward(self, input: Tensor) -> Tensor:
        if self.stride == 2:
            output = F.conv2d(_padded(input), self.depthwise.weight, stride=2, groups=input.shape[1])
        else:
            output = self.depthwise(input)
        result: Tensor = self.pointwise(output)
        return result


def _padded(input: Tensor) -> Tensor:
    """Pad for a 3x3 convolution of stride 2 as TensorFlow does: all around odd sides, at the end of even ones."""
    height, width = input.shape[-2:]
    return F.pad(input, (width % 2, 1, height % 2, 1))


def _halved(input: Tensor) -> Tensor:
    """Return the largest of every 2x2 pixels, a last odd row or column too: max pooling in half of its time."""
    height, width = input.shape[-2:]
    if height % 2 or width % 2:
        input = F.pad(input, (0, width % 2, 0, height % 2), value=float("-inf"))
    rows = torch.maximum(input[..., ::2, :], input[..., 1::2, :])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


class FaceDetector(nn.Module):
    """Say for every cell of a picture whether a face is there, and how large.

    Shape:
        ``(B, 3, H, W)`` RGB in [0, 1], H and W multiples of 32, to ``(B, N, 5)`` with N = H / 32 * W / 32 * 5: left,
        top, right, bottom in pixels of that picture, and the score in [0, 1]. Most are no faces; many are the same.

    Example:
        >>> import torch
        >>> FaceDetector()(torch.rand(2, 3, 64, 96)).shape
        torch.Size([2, 30, 5])
    """

    mean: Tensor
    anchors: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([117.001, 114.697, 97.404]).view(3, 1, 1) / 255, persistent=False)
        self.register_buffer("anchors", torch.tensor(ANCHORS), persistent=False)
        self.stem = nn.Conv2d(3, _WIDTHS[0], 3)
        self.blocks = nn.ModuleList(_Separable(channels, width) for channels, width in pairwise(_WIDTHS))
        self.head = nn.Conv2d(_WIDTHS[-1], len(ANCHORS) * 5, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the boxes."""
        features = self.stem(images - self.mean)
        for block in self.blocks:
            # pooled before the activation, which keeps the order of numbers: the same result for a quarter of the work
            features = block(F.leaky_relu(_halved(features), 0.1))
        features = F.max_pool2d(F.pad(F.leaky_relu(features, 0.1), (0, 1, 0, 1), value=float("-inf")), 2, 1)
        rows, columns = features.shape[-2:]
        found = self.head(features).unflatten(1, (len(ANCHORS), 5)).permute(0, 3, 4, 1, 2)
        row = torch.arange(rows, device=images.device).view(-1, 1, 1)
        column = torch.arange(columns, device=images.device).view(1, -1, 1)
        x, y = column + found[..., 0].sigmoid(), row + found[..., 1].sigmoid()
        half_width, half_height = (found[..., 2:4].exp() * self.anchors / 2).unbind(-1)
        boxes = torch.stack([x - half_width, y - half_height, x + half_width, y + half_height], -1) * CELL
        return torch.cat([boxes, found[..., 4:].sigmoid()], -1).flatten(1, 3)


class _Dense(nn.Module):
    """Four convolutions, each adding to what came before it; the first halves the size."""

    def __init__(self, channels: int, width: int, first: bool = False) -> None:
        super().__init__()
        self.first = first
        halving = nn.Conv2d(channels, width, 3, 2) if first else _Separable(channels, width, 2)
        self.layers = nn.ModuleList([halving, *(_Separable(width, width) for _ in range(3))])

    def forward(self, input: Tensor) -> Tensor:
        total = features = F.relu(self.layers[0](_padded(input) if self.first else input))
        for layer in list(self.layers)[1:]:
            total = total + layer(features)
            features = F.relu(total)
        return features


class FaceLandmarks(nn.Module):
    """Place 68 points on faces: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67 (the iBUG 300-W order).

    Shape:
        ``(B, 3, 112, 112)`` RGB in [0, 1], one face each that nearly fills it, to ``(B, 68, 2)``: x and y as
        fractions of the picture's sides. Differentiable.

    Example:
        >>> import torch
        >>> FaceLandmarks()(torch.rand(2, 3, 112, 112)).shape
        torch.Size([2, 68, 2])
    """

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([122.782, 117.001, 104.298]).view(3, 1, 1) / 255, persistent=False)
        self.blocks = nn.Sequential(_Dense(3, 32, True), _Dense(32, 64), _Dense(64, 128), _Dense(128, 256))
        self.head = nn.Linear(256, POINTS * 2)

    def forward(self, images: Tensor) -> Tensor:
        """Return the points."""
        features = self.blocks(images - self.mean)
        points: Tensor = self.head(F.avg_pool2d(features, 7, 2).flatten(1))
        return points.view(-1, POINTS, 2)
