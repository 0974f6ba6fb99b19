"""Native, both ways: a network that takes a content away and one that puts it on, as one dial.

Each is a :class:`mbu_ops.methods.native.Native`, and to the second what is to be removed is that the content is not
there. So a smile is put on as glasses are taken off: what shows is the photo's own pixels, moved by a coarse flow, and
redrawn where nothing of them can stay, as where lips part and teeth come to show.

Source: as of Native; that each direction learns from the other's edits is back-translation (Sennrich, Haddow and Birch,
ACL 2016, arXiv:1511.06709).
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from mbu_ops.functional.layer import Layer
from mbu_ops.methods.base import Networks
from mbu_ops.methods.info import MethodInfo
from mbu_ops.methods.native import CONFIGS as ONE_WAY
from mbu_ops.methods.native import Native, NativeConfig, Planes

__all__ = ["CONFIGS", "NativeDial"]

CONFIGS: dict[str, NativeConfig] = {name: replace(config, flow=True) for name, config in ONE_WAY.items()}
"""Those of :mod:`mbu_ops.methods.native`, with a flow."""


class NativeDial(Networks):
    """Two native networks: for less of a content, and for more.

    Every public verb takes and returns pixels in [0, 1] at ``config.size``. Its code for a content is one number an
    image, the strength: 1 adds it, -1 removes it, 0 changes nothing. It is shown no guides: all of them mean 1.

    Args:
        config: sizes of each of the two; a name from :data:`CONFIGS` or a
            :class:`mbu_ops.methods.native.NativeConfig`.

    Example:
        >>> import torch
        >>> model = NativeDial("lite").eval()
        >>> layer = model.adjust(torch.rand(2, 3, 128, 128), torch.tensor([0.0, 0.5]))
        >>> layer.own.flow.shape, layer.mask[0].max().item()
        (torch.Size([2, 2, 16, 16]), 0.0)
    """

    info = MethodInfo(
        name="native_dial",
        verbs=frozenset({"adjust", "transfer", "remove", "segment", "interpolate"}),
        objective="mbu_ops.objectives.native_dial:NativeDialObjective",
        follows_guides=False,
        refines=False,
        aids=frozenset({"pairs", "reverse"}),
    )
    configs = CONFIGS
    config: NativeConfig

    def __init__(self, config: NativeConfig | str = "lite") -> None:
        super().__init__(config)
        self.less, self.more = Native(self.config), Native(self.config)

    @classmethod
    def continued(cls, trained: nn.Module, config: Any) -> Networks | None:
        """Return networks that begin as trained ones; both ways as one that can only remove: it can draw the place."""
        if not isinstance(trained, Native):
            return super().continued(trained, config)
        both = [Native.continued(trained, config) for _ in range(2)]
        if None in both:
            return None
        model = cls(config)
        model.less, model.more = both  # type: ignore[assignment]
        return model

    def for_inference(self) -> NativeDial:
        """Return networks that draw the same, but for rounding, in less time, and cannot be trained."""
        form = deepcopy(self).eval()
        form.less, form.more = self.less.for_inference(), self.more.for_inference()
        return form.requires_grad_(False)

    @property
    def code_shape(self) -> tuple[int, int, int]:
        """Shape of one guide code: a number."""
        return 1, 1, 1

    def adjust(self, image: Tensor, strength: Tensor) -> Layer:
        """Return the image with more or less of the content.

        Args:
            image: ``(B, 3, H, W)`` RGB in [0, 1].
            strength: ``(B,)``, 1 for full strength, negative for less of the content, 0 for no change.
        """
        return self._planes(image, strength > 0).scaled(strength.abs()).layer(image)

    def _planes(self, image: Tensor, up: Tensor) -> Planes:
        """Return what edits images, each one way: ``up`` is ``(B,)`` bool."""
        if not torch.compiler.is_compiling() and (bool(up.all()) or not bool(up.any())):
            return (self.more if bool(up.all()) else self.less).planes(image)
        up = up.view(-1, 1, 1, 1)
        both = zip(self.more.planes(image), self.less.planes(image), strict=True)
        return Planes(*(None if more is None else torch.where(up, more, less) for more, less in both))  # type: ignore[arg-type]

    def encode_guide(self, guide: Tensor) -> Tensor:
        """Return the code of what guides show: full strength, whatever they show."""
        return guide.new_ones(guide.shape[0], *self.code_shape)

    def transfer(self, image: Tensor, code: Tensor) -> Layer:
        """Return the image at a code's strength; ``(B, 1, 1, 1)`` from :meth:`encode_guide`, or a share of it."""
        return self.more.planes(image).scaled(code.flatten()).layer(image)

    def remove(self, image: Tensor) -> Layer:
        """Return the image at strength -1."""
        return self.less.remove(image)

    def segment(self, image: Tensor) -> Tensor:
        """Return where the content is, ``(B, 1, H, W)`` in [0, 1]."""
        return self.less.segment(image)

    def presence(self, image: Tensor) -> Tensor:
        """Return how likely the image shows the content, ``(B,)`` in [0, 1]: by how much would be removed."""
        return self.less.presence(image)
