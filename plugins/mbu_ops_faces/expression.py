"""How a face is shaped that does not smile: where the landmarks of serious people lie, as against smiling ones'."""

from __future__ import annotations

import torch
from torch import Tensor

from mbu_ops_faces.aligner import MIRRORED
from mbu_ops_faces.landmarks import landmarks

SIDE = 64
"""Side of the square on which flows are given: they are smooth."""

_REACH = 0.045
"""How far a landmark carries what is around it along, as a Gaussian's standard deviation in sides of the face."""

_HOLD = 0.03
"""Weight of staying where it is, at each place: far from all landmarks nothing moves."""

_SERIOUS = {
    3: (0.0, 0.003),
    4: (0.0, 0.004),
    5: (0.001, 0.005),
    6: (0.001, 0.005),
    7: (0.0, 0.005),
    8: (0.0, 0.005),
    31: (0.003, 0.003),
    48: (0.020, 0.022),
    49: (0.013, 0.016),
    50: (0.003, 0.009),
    51: (0.0, 0.009),
    57: (0.0, 0.006),
    58: (0.005, 0.007),
    59: (0.011, 0.011),
}
"""By how much landmarks of serious people lie further right and down than smiling people's, in sides of the face.

Those of the face's half that lies left in the picture, and of its middle; the other half is its mirror image. Means of
300 and 300 training photos of ``faces_256``, scaled to one distance of the eyes' outer corners, noses on one another.
"""

_CHEEK = (41, 48, 2), (0.004, 0.013)
"""The cheek is in the middle of these landmarks, which none marks, and sinks so far: about half as far as the mouth's
corner, estimated."""

_INNER = {60: 48, 61: 50, 62: 51, 66: 57, 67: 58}
"""Inner landmarks of the lips go along with these outer ones: a mouth that shows teeth goes on showing them."""


@torch.no_grad()
def bends(attribute: str, images: Tensor, towards: bool) -> Tensor | None:
    """Return flows that give serious faces the shape of smiling ones, or the other way; None for other attributes.

    Lips do not part or close by that: what a smile shows is still shown, within a narrower mouth whose corners hang
    lower, under lower cheeks.

    Args:
        attribute: ``"smile"``.
        images: ``(N, 3, H, W)`` RGB in [0, 1], one face each, as in the family's first frame.
        towards: whether to bend towards the attribute, or away from it.

    Returns:
        ``(N, 2, 64, 64)`` in sides of the frame: a pixel at ``p`` is to be taken from ``p + flow(p)``.

    Example:
        >>> bends("glasses", torch.rand(1, 3, 32, 32), True) is None
        True
        >>> bends("smile", torch.rand(1, 3, 128, 128), True).shape
        torch.Size([1, 2, 64, 64])
    """
    if attribute != "smile":
        return None
    return _flow(landmarks(images), -1.0 if towards else 1.0).to(images)


def _flow(points: Tensor, share: float) -> Tensor:
    """Return the flow that moves landmarks towards where serious people have them, and what is around them along."""
    by = torch.zeros(points.shape[1], 2)
    for landmark, (right, down) in _SERIOUS.items():
        by[landmark] = torch.tensor([right, down])
        by[MIRRORED[landmark]] = torch.tensor([-right, down])
    for inner, outer in _INNER.items():
        by[inner], by[MIRRORED[inner]] = by[outer], by[MIRRORED[outer]]
    around, (right, down) = _CHEEK
    left, other = (
        points[:, list(marks)].mean(1, keepdim=True) for marks in (around, [MIRRORED[one] for one in around])
    )
    points = torch.cat([points, left, other], 1)
    by = share * torch.cat([by, torch.tensor([[right, down], [-right, down]])])
    middle = (torch.arange(SIDE) + 0.5) / SIDE
    places = torch.stack(torch.meshgrid(middle, middle, indexing="xy"), -1).view(-1, 2)
    # measured from where the landmarks will be: a flow says from where a pixel is taken
    near = torch.exp(-torch.cdist(places, points + by).square() / (2 * _REACH**2))
    flow = -(near @ by) / (near.sum(2, keepdim=True) + _HOLD)
    return flow.transpose(1, 2).reshape(len(points), 2, SIDE, SIDE)
