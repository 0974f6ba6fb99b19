"""Native, with a guide: this pair of glasses, this beard, out of a guide photo's own pixels.

A :class:`mbu_ops.methods.native.Native` takes a content off; beside it a second network sees a photo and a guide, and
says for each pixel what shows there: the photo's own pixels, moved, or the guide's, moved to where they belong and
brought to the photo's light. Both are rendered at the pictures' own sharpness; nothing is drawn.

Sources: U-Net and norms as of Native; one affine map and a coarse flow to align a picture: spatial transformers
(Jaderberg et al., NeurIPS 2015, arXiv:1506.02025).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.functional.blend import on_plain
from mbu_ops.functional.layer import Layer, Moved
from mbu_ops.functional.mask import resize
from mbu_ops.methods.base import to_signed
from mbu_ops.methods.blocks import CONSTANTS
from mbu_ops.methods.info import MethodInfo
from mbu_ops.methods.native import CONFIGS, NativeConfig, WithRemover, faded
from mbu_ops.methods.unet import HALVINGS, UNet

__all__ = ["CONFIGS", "Adder", "GuidedPlanes", "NativeGuided"]

_OWN_FARTHEST, _GUIDE_FARTHEST = 0.125, 0.15
"""Flows take pixels from so many sides of the frame away, at most; the guide's beside its affine map."""

_AFFINE = 0.4
"""How far the affine map of a guide may be from the identity, in half sides of the frame."""

_LIGHT = 0.7
"""Natural logarithm of the largest factor by which a guide is made brighter or darker."""

_TINT = 0.08
"""The same of how far a factor may be from the mean of the three colours: more turned lips violet."""


class GuidedPlanes(NamedTuple):
    """What the network says of each pixel of its frame.

    Attributes:
        mask: ``(B, 1, H, W)`` in [0, 1], where the content lies.
        kept: ``(B, 1, H, W)`` in [0, 1], how much of the photo's own pixels shows under the mask; the rest is guide.
        flow: ``(B, 2, h, w)`` in sides of the frame, from where the photo's own pixels are taken; 0 beside the mask.
        guide_flow: ``(B, 2, h, w)``, the same of the guide's.
        light: ``(B, 3, h, w)``, factors that bring the guide to the photo's light.
        worn: ``(B, 1, H, W)`` in [0, 1], how opaque the guide is where it will lie: 1 for photos. Of a thing alone all
            is taken that is opaque.
    """

    mask: Tensor
    kept: Tensor
    flow: Tensor
    guide_flow: Tensor
    light: Tensor
    worn: Tensor

    @property
    def _lit(self) -> Tensor:
        """``(B, 3, H, W)``: how much of the guide's pixels shows, with their light."""
        taken = self.mask * (1 - self.kept)
        return taken * resize(self.light, (taken.shape[-2], taken.shape[-1]))

    def float(self) -> GuidedPlanes:
        """Return the planes in single precision, in which training blends and compares pixels."""
        return GuidedPlanes(*(plane.float() for plane in self))

    def taken(self, guide: Tensor) -> Tensor:
        """Return the guide's pixels where they belong, in the photo's light, ``(B, 3, H, W)``.

        Args:
            guide: ``(B, 3, H, W)`` RGB in [0, 1].
        """
        moved = Moved(torch.ones_like(self.mask), self.guide_flow).seen(guide)
        return moved * resize(self.light, (moved.shape[-2], moved.shape[-1]))

    def shown(self, image: Tensor, guide: Tensor) -> Tensor:
        """Return the edit at the frame's resolution, as training sees it.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1].
            guide: the same.
        """
        own = Moved(torch.ones_like(self.mask), self.flow).seen(image)
        return own + self.mask * self.worn * (1 - self.kept) * (self.taken(guide) - own)

    def layer(self, image: Tensor) -> Layer:
        """Return the edit for photos and guides of any size.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1].
        """
        height, width = image.shape[-2:]
        hidden = self.mask * (1 - self.kept)
        pixels = self.flow * self.flow.new_tensor([width, height]).view(-1, 1, 1)
        stirred = resize(pixels.square().sum(1, keepdim=True).sqrt().clamp(max=1), (height, width))
        return Layer(
            1 - (1 - hidden) * (1 - stirred),
            torch.zeros_like(image),
            Moved(1 - hidden, self.flow),
            Moved(self._lit, self.guide_flow),
        )


