"""The portrait networks and what they can do."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.layer import Layer, carried
from mbu_ops.functional.mask import dilate, resize
from mbu_ops.methods.base import ContentView, Networks, to_signed, to_unit
from mbu_ops.methods.info import MethodInfo
from mbu_ops.methods.parsing import Parsing
from mbu_ops.methods.portrait.config import CONFIGS, SCALE, PortraitConfig
from mbu_ops.methods.portrait.layers import ComponentAutoEncoder, Generator, centres, cut, extended, paste

if TYPE_CHECKING:
    from mbu_ops.families import Anatomy


EDIT_DILATION = 3
"""How far the networks redraw around what changed in a mask, in pixels of the frame."""

_SOFT = 5
"""Side of the square over which edges are softened, in pixels of the frame."""


def softened(mask: Tensor) -> Tensor:
    """Return a mask ``(B, 1, H, W)`` whose edges are ramps, so that what is drawn has no seam.

    Example:
        >>> softened(torch.tensor([[[[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]]]])).flatten()
        tensor([0.0000, 0.2500, 0.4000, 0.6000, 0.7500, 1.0000])
    """
    return F.avg_pool2d(mask, _SOFT, 1, _SOFT // 2, count_include_pad=False)


_INFO = MethodInfo(
    name="portrait",
    verbs=frozenset({"swap", "segment", "interpolate", "edit", "generate", "parse"}),
    objective="mbu_ops.objectives.portrait:PortraitObjective",
    contents=None,
    learns_from="parts",
    mirrors=False,
    refines=False,
    aids=frozenset({"parser"}),
    swaps_at_once=True,
)


class ComponentView(ContentView):
    """What exchanges some components of pictures, as one content.

    Args:
        networks: the portrait networks, shared and not copied.
        index: which content, see :attr:`PortraitConfig.contents`.
    """

    info = replace(_INFO, contents=1, verbs=frozenset({"swap", "segment", "interpolate"}))
    networks: Portrait

    @property
    def components(self) -> tuple[int, ...]:
        """Numbers of the components."""
        return self.networks.config.contents[self.index]

    def encode_guide(self, guide: Tensor) -> Tensor:
        """Return the code of guides, see :meth:`Portrait.encode_guide`."""
        return self.networks.encode_guide(guide)

    def segment(self, image: Tensor) -> Tensor:
        """Return how likely each pixel belongs to the components, ``(B, 1, R, R)`` in [0, 1]."""
        return self._region(self.networks.parse(image))

    def swap(self, image: Tensor, code: Tensor) -> Layer:
        """Return images with the components of a code, in their own shapes.

        Args:
            image: ``(B, 3, R, R)`` RGB in [0, 1].
            code: ``(B, *code_shape)`` from :meth:`encode_guide`, or a mixture of such codes.
        """
        networks = self.networks
        mask = networks.mask_of(image)
        own = networks.encode(networks.crops(to_signed(image), mask), mask)
        given = networks.component_codes(code)
        taken = torch.zeros_like(own[:, :, :1], dtype=torch.bool)
        taken[:, list(self.components)] = True
        there = given.abs().amax(2, keepdim=True) > 0  # what the guide does not show cannot be taken from it
        mixed = torch.where(taken & there, given, own)
        before, after = networks.compose(own, mask, image), networks.compose(mixed, mask, image)
        region = softened(dilate(self._region(mask).to(image.dtype), self.config.removal_dilation))
        return carried(before, after, region).settled(image).within(region)

    def _region(self, shares: Tensor) -> Tensor:
        return self.networks.regions(shares)[:, list(self.components)].sum(1, keepdim=True).clamp(max=1)


class Portrait(Networks):
    """The networks of mask-guided portrait editing, with the one that reads masks off pictures.

    Public methods take and return pixels in [0, 1] that fill the model frame; the networks see [-1, 1]. A code
    describes all components of a picture; one that a picture does not show (closed eyes, a bald head) has a code of
    zeros, and edits leave such a component as it was.

    Args:
        config: sizes; a name from :data:`mbu_ops.methods.portrait.CONFIGS` or a :class:`PortraitConfig`.

    Example:
        >>> import torch
        >>> from mbu_ops.testing import tiny_portrait
        >>> model = tiny_portrait()
        >>> image, guide = torch.rand(2, 3, 32, 32), torch.rand(1, 3, 32, 32)
        >>> model.for_content(0).swap(image, model.encode_guide(guide)).bias.shape
        torch.Size([2, 3, 32, 32])
    """

    info = _INFO
    configs = CONFIGS
    view = ComponentView
    config: PortraitConfig

    def __init__(self, config: PortraitConfig | str = "paper") -> None:
        super().__init__(config)
        sizes: PortraitConfig = self.config
        self.parser = Parsing(sizes.parser)
        self.components = nn.ModuleList(
            ComponentAutoEncoder(
                height, width, sizes.encoder_widths, sizes.code_channels, sizes.feature_channels, sizes.patch
            )
            for height, width in zip(sizes.crop_heights, sizes.crop_widths, strict=True)
        )
        self.generator = Generator(
            sizes.components,
            sizes.parts,
            sizes.feature_channels,
            sizes.mask_channels,
            sizes.generator_channels,
            sizes.generator_blocks,
            sizes.background_channels,
            sizes.patch,
            sizes.fuses_background,
        )
        members = torch.zeros(sizes.components, sizes.parts)
        for part, number in enumerate(sizes.part_components):
            if number > 1:
                members[number - 2, part] = 1
        self.register_buffer("members", members, persistent=False)

    members: Tensor

    @property
    def contents(self) -> int:
        """How many things it exchanges: those of its components, and all of them at once."""
        return len(self.config.contents)

    @property
    def part_count(self) -> int:
        """How many parts its masks tell apart."""
        return self.config.parts

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """Shape of one guide code, which describes all components."""
        return self.config.components * self.config.code_channels, 1, 1

    @property
    def guide_shape(self) -> tuple[int, ...]:
        """Shape of one default guide: one code serves all contents."""
        return self.code_shape

    def guides_for(self, guides: Tensor, index: int) -> Tensor:  # noqa: ARG002 - the same for every content
        """Return the default guides of one content: all of each code, of which it takes its own part."""
        return guides

    @classmethod
    def contents_in(cls, anatomy: Anatomy) -> tuple[str, ...]:
        """Return the names of what components are exchanged as."""
        return anatomy.contents

    @classmethod
    def config_for(cls, config: Any, contents: Sequence[str], anatomy: Anatomy | None = None) -> Any:
        """Return a configuration for pictures with these parts and components."""
        if anatomy is None:
            raise ConfigurationError(
                f"{cls.info.name} needs the parts and components of a family: name one that has them"
            )
        fitted: PortraitConfig = config.composed_of(anatomy)
        if len(fitted.contents) != len(contents):
            raise ConfigurationError(f"expected the contents {', '.join(anatomy.contents)}, got {', '.join(contents)}")
        return fitted

    def for_inference(self) -> Portrait:
        """Return networks that draw the same, but for rounding, in less time, and cannot be trained."""
        form = deepcopy(self).eval()
        form.parser = form.parser.for_inference()
        return form.freeze()

    def train(self, mode: bool = True) -> Portrait:
        """Set the training mode, but for the network that reads masks: it is trained before."""
        super().train(mode)
        self.parser.eval()
        return self

    # -- masks --------------------------------------------------------------------------------------------------------

    def parse(self, image: Tensor) -> Tensor:
        """Return how likely each pixel belongs to each part.

        Args:
            image: ``(B, 3, R, R)`` RGB in [0, 1].

        Returns:
            ``(B, parts, R, R)``, which sum to 1.
        """
        return self.parser_logits(image).softmax(1)

    def parser_logits(self, image: Tensor) -> Tensor:
        """Return how strongly each pixel speaks for each part, ``(B, parts, R, R)``; arguments as for :meth:`parse`."""
        side = self.config.parser_resolution
        return resize(self.parser.logits(resize(image, (side, side))), (self.config.resolution,) * 2)

    def mask_of(self, image: Tensor) -> Tensor:
        """Return the mask that the parser reads off images: ``(B, parts, R, R)``, 1 in each pixel for its part."""
        return self.one_hot(self.parse(image).argmax(1, keepdim=True)).to(image.dtype)

    def one_hot(self, labels: Tensor) -> Tensor:
        """Return masks ``(B, parts, H, W)`` of numbers of parts ``(B, 1, H, W)``; other numbers are of no part."""
        parts = torch.arange(self.config.parts, device=labels.device)
        return (labels == parts.view(1, -1, 1, 1)).to(self.members.dtype)

    def regions(self, mask: Tensor) -> Tensor:
        """Return the regions ``(B, components, H, W)`` of the components in masks ``(B, parts, H, W)``."""
        return torch.einsum("cp,bphw->bchw", self.members.to(mask.dtype), mask)

    # -- pixels in [-1, 1] --------------------------------------------------------------------------------------------

    def crops(self, pixels: Tensor, mask: Tensor) -> list[Tensor]:
        """Return each component's crop, ``(B, 3, h, w)`` in [-1, 1]; outside its region 0, or its colours going on.

        Args:
            pixels: ``(B, 3, R, R)`` in [-1, 1].
            mask: ``(B, parts, R, R)``.
        """
        regions = self.regions(mask)
        middles = centres(regions)
        crops = []
        for index, (height, width) in enumerate(zip(self.config.crop_heights, self.config.crop_widths, strict=True)):
            region = regions[:, index : index + 1]
            both = cut(torch.cat([pixels * region, region], 1), middles[:, index], height, width)
            crops.append(extended(both[:, :3], both[:, 3:]) if self.config.extends else both[:, :3])
        return crops

    def encode(self, crops: Sequence[Tensor], mask: Tensor) -> Tensor:
        """Return codes ``(B, components, code_channels)`` of crops; zeros for components that the mask lacks."""
        codes = torch.stack([one.code(crop) for one, crop in zip(self.each_component(), crops, strict=True)], 1)
        there = self.regions(mask).amax((2, 3)) > 0
        return codes * there[..., None]

    def decode(self, codes: Tensor) -> list[Tensor]:
        """Return each component's features ``(B, F, h / 4, w / 4)``."""
        return [one.features(codes[:, index]) for index, one in enumerate(self.each_component())]

    def draw(self, features: Sequence[Tensor], mask: Tensor, pixels: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Return pictures ``(B, 3, R, R)`` in [-1, 1] put together from components.

        Args:
            features: each component's, from :meth:`decode`.
            mask: ``(B, parts, R, R)``, the shapes of the components.
            pixels: ``(B, 3, R, R)`` in [-1, 1], whose background to keep.
            hidden: ``(B, 1, R, R)``, 1 where those pixels do not show the background, though the mask says background.
        """
        regions = self.regions(mask)
        middles, there = centres(regions) / SCALE, regions.amax((2, 3)) > 0
        side = self.config.resolution // SCALE
        placed = [
            paste(one, middles[:, index], side) * there[:, index, None, None, None]
            for index, one in enumerate(features)
        ]
        known = 1 - regions.sum(1, keepdim=True)
        if hidden is not None:
            known = known * (1 - hidden)
        drawn: Tensor = self.generator(torch.cat(placed, 1), mask, pixels, known)
        return drawn

    def each_component(self) -> list[ComponentAutoEncoder]:
        """Return the networks of the components, in their order."""
        return list(self.components)  # type: ignore[arg-type]

    # -- images in [0, 1] ---------------------------------------------------------------------------------------------

    def encode_guide(self, guide: Tensor) -> Tensor:
        """Return the code of all components that guides show, ``(B, *code_shape)``.

        Args:
            guide: ``(B, 3, R, R)`` RGB in [0, 1].
        """
        mask = self.mask_of(guide)
        return self.encode(self.crops(to_signed(guide), mask), mask).flatten(1)[..., None, None]

    def component_codes(self, code: Tensor) -> Tensor:
        """Return codes ``(B, *code_shape)`` as ``(B, components, code_channels)``."""
        return code.reshape(-1, self.config.components, self.config.code_channels)

    def compose(self, codes: Tensor, mask: Tensor, background: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Return pictures put together from components.

        Args:
            codes: ``(B, components, code_channels)``.
            mask: ``(B, parts, R, R)``.
            background: ``(B, 3, R, R)`` RGB in [0, 1]; only what the mask calls background shows.
            hidden: as in :meth:`draw`.

        Returns:
            ``(B, 3, R, R)`` RGB in [0, 1].
        """
        return to_unit(self.draw(self.decode(codes), mask, to_signed(background), hidden))

    def generate(self, mask: Tensor, code: Tensor, background: Tensor) -> Tensor:
        """Return pictures with the shapes of masks and the look of codes.

        Args:
            mask: ``(B, parts, R, R)``.
            code: ``(B, *code_shape)`` from :meth:`encode_guide`.
            background: ``(B, 3, R, R)`` RGB in [0, 1].
        """
        return self.compose(self.component_codes(code), mask, background)

    def edit(self, image: Tensor, mask: Tensor) -> Layer:
        """Return images redrawn to fit other masks, and where those differ from the images' own.

        Args:
            image: ``(B, 3, R, R)`` RGB in [0, 1].
            mask: ``(B, parts, R, R)``; a pixel of no part stays the part that it is.
        """
        own = self.mask_of(image)
        mask = torch.where(mask.sum(1, keepdim=True) > 0, mask, own)
        codes = self.encode(self.crops(to_signed(image), own), own)
        # where hair made way for background, the image does not show what is behind it
        drawn = self.compose(codes, mask, image, hidden=self.regions(own).sum(1, keepdim=True))
        drawn = drawn.to(image.dtype)  # autocast may have drawn it in another
        changed = dilate((own - mask).abs().amax(1, keepdim=True), 1)
        region = softened(dilate(changed, EDIT_DILATION))
        before = self.compose(codes, own, image).to(image.dtype)
        drawn = self._toned(drawn, mask, image - before, own)
        kept = carried(before, drawn, region).settled(image)
        return kept.covered(drawn, softened(changed)).within(region)

    def _toned(self, drawn: Tensor, mask: Tensor, missing: Tensor, own: Tensor) -> Tensor:
        """Return pictures whose components have the tone that the drawing of the image's own lacks on average.

        Args:
            drawn: ``(B, 3, R, R)`` in [0, 1].
            mask: its mask.
            missing: ``(B, 3, R, R)``, the image less its own drawing.
            own: the mask of that.
        """
        there = self.regions(own)
        tone = torch.einsum("bchw,bkhw->bck", there, missing) / there.sum((2, 3)).clamp(min=1)[..., None]
        return (drawn + torch.einsum("bck,bchw->bkhw", tone, self.regions(mask))).clamp(0, 1)
