"""Domain Intersection and Domain Difference (Benaim, Khaitov, Galanti, Wolf; ICCV 2019): two contents in one network.

Images of the first domain show the first content and not the second, those of the second domain the other way round.
The *common encoder* describes what both share, two *separate encoders* describe a content each, and one decoder draws
an image from the three codes. To edit is to replace separate codes: by a guide's, or by 0 for none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.layer import Layer, carried, painted
from mbu_ops.functional.mask import change_mask
from mbu_ops.functional.render import render
from mbu_ops.methods.base import ContentView, Networks, to_signed, to_unit
from mbu_ops.methods.blocks import NEGATIVE_SLOPE
from mbu_ops.methods.info import MethodInfo
from mbu_ops.methods.mbu_config import MBUConfig

__all__ = ["CONFIGS", "DIDD", "Codes", "DIDDConfig", "DIDDContent"]


@dataclass(frozen=True, slots=True)
class DIDDConfig(MBUConfig):
    """Sizes of a DIDD network; those of :class:`mbu_ops.methods.mbu_config.MBUConfig`, with two separate codes.

    Attributes:
        spectral_norm: whether the (de)convolutions but the last have spectral norm (Miyato et al., ICLR 2018), as in
            the paper. The norm after each takes their scale away again, so it changes only how they learn.
        norm_channels: how many channels are normalised together, image by image; 1 is the paper's instance norm. With
            it short trainings draw bright drops, the same in every picture: strength can only be told by a spike
            (Karras et al., CVPR 2020, section 2). Group norm (Wu and He, ECCV 2018) keeps the strengths within a group.
        one_encoding: whether one separate encoder serves both contents; an ablation of the paper's.
        residual: whether the difference of two drawings, of the image as it is and as it is to be, is carried over to
            the image (:func:`mbu_ops.functional.layer.carried`), so that the networks' blur hardly shows; the paper
            shows the drawing itself.
    """

    spectral_norm: bool = True
    norm_channels: int = 1
    one_encoding: bool = False
    residual: bool = False

    def __post_init__(self) -> None:
        super(DIDDConfig, self).__post_init__()
        hidden = (*self.common_widths[:-1], *self.separate_widths)
        hidden = tuple(self.common_channels if width == self.code_width else width for width in hidden)
        if any(width % self.norm_channels for width in hidden):
            raise ConfigurationError(
                f"norm_channels must divide the hidden widths {', '.join(map(str, hidden))}, got {self.norm_channels}"
            )
        if 2 * self.separate_channels >= self.code_width:
            raise ConfigurationError(
                f"separate_channels must lie between 1 and {(self.code_width - 1) // 2}, since there are two separate "
                f"codes, got {self.separate_channels}"
            )

    @property
    def common_channels(self) -> int:
        """Channels of the common code."""
        return self.code_width - 2 * self.separate_channels


_LITE = DIDDConfig(
    common_widths=(16, 32, 64, 128, 256),
    separate_widths=(16, 32, 64, 64),
    separate_channels=12,
    patch=2,
    spectral_norm=False,
    norm_channels=16,
    residual=True,
)

_DIGITS = DIDDConfig(
    resolution=32,
    common_widths=(16, 32, 64, 128),
    separate_widths=(16, 32, 32),
    separate_channels=4,
    spectral_norm=False,
    norm_channels=16,
)

CONFIGS: dict[str, DIDDConfig] = {
    "paper": DIDDConfig(),
    "lite": _LITE,
    "one-encoding": replace(_LITE, one_encoding=True),
    "digits": _DIGITS,
    "digits-one-encoding": replace(_DIGITS, one_encoding=True),
}
"""Named configurations: the published layers; one that trains on a laptop; the paper's ablation of that;
and those of the experiment with digits (``docs/experiments/digits``), whose separate codes of
only 16 numbers have room for how a digit looks and not for which digit it is."""


class Codes(NamedTuple):
    """What an image is made of.

    Attributes:
        common: ``(B, *config.common_code_shape)``, what both domains share.
        first: ``(B, *config.separate_code_shape)``, the first content; 0 = none.
        second: the same of the second content.
    """

    common: Tensor
    first: Tensor
    second: Tensor

    def mixed(self, other: Codes, amounts: Tensor) -> Codes:
        """Return codes between these and others.

        Args:
            other: codes of as many images.
            amounts: ``(3,)`` for all images or ``(B, 3)``: for common, first and second, 0 keeps these codes and 1
                takes the others; values beyond exaggerate.
        """
        shares = amounts.to(self.common.dtype).expand(self.common.shape[0], 3).unbind(1)
        pairs = zip(self, other, shares, strict=True)
        return Codes(*(torch.lerp(one, two, share.view(-1, 1, 1, 1)) for one, two, share in pairs))


_INFO = MethodInfo(
    name="didd",
    verbs=frozenset({"transfer", "remove", "swap", "segment", "interpolate", "translate", "mix"}),
    objective="mbu_ops.objectives.didd:DIDDObjective",
    contents=2,
)


class DIDDContent(ContentView):
    """One content of a DIDD network: a method with the same verbs as those that know one content.

    Args:
        networks: the networks, shared and not copied.
        index: which content, 0 or 1.
    """

    info = replace(_INFO, contents=1, verbs=_INFO.verbs - {"mix"})
    networks: DIDD

    def encode_guide(self, guide: Tensor) -> Tensor:
        """Return what a guide ``(B, 3, R, R)`` in [0, 1] shows of this content: its separate code."""
        return self.networks.separate_code(to_signed(guide), self.index)

    def transfer(self, image: Tensor, code: Tensor) -> Layer:
        """Return the image with a code's content; its other content stays."""
        return self.networks.redraw(image, {self.index: code})

    def remove(self, image: Tensor) -> Layer:
        """Return the image free of this content; its other content stays."""
        return self.networks.redraw(image, {self.index: None})

    def translate(self, image: Tensor, code: Tensor) -> Layer:
        """Return an image of the other domain as one of this: with a code's content, and free of the other content."""
        return self.networks.redraw(image, {self.index: code, 1 - self.index: None})

    def segment(self, image: Tensor) -> Tensor:
        """Return where the drawing changes when the content goes, ``(B, 1, R, R)`` in [0, 1]."""
        return self.remove(image).mask


