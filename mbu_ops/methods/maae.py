"""Mask-aware face attribute manipulation (M-AAE: Sun, Huang, Zhu, Ma; Computational Visual Media 2021): one dial.

A variational autoencoder whose code is shifted, at few positions, by an amount: up for more of the attribute, down for
less. The positions are the fewest whose receptive fields still cover the image, so most of the code stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.layer import Layer, carried, painted
from mbu_ops.functional.mask import change_mask
from mbu_ops.functional.render import render
from mbu_ops.methods.base import Networks, to_signed, to_unit
from mbu_ops.methods.blocks import CONSTANTS, ResidualBlock, activation
from mbu_ops.methods.config import NetworkConfig
from mbu_ops.methods.info import MethodInfo

__all__ = ["CONFIGS", "MAAE", "Convolution", "MAAEConfig", "covering_positions", "receptive_field"]


_MOST_BLOCKS = 64


class Convolution(NamedTuple):
    """What a convolution does to places.

    Attributes:
        kernel: its side.
        stride: its step.
        padding: positions added at each border.
    """

    kernel: int
    stride: int
    padding: int


@dataclass(frozen=True, slots=True)
class MAAEConfig(NetworkConfig):
    """Sizes of an M-AAE network; those of :class:`mbu_ops.methods.config.NetworkConfig`, with its layers'.

    Attributes:
        widths: channels of the encoder's convolutions: the first keeps the resolution, each other one halves it.
        decoder_widths: channels of the decoder's convolutions: as many as halve in the encoder double the resolution,
            any others keep it. One more draws the pixels.
        residual_width: channels of the code and of the residual blocks.
        encoder_blocks: residual blocks of the encoder, of 1x1 convolutions.
        decoder_blocks: residual blocks of the decoder.
        stem_kernel: side of the first convolution's kernel, and of the decoder's at the full resolution.
        decoder_kernel: side of the kernels in the decoder's residual blocks; 1 in the paper.
        judge_widths: channels of the discriminator's convolutions, each of which halves the resolution.
        shift: by how much full strength shifts the code (5 in the paper).
        residual: whether the difference of two drawings, with the shift and without it, is carried over to the image
            (:func:`mbu_ops.functional.layer.carried`), so that the autoencoder's blur hardly shows; the paper shows the
            drawing itself.
    """

    widths: tuple[int, ...] = (64, 128, 256)
    decoder_widths: tuple[int, ...] = (256, 128, 64)
    residual_width: int = 512
    encoder_blocks: int = 2
    decoder_blocks: int = 3
    stem_kernel: int = 7
    decoder_kernel: int = 1
    judge_widths: tuple[int, ...] = (64, 128, 256, 512, 1024)
    shift: float = 5.0
    residual: bool = False

    def __post_init__(self) -> None:
        for name in ("stem_kernel", "decoder_kernel"):
            if getattr(self, name) % 2 == 0:
                raise ConfigurationError(f"{name} must be odd, got {getattr(self, name)}")
        if len(self.decoder_widths) < len(self.widths) - 1:
            raise ConfigurationError(
                f"decoder_widths needs at least {len(self.widths) - 1} entries, one for each halving of the encoder, "
                f"got {len(self.decoder_widths)}"
            )
        for name in ("encoder_blocks", "decoder_blocks"):
            if not 0 < getattr(self, name) <= _MOST_BLOCKS:  # a stranger's file can ask for any number
                raise ConfigurationError(f"{name} must lie between 1 and {_MOST_BLOCKS}, got {getattr(self, name)}")
        steps = max(len(self.widths) - 1, len(self.judge_widths))
        if not self.widths or self.resolution % (self.patch << steps):
            raise ConfigurationError(
                f"resolution must be a multiple of patch * 2**{steps} = {self.patch << steps}, got {self.resolution}"
            )

    @property
    def code_side(self) -> int:
        """Side of the square code, in positions."""
        return self.resolution // (self.patch << (len(self.widths) - 1))

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """The encoder's convolutions, first to last, over blocks of ``patch`` pixels; 1x1 ones change no places."""
        stem = Convolution(self.stem_kernel, 1, self.stem_kernel // 2)
        return stem, *(Convolution(3, 2, 1) for _ in self.widths[1:])


CONFIGS: dict[str, MAAEConfig] = {
    "paper": MAAEConfig(),
    "lite": MAAEConfig(
        widths=(16, 32, 64, 128),
        decoder_widths=(64, 32, 16),
        residual_width=128,
        encoder_blocks=2,
        decoder_blocks=2,
        stem_kernel=5,
        decoder_kernel=3,
        judge_widths=(32, 64, 128, 128),
        patch=2,
        residual=True,
    ),
}
"""Named configurations: the published layers, and one that trains on a laptop."""


def receptive_field(position: int, convolutions: Sequence[Convolution], side: int) -> tuple[int, int]:
    """Return which inputs along one axis an output position sees, first and last, borders' padding not counted.

    Of a position that sees padding alone the last is the one before the first.

    Found from the last convolution back to the first: output ``i`` sees inputs ``i * stride - padding`` and the
    ``kernel - 1`` after it (the paper's section 3.2).

    Args:
        position: of the output.
        convolutions: first to last.
        side: inputs along the axis.

    Example:
        >>> receptive_field(0, [Convolution(7, 1, 3), Convolution(3, 2, 1)], 16)
        (0, 4)
        >>> receptive_field(4, [Convolution(7, 1, 3), Convolution(3, 2, 1)], 16)
        (4, 12)
    """
    sides = [side]
    for kernel, stride, padding in convolutions:
        sides.append((sides[-1] + 2 * padding - kernel) // stride + 1)
    first = last = position
    for (kernel, stride, padding), inputs in zip(reversed(convolutions), reversed(sides[:-1]), strict=True):
        first, last = first * stride - padding, last * stride - padding + kernel - 1
        if last < 0:
            return 0, -1  # it sees nothing but the padding before the inputs
        if first >= inputs:
            return side, side - 1  # or after them
        first, last = max(0, first), min(inputs - 1, last)
    return first, last


def covering_positions(convolutions: Sequence[Convolution], side: int) -> tuple[int, ...]:
    """Return the fewest output positions along one axis whose receptive fields cover all inputs.

    The receptive fields are intervals that move right with the position, so the greedy cover, always the position that
    reaches furthest without leaving a gap, has as few as any.

    Args:
        convolutions: first to last.
        side: inputs along the axis.

    Raises:
        ConfigurationError: if all positions together leave inputs unseen, as strides beyond the kernels do.

    Example:
        >>> covering_positions([Convolution(7, 1, 3), Convolution(3, 2, 1)], 16)
        (2, 6)
    """
    count = side
    for kernel, stride, padding in convolutions:
        count = (count + 2 * padding - kernel) // stride + 1
    fields = [receptive_field(position, convolutions, side) for position in range(count)]
    chosen: list[int] = []
    covered = position = 0  # inputs before covered are seen
    while covered < side:
        best = None
        while position < count and fields[position][0] <= covered:
            if fields[position][1] >= covered and (best is None or fields[position][1] > fields[best][1]):
                best = position
            position += 1
        if best is None:
            raise ConfigurationError(f"no position of the code sees input {covered}: the strides exceed the kernels")
        chosen.append(best)
        covered = fields[best][1] + 1
    return tuple(chosen)


class MAAE(Networks):
    """The networks of M-AAE and what they can do to images that fill the model frame.

    Every public verb takes and returns pixels in [0, 1] at ``config.resolution``. Its code for a content is one number
    an image, the strength: 1 adds the attribute, -1 removes it, 0 changes nothing. It is shown no guides: all of them
    mean 1.

    Args:
        config: sizes; a name from :data:`CONFIGS` or an :class:`MAAEConfig`.

    Example:
        >>> import torch
        >>> model = MAAE("lite").eval()
        >>> image = torch.rand(2, 3, 128, 128)
        >>> layer = model.adjust(image, torch.tensor([0.0, 0.5]))
        >>> layer.mask.shape, layer.mask[0].max().item()
        (torch.Size([2, 1, 128, 128]), 0.0)
    """

    info = MethodInfo(
        name="maae",
        verbs=frozenset({"adjust", "transfer", "remove", "segment", "interpolate"}),
        objective="mbu_ops.objectives.maae:MAAEObjective",
        follows_guides=False,
        aids=frozenset({"identity", "regions"}),
    )
    configs = CONFIGS
    config: MAAEConfig
    positions: Tensor

    def __init__(self, config: MAAEConfig | str = "paper") -> None:
        super().__init__(config)
        widths, width, patch = self.config.widths, self.config.residual_width, self.config.patch
        pixels, stem = 3 * patch**2, self.config.stem_kernel
        down: list[nn.Module] = [nn.Conv2d(pixels, widths[0], stem, 1, stem // 2), activation()]
        for before, after in pairwise(widths):
            down += [nn.Conv2d(before, after, 3, 2, 1), activation()]
        blocks = [ResidualBlock(widths[-1], width, 1)]
        blocks += [ResidualBlock(width, width, 1) for _ in range(self.config.encoder_blocks - 1)]
        self.encoder = nn.Sequential(*down, *blocks)
        up: list[nn.Module] = [
            ResidualBlock(width, width, self.config.decoder_kernel) for _ in range(self.config.decoder_blocks)
        ]
        before = width
        for index, after in enumerate(self.config.decoder_widths):
            doubles = index < len(widths) - 1
            layer = (
                nn.ConvTranspose2d(before, after, 4, 2, 1) if doubles else nn.Conv2d(before, after, stem, 1, stem // 2)
            )
            up += [layer, activation()]
            before = after
        last = stem if len(self.config.decoder_widths) < len(widths) else 1
        self.decoder = nn.Sequential(*up, nn.Conv2d(before, pixels, last, 1, last // 2))
        with CONSTANTS:
            chosen = torch.zeros(self.config.code_side)
            chosen[list(covering_positions(self.config.convolutions, self.config.resolution // patch))] = 1
            self.register_buffer("positions", chosen[:, None] * chosen, persistent=False)

    def stems(self) -> tuple[str, ...]:
        """Name the convolutions that read pixels."""
        return ("encoder.0",)

    def painters(self) -> Mapping[str, int]:
        """Name the convolutions that write pixels, and say how many channels each draws."""
        return {f"decoder.{len(self.decoder) - 1}": 3}

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """Shape of one guide code: a number."""
        return 1, 1, 1

    # -- pixels in [-1, 1] --------------------------------------------------------------------------------------------

    def encode(self, pixels: Tensor) -> Tensor:
        """Encode ``(B, 3, R, R)`` pixels in [-1, 1] into the means of their codes ``(B, C, S, S)``."""
        code: Tensor = self.encoder(F.pixel_unshuffle(pixels, self.config.patch))
        return code

    def shifted(self, code: Tensor, strength: Tensor) -> Tensor:
        """Shift codes by strengths ``(B,)`` at the covering positions: ``En(x) + s * shift * P``."""
        return code + strength.to(code.dtype).view(-1, 1, 1, 1) * (self.config.shift * self.positions.to(code.dtype))

    def decode(self, code: Tensor) -> Tensor:
        """Draw images ``(B, 3, R, R)`` in [-1, 1]."""
        drawn: Tensor = F.pixel_shuffle(self.decoder(code), self.config.patch)
        return torch.tanh(drawn)

    def result(self, pixels: Tensor, plain: Tensor, edited: Tensor) -> Tensor:
        """Return what users see of two drawings of pixels, without a shift and with one; all in [-1, 1]."""
        layer = self._layer(to_unit(plain), to_unit(edited))
        return to_signed(render(to_unit(pixels), layer).raw)

    def _layer(self, plain: Tensor, edited: Tensor) -> Layer:
        mask = change_mask(plain, edited, _GAIN)
        return carried(plain, edited, mask) if self.config.residual else painted(edited, mask)

    # -- images in [0, 1] ---------------------------------------------------------------------------------------------

    def adjust(self, image: Tensor, strength: Tensor) -> Layer:
        """Return the image with more or less of the attribute, and where that changes the drawing.

        Args:
            image: ``(B, 3, R, R)`` RGB in [0, 1].
            strength: ``(B,)``, 1 for full strength, negative for less of it, 0 for no change.
        """
        pixels = to_signed(image)
        code = self.encode(pixels)
        codes = torch.cat([code, self.shifted(code, strength)])
        # chunk() would fix the size of exported batches
        plain, edited = torch.unflatten(to_unit(self.decode(codes)), 0, (2, -1)).unbind()
        return self._layer(plain, edited)

    def encode_guide(self, guide: Tensor) -> Tensor:
        """Return the code of what guides show: full strength, whatever they show."""
        return guide.new_ones(guide.shape[0], *self.code_shape)

    def transfer(self, image: Tensor, code: Tensor) -> Layer:
        """Return the image at a code's strength; ``(B, 1, 1, 1)`` from :meth:`encode_guide`, or a share of it."""
        return self.adjust(image, code.flatten())

    def remove(self, image: Tensor) -> Layer:
        """Return the image at strength -1."""
        return self.adjust(image, image.new_full((image.shape[0],), -1.0))

    def segment(self, image: Tensor) -> Tensor:
        """Return where the drawing changes at strength -1, ``(B, 1, R, R)`` in [0, 1]."""
        return self.remove(image).mask


_GAIN = 10.0
"""Small strengths make small changes, and these should show too."""
