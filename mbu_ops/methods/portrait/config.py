"""Sizes of portrait networks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.config import NetworkConfig
from mbu_ops.methods.parsing import ParsingConfig

if TYPE_CHECKING:
    from mbu_ops.families import Anatomy

SCALE = 4
"""The maps where components meet are this many times smaller than the picture (section 3.1 and figure 2)."""

_MOST, _MOST_HALVINGS = 255, 16


@dataclass(frozen=True, slots=True)
class PortraitConfig(NetworkConfig):
    """Sizes of a portrait network, and which parts make up its components.

    Attributes:
        part_components: for each part of a mask, 1 for the background, or 2 and more for the components, in order.
        component_contents: for each component, the number, from 1, of the content it belongs to: both eyes are one.
        crop_heights: for each component, the height of the crop that shows it, in pixels.
        crop_widths: the same, of its width.
        code_channels: numbers that describe a component.
        feature_channels: channels of the map that a component's decoder gives to the generator.
        encoder_widths: channels of the encoders' blocks, each of which halves its input, until a side of 4 or 5 is
            left; the last serves for any more. Decoders mirror them.
        mask_channels: channels that describe the target's mask.
        generator_channels: channels of the generator's residual blocks.
        generator_blocks: how many of those there are.
        background_channels: channels that describe the target's background.
        judge_widths: channels of the discriminators' convolutions, each of which halves the resolution.
        local: whether each component has a code of its own; otherwise one describes all of the foreground.
        fuses_background: whether networks draw the background and its border; otherwise the target's own is pasted.
        extends: whether the colours of a component go on beyond it in its crop, so that codes say how components look,
            and hardly what shapes they have; otherwise there is nothing beyond it, as published.
        parser_resolution: side of the frame of the network that reads masks off pictures.
        parser_widths: its channels, see :class:`mbu_ops.methods.parsing.ParsingConfig`.
        parser_patch: its patch.
    """

    resolution: int = 256
    part_components: tuple[int, ...] = (1, 2)
    component_contents: tuple[int, ...] = (1,)
    crop_heights: tuple[int, ...] = (256,)
    crop_widths: tuple[int, ...] = (256,)
    code_channels: int = 512
    feature_channels: int = 256
    encoder_widths: tuple[int, ...] = (64, 128, 256, 512)
    mask_channels: int = 256
    generator_channels: int = 256
    generator_blocks: int = 4
    background_channels: int = 64
    judge_widths: tuple[int, ...] = (64, 128, 256, 512)
    local: bool = True
    fuses_background: bool = True
    extends: bool = False
    parser_resolution: int = 128
    parser_widths: tuple[int, ...] = (32, 64, 128, 192, 192)
    parser_patch: int = 2

    def __post_init__(self) -> None:
        for name in ("part_components", "component_contents", "encoder_widths", "judge_widths"):
            if not 0 < len(getattr(self, name)) <= _MOST:  # a stranger's file can hold any number
                raise ConfigurationError(f"{name} needs 1 to {_MOST} entries, got {len(getattr(self, name))}")
        count = len(self.component_contents) if self.local else 1
        if not len(self.crop_heights) == len(self.crop_widths) == count:
            raise ConfigurationError(f"expected {count} crop heights and widths, one for each component")
        if sorted(set(self.part_components) - {1}) != list(range(2, count + 2)):
            raise ConfigurationError(
                f"part_components must name every one of the {count} components, from 2 on; got {self.part_components}"
            )
        if sorted(set(self.component_contents)) != list(range(1, len(set(self.component_contents)) + 1)):
            raise ConfigurationError(
                f"component_contents must be numbered from 1 without a gap: {self.component_contents}"
            )
        if self.patch not in (1, 2, 4):
            raise ConfigurationError(f"patch must be 1, 2 or 4, got {self.patch}")
        if len(self.judge_widths) > _MOST_HALVINGS:
            raise ConfigurationError(f"judge_widths: at most {_MOST_HALVINGS}, got {len(self.judge_widths)}")

        step = max(SCALE, self.patch << (len(self.judge_widths) + 1))  # one discriminator sees half the size
        if self.resolution % step:
            raise ConfigurationError(f"resolution must be a multiple of {step}, got {self.resolution}")
        for side in (*self.crop_heights, *self.crop_widths):
            if not SCALE <= side <= self.resolution or side % SCALE:
                raise ConfigurationError(
                    f"crops must measure multiples of {SCALE} from {SCALE} to {self.resolution}, got {side}"
                )
        if not 0 < self.generator_blocks <= 64:  # a stranger's file can ask for any number
            raise ConfigurationError(f"generator_blocks must lie between 1 and 64, got {self.generator_blocks}")
        if self.parser_resolution > 4 * self.resolution:
            raise ConfigurationError(
                f"parser_resolution must be at most {4 * self.resolution}, got {self.parser_resolution}"
            )
        _ = self.parser  # raises if it cannot be built

    @property
    def parts(self) -> int:
        """How many parts masks tell apart."""
        return len(self.part_components)

    @property
    def components(self) -> int:
        """How many components pictures are put together from."""
        return len(self.crop_heights)

    @property
    def contents(self) -> tuple[tuple[int, ...], ...]:
        """The components, counted from 0, that each content exchanges; those of the last content are all."""
        numbers = range(1, max(self.component_contents) + 1)
        if not self.local:
            return ((0,),) * (len(numbers) + 1)
        owners = self.component_contents
        several = tuple(tuple(index for index, owner in enumerate(owners) if owner == one) for one in numbers)
        return (*several, tuple(range(self.components)))

    @property
    def parser(self) -> ParsingConfig:
        """Sizes of the network that reads masks off pictures."""
        return ParsingConfig(self.parser_resolution, self.parser_widths, self.parts, patch=self.parser_patch)

    def composed_of(self, anatomy: Anatomy) -> PortraitConfig:
        """Return the configuration for pictures of some family.

        Args:
            anatomy: their parts and components.

        Raises:
            ConfigurationError: if nobody composes pictures of that family.
        """
        if not anatomy.components or not anatomy.whole:
            raise ConfigurationError("expected an anatomy with components and a name for all of them together")
        contents, components = anatomy.contents, anatomy.components
        heights = [component.height for component in components] if self.local else [1.0]
        widths = [component.width for component in components] if self.local else [1.0]
        numbers = [0 if number is None else number + 1 for number in anatomy.part_components]
        return replace(
            self,
            part_components=tuple(1 + (number if self.local else min(number, 1)) for number in numbers),
            component_contents=tuple(contents.index(component.attribute) + 1 for component in components),
            crop_heights=tuple(_whole(height * self.resolution) for height in heights),
            crop_widths=tuple(_whole(width * self.resolution) for width in widths),
        )


def _whole(side: float) -> int:
    """Return a side as a multiple of what crops are scaled by."""
    return max(SCALE, round(side / SCALE) * SCALE)


_LITE = PortraitConfig(
    resolution=128,
    crop_heights=(128,),
    crop_widths=(128,),
    code_channels=64,
    feature_channels=64,
    encoder_widths=(32, 64, 128, 192),
    mask_channels=64,
    generator_channels=128,
    generator_blocks=4,
    background_channels=32,
    judge_widths=(48, 96, 192),
    patch=2,
    extends=True,
)
_SMALL = replace(
    _LITE,
    resolution=64,
    crop_heights=(64,),
    crop_widths=(64,),
    code_channels=256,
    generator_channels=96,
    generator_blocks=3,
    judge_widths=(32, 64, 128),
    extends=False,
    parser_resolution=64,
)

CONFIGS: dict[str, PortraitConfig] = {
    "paper": PortraitConfig(),
    "lite": _LITE,
    "small": _SMALL,
    "small_extended": replace(_SMALL, extends=True),
    "small_pasted": replace(_SMALL, fuses_background=False),
    "small_global": replace(_SMALL, local=False, fuses_background=False),
}
"""Named configurations: the published sizes where the paper gives them, one that trains on a laptop, and a small one
for comparisons, as published, with what ``lite`` adds, and with its two ablations: settings 2 and 1 of the paper's
section 4.1. Training fits each to a family's anatomy."""
