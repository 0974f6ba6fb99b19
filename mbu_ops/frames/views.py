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
from mbu_ops.ops.edit import Edit, edit_with


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


def edited_view(op: nn.Module, places: Tensor, view: View) -> Edit:
    """Edit a view of places, and return the edit as it lies on the places themselves.

    Args:
        op: a one-input op.
        places: ``(B, 3, H, W)`` RGB in [0, 1].
        view: how to look at them.

    Returns:
        The edit; its image is the places blended with its raw pixels.
    """
    if view == View():
        return edit_with(op, places)
    height, width = places.shape[-2:]
    matrix = view.matrix(height, width)
    seen = edit_with(op, warp(places, matrix, (height, width), "border"))
    mask = warp(seen.mask, matrix.inverse(), (height, width), "zeros")
    raw = warp(seen.raw, matrix.inverse(), (height, width), "border")
    return Edit(places, mask, raw)
