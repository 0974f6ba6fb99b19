"""Native: a U-Net that says what is redrawn in one region of a photo, and what stays the photo's own.

The network draws no picture. It predicts a layer: where the content is, colours for what it hides, and a gate that
keeps the photo's own pixels or gives way to those colours. The layer is rendered on the photo at any size, so what is
kept is as sharp as the photo, and what no mask covers is the photo bit for bit.

Source: U-Net (Ronneberger, Fischer, Brox, MICCAI 2015, arXiv:1505.04597); residual blocks and group norm (He et al.,
CVPR 2016; Wu and He, ECCV 2018).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.detail import agreement
from mbu_ops.functional.layer import Layer, Moved
from mbu_ops.methods.base import Networks, to_signed, to_unit
from mbu_ops.methods.blocks import activation
from mbu_ops.methods.config import NetworkConfig
from mbu_ops.methods.info import MethodInfo

__all__ = ["CONFIGS", "Native", "NativeConfig", "Planes"]

_GROUPS = 8
"""Channels are normalised in so many groups."""

_RIM = 8
"""Over so many pixels a mask fades to the border of the frame, which may cut the content."""

_LEAST = 0.01
"""Share of the frame that is redrawn where the content is as likely there as not."""

_HALVINGS = 2


@dataclass(frozen=True, slots=True)
class NativeConfig(NetworkConfig):
    """Sizes of a native network; those of :class:`mbu_ops.methods.config.NetworkConfig`, with its layers'.

    Attributes:
        resolution: width of the frame, in pixels; regions need not be square.
        height: height of the frame, in pixels.
        channels: of the first level, a multiple of 8; each of the two levels below has twice as many.
    """

    resolution: int = 224
    height: int = 96
    channels: int = 32

    def __post_init__(self) -> None:
        step = self.patch << _HALVINGS
        if self.resolution % step or self.height % step:
            raise ConfigurationError(
                f"resolution and height must be multiples of patch * 2**{_HALVINGS} = {step}, got {self.resolution} "
                f"and {self.height}"
            )
        if self.channels % _GROUPS:
            raise ConfigurationError(f"channels must be a multiple of {_GROUPS}, got {self.channels}")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the model frame, in pixels."""
        return self.height, self.resolution


_REGIONS = {
    "": (128, 128),
    "eyes": (224, 96),
    "lower_face": (192, 144),
}
"""Width and height of frames: whole ones, and regions of a face at the pixels that its pupils are some 87 apart in."""

CONFIGS: dict[str, NativeConfig] = {
    "_".join(filter(None, (region, size))): NativeConfig(
        resolution=width, height=height, channels=channels, patch=2, removal_dilation=1
    )
    for region, (width, height) in _REGIONS.items()
    for size, channels in (("lite" if not region else "", 32), ("full", 64))
}
"""Named configurations: ``lite`` and ``full`` for whole frames, ``eyes``, ``eyes_full`` and so on for regions of a
face; ``full`` ones are twice as wide, for a GPU."""


class Planes(NamedTuple):
    """What the network says of each pixel of its frame.

    Attributes:
        colour: ``(B, 3, H, W)`` RGB in [0, 1], what shows where the photo's own pixels give way.
        mask: ``(B, 1, H, W)`` in [0, 1], where the content is.
        gate: ``(B, 1, H, W)`` in [0, 1], where the photo's own pixels show all the same.
    """

    colour: Tensor
    mask: Tensor
    gate: Tensor