class Adder(UNet):
    """The network that puts a guide's content on a photo.

    Args:
        config: its sizes.

    Shape:
        Photos ``(B, 3, H, W)`` RGB in [0, 1], and guides' codes ``(B, 5, H, W)``: their pictures, how opaque these are,
        and where they show the content.
    """

    window: Tensor
    bends: Tensor

    def __init__(self, config: NativeConfig) -> None:
        super().__init__()
        self.make_layers(config.channels, config.patch, inputs=7, outputs=7, beside=4)
        deepest = 4 * config.channels
        self.place = nn.Linear(deepest, 6)
        self.arrows = nn.Conv2d(deepest, 2 + 2 + 3, 3, 1, 1)
        self.register_buffer("window", faded(*config.size), persistent=False)
        step = config.patch << HALVINGS
        self.register_buffer("bends", _bends(config.height // step, config.resolution // step), persistent=False)
        block = config.patch**2
        with torch.no_grad():
            # at first a guide lies where it lies, in its own light, and little of it shows
            for layer in (self.place, self.arrows):
                layer.weight.zero_()
                layer.bias.zero_()  # type: ignore[union-attr]
            self.paint.bias[3 * block : 4 * block].fill_(-2)  # type: ignore[index]
            self.paint.bias[6 * block :].fill_(-1)  # type: ignore[index]

    def forward(self, image: Tensor, code: Tensor) -> GuidedPlanes:
        """Return what shows where."""
        opacity, where = code[:, 3:4], code[:, 4:]
        picture = on_plain(code[:, :4])
        first, second, lowest = self.down_to(torch.cat([to_signed(image), to_signed(picture), where], 1))
        own, guide, light = torch.split(self.arrows(lowest).tanh(), [2, 2, 3], 1)
        alone = opacity.amin((2, 3), keepdim=True) < 1
        guide_flow = self._affine(lowest) + _GUIDE_FARTHEST * torch.where(alone, self._stiff(guide), guide)
        # the last level sees the guide where it will lie
        moved = Moved(torch.ones_like(where), guide_flow).seen(torch.cat([picture, where, opacity], 1))
        _, mask, shares = torch.split(self.up_to(first, second, lowest, moved[:, :4]), [3, 1, 3], 1)
        mask = mask.sigmoid() * self.window
        flow = _OWN_FARTHEST * own * F.avg_pool2d(mask, self.patch << HALVINGS)
        # weights hold a third share and colours, which they drew: what they draw is best taken from the guide, too
        kept = shares.softmax(1)[:, :1]
        grey = light.mean(1, keepdim=True)
        light = _LIGHT * grey + (_LIGHT * (light - grey)).clamp(-_TINT, _TINT)
        # of a thing alone it is known what to take: the network says where it lies, and in what light
        mask = torch.where(alone, self.window.to(mask), mask)
        kept = torch.where(alone, 0, kept)
        flow = torch.where(alone, 0, flow)
        worn = torch.where(alone, moved[:, 4:], 1)
        return GuidedPlanes(mask, kept, flow, guide_flow, light.exp(), worn)

    def _stiff(self, flow: Tensor) -> Tensor:
        """Return what of a flow bends a thing as a whole only: rims do not follow brows."""
        bends = self.bends.to(flow)
        return (flow.flatten(2) @ bends @ bends.T).view_as(flow)

    def _affine(self, lowest: Tensor) -> Tensor:
        """Return the flow of one affine map for each image, ``(B, 2, h, w)`` in sides of the frame."""
        across, down, shift = (_AFFINE / 2 * self.place(lowest.mean((2, 3))).tanh()).view(-1, 2, 3, 1, 1).unbind(2)
        height, width = lowest.shape[-2:]
        y, x = (2 * (torch.arange(side).to(lowest) + 0.5) / side - 1 for side in (height, width))
        flow: Tensor = across * x + down * y[:, None] + shift
        return flow


def _bends(height: int, width: int) -> Tensor:
    """Return how a flow of few arrows may vary, orthonormal columns ``(height * width, 5)``: 1, x, y, xy and x squared.

    The last two are what turning a head, and the curve of a face, do to a pair of glasses.
    """
    with CONSTANTS:
        x, y = torch.linspace(-1, 1, width).repeat(height), torch.linspace(-1, 1, height).repeat_interleave(width)
        found: Tensor = torch.linalg.qr(torch.stack([torch.ones_like(x), x, y, x * y, x * x], 1)).Q
    return found


class NativeGuided(WithRemover):
    """A native network that takes a content off, and an adder that puts a guide's on.

    Every public verb takes and returns pixels in [0, 1] at ``config.size``. A guide's code is its picture at that size,
    how opaque that is, and where it shows the content: what is rendered takes the guide photo's own pixels where it is
    at hand. A thing alone, on a transparent ground, is taken as it is: as sharp, and as thin.

    Args:
        config: sizes of each of the two; a name from :data:`CONFIGS` or a
            :class:`mbu_ops.methods.native.NativeConfig`.

    Example:
        >>> import torch
        >>> model = NativeGuided("eyes").eval()
        >>> image, guide = torch.rand(2, 2, 3, 96, 224)
        >>> layer = model.transfer(image, model.encode_guide(guide))
        >>> layer.guide.gain.shape, layer.guide.flow.shape
        (torch.Size([2, 3, 96, 224]), torch.Size([2, 2, 12, 28]))
    """

    info = MethodInfo(
        name="native_guided",
        verbs=frozenset({"transfer", "swap", "remove", "segment", "interpolate"}),
        objective="mbu_ops.objectives.native_guided:NativeGuidedObjective",
        refines=False,
        takes_pixels=True,
        aids=frozenset({"pairs", "views", "bends"}),
    )

    def __init__(self, config: NativeConfig | str = "lite") -> None:
        super().__init__(config)
        self.adder = Adder(self.config)

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """Shape of one guide code: a picture and its mask."""
        return 5, *self.config.size

    def encode_guide(self, guide: Tensor) -> Tensor:
        """Return a guide's picture, how opaque it is, and where it shows the content, ``(B, 5, H, W)``.

        Args:
            guide: ``(B, 3, H, W)`` RGB in [0, 1]; with a fourth channel, alpha, that is where the content is.
        """
        if guide.shape[1] == 4:
            return torch.cat([guide, guide[:, 3:]], 1)
        return torch.cat([guide, torch.ones_like(guide[:, :1]), self.less.segment(guide).to(guide.dtype)], 1)

    def transfer(self, image: Tensor, code: Tensor) -> Layer:
        """Return a guide's content as it would sit on the image; it takes pixels of the guide.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1].
            code: ``(B, 5, H, W)``, see :meth:`encode_guide`.
        """
        return self.planes(image, code).layer(image)

    def planes(self, image: Tensor, code: Tensor) -> GuidedPlanes:
        """Return what the addition is made of: what training asks for; arguments as of :meth:`transfer`."""
        planes: GuidedPlanes = self.adder(image, code)
        return planes
