"""Native: a U-Net that says what is redrawn in one region of a photo, and what stays the photo's own.

The network draws no picture. It predicts a layer: where the content is, colours for what it hides, and a gate that
keeps the photo's own pixels or gives way to those colours. The layer is rendered on the photo at any size, so what is
kept is as sharp as the photo, and what no mask covers is the photo bit for bit.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.detail import agreement
from mbu_ops.functional.layer import Layer, Moved
from mbu_ops.functional.mask import resize
from mbu_ops.methods.base import Networks, to_signed, to_unit
from mbu_ops.methods.blocks import CONSTANTS
from mbu_ops.methods.config import NetworkConfig
from mbu_ops.methods.info import MethodInfo
from mbu_ops.methods.unet import GROUPS, HALVINGS, UNet

__all__ = ["CONFIGS", "Native", "NativeConfig", "Planes"]

_RIM = 8
"""Over so many pixels a mask fades to the border of the frame, which may cut the content."""

_LEAST = 0.01
"""Share of the frame that is redrawn where the content is as likely there as not."""

_FARTHEST = 0.125
"""A flow takes pixels from so many sides of the frame away, at most."""


@dataclass(frozen=True, slots=True)
class NativeConfig(NetworkConfig):
    """Sizes of a native network; those of :class:`mbu_ops.methods.config.NetworkConfig`, with its layers'.

    Attributes:
        resolution: width of the frame, in pixels; regions need not be square.
        height: height of the frame, in pixels.
        channels: of the first level, a multiple of 8; each of the two levels below has twice as many.
        flow: whether the photo's own pixels move, by a flow of one arrow for each position of the lowest level.
        opaque: factor of the share that is redrawn, cut off at 1. Above 1, networks that are nearly sure redraw all:
            else a rest of what is hidden shines through, and colours learn to make up for it. No size either.
    """

    resolution: int = 224
    height: int = 96
    channels: int = 32
    flow: bool = False
    opaque: float = field(default=1.0, compare=False, kw_only=True)

    def __post_init__(self) -> None:
        step = self.patch << HALVINGS
        if self.resolution % step or self.height % step:
            raise ConfigurationError(
                f"resolution and height must be multiples of patch * 2**{HALVINGS} = {step}, got {self.resolution} "
                f"and {self.height}"
            )
        if self.channels % GROUPS:
            raise ConfigurationError(f"channels must be a multiple of {GROUPS}, got {self.channels}")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the model frame, in pixels."""
        return self.height, self.resolution


_REGIONS = {
    "": (128, 128),
    "eyes": (224, 96),
    "eyes_and_cheeks": (224, 128),
    "lower_face": (192, 144),
}
"""Width and height of frames: whole ones, and regions of a face at the pixels that its pupils are some 87 apart in."""

