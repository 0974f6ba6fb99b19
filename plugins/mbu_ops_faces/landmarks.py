"""The 68 landmarks of faces that are framed already."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from mbu_ops.functional.mask import resize
from mbu_ops.functional.similarity import extract, square
from mbu_ops_faces.aligner import POINTS_VIEW, FaceAligner, pretrained
from mbu_ops_faces.networks import POINTS_SIDE

_SIDE = 128
"""Side, in pixels, of the pictures that faces are cut from."""


@torch.no_grad()
def landmarks(images: Tensor) -> Tensor:
    """Return where the landmarks of framed faces are.

    Args:
        images: ``(N, 3, H, W)`` RGB in [0, 1], one face each, as in the family's first frame.

    Returns:
        ``(N, 68, 2)`` float32 on the CPU, x and y in sides of the frame.
    """
    x, y, side = POINTS_VIEW
    frame = square(_SIDE / 2, _SIDE / 2, _SIDE, 0.0)
    crops = extract(resize(images.float().cpu(), (_SIDE, _SIDE)), frame.part(*POINTS_VIEW), POINTS_SIDE)
    points: Tensor = (_aligner().landmarks(crops) - 0.5) * side + torch.tensor([x, y])
    return points


@functools.cache
def _aligner() -> FaceAligner:
    return pretrained()