class DIDD(Networks):
    """The networks of DIDD and what they can do to images that fill the model frame.

    Verbs on one of the contents are :meth:`for_content`'s. Every public method takes and returns pixels in [0, 1] at
    ``config.resolution``; the networks see [-1, 1].

    Args:
        config: sizes; a name from :data:`CONFIGS` or a :class:`DIDDConfig`.

    Example:
        >>> import torch
        >>> model = DIDD("lite").eval()
        >>> image, guide = torch.rand(2, 3, 128, 128), torch.rand(2, 3, 128, 128)
        >>> first = model.for_content(0)
        >>> first.translate(image, first.encode_guide(guide)).bias.shape
        torch.Size([2, 3, 128, 128])
    """

    info = _INFO
    configs = CONFIGS
    view = DIDDContent
    config: DIDDConfig

    def __init__(self, config: DIDDConfig | str = "paper") -> None:
        super().__init__(config)
        widths, separate = self.config.common_widths, self.config.separate_channels
        pixels, norm = 3 * self.config.patch**2, _Norm(self.config.spectral_norm, self.config.norm_channels)
        common = [width - 2 * separate if width == self.config.code_width else width for width in widths]
        self.common_encoder = _downsampling(pixels, common, norm)
        self.separate_encoders = nn.ModuleList(
            _downsampling(pixels, (*self.config.separate_widths, separate), norm)
            for _ in range(1 if self.config.one_encoding else 2)
        )
        self.decoder = _upsampling(self.config.code_width, widths[-2::-1], pixels, norm)

    def stems(self) -> tuple[str, ...]:
        """Name the convolutions that read pixels."""
        return "common_encoder.0", *(f"separate_encoders.{index}.0" for index in range(len(self.separate_encoders)))

    def painters(self) -> Mapping[str, int]:
        """Name the convolutions that write pixels, and say how many channels each draws."""
        return {f"decoder.{len(self.decoder) - 1}": 3}

    def refined(self) -> Self:
        """Return the network for twice the resolution that draws the same pictures, each pixel doubled.

        Raises:
            ConfigurationError: with spectral norm, which would scale the doubled first layers anew.
        """
        if self.config.spectral_norm:
            raise ConfigurationError(
                "networks with spectral norm cannot double their resolution: expected a configuration with "
                "spectral_norm false, such as lite"
            )
        return super().refined()

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """Shape of one guide code: channels, height, width."""
        return self.config.separate_code_shape

    # -- pixels in [-1, 1] --------------------------------------------------------------------------------------------

    def common_code(self, pixels: Tensor) -> Tensor:
        """Encode ``(B, 3, R, R)`` pixels in [-1, 1] into common codes."""
        code: Tensor = self.common_encoder(F.pixel_unshuffle(pixels, self.config.patch))
        return code

    def separate_code(self, pixels: Tensor, index: int) -> Tensor:
        """Encode ``(B, 3, R, R)`` pixels in [-1, 1] into separate codes of one of the contents."""
        encoder = self.separate_encoders[index if len(self.separate_encoders) > 1 else 0]
        code: Tensor = encoder(F.pixel_unshuffle(pixels, self.config.patch))
        return code

    def decode(self, codes: Codes) -> Tensor:
        """Draw images ``(B, 3, R, R)`` in [-1, 1]."""
        drawn: Tensor = self.decoder(torch.cat(codes, dim=1))
        return torch.tanh(F.pixel_shuffle(drawn, self.config.patch))

    def result(self, pixels: Tensor, plain: Tensor, edited: Tensor) -> Tensor:
        """Return what users see of two drawings of pixels, as they are and as they are to be; all in [-1, 1]."""
        layer = self._layer(to_unit(plain), to_unit(edited))
        return to_signed(render(to_unit(pixels), layer).raw)

    def _layer(self, plain: Tensor, edited: Tensor) -> Layer:
        mask = change_mask(plain, edited)
        return carried(plain, edited, mask) if self.config.residual else painted(edited, mask)

    def zero_code(self, like: Tensor) -> Tensor:
        """Return the separate code of 'no content' for a batch of common codes."""
        return like.new_zeros(like.shape[0], *self.config.separate_code_shape)

    # -- images in [0, 1] ---------------------------------------------------------------------------------------------

    def encode(self, image: Tensor) -> Codes:
        """Return the codes of images ``(B, 3, R, R)`` in [0, 1]."""
        pixels = to_signed(image)
        return Codes(self.common_code(pixels), self.separate_code(pixels, 0), self.separate_code(pixels, 1))

    def draw(self, codes: Codes) -> Tensor:
        """Draw images ``(B, 3, R, R)`` in [0, 1]."""
        return to_unit(self.decode(codes))

    def redraw(self, image: Tensor, changes: Mapping[int, Tensor | None]) -> Layer:
        """Draw images with some of their contents changed, all in one pass: ``G(Ec(x), s1, s2)``.

        Args:
            image: ``(B, 3, R, R)`` RGB in [0, 1].
            changes: for the contents to change, by number, the code to have instead, or None for none.

        Returns:
            The drawing, and where it differs from the network's drawing of the image as it is.
        """
        own = self.encode(image)
        none = self.zero_code(own.common)
        contents: Sequence[Tensor] = own[1:]
        after = [changes.get(index, code) for index, code in enumerate(contents)]
        edited = Codes(own.common, *(none if code is None else code for code in after))
        return self.compared(own, edited)

    def compared(self, before: Codes, after: Codes) -> Layer:
        """Draw two sets of codes in one pass; return what makes of the first's image the second's.

        Args:
            before: an image's own codes.
            after: those that it is to have.
        """
        drawn = self.draw(Codes(*(torch.cat(pair) for pair in zip(before, after, strict=True))))
        # chunk() and len() would fix the size of exported batches
        plain, edited = torch.unflatten(drawn, 0, (2, -1)).unbind()
        return self._layer(plain, edited)


