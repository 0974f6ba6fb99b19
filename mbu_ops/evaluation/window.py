"""The part of a frame in which edits are, cut alike out of everything that is compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from mbu_ops.evaluation.edits import EditMasks
from mbu_ops.evaluation.networks.image_features import SIDE

LEAST = 0.25
"""Pixels belong to a window where at least this share of the edits reaches that reach the most edited pixel."""

MARGIN = 0.1
"""How much wider and higher than that a window is, on each of its sides."""

_GREY = 0.5


@dataclass(frozen=True, slots=True)
class Window:
    """Where edits are, by all edits together.

    Attributes:
        left: first column.
        top: first row.
        right: column after the last.
        bottom: row after the last.
        inside: ``(1, 1, R, R)`` bool: the pixels that edits reach.
    """

    left: int
    top: int
    right: int
    bottom: int
    inside: Tensor

    @classmethod
    def of(cls, edit_masks: EditMasks) -> Self:
        """Return the window of some edits; the whole frame where they reach nothing.

        Example:
            >>> region = torch.zeros(3, 1, 40, 40, dtype=torch.bool)
            >>> region[..., 10:20, 20:40] = True
            >>> window = Window.of(EditMasks(region, region))
            >>> window.left, window.top, window.right, window.bottom
            (18, 9, 40, 21)
        """
        known = [edit_masks.remove] if edit_masks.add is None else [edit_masks.add, edit_masks.remove]
        reached = torch.cat(known).float().mean(0, keepdim=True)
        inside = reached >= LEAST * reached.max()
        ends = []
        for dim in (-1, -2):
            places = inside.flatten(0, 1).any(1 if dim == -1 else 2)[0].nonzero()
            first, last = int(places.min()), int(places.max()) + 1
            margin = round(MARGIN * (last - first))
            ends.append((max(0, first - margin), min(inside.shape[dim], last + margin)))
        (left, right), (top, bottom) = ends
        return cls(left, top, right, bottom, inside)

    def cut(self, images: Tensor) -> Tensor:
        """Return the window of images, at the size that networks which describe them see.

        Args:
            images: ``(N, 3, R, R)`` RGB in [0, 1].

        Returns:
            ``(N, 3, 128, 128)``.
        """
        pixels = images[..., self.top : self.bottom, self.left : self.right]
        return F.interpolate(pixels, (SIDE, SIDE), mode="bicubic", antialias=True).clamp(0, 1)

    def cut_inside(self, images: Tensor) -> Tensor:
        """Return the window of images, grey where no edits reach; arguments and result as in :meth:`cut`."""
        return self.cut(torch.where(self.inside, images, _GREY))
