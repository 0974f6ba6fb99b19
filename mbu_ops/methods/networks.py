"""What the methods that split an image into two codes share: the encoders, and how decoders are built.

The *common encoder* describes what images of both domains share; the *separate encoder* describes the content (which
glasses, which smile). What is drawn from the two codes is the method's own. May import base, blocks and the sizes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.functional.layer import Layer
from mbu_ops.methods.base import Networks, to_signed, to_unit
from mbu_ops.methods.blocks import DomainBatchNorm2d, Stack, downsampling_stack, upsampling_stack
from mbu_ops.methods.mbu_config import CONFIGS, MBUConfig

__all__ = ["CONFIGS", "ContentNetworks", "MBUConfig", "to_signed", "to_unit"]


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
