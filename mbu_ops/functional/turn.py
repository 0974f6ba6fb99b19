"""Pictures of something round, turned about an upright axis: what a head does that looks away."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mbu_ops.errors import ConfigurationError
from mbu_ops.functional.blend import premultiplied, straight
from mbu_ops.functional.sampling import sample

_STEPS = 512
"""Places across the surface at which it is known where they come to lie."""

FARTHEST = 60.0
"""Degrees by which pictures may be turned: beyond, next to nothing of the far half is left."""


def turned(picture: Tensor, degrees: float, curvature: float) -> Tensor:
    """Return pictures of a round surface, as a camera sees it once the surface has turned.

    The surface is a parabola about its upright middle; the camera is far away. The half that turns away is
    foreshortened and, beyond the edge of what is seen, hidden; the middle stays where it is.

    Args:
        picture: ``(B, 3, H, W)`` RGB in [0, 1], or ``(B, 4, H, W)`` with alpha.
        degrees: how far it turns, positive to the picture's right, at most 60 each way.
        curvature: 1 / radius of the surface, in 1 / widths of the picture; 0 for a plane.

    Returns:
        The same shape. What no place of the picture shows is transparent, or of a picture without alpha repeats its
        border.

    Raises:
        ConfigurationError: if it would turn too far, or the curvature is negative.

    Example:
        >>> picture = torch.rand(1, 3, 8, 24)
        >>> torch.equal(turned(picture, 0.0, 2.0), picture)
        True
        >>> right = turned(picture, 30.0, 2.0)
        >>> torch.allclose(turned(picture.flip(-1), -30.0, 2.0).flip(-1), right, atol=1e-5)
        True
    """
    if not (abs(degrees) <= FARTHEST and curvature >= 0):
        raise ConfigurationError(
            f"expected at most {FARTHEST:g} degrees to turn by and a curvature of 0 or more, got {degrees} and "
            f"{curvature}"
        )
    if degrees == 0:
        return picture
    height, width = picture.shape[-2:]
    columns = width * _columns(width, math.radians(degrees), curvature)
    rows = torch.arange(height, dtype=columns.dtype) + 0.5
    at = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).to(picture.device)
    if picture.shape[1] == 3:
        return sample(picture, at)
    return straight(sample(premultiplied(picture), at, "zeros"))


def _columns(width: int, angle: float, curvature: float) -> Tensor:
    """Return from where each column is taken, ``(W,)`` in widths of the picture; beyond it where nothing is seen."""
    # the surface, far enough beyond the picture: where its places come to lie, as long as they hide nothing
    surface = torch.linspace(-1.5, 1.5, 3 * _STEPS + 1, dtype=torch.float64)
    lies = surface * math.cos(angle) - curvature / 2 * surface.square() * math.sin(angle)
    # a parabola turns its edge to the camera where this has its one extremum
    forward = torch.full_like(surface, math.cos(angle)) - curvature * surface * math.sin(angle) > 0
    surface, lies = surface[forward], lies[forward]
    wanted = (torch.arange(width, dtype=torch.float64) + 0.5) / width - 0.5
    after = torch.searchsorted(lies, wanted).clamp(1, len(lies) - 1)
    share = (wanted - lies[after - 1]) / (lies[after] - lies[after - 1])
    found = surface[after - 1] + share.clamp(0, 1) * (surface[after] - surface[after - 1])
    hidden = (share < 0) | (share > 1)
    return torch.where(hidden, 0.5 + 2 * wanted.sign(), 0.5 + found)