class _Norm(NamedTuple):
    """How layers are normalised: their weights, and groups of their results' channels."""

    spectral: bool
    channels: int

    def blocks(self, layer: nn.Module, width: int) -> list[nn.Module]:
        """Return a layer with what follows it: group norm, which for one channel is instance norm, and leaky ReLU."""
        layer = spectral_norm(layer) if self.spectral else layer
        return [layer, nn.GroupNorm(width // self.channels, width), nn.LeakyReLU(NEGATIVE_SLOPE, inplace=True)]


def _downsampling(in_channels: int, widths: Sequence[int], norm: _Norm) -> nn.Sequential:
    """Return blocks of 4x4 stride-2 convolution, norm, leaky ReLU, and a plain last one.

    Without norm the last block can say 0, which the zero loss asks for.
    """
    layers: list[nn.Module] = []
    for width in widths[:-1]:
        layers += norm.blocks(nn.Conv2d(in_channels, width, 4, 2, 1), width)
        in_channels = width
    return nn.Sequential(*layers, nn.Conv2d(in_channels, widths[-1], 4, 2, 1))


def _upsampling(in_channels: int, widths: Sequence[int], out_channels: int, norm: _Norm) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in widths:
        layers += norm.blocks(nn.ConvTranspose2d(in_channels, width, 4, 2, 1), width)
        in_channels = width
    return nn.Sequential(*layers, nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1))
