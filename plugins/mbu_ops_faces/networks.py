"""Find faces in a picture and 68 points on each, in torch.

Sources: the detector is YuNet (Wu, Peng and Yu, *YuNet: A tiny millisecond-level face detector*, Machine Intelligence
Research 2023) as libfacedetection publishes it (3-clause BSD); the landmarks are ``face_landmark_68`` of face-api.js by
Vincent Mühler, as published in the package ``@vladmandic/face-api`` 1.7.15 (MIT). The notices lie beside the weights,
which ``tools/convert_face_networks.py`` made.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CELL = 32
"""What the sides of a picture that the detector sees are multiples of."""

STRIDES = (8, 16, 32)
"""Pixels between the places where the detector looks for a face, for small, middle and large ones."""

DETECTED = 15
"""Numbers of a detection: left, top, right, bottom, score, and five points."""

_WIDTHS = (16, 16, 32, 64, 64, 64, 64)
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


class _Unit(nn.Module):
    """A mixture of the channels, then a 3x3 convolution of each alone."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.pointwise = nn.Conv2d(channels, width, 1)
        self.depthwise = nn.Conv2d(width, width, 3, 1, 1, groups=width)

    def forward(self, input: Tensor) -> Tensor:
        result: Tensor = self.depthwise(self.pointwise(input))
        return result


class FaceDetector(nn.Module):
    """Say for places of a picture, 8, 16 and 32 pixels apart, whether a face is there, how large, and how it lies.

    It knows faces from some 10 to 300 pixels, brow to chin, that stand upright to within some 40 degrees.

    Shape:
        ``(B, 3, H, W)`` RGB in [0, 1], H and W multiples of 32, to ``(B, N, 15)`` with N = H / 8 * W / 8 * 21 / 16:
        left, top, right, bottom in pixels of that picture, the score in [0, 1], then x and y of the eye on the
        picture's left, the other eye, the nose's tip, the mouth's corner on the picture's left, and the other one.
        Most are no faces; many are the same.

    Example:
        >>> import torch
        >>> FaceDetector()(torch.rand(2, 3, 64, 96)).shape
        torch.Size([2, 126, 15])
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _WIDTHS[0], 3, 2, 1)
        self.first = _Unit(_WIDTHS[0], _WIDTHS[1])
        self.stages = nn.ModuleList(
            nn.ModuleList([_Unit(channels, channels), _Unit(channels, width)])
            for channels, width in pairwise(_WIDTHS[1:])
        )
        self.laterals = nn.ModuleList(_Unit(_WIDTHS[-1], _WIDTHS[-1]) for _ in STRIDES)
        self.heads = nn.ModuleList(_Unit(_WIDTHS[-1], DETECTED + 1) for _ in STRIDES)

    def forward(self, images: Tensor) -> Tensor:
        """Return the boxes."""
        features = F.relu(self.first(F.relu(self.stem(images))))
        levels = []
        for index, stage in enumerate(self.stages):
            if index != 1:
                features = F.max_pool2d(features, 2)
            for unit in stage:  # type: ignore[attr-defined]
                features = F.relu(unit(features))
            levels.append(features)
        found: list[Tensor] = []
        above: Tensor | None = None
        # the coarsest first: each level also sees what lies around
        for level, lateral, head, stride in reversed(
            list(zip(levels[-len(STRIDES) :], self.laterals, self.heads, STRIDES, strict=True))
        ):
            above = F.relu(lateral(level if above is None else level + F.interpolate(above, scale_factor=2)))
            found.insert(0, _decoded(head(above), stride))
        return torch.cat(found, 1)


def _decoded(numbers: Tensor, stride: int) -> Tensor:
    """Return what a level's numbers say, ``(B, 16, h, w)`` to ``(B, h * w, 15)``, in pixels of the picture."""
    rows, columns = numbers.shape[-2:]
    numbers = numbers.permute(0, 2, 3, 1)
    row, column = torch.arange(rows, device=numbers.device), torch.arange(columns, device=numbers.device)
    here = torch.stack([column.expand(rows, columns), row[:, None].expand(rows, columns)], -1)
    score = (numbers[..., 0].sigmoid() * numbers[..., 1].sigmoid()).sqrt()
    centre, half = numbers[..., 2:4] + here, numbers[..., 4:6].exp() / 2
    points = (numbers[..., 6:].reshape(-1, rows, columns, 5, 2) + here[:, :, None]).flatten(-2)
    places = torch.cat([centre - half, centre + half, points], -1) * stride
    return torch.cat([places[..., :4], score[..., None], places[..., 4:]], -1).flatten(1, 2)


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
