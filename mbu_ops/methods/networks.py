"""What the methods that split an image into two codes share: sizes, encoders, and how a network doubles its resolution.

The *common encoder* describes what images of both domains share; the *separate encoder* describes the content (which
glasses, which smile). What is drawn from the two codes is the method's own.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.base import Layer, Networks, to_signed, to_unit
from mbu_ops.methods.blocks import DomainBatchNorm2d, Stack, downsampling_stack, upsampling_stack

__all__ = ["CONFIGS", "ContentNetworks", "Layer", "MBUConfig", "to_signed", "to_unit"]


@dataclass(frozen=True, slots=True)
class MBUConfig:
    """Sizes of an MBU network.

    Attributes:
        resolution: side of the square model frame, in pixels.
        common_widths: channels of the common encoder's blocks. The last is the width of the whole code; blocks
            that wide give up ``separate_channels`` of their channels to the separate encoder.
        separate_widths: channels of the separate encoder's blocks before its last, which has ``separate_channels``.
        separate_channels: channels of the separate code (25 in the paper).
        patch: side of the pixel block that the first layer reads as one position and the last layer writes as one
            (space-to-depth and pixel shuffle). 1 is the paper's; 2 costs about as much as half the resolution.
        removal_dilation: how far the mask of a removal grows, in pixels of the frame, unless the user says otherwise.
            No size of the networks, but what suits these weights.
    """

    resolution: int = 128
    common_widths: tuple[int, ...] = (32, 64, 128, 256, 512, 512)
    separate_widths: tuple[int, ...] = (32, 64, 128, 128, 128)
    separate_channels: int = 25
    patch: int = 1
    removal_dilation: int = field(default=2, compare=False)

    def __post_init__(self) -> None:
        if len(self.separate_widths) != len(self.common_widths) - 1:
            raise ConfigurationError(
                f"separate_widths needs one entry fewer than common_widths, got {len(self.separate_widths)} and "
                f"{len(self.common_widths)}"
            )
        if not 0 < self.separate_channels < self.common_widths[-1]:
            raise ConfigurationError(
                f"separate_channels must lie between 1 and {self.common_widths[-1] - 1}, got {self.separate_channels}"
            )
        step = self.patch * 2 ** len(self.common_widths)
        if self.patch < 1 or self.resolution < step or self.resolution % step:
            raise ConfigurationError(
                f"resolution must be a multiple of patch * 2**blocks = {step}, got {self.resolution}"
            )

    @property
    def code_width(self) -> int:
        """Channels of the whole code, common and separate together."""
        return self.common_widths[-1]

    @property
    def code_side(self) -> int:
        """Side of the square code, in positions."""
        return self.resolution // (self.patch << len(self.common_widths))

    @property
    def common_channels(self) -> int:
        """Channels of the common code."""
        return self.code_width - self.separate_channels

    @property
    def separate_code_shape(self) -> tuple[int, int, int]:
        """Shape of one guide code: channels, height, width."""
        return self.separate_channels, self.code_side, self.code_side

    @property
    def common_code_shape(self) -> tuple[int, int, int]:
        """Shape of one common code: channels, height, width."""
        return self.common_channels, self.code_side, self.code_side


CONFIGS: dict[str, MBUConfig] = {
    "paper": MBUConfig(),
    "lite": MBUConfig(
        common_widths=(16, 32, 64, 128, 256), separate_widths=(16, 32, 64, 64), separate_channels=12, patch=2
    ),
}
"""Named configurations: the published layers, and one that trains on a laptop."""


class ContentNetworks(Networks):
    """Two encoders, and a decoder for each name in :attr:`heads`.

    Every public verb takes and returns pixels in [0, 1] at ``config.resolution``; the networks see [-1, 1].

    Args:
        config: sizes; a name from :data:`CONFIGS` or an :class:`MBUConfig`.
    """

    configs = CONFIGS
    config: MBUConfig
    common_encoder: Stack
    separate_encoder: Stack
    heads: ClassVar[Mapping[str, int]]
    """Attribute name of each decoder, and how many channels it draws."""

    def __init__(self, config: MBUConfig | str = "paper") -> None:
        super().__init__(config)
        widths, code_width, patch = self.config.common_widths, self.config.code_width, self.config.patch
        separate = self.config.separate_channels
        common = [width - separate if width == code_width else width for width in widths]
        self.common_encoder = downsampling_stack(3 * patch**2, common)
        self.separate_encoder = downsampling_stack(3 * patch**2, (*self.config.separate_widths, separate))
        for name, channels in self.heads.items():
            setattr(self, name, upsampling_stack(code_width, widths[-2::-1], channels * patch**2))

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """Shape of one guide code: channels, height, width."""
        return self.config.separate_code_shape

    def _encode(self, encoder: Stack, pixels: Tensor, content: bool) -> Tensor:
        blocks = F.pixel_unshuffle(pixels, self.config.patch) if self.config.patch > 1 else pixels
        code: Tensor = encoder(blocks, content)
        return code

    def _decode(self, decoder: Stack, common: Tensor, separate: Tensor, content: bool) -> Tensor:
        output: Tensor = decoder(torch.cat([common, separate], dim=1), content)
        return F.pixel_shuffle(output, self.config.patch) if self.config.patch > 1 else output

    # In evaluation, `content` chooses batch norm's statistics: those of images that show the content, or the mixed ones

    def common_code(self, pixels: Tensor, content: bool = False) -> Tensor:
        """Encode ``(B, 3, R, R)`` pixels in [-1, 1] into common codes ``(B, C, S, S)``."""
        return self._encode(self.common_encoder, pixels, content)

    def separate_code(self, pixels: Tensor, content: bool = False) -> Tensor:
        """Encode ``(B, 3, R, R)`` pixels in [-1, 1] into separate codes ``(B, C, S, S)``."""
        return self._encode(self.separate_encoder, pixels, content)

    def zero_code(self, like: Tensor) -> Tensor:
        """Return the separate code of 'no content' for a batch of common codes."""
        return like.new_zeros(like.shape[0], *self.config.separate_code_shape)

    @abstractmethod
    def remove(self, image: Tensor) -> Layer:
        """Return the image free of content and the soft mask of where the content was; all of the network runs.

        Args:
            image: ``(B, 3, R, R)`` RGB in [0, 1].
        """

    @torch.no_grad()
    def measure_content(self, batches: Iterable[Tensor]) -> None:
        """Measure batch norm's statistics of images that show the content; do it when the weights stand.

        Args:
            batches: ``(B, 3, R, R)`` RGB in [0, 1] each, images with the content; a few hundred in all are enough.
        """
        norms = [module for module in self.modules() if isinstance(module, DomainBatchNorm2d)]
        try:
            for norm in norms:
                norm.measured = 0
            for batch in batches:
                self.remove(batch)
        finally:
            for norm in norms:
                norm.measured = None

    def stems(self) -> tuple[str, ...]:
        """Name the convolutions that read pixels."""
        return "common_encoder.0", "separate_encoder.0"

    def painters(self) -> Mapping[str, int]:
        """Name the convolutions that write pixels, and say how many channels each draws."""
        return {f"{name}.{len(getattr(self, name)) - 1}": channels for name, channels in self.heads.items()}

    def encode_guide(self, guide: Tensor) -> Tensor:
        """Return what a guide shows: its separate code.

        Args:
            guide: ``(B, 3, R, R)`` RGB in [0, 1], images with the content.

        Returns:
            ``(B, *config.separate_code_shape)``.
        """
        return self.separate_code(to_signed(guide))
