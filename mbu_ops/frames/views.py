"""Views of one place: the same content slightly moved, turned, scaled and mirrored.

An edit that is averaged over views keeps what all of them agree on. Source: the geometric self-ensemble of Lim et al.,
*Enhanced deep residual networks for single image super-resolution*, CVPR workshops 2017, section 3.4.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor


class View(NamedTuple):
    """How the frame that a view sees differs from the place's own.

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

    def matrix(self, height: float, width: float) -> Tensor:
        """Return the ``(3, 3)`` float64 matrix from fractions of the view's sides to fractions of the place's.

        Args:
            height: of the place; with the width, its shape, so that what is turned is not sheared.
            width: of the place.
        """
        angle = math.radians(self.angle)
        cosine, sine = self.scale * math.cos(angle), self.scale * math.sin(angle)
        mirror = -1.0 if self.mirrored else 1.0
        x, y = 0.5 + self.right, 0.5 + self.down
        turned = torch.tensor(
            [[mirror * cosine, -sine * height / width, x], [mirror * sine * width / height, cosine, y], [0, 0, 1]],
            dtype=torch.float64,
        )
        return turned @ torch.tensor([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]], dtype=torch.float64)


VIEWS = (
    View(),
    View(mirrored=True),
    View(0.015, 0.01, 1.03, 1.7, True),
    View(-0.015, 0.01, 0.97, -1.7),
    View(0.01, -0.015, 0.98, -1.7, True),
    View(-0.01, -0.01, 1.03, 1.7),
)
"""The place itself first: with one view nothing is averaged."""


def view_matrices(count: int, mirrors: bool, height: float, width: float) -> Tensor:
    """Return the first views as matrices ``(V, 3, 3)`` float64, see :meth:`View.matrix`.

    Args:
        count: how many of :data:`VIEWS`, at most as many as there are.
        mirrors: whether to use mirrored ones: not where left and right have names.
        height: of the place.
        width: of the place.

    Example:
        >>> view_matrices(4, False, 1, 1).shape
        torch.Size([3, 3, 3])
    """
    chosen = [view for view in VIEWS if mirrors or not view.mirrored][:count]
    return torch.stack([view.matrix(height, width) for view in chosen])
