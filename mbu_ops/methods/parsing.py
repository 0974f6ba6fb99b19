"""Parsing: a network that names the part (skin, hair, left eye ...) every pixel belongs to.

A U-Net (Ronneberger, Fischer, Brox; MICCAI 2015), as *Mask-Guided Portrait Editing* (Gu et al., CVPR 2019) uses one to
read masks off photos. The only networks here that are learnt from masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.base import ContentView, Networks, to_signed
from mbu_ops.methods.config import NetworkConfig
from mbu_ops.methods.info import MethodInfo

if TYPE_CHECKING:
    from mbu_ops.families import Anatomy

__all__ = ["CONFIGS", "Parsing", "ParsingConfig", "PartView"]


@dataclass(frozen=True, slots=True)
class ParsingConfig(NetworkConfig):
    """Sizes of a parsing network; those of :class:`mbu_ops.methods.config.NetworkConfig`, with its layers'.

    Attributes:
        widths: channels at each scale, from fine to coarse; each is half as large as the one before.
        parts: how many parts it tells apart.
    """

    resolution: int = 256
    widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    parts: int = 19

    def __post_init__(self) -> None:
        if not 2 <= self.parts <= 255:
            raise ConfigurationError(f"parts must lie between 2 and 255, got {self.parts}")
        step = self.patch << (len(self.widths) - 1) if self.widths else 0
        if not self.widths or self.patch < 1 or self.resolution < step or self.resolution % step:
            raise ConfigurationError(f"resolution must be a multiple of patch * 2**(scales - 1), got {self.resolution}")


CONFIGS: dict[str, ParsingConfig] = {
    "paper": ParsingConfig(),
    "lite": ParsingConfig(resolution=128, widths=(32, 64, 128, 192, 192), patch=2),
    "small": ParsingConfig(resolution=64, widths=(32, 64, 128, 192, 192), patch=2),
}
"""Named configurations: a U-Net of the published size, one that trains on a laptop, and that one for small pictures."""


class DoubleConvolution(nn.Sequential):
    """Two 3x3 convolutions, each with batch norm and ReLU.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        layers: list[nn.Module] = []
        for channels in (in_channels, out_channels):
            layers += [
                nn.Conv2d(channels, out_channels, 3, 1, 1, bias=False),
                nn.BatchNorm2d(out_channels),
                nn.ReLU(inplace=True),
            ]
        super().__init__(*layers)

    def folded(self) -> nn.Sequential:
        """Return layers that compute the same in evaluation, with batch norm folded into the convolutions."""
        layers: list[nn.Module] = []
        for start in (0, 3):
            convolution, norm = cast(nn.Conv2d, self[start]), cast(nn.BatchNorm2d, self[start + 1])
            layers += [fuse_conv_bn_eval(convolution, norm), nn.ReLU(inplace=True)]
        return nn.Sequential(*layers)


_INFO = MethodInfo(
    name="parsing",
    verbs=frozenset({"parse", "segment"}),
    objective="mbu_ops.objectives.parsing:ParsingObjective",
    contents=None,
    learns_from="parts",
    follows_guides=False,
    mirrors=False,
    refines=False,
    draws=False,
)


class PartView(ContentView):
    """What segments one of the parts that a network tells apart.

    Args:
        networks: the parsing network, shared and not copied.
        index: which part.
    """

    info = replace(_INFO, contents=1, verbs=frozenset({"segment"}))
    networks: Parsing

    def segment(self, image: Tensor) -> Tensor:
        """Return how likely each pixel belongs to the part, ``(B, 1, R, R)`` in [0, 1].

        Args:
            image: ``(B, 3, R, R)`` RGB in [0, 1].
        """
        return self.networks.parse(image)[:, self.index : self.index + 1]


class Parsing(Networks):
    """The parsing network and what it can do to images that fill the model frame.

    Its contents are the parts; :meth:`for_content` gives what segments one of them.

    Args:
        config: sizes; a name from :data:`CONFIGS` or a :class:`ParsingConfig`.

    Example:
        >>> import torch
        >>> model = Parsing("lite").eval()
        >>> shares = model.parse(torch.rand(2, 3, 128, 128))
        >>> shares.shape, bool(shares.sum(1).sub(1).abs().max() < 1e-4)
        (torch.Size([2, 19, 128, 128]), True)
    """

    info = _INFO
    configs = CONFIGS
    view = PartView
    config: ParsingConfig

    def __init__(self, config: ParsingConfig | str = "paper") -> None:
        super().__init__(config)
        widths, blocks = self.config.widths, 3 * self.config.patch**2
        self.down = nn.ModuleList(DoubleConvolution(before, after) for before, after in pairwise((blocks, *widths)))
        self.up = nn.ModuleList(
            DoubleConvolution(coarse + fine, fine) for fine, coarse in reversed(list(pairwise(widths)))
        )
        self.name_pixels = nn.Conv2d(widths[0], self.config.parts * self.config.patch**2, 1)

    @property
    def contents(self) -> int:
        """How many parts it tells apart."""
        return self.config.parts

    @property
    def part_count(self) -> int:
        """How many parts it tells apart."""
        return self.config.parts

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """Shape of one guide code: it takes no guides, so a number that means nothing."""
        return 1, 1, 1

    @classmethod
    def contents_in(cls, anatomy: Anatomy) -> tuple[str, ...]:
        """Return the names of the parts."""
        return anatomy.names

    @classmethod
    def config_for(cls, config: Any, contents: Sequence[str], anatomy: Anatomy | None = None) -> Any:  # noqa: ARG003
        """Return a configuration that tells as many parts apart as there are names."""
        return replace(config, parts=len(contents))

    def for_inference(self) -> Parsing:
        """Return a network that finds the same, but for rounding, in less time, and cannot be trained."""
        form = deepcopy(self).eval()
        form.down = nn.ModuleList(_folded(block) for block in form.down)
        form.up = nn.ModuleList(_folded(block) for block in form.up)
        return form.freeze()

    def logits(self, image: Tensor) -> Tensor:
        """Return how strongly each pixel speaks for each part, before the softmax.

        Args:
            image: ``(B, 3, R, R)`` RGB in [0, 1].

        Returns:
            ``(B, parts, R, R)``.
        """
        current = F.pixel_unshuffle(to_signed(image), self.config.patch)
        skips: list[Tensor] = []
        for number, block in enumerate(self.down):
            current = block(current if number == 0 else F.max_pool2d(current, 2))
            skips.append(current)
        for block, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            larger = F.interpolate(current, scale_factor=2, mode="nearest")
            current = block(torch.cat([larger, skip], 1))
        return F.pixel_shuffle(self.name_pixels(current), self.config.patch)

    def parse(self, image: Tensor) -> Tensor:
        """Return how likely each pixel belongs to each part, ``(B, parts, R, R)``, which sum to 1.

        Args:
            image: ``(B, 3, R, R)`` RGB in [0, 1].
        """
        return self.logits(image).softmax(1)


def _folded(block: nn.Module) -> nn.Module:
    return block.folded() if isinstance(block, DoubleConvolution) else block  # it is folded already