class Native(Networks):
    """A network that removes one content from a region and keeps the photo's own pixels wherever it can.

    Every public verb takes and returns pixels in [0, 1] at ``config.size``.

    Args:
        config: sizes; a name from :data:`CONFIGS` or a :class:`NativeConfig`.

    Example:
        >>> import torch
        >>> model = Native("eyes").eval()
        >>> layer = model.remove(torch.rand(2, 3, 96, 224))
        >>> layer.mask.shape, layer.own.gain.shape
        (torch.Size([2, 1, 96, 224]), torch.Size([2, 1, 96, 224]))
    """

    info = MethodInfo(
        name="native",
        verbs=frozenset({"remove", "segment"}),
        objective="mbu_ops.objectives.native:NativeObjective",
        follows_guides=False,
        refines=False,
        aids=frozenset({"pairs"}),
    )
    configs = CONFIGS
    config: NativeConfig
    window: Tensor

    def __init__(self, config: NativeConfig | str = "lite") -> None:
        super().__init__(config)
        width, patch = self.config.channels, self.config.patch
        self.stem = nn.Sequential(nn.Conv2d(3 * patch**2, width, 3, 1, 1), activation())
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
                nn.Sequential(_convolution(2 * width, width), nn.Conv2d(width, width, 3, 1, 1), activation()),
            )
        )
        self.paint = nn.Conv2d(width, 5 * patch**2, 3, 1, 1)
        self.register_buffer("window", _window(*self.config.size), persistent=False)
        # at first little is content, and what is shows the photo: training begins with edits that change nothing
        with torch.no_grad():
            self.paint.bias[3 * patch**2 : 4 * patch**2].fill_(-2)  # type: ignore[index]
            self.paint.bias[4 * patch**2 :].fill_(1)  # type: ignore[index]

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """Shape of one guide code: a number that nothing reads, for it follows no guides."""
        return 1, 1, 1

    def remove(self, image: Tensor) -> Layer:
        """Return the image free of content, where its content is.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1].

        Returns:
            A layer whose mask, in [0, 1], is the share of pixels that are redrawn; the rest are the image's own. What
            is finer than the frame's pixels stays where redrawn pixels show the image's structure: the grain of skin.
        """
        colour, mask, gate = self.planes(image)
        redrawn = mask * (1 - gate)
        hidden = redrawn * (1 - agreement(colour, image))
        # blended here as in training: the mask's ramp says where, and not how much
        return Layer(redrawn, redrawn * (colour - image), Moved(1 - hidden, low=image))

    def presence(self, image: Tensor) -> Tensor:
        """Return how likely the image shows the content, ``(B,)`` in [0, 1]: by how much of the frame is redrawn.

        One hundredth of it is as good as not there, or there: 0.5.
        """
        _, mask, gate = self.planes(image)
        share = (mask * (1 - gate)).mean((1, 2, 3))
        return share / (share + _LEAST)

    def segment(self, image: Tensor) -> Tensor:
        """Return where the content is, ``(B, 1, H, W)`` in [0, 1]."""
        return self.planes(image)[1]

    def planes(self, image: Tensor) -> Planes:
        """Return what the edit is made of: what training asks for.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1].
        """
        first = self.stem(F.pixel_unshuffle(to_signed(image), self.config.patch))
        second = self.down[0](first)
        features = self.middle(self.down[1](second))
        for shrink, merge, skipped in zip(self.shrink, self.merge, (second, first), strict=True):
            grown = F.interpolate(shrink(features), scale_factor=2.0)
            features = merge(torch.cat([grown, skipped], 1))
        colour, mask, gate = torch.split(F.pixel_shuffle(self.paint(features), self.config.patch), [3, 1, 1], 1)
        return Planes(to_unit(colour.tanh()), mask.sigmoid() * self.window, gate.sigmoid())


def _convolution(before: int, after: int, halves: bool = False) -> nn.Sequential:
    """Return a 3x3 convolution, or a 4x4 one that halves the resolution, with its norm and activation."""
    kernel, stride = (4, 2) if halves else (3, 1)
    return nn.Sequential(nn.Conv2d(before, after, kernel, stride, 1), nn.GroupNorm(_GROUPS, after), activation())


class _Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_convolution(width, width), nn.Conv2d(width, width, 3, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = features + self.body(features)
        return result


def _window(height: int, width: int) -> Tensor:
    """Return ``(1, 1, H, W)``: 1 inside, and a ramp to 0 at the border."""
    rows, columns = (torch.arange(side) + 0.5 for side in (height, width))
    rows, columns = torch.minimum(rows, height - rows), torch.minimum(columns, width - columns)
    return (torch.minimum(rows[:, None], columns) / _RIM).clamp(0, 1)[None, None]
