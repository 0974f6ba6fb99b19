"""Who a face is: dlib's residual network for face recognition, in torch.

Source: Davis King, dlib 19.3 (2017; architecture after He et al., CVPR 2016, with half the filters and 29 layers; the
model is in the public domain), as published in the package ``@vladmandic/face-api`` 1.7.15 (MIT). The weights are
``face_descriptor.safetensors`` of ``mbu-ops-measuring``; ``tools/convert_measuring_networks.py`` made them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.evaluation.networks import measuring_file
from mbu_ops.functional.mask import resize
from mbu_ops.weights.packaged import load_packaged

SIDE = 150
WEIGHTS = measuring_file("face_descriptor.safetensors", "telling whose face it is (identity figures and losses)")
_STAGES = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
"""Width, blocks, and whether the first block halves the size."""


class _Block(nn.Module):
    """Two 3x3 convolutions and the identity; where it halves, the identity is pooled and filled up with zeros."""

    def __init__(self, channels: int, width: int, halving: bool) -> None:
        super().__init__()
        self.halving = halving
        # dlib does not pad where it halves
        self.first = nn.Conv2d(channels, width, 3, 2 if halving else 1, 0 if halving else 1)
        self.second = nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, input: Tensor) -> Tensor:
        output = self.second(F.relu(self.first(input)))
        if self.halving:
            input = F.avg_pool2d(input, 2, 2)
            height, width = (max(a, b) for a, b in zip(input.shape[-2:], output.shape[-2:], strict=True))
            output = F.pad(output, (0, width - output.shape[-1], 0, height - output.shape[-2]))
            input = F.pad(
                input,
                (0, width - input.shape[-1], 0, height - input.shape[-2], 0, output.shape[1] - input.shape[1]),
            )
        return F.relu(output + input)


class FaceDescriptor(nn.Module):
    """Describe faces so that one person's descriptions lie close together.

    Descriptions of one person are about 0.4 apart, of two people 0.7 to 0.9; 0.6 is the usual border (dlib's
    documentation).

    Shape:
        ``(B, 3, H, W)`` RGB in [0, 1], faces that fill the picture, to ``(B, 128)``. Differentiable.

    Example:
        >>> import torch
        >>> FaceDescriptor()(torch.rand(2, 3, 128, 128)).shape
        torch.Size([2, 128])
    """

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([122.782, 117.001, 104.298]).view(3, 1, 1), persistent=False)
        self.stem = nn.Conv2d(3, 32, 7, 2)
        blocks: list[nn.Module] = []
        channels = 32
        for width, count, halving in _STAGES:
            for index in range(count):
                blocks.append(_Block(channels, width, halving and index == 0))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(channels, 128, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the descriptions."""
        pixels = (resize(images, (SIDE, SIDE)) * 255 - self.mean) / 256
        features = F.max_pool2d(F.relu(self.stem(pixels)), 3, 2)
        described: Tensor = self.head(self.blocks(features).mean((2, 3)))
        return described


def pretrained() -> FaceDescriptor:
    """Return the network with its packaged weights.

    Raises:
        MissingPackageError: if the package that holds them is not installed.
        WeightsError: if they are missing or damaged.
    """
    network = FaceDescriptor()
    load_packaged(network, WEIGHTS)
    return network
