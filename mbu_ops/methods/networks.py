"""What the methods that split an image into two codes share: sizes, encoders, and how a network doubles its resolution.

The *common encoder* describes what images of both domains share; the *separate encoder* describes the content (which
glasses, which smile). What is drawn from the two codes is the method's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.methods.blocks import DomainBatchNorm2d, Stack, downsampling_stack, upsampling_stack
from mbu_ops.methods.inference import InferenceNetworks


class Layer(NamedTuple):
    """Pixels and the soft mask that says where they go.

    Attributes:
        raw: ``(B, 3, H, W)`` RGB in [0, 1].
        mask: ``(B, 1, H, W)`` in [0, 1], 1 = content.
    """

    raw: Tensor
    mask: Tensor


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


class ContentNetworks(nn.Module, ABC):
    """Two encoders, and a decoder for each name in :attr:`heads`.

    Every public verb takes and returns pixels in [0, 1] at ``config.resolution``; the networks see [-1, 1].

    Args:
        config: sizes; a name from :data:`CONFIGS` or an :class:`MBUConfig`.
    """

    name: ClassVar[str]
    verbs: ClassVar[frozenset[str]]
    configs = CONFIGS
    inference: ClassVar[type[InferenceNetworks] | None] = None
    """The fast form of the networks; each class names its own."""
    common_encoder: Stack
    separate_encoder: Stack
    heads: ClassVar[Mapping[str, int]]
    """Attribute name of each decoder, and how many channels it draws."""

    def __init__(self, config: MBUConfig | str = "paper") -> None:
        super().__init__()
        self.config = named_config(config) if isinstance(config, str) else config
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

    @classmethod
    def config_to_dict(cls, config: MBUConfig) -> dict[str, object]:
        """Return a configuration as JSON can hold it, for a weights file or a training state."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(config).items()}

    @classmethod
    def config_from_dict(cls, values: Mapping[str, object]) -> MBUConfig:
        """Return the configuration that :meth:`config_to_dict` wrote; the values may come from a stranger's file.

        Raises:
            ConfigurationError: if a field is unknown, of the wrong type, or cannot work.

        Example:
            >>> ContentNetworks.config_from_dict(ContentNetworks.config_to_dict(CONFIGS["lite"])) == CONFIGS["lite"]
            True
        """
        several = {entry.name: isinstance(entry.default, tuple) for entry in fields(MBUConfig)}
        known: dict[str, Any] = {}
        for name, value in values.items():
            if name not in several:
                raise ConfigurationError(f"expected the settings {', '.join(several)}, got {name!r}")
            numbers = value if isinstance(value, list | tuple) else (value,)
            if several[name] != isinstance(value, list | tuple) or not all(type(n) is int and n > 0 for n in numbers):
                expected = "a list of positive whole numbers" if several[name] else "a positive whole number"
                raise ConfigurationError(f"expected {expected} for {name}, got {value!r}")
            known[name] = tuple(numbers) if several[name] else value
        return MBUConfig(**known)

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

    def for_inference(self) -> nn.Module:
        """Return a module that draws the same, but for rounding, in less time, and cannot be trained.

        Batch norm is folded into the convolutions as it is in evaluation; gradients reach images and codes. These
        networks stay as they are, and later changes to them do not show there.

        Returns:
            A method as :class:`mbu_ops.ops.base.Method` describes it; these networks themselves if their class has no
            fast form.

        Example:
            >>> import torch
            >>> from mbu_ops.testing import tiny_mbu
            >>> model, image = tiny_mbu(), torch.rand(2, 3, 16, 16)
            >>> torch.allclose(model.for_inference().segment(image), model.segment(image), atol=1e-5)
            True
        """
        # not inherited: a class that draws differently must not be replaced by one that draws as its parent did
        form: type[InferenceNetworks] | None = vars(type(self)).get("inference")
        return self if form is None else form(self)

    @torch.no_grad()
    def refined(self) -> Self:
        """Return the network for twice the resolution that draws the same pictures, each pixel doubled.

        The first layer reads the mean of each 2x2 block, the last writes each value four times; training then lets
        the four differ. So most of a training run can pass at a quarter of the pixels (progressive growing, Karras
        et al., ICLR 2018, by weight surgery instead of new layers).
        """
        config = replace(self.config, resolution=self.config.resolution * 2, patch=self.config.patch * 2)
        state = self.state_dict()
        for encoder in ("common_encoder", "separate_encoder"):
            key = f"{encoder}.0.weight"
            weight = state[key]
            kernels = (weight / 4).movedim(1, -1).unflatten(-1, (3, self.config.patch, self.config.patch))
            state[key] = _doubled(kernels).flatten(-3).movedim(-1, 1)
        for decoder, channels in self.heads.items():
            head = len(getattr(self, decoder)) - 1
            block = (channels, self.config.patch, self.config.patch)
            weight, bias = state[f"{decoder}.{head}.weight"], state[f"{decoder}.{head}.bias"]
            kernels = weight.movedim(1, -1).unflatten(-1, block)
            state[f"{decoder}.{head}.weight"] = _doubled(kernels).flatten(-3).movedim(-1, 1)
            state[f"{decoder}.{head}.bias"] = _doubled(bias.unflatten(0, block)).flatten()
        model = type(self)(config)
        model.load_state_dict(state)
        return model.train(self.training)

    def encode_guide(self, guide: Tensor) -> Tensor:
        """Return what a guide shows: its separate code.

        Args:
            guide: ``(B, 3, R, R)`` RGB in [0, 1], images with the content.

        Returns:
            ``(B, *config.separate_code_shape)``.
        """
        return self.separate_code(to_signed(guide))


def named_config(name: str) -> MBUConfig:
    """Return the configuration of that name.

    Raises:
        ConfigurationError: if there is none.
    """
    try:
        return CONFIGS[name]
    except KeyError:
        raise ConfigurationError(f"expected an MBU configuration ({', '.join(CONFIGS)}), got {name!r}") from None


def _doubled(block: Tensor) -> Tensor:
    """Repeat every position of the last two dimensions twice each way."""
    return block.repeat_interleave(2, -1).repeat_interleave(2, -2)


def to_signed(image: Tensor) -> Tensor:
    """Map [0, 1] to the networks' [-1, 1]."""
    return image * 2 - 1


def to_unit(pixels: Tensor) -> Tensor:
    """Map the networks' [-1, 1] to [0, 1]."""
    return (pixels + 1) / 2
