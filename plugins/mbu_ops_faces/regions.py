"""Where in its frame a face is: the hull of its landmarks, up to the hairline."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from mbu_ops.functional.mask import dilate, resize
from mbu_ops_faces.landmarks import landmarks

SIDE = 64
"""Side of the square that hulls are drawn on, in pixels, before they are brought to the images' size."""

FOREHEAD = 0.35
"""How far the hull reaches above the brows, in heights from brows to chin."""

MARGIN = 2
"""How far the hull grows, in pixels of that square: glasses and beards stand out from the face a little."""

_JAW, _BROWS, _CHIN = tuple(range(17)), tuple(range(26, 16, -1)), 8

_OUTSIDE = frozenset({"hair_women", "hair_men"})
"""Attributes that lie beyond the face."""


@torch.no_grad()
def regions(attribute: str, images: Tensor) -> Tensor | None:
    """Return where edits of an attribute may change faces.

    Args:
        attribute: what is edited.
        images: ``(N, 3, H, W)`` RGB in [0, 1], one face each, as in the model's frame.

    Returns:
        ``(N, 1, H, W)`` in [0, 1], 1 on the face; None for hair, which no landmark bounds.
    """
    if attribute in _OUTSIDE:
        return None
    hulls = torch.stack([_hull(face) for face in landmarks(images).double().numpy()])[:, None]
    height, width = images.shape[-2:]
    return resize(dilate(hulls, MARGIN), (height, width)).to(images)


def _hull(points: np.ndarray) -> Tensor:
    height = points[_CHIN, 1] - points[list(_BROWS), 1].mean()
    forehead = points[list(_BROWS)] - [0, FOREHEAD * height]
    outline = np.concatenate([points[list(_JAW)], forehead]) * SIDE
    canvas = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in outline], fill=255)
    return torch.from_numpy(np.array(canvas)).float() / 255
