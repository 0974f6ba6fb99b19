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

import torch
from torch import Tensor

from mbu_ops.functional.layer import Layer
from mbu_ops.methods.info import MethodInfo
from mbu_ops.methods.native import CONFIGS as ONE_WAY
from mbu_ops.methods.native import Native, NativeConfig, Planes, WithRemover

__all__ = ["CONFIGS", "NativeDial"]

CONFIGS: dict[str, NativeConfig] = {name: replace(config, flow=True) for name, config in ONE_WAY.items()}
"""Those of :mod:`mbu_ops.methods.native`, with a flow."""


class NativeDial(WithRemover):
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
        aids=frozenset({"pairs", "reverse", "bends"}),
    )
    configs = CONFIGS

    def __init__(self, config: NativeConfig | str = "lite") -> None:
        super().__init__(config)
        self.more = Native(self.config)

    def begin_as(self, remover: Native) -> None:
        """Take over what a remover knows, for both ways: it can draw the place."""
        super().begin_as(remover)
        self.more = deepcopy(remover)

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