CONFIGS: dict[str, NativeConfig] = {
    "_".join(filter(None, (region, size))): NativeConfig(
        resolution=width, height=height, channels=channels, patch=2, removal_dilation=1, opaque=1.3
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
        redrawn: ``(B, 1, H, W)`` in [0, 1], the share of each pixel that is drawn anew: of the mask, what the gate
            does not keep for the photo's own pixels.
        flow: ``(B, 2, h, w)`` in sides of the frame, from where the photo's own pixels are taken, see
            :class:`mbu_ops.functional.layer.Moved`; 0 beside the mask. None where nothing moves.
    """

    colour: Tensor
    mask: Tensor
    redrawn: Tensor
    flow: Tensor | None = None

    @property
    def presence(self) -> Tensor:
        """``(B,)`` in [0, 1], how likely there is something to edit, by how much of the frame is redrawn."""
        share = self.redrawn.mean((1, 2, 3))
        return share / (share + _LEAST)

    def float(self) -> Planes:
        """Return the planes in single precision, in which training blends and compares pixels."""
        return Planes(*(None if plane is None else plane.float() for plane in self))  # type: ignore[arg-type]

    def scaled(self, strength: Tensor) -> Planes:
        """Return the planes of a part of the edit: at 0 nothing is redrawn or moved.

        Args:
            strength: ``(B,)``, 0 or more; beyond 1 flows exaggerate, and no more than all can be redrawn.
        """
        share = strength.to(self.mask.dtype).view(-1, 1, 1, 1)
        mask, redrawn = ((plane * share).clamp(max=1) for plane in (self.mask, self.redrawn))
        return self._replace(mask=mask, redrawn=redrawn, flow=None if self.flow is None else self.flow * share)

    def moved(self, image: Tensor) -> Tensor:
        """Return the image's own pixels where the flow puts them, ``(B, 3, H, W)``."""
        return image if self.flow is None else Moved(torch.ones_like(self.mask), self.flow).seen(image)

    def shown(self, image: Tensor) -> Tensor:
        """Return the edit at the frame's resolution, as training sees it.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1].
        """
        return torch.lerp(self.moved(image), self.colour, self.redrawn)

    def layer(self, image: Tensor) -> Layer:
        """Return the edit for photos of any size.

        What is finer than the frame's pixels stays where redrawn pixels show the image's structure: the grain of skin.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1].
        """
        own, redrawn = self.moved(image), self.redrawn
        hidden, changed = redrawn * (1 - agreement(self.colour, own)), redrawn
        if self.flow is not None:
            height, width = image.shape[-2:]
            pixels = self.flow * self.flow.new_tensor([width, height]).view(-1, 1, 1)
            stirred = resize(pixels.square().sum(1, keepdim=True).sqrt().clamp(max=1), (height, width))
            changed = 1 - (1 - redrawn) * (1 - stirred)
        # blended here as in training: the mask's ramp says where, and not how much
        return Layer(changed, redrawn * (self.colour - own), Moved(1 - hidden, self.flow, low=own))


class Native(UNet, Networks):
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
        patch = self.config.patch
        self.make_layers(self.config.channels, patch, inputs=3, outputs=5)
        self.arrows = nn.Conv2d(4 * self.config.channels, 2, 3, 1, 1) if self.config.flow else None
        self.register_buffer("window", faded(*self.config.size), persistent=False)
        # at first little is content, and what is shows the photo: training begins with edits that change nothing
        with torch.no_grad():
            if self.arrows is not None:
                self.arrows.weight.zero_()
                self.arrows.bias.zero_()  # type: ignore[union-attr]
            self.paint.bias[3 * patch**2 : 4 * patch**2].fill_(-2)  # type: ignore[index]
            self.paint.bias[4 * patch**2 :].fill_(1)  # type: ignore[index]

    @classmethod
    def continued(cls, trained: nn.Module, config: Any) -> Native | None:
        """Return networks that begin as a trained remover, of any method and frame, also one that moved no pixels."""
        if isinstance(trained, WithRemover):
            trained = trained.less
        if not isinstance(trained, Native):
            return None
        # a convolution fits any frame, whose pixels are as large in all of a family's
        framed = {"resolution": config.resolution, "height": config.height, "flow": config.flow}
        if replace(trained.config, **framed) != config:
            return None
        model = cls(config)
        model.load_state_dict(trained.state_dict(), strict=False)  # a flow that is new moves nothing at first
        return model

    def for_inference(self) -> Native:
        """Return networks that draw the same, but for rounding, in less time, and cannot be trained."""
        return _fast(self)

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """Shape of one guide code: a number that nothing reads, for it follows no guides."""
        return 1, 1, 1

    def remove(self, image: Tensor) -> Layer:
        """Return the image free of content, where its content is.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1].

        Returns:
            A layer whose mask, in [0, 1], is the share of pixels that are redrawn or moved; the rest are the image's
            own.
        """
        planes = self.planes(image)
        return planes.layer(image)._replace(presence=planes.presence)

    def presence(self, image: Tensor) -> Tensor:
        """Return how likely the image shows the content, ``(B,)`` in [0, 1]: by how much of the frame is redrawn.

        One hundredth of it is as good as not there, or there: 0.5.
        """
        return self.planes(image).presence

    def segment(self, image: Tensor) -> Tensor:
        """Return where the content is, ``(B, 1, H, W)`` in [0, 1]."""
        return self.planes(image).mask

    def planes(self, image: Tensor) -> Planes:
        """Return what the edit is made of: what training asks for.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1].
        """
        first, second, lowest = self.down_to(to_signed(image))
        colour, mask, gate = torch.split(self.up_to(first, second, lowest), [3, 1, 1], 1)
        mask = mask.sigmoid() * self.window
        flow = None
        if self.arrows is not None:
            # by the mask, so that nothing tears where it ends
            flow = _FARTHEST * self.arrows(lowest).tanh() * F.avg_pool2d(mask, self.config.patch << HALVINGS)
        redrawn = (self.config.opaque * mask * (1 - gate.sigmoid())).clamp(max=1)
        return Planes(to_unit(colour.tanh()), mask, redrawn, flow)


class WithRemover(Networks):
    """What methods share that put a content on, and whose removing half is a :class:`Native`.

    Args:
        config: sizes of each network.
    """

    configs = CONFIGS
    config: NativeConfig

    def __init__(self, config: NativeConfig | str = "lite") -> None:
        super().__init__(config)
        self.less = Native(self.config)

    @classmethod
    def continued(cls, trained: nn.Module, config: Any) -> Networks | None:
        """Return networks that begin as trained ones: as their like, or as a remover, of whatever method."""
        if isinstance(trained, cls) or not isinstance(trained, Native | WithRemover):
            return super().continued(trained, config)
        remover = Native.continued(trained, config)
        if remover is None:
            return None
        model = cls(config)
        model.begin_as(remover)
        return model

    def begin_as(self, remover: Native) -> None:
        """Take over what a remover knows."""
        self.less = remover

    def for_inference(self) -> Self:
        """Return networks that draw the same, but for rounding, in less time, and cannot be trained."""
        return _fast(self)

    def remove(self, image: Tensor) -> Layer:
        """Return the image free of content, where its content is."""
        return self.less.remove(image)

    def segment(self, image: Tensor) -> Tensor:
        """Return where the content is, ``(B, 1, H, W)`` in [0, 1]."""
        return self.less.segment(image)

    def presence(self, image: Tensor) -> Tensor:
        """Return how likely the image shows the content, ``(B,)`` in [0, 1]: by how much would be removed."""
        return self.less.presence(image)


Form = TypeVar("Form", bound=Networks)


def _fast(model: Form) -> Form:
    """Return a copy whose weights lie as a CPU reads them fastest; group norm depends on the image: nothing folds."""
    form = deepcopy(model).freeze()
    form.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return form


def faded(height: int, width: int) -> Tensor:
    """Return what masks are multiplied by, ``(1, 1, H, W)``: 1 inside, and a ramp to 0 at the border."""
    with CONSTANTS:
        rows, columns = (torch.arange(side) + 0.5 for side in (height, width))
        rows, columns = torch.minimum(rows, height - rows), torch.minimum(columns, width - columns)
        return (torch.minimum(rows[:, None], columns) / _RIM).clamp(0, 1)[None, None]
