"""Views of one place: the same content slightly moved, turned, scaled and mirrored.

An edit that is averaged over views keeps what all of them agree on. Source: the geometric self-ensemble of Lim et al.,
*Enhanced deep residual networks for single image super-resolution*, CVPR workshops 2017, section 3.4.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mbu_ops.functional.similarity import warp
from mbu_ops.ops.edit import edit_with


class View(NamedTuple):
    """How a view differs from the place itself.

    Attributes:
        right: how far it is moved, in widths.
        down: how far it is moved, in heights.
        scale: how much larger the part is that it shows.
        angle: how far it is turned, in degrees.
        mirrored: whether left and right are exchanged.
    """

    right: float = 0.0
    down: float = 0.0
    scale: float = 1.0
    angle: float = 0.0
    mirrored: bool = False

    def matrix(self, height: int, width: int) -> Tensor:
        """Return the ``(3, 3)`` float64 matrix from pixels of the place to pixels of the view."""
        cosine, sine = math.cos(math.radians(self.angle)) / self.scale, math.sin(math.radians(self.angle)) / self.scale
        x, y = width / 2, height / 2
        towards = torch.tensor([[1, 0, -x - self.right * width], [0, 1, -y - self.down * height], [0, 0, 1]])
        turned = torch.tensor([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]], dtype=torch.float64)
        back = torch.tensor([[-1.0 if self.mirrored else 1.0, 0, x], [0, 1, y], [0, 0, 1]], dtype=torch.float64)
        return back @ turned @ towards.double()


VIEWS = (
    View(),
    View(mirrored=True),
    View(0.015, 0.01, 1.03, 1.7, True),
    View(-0.015, 0.01, 0.97, -1.7),
    View(0.01, -0.015, 0.98, -1.7, True),
    View(-0.01, -0.01, 1.03, 1.7),
)
"""The place itself first: with one view nothing is resampled."""


def edit_views(op: nn.Module, places: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Edit several views of places in one batch, and return what they agree on.

    Args:
        op: a one-input op; without mirrored views if it says so itself (``op.mirrors`` is False): what is left and what
            is right would be mixed up.
        places: ``(B, 3, H, W)`` RGB in [0, 1].
        count: how many of :data:`VIEWS`, at most as many as there are for it.

    Returns:
        The mean mask ``(B, 1, H, W)`` and the raw pixels ``(B, 3, H, W)``, averaged where masks cover them.
    """
    height, width = places.shape[-2:]
    chosen = [view for view in VIEWS if not view.mirrored or getattr(op, "mirrors", True)][:count]
    matrices = [None if view == View() else view.matrix(height, width) for view in chosen]
    views = [places if one is None else warp(places, one, (height, width), "border") for one in matrices]
    _, masks, raws = edit_with(op, torch.cat(views))
    total, weighted = torch.zeros_like(places[:, :1]), torch.zeros_like(places)
    seen = torch.zeros_like(places[:, :1])
    for matrix, mask, raw in zip(matrices, masks.chunk(len(chosen)), raws.chunk(len(chosen)), strict=True):
        layers = torch.cat([mask, raw * mask, torch.ones_like(mask)], 1)
        if matrix is not None:
            # past its border a view knows nothing, and has no say
            layers = warp(layers, matrix.inverse(), (height, width), "zeros")
        total, weighted, seen = total + layers[:, :1], weighted + layers[:, 1:4], seen + layers[:, 4:]
    raw = torch.where(total > 0, weighted / torch.where(total > 0, total, 1), places)
    return total / seen, raw
