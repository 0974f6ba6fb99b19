"""Sizes of the networks that split an image into two codes: MBU's, and with more fields DIDD's. May import config."""

from __future__ import annotations

from dataclasses import dataclass

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.config import NetworkConfig


@dataclass(frozen=True, slots=True)
class MBUConfig(NetworkConfig):
    """Sizes of an MBU network; those of :class:`mbu_ops.methods.config.NetworkConfig`, with its layers'.

    A ``patch`` of 1 is the paper's; 2 costs about as much as half the resolution.

    Attributes:
        common_widths: channels of the common encoder's blocks. The last is the width of the whole code; blocks
            that wide give up ``separate_channels`` of their channels to the separate encoder.
        separate_widths: channels of the separate encoder's blocks before its last, which has ``separate_channels``.
        separate_channels: channels of the separate code (25 in the paper).
    """

    common_widths: tuple[int, ...] = (32, 64, 128, 256, 512, 512)
    separate_widths: tuple[int, ...] = (32, 64, 128, 128, 128)
    separate_channels: int = 25

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
